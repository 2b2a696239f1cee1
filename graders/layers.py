"""Layers: what the image holds, what of it nobody can reach, and what is made anew after a change."""

import gzip
import io
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from dockdojo import check, fail
from dockdojo.checks.answers import expect_answers
from dockdojo.checks.cache import installs, rebuilt_layers
from dockdojo.checks.projects import own_packages
from dockdojo.image.efficiency import analyse
from dockdojo.image.needles import Needles
from dockdojo.reports.layers import bytes_in_words, instruction_in_words

GIVEN = Path(__file__).parents[1] / "labs" / "layers" / "starter"
SECRET = (GIVEN / "station.token").read_text().strip()
DATA = "data/measurements.tar.gz"
ROOMS = (
    "attic",
    "bakery",
    "cellar",
    "den",
    "entry",
    "foyer",
    "garage",
    "hall",
    "kitchen",
    "library",
    "pantry",
    "studio",
)
DROPPED, ADDED = range(100, 900), range(100, 900)  # lines of 40,000
HOTTEST = range(
    40_00, 60_00
)  # hundredths of a degree; nothing that was given is as hot
STATION = "1000"  # who runs the report
LOOKS, LOOK_AGAIN = (
    12,
    0.5,
)  # seconds; a program that becomes another user has done it by then
MOST_WASTE = 1_000_000  # bytes
LEAST_EFFICIENCY = 0.98
MOST_SHARE = 0.45  # of the given image's own bytes
MOST_LAYERS = 8
LOOK = "Build an image with it, and look with `dockdojo layers`."
KNOWN_OF_IT = "It changes what is known of the image. Does it change a file?"
QUIZ = {
    "run_makes_a_layer": ("yes", {"no": LOOK}),
    "copy_makes_a_layer": ("yes", {"no": LOOK}),
    "env_makes_a_layer": ("no", {"yes": KNOWN_OF_IT}),
    "cmd_makes_a_layer": ("no", {"yes": KNOWN_OF_IT}),
    "deleted_file_is": (
        "in the layer of COPY",
        {
            "gone": "A layer never changes once it is made. What can a later one do, then?",
            "in the layer of RUN": "`dockdojo layers` shows what a RUN rm holds: a note that a name is hidden.",
        },
    ),
}


@pytest.fixture(scope="session")
def fresh(session):
    """The image, with measurements that nobody has seen; its other builds have the same ones."""
    measured = measurements(session.rng("measurements"))
    data = gzip.compress(packed(measured), 1, mtime=0)
    return SimpleNamespace(
        measured=measured, data=data, image=session.build(changes={DATA: data})
    )


def measurements(rng):
    """Files of other rooms, about as large as those that were given: some values are missing, and others are new."""
    names = rng.sample(ROOMS, 3)
    found = {}
    with tarfile.open(GIVEN / DATA) as archive:
        for name, member in zip(names, archive.getmembers(), strict=True):
            head, *lines = archive.extractfile(member).read().splitlines(keepends=True)
            more = [
                b"%d,%.2f\n" % (len(lines) + i, rng.choice(HOTTEST) / 100)
                for i in range(rng.choice(ADDED))
            ]
            found[f"{name}.csv"] = b"".join(
                [head, *lines[rng.choice(DROPPED) :], *more]
            )
    return found


def packed(files, folder=""):
    """A tar archive of the files, all root's."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name, data in sorted(files.items()):
            info = tarfile.TarInfo(folder + name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return raw.getvalue()


@pytest.fixture(scope="session")
def begun(session, fresh):
    """The layers of the image, with the secret looked for in them: read while other checks go on."""
    return session.background(
        lambda: session.engine.layers(fresh.image.id, (SECRET.encode(),), thorough=True)
    )


@pytest.fixture(scope="session")
def layers(begun):
    return begun.result()


@pytest.fixture(scope="session")
def given(session, begun):
    return session.build_folder(GIVEN)


@pytest.fixture(scope="session")
def wanted(session, given, fresh):
    """What the given program prints in the given image, with the fresh measurements beside it."""

    def run():
        ours = session.start("sleep", "600", image=given)
        program = {"report.py": (GIVEN / "report.py").read_bytes()}
        ours.unpack(
            "/srv",
            packed(
                program
                | {f"data/{name}": data for name, data in fresh.measured.items()}
            ),
        )
        return ours.exec("python", "/srv/report.py")

    return session.background(run)


@pytest.fixture(scope="session")
def stats(session, layers, fresh):
    base = session.base(fresh.image)
    return analyse("the image", layers, len(base.layers) if base else 0)


@check(
    points=15,
    hints=(
        "Run both images, and compare what they print.",
        "The last line says who runs it: that is part of the output.",
    ),
)
def test_same_output(session, run, fresh, wanted, begun):
    """It prints the same as the given image, byte for byte, whatever was measured."""
    done, wanted = run(image=fresh.image), wanted.result()
    if done.stdout != wanted.stdout or done.exit_code != wanted.exit_code:
        fail(
            f'it prints "{done.stdout[:500]}", exit code {done.exit_code}',
            expected=f'"{wanted.stdout[:500]}", exit code {wanted.exit_code}',
            why="The measurements in `data` are others each time that it is graded.",
            detail=done.stderr[-800:],
        )
    if starts_as(session, fresh.image) != STATION and (
        others := runs_as(session, fresh, begun.result())
    ):
        fail(
            f"it says that user {STATION} made it, and is run by user {', '.join(map(str, others))}",
            why="The last line tells who runs the program; the engine knows it, too.",
            hint="The instruction USER says who runs it: the number that the given image has.",
        )


def starts_as(session, image):
    """The number of the user whom the engine starts it as, by the bytes of /etc/passwd."""
    user = image.user.partition(":")[0]
    book = (
        session.create(image).members("/etc/passwd")[:1]
        if user and not user.isdigit()
        else []
    )
    lines = [
        line.split(":")
        for _, data in book
        for line in data.decode("utf-8", "replace").splitlines()
    ]
    return next(
        (words[2] for words in lines if words[0] == user and len(words) > 2), user
    )


def runs_as(session, fresh, layers):
    """Who else than the station runs it while it reads: one more file of measurements, a pipe to which nobody writes, holds it."""
    places = [
        entry.path
        for layer in layers
        for entry in layer.entries
        if Path(entry.path).name in fresh.measured
    ]
    if not places:
        return []  # unpacked when it runs
    raw, pipe = io.BytesIO(), tarfile.TarInfo("waits.csv")
    pipe.type, pipe.mode = tarfile.FIFOTYPE, 0o666
    with tarfile.open(fileobj=raw, mode="w") as archive:
        archive.addfile(pipe)
    created = session.create(fresh.image)
    created.unpack("/" + str(Path(places[-1]).parent), raw.getvalue())
    session.engine.launch(created.id)
    for _ in range(LOOKS):  # it may become another user first
        others = {process.uid for process in created.processes()} - {int(STATION)}
        if not others:
            break
        session.sleep(LOOK_AGAIN)
    return sorted(others)


@check(
    points=20,
    hints=(
        "Does the report need the token at all?",
        "What was once in a layer, a variable or a label stays in the image. `docker history --no-trunc` and `dockdojo layers` show it.",
        "Keep it out of the build: .dockerignore, and no ENV. A build that needs a secret takes it by RUN --mount=type=secret.",
    ),
)
def test_secret(fresh, layers, session):
    """The token of the station is in no layer, no history entry, no variable and no label."""
    token = Needles((SECRET.encode(),), thorough=True)
    for number, layer in enumerate(layers):
        for entry in layer.entries:
            if entry.held or token.held_by_text(entry.path):
                fail(
                    f"`/{entry.path[:200]}` in layer {number} holds it (`{layer.shown}`)",
                    why="A later RUN rm hides a file; it does not take it out. Packed up or written in another way, it is the same.",
                )
    image = fresh.image
    for name, value in {**image.env, **image.labels}.items():
        if token.held_by_text(f"{name}={value}"):
            fail(
                f"`{name[:100]}` holds it",
                why="`docker inspect` shows variables and labels to everyone who has the image.",
            )
    for step in session.engine.history(image.id):
        if token.held_by_text(step.instruction):
            fail(
                f"the history holds it: `{step.shown}`",
                why="`docker history --no-trunc` shows every instruction, and the build arguments that it was given.",
            )
    for word in (*(image.cmd or ()), *(image.entrypoint or ())):
        if token.held_by_text(word):
            fail(
                "the image's command holds it",
                why="`docker inspect` shows it to everyone who has the image.",
            )


@check(
    points=15,
    hints=(
        "`dockdojo layers IMAGE` names the wasted bytes, and who made and hid them.",
        "What a RUN deletes or changes must be its own: bytes of a lower layer stay.",
        "ADD --chown unpacks with the right owner at once.",
    ),
)
def test_waste(stats):
    """At most 1 MB is wasted, and the efficiency is 0.98 or more."""
    ours = [
        hidden for hidden in stats.waste if not stats.layers[hidden.hidden_by].in_base
    ]
    wasted = sum(hidden.size for hidden in ours)
    efficiency = (stats.size - wasted) / stats.size if stats.size else 1.0
    if wasted > MOST_WASTE or efficiency < LEAST_EFFICIENCY:
        top = ours[0]
        fail(
            f"{bytes_in_words(wasted)} wasted, efficiency {efficiency:.3f}; the largest is `/{top.path}` with "
            f"{bytes_in_words(top.size)}",
            expected=f"at most {bytes_in_words(MOST_WASTE)}, and {LEAST_EFFICIENCY} or more",
            why=f"`{instruction_in_words(stats.layers[top.hidden_by])[:120]}` overwrites or hides what "
            f"`{instruction_in_words(stats.layers[top.made_by])[:120]}` had made.",
        )


@check(
    points=15,
    hints=(
        "Which of the steps leave something that the report does not need?",
        "Package lists, pip's cache, tools that nobody calls, the archive beside what was in it.",
        "pip install --no-cache-dir; and does anybody call `less`?",
    ),
)
def test_size(stats, given, session):
    """Its own bytes are at most 45 % of those of the given image."""
    mine = sum(layer.size for layer in stats.own)
    theirs = given.size - session.engine.image(session.base_of(GIVEN)).size
    if mine > MOST_SHARE * theirs:
        largest = max(stats.own, key=lambda layer: layer.size)
        fail(
            f"{bytes_in_words(mine)} on top of the base, {100 * mine / theirs:.0f} % of the given image's {bytes_in_words(theirs)}",
            expected=f"at most {100 * MOST_SHARE:.0f} %",
            why=f"The largest step is `{instruction_in_words(largest)[:120]}` with {bytes_in_words(largest.size)}.",
        )


@check(
    points=10,
    hints=(
        "Every RUN and COPY makes a layer.",
        "Steps that belong together can be one RUN: a && b.",
    ),
)
def test_layer_count(stats):
    """It has at most 8 layers on top of its base."""
    if len(stats.own) > MOST_LAYERS:
        fail(
            f"it has {len(stats.own)} layers on top of its base",
            expected=f"at most {MOST_LAYERS}",
            file="Dockerfile",
        )


@check(
    points=15,
    hints=(
        "Change a letter in report.py, and build again. What runs?",
        "A step is made anew when anything before it changed. What does the install need?",
        "COPY requirements.txt . and RUN pip install come before COPY report.py .",
    ),
)
def test_keeps_install(build, layers, session, submission, dockerfile, fresh, rng):
    """After a change of report.py alone, building again installs nothing again."""
    text = submission.read("report.py")

    def changed():
        mark = f"{text}\n# changed: {rng.getrandbits(32):08x}\n"
        return build(changes={DATA: fresh.data, "report.py": mark.encode()})

    copied = session.submission.size + sum(map(len, fresh.measured.values()))
    own = own_packages(submission, dockerfile)
    again = rebuilt_layers(
        session.engine,
        fresh.image,
        changed,
        lambda path: installs(path, own),
        layers,
        copied=copied,
    )
    if again:
        fail(
            f"`{again[0].shown}` installed packages again",
            why="Something that changes with report.py comes before it.",
            file="Dockerfile",
        )


@check(points=6, hints=("Which instructions change a file?",))
def test_what_makes_layers(submission):
    """Quiz: which instructions make a layer with files."""
    expect_answers(
        submission, QUIZ, *(key for key in QUIZ if key.endswith("_makes_a_layer"))
    )


@check(
    points=4, hints=("`docker save IMAGE | tar t` shows the layers; look into each.",)
)
def test_deleted_file(submission):
    """Quiz: where a file is that a later instruction deleted."""
    expect_answers(submission, QUIZ, "deleted_file_is")
