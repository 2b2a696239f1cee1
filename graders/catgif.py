"""A real web application: it answers, it is lean, it builds again quickly, and it runs as nobody special."""

import contextlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from dockdojo import check, fail
from dockdojo.checks.cache import installs, rebuilt_layers
from dockdojo.checks.fresh_pictures import fresh_gifs
from dockdojo.checks.page_pictures import Server, pictures_shown
from dockdojo.checks.pinning import expect_pinned_bases, expect_pinned_packages
from dockdojo.checks.projects import own_packages
from dockdojo.checks.web_causes import (
    LAST_WORDS,
    Causes,
    listed,
    listening,
    where_it_answers,
)
from dockdojo.checks.web_servers import sign_of_development, working
from dockdojo.errors import SubmissionError

GIVEN = Path(__file__).parents[1] / "labs" / "catgif" / "starter" / "static"
PORT = 5000
OTHER_PORTS = range(
    2_000, 28_000
)  # above those that need a right, below those that the kernel gives to clients
START_SECONDS = 10
DRAWS, ROUNDS = 20, 5  # three cats are all seen in 100 draws but for one time in 10**17
MAX_ROUNDS = 20
MARKED = (
    "__grading__"  # a name that app.py gets: its text stays when Python compiles it
)
PACKAGES = {"site-packages", "dist-packages"}
ADDED_MB = 60


@pytest.fixture(scope="session")
def causes(session):
    """Tells each cause that several checks meet in the same words."""
    return Causes(session.http, port=PORT, within=START_SECONDS)


@pytest.fixture
def serving(container, http, causes):
    """Where something answers in the container, on whatever port, and what; and whether over the loopback only.

    Asked of the container, which may be a new one. The check fails where nothing answers.
    """
    served = where_it_answers(http, container, port=PORT, within=START_SECONDS)
    if not served.page.status:
        causes.no_answer(container)
    return served


@pytest.fixture(scope="session")
def cats(session):
    """The given pictures with fresh bytes, wherever the submission keeps them."""
    return fresh_gifs(session.submission, GIVEN, session.rng("cats"))


def app_of(submission):
    """Where the app is in the folder: beside the Dockerfile, or in a folder of its own."""
    found = sorted(
        path.relative_to(submission.path).as_posix()
        for path in submission.path.glob("*/app.py")
    )
    return next(
        (place for place in ("app.py", *found) if submission.has(place)), "app.py"
    )


@pytest.fixture(scope="session")
def twice(session, cats):
    """With clutter beside the app, fresh cats and a mark in app.py: the image, a way to build it after another change of app.py,
    the clutter's mark and the app's.
    """
    rng, place = session.rng("clutter"), app_of(session.submission)
    app = session.submission.read(place)
    mark, app_mark = (rng.randbytes(16).hex().encode() for _ in range(2))
    others = {
        ".git/HEAD": mark,
        f".git/objects/ab/{rng.randbytes(19).hex()}": mark,
        ".env": b"SECRET=" + mark,
        "__pycache__/app.cpython-311.pyc": mark,
        f"leftover{rng.randrange(1000)}.pyc": mark,
        **cats.files,
        place: f'{app}\n{MARKED} = "{app_mark.decode()}"\n'.encode(),
    }

    def changed():
        return session.build(
            changes={
                **others,
                place: f"{app}\n# changed: {rng.getrandbits(32):08x}\n".encode(),
            }
        )

    return SimpleNamespace(
        image=session.build(changes=others), changed=changed, clutter=mark, app=app_mark
    )


@pytest.fixture(scope="session")
def layers(session, twice):
    return session.engine.layers(twice.image.id, (twice.clutter, twice.app))


@pytest.fixture(scope="session")
def other(session, twice, cats):
    """The app with fresh cats, on another port: what it answers; begun at once, beside the checks."""
    port = session.rng("port").choice(OTHER_PORTS)

    def look():
        http, running = session.http, session.start(
            image=twice.image, env={"PORT": str(port)}
        )
        page = http.wait(
            running, port=port, within=START_SECONDS, loopback=True, status=200
        )
        ports = listening(http, running) if not page.status else []
        source, at = running, port if page.status else next(iter(ports), PORT)
        if (
            not page.status and not ports
        ):  # it does not cope with another port: the cats are looked for without one
            source = session.start(image=twice.image)
            http.wait(source, port=at, within=START_SECONDS, loopback=True, status=200)
        inside = not http.get(source, port=at).status
        server = Server(
            http=http, container=source, port=at, loopback=inside, within=START_SECONDS
        )
        rounds = min(ROUNDS * cats.share, MAX_ROUNDS)
        return SimpleNamespace(
            port=port,
            page=page,
            ports=ports,
            has_ended=not running.running,
            logs=running.logs()[-LAST_WORDS:],
            seen=pictures_shown(
                server, cats.digests.keys(), times=DRAWS, rounds=rounds
            ),
        )

    return session.background(look)


@check(
    points=15,
    hints=(
        "Run it yourself: `docker run --rm -p 5000:5000 IMAGE`, and read what it prints.",
        "`docker ps -a` shows whether it still runs, `docker logs` what it said.",
        'CMD ["gunicorn", "--bind", "0.0.0.0:5000", "app:app"]',
    ),
)
def test_answers(container, http, causes, other):
    """The page `/` answers with status 200 within 10 seconds of the start."""
    page = http.wait(
        container, port=PORT, within=START_SECONDS, loopback=True, status=200
    )
    if not page.status:
        causes.no_answer(container)
    if page.status != 200:
        causes.wrong_status(container, page)


@check(
    points=8,
    hints=(
        "Whose `localhost` is it, inside a container?",
        "127.0.0.1 is the container's own loopback; `docker run -p` connects to its network address.",
        "Bind to 0.0.0.0, which means every address.",
    ),
)
def test_reachable(container, serving):
    """It answers on the container's own address, not only on the container's loopback."""
    if serving.loopback:
        fail(
            "it answers on 127.0.0.1 inside the container, and nowhere else",
            expected=f"an answer on {container.address or 'the address of the container'}, port {serving.port}",
            why="The loopback of a container is not that of your machine: `-p` cannot reach it.",
        )


@check(
    points=10,
    hints=(
        "Look at the page's source in your browser: what does `<img>` point to?",
        "The pictures must be in the image, where the app looks for them.",
        "COPY . . takes static/ and templates/ along, unless .dockerignore leaves them out.",
    ),
)
def test_gifs(cats, container, serving, causes, other):
    """The page's `<img>` loads and is a GIF, and every cat that was given can appear."""
    if cats.missing:
        fail(
            f"{', '.join(cats.missing)} is not among the files any more",
            expected="the cats that were given, unchanged",
            hint="`dockdojo start catgif NEW_FOLDER` gives them once more: copy static/ from there.",
        )
    seen = other.result().seen
    if seen.status and seen.status == serving.page.status:
        causes.wrong_status(container, serving.page)
    if seen.wrong:
        fail(
            seen.wrong,
            expected='<img src="..."> in the page, and a GIF behind it',
            hint=seen.hint,
            detail=seen.detail,
        )
    missing = sorted(
        name for digest, name in cats.digests.items() if digest not in seen.places
    )
    if missing:
        fail(
            f"{', '.join(missing)} did not appear in {DRAWS * min(ROUNDS * cats.share, MAX_ROUNDS)} tries",
            expected=f"each of {', '.join(sorted(cats.digests.values()))} now and then, as it is in the folder when the image is built",
            why="Are all the pictures in the image, unchanged, and is the choice still random?",
            hint="`docker run --rm --entrypoint ls IMAGE -l static` lists the pictures that the image has.",
        )


@check(
    points=8,
    hints=(
        "Who tells the server which port to use, and when?",
        "`-e PORT=8081` is known when the container starts, not when the image is built. Exec form expands nothing.",
        'CMD ["sh", "-c", "exec gunicorn --bind 0.0.0.0:${PORT:-5000} app:app"]',
    ),
)
def test_port(other, serving):
    """With another PORT, such as `-e PORT=8081`, it answers on that port."""
    found = other.result()
    if not found.page.status:
        with_it = f"with `-e PORT={found.port}`"
        if found.has_ended:
            fail(
                f"{with_it}, the container has ended",
                why="Without it, the container runs.",
                hint="What does the program make of PORT? `docker logs CONTAINER` shows what it said.",
                detail=found.logs,
            )
        fail(
            f"{with_it}, no answer on port {found.port}"
            + (f"; it listens on {listed(found.ports)}" if found.ports else ""),
            why="Is the number 5000 written somewhere where PORT should be looked at?",
            detail=found.logs,
        )
    if found.page.status not in (200, serving.page.status):
        fail(
            f"with `-e PORT={found.port}`, it answers with status {found.page.status}, and with {serving.page.status} without",
            expected="the same page on another port",
            hint="The server heard the port. What is in the way now? `docker logs CONTAINER` tells.",
            detail=found.logs,
        )


@check(
    points=4,
    hints=(
        "EXPOSE tells people and tools which port to publish; it opens nothing.",
        "EXPOSE 5000",
    ),
)
def test_exposes(image):
    """The image says that it listens on port 5000 (EXPOSE)."""
    if "5000/tcp" not in image.ports:
        fail(
            f"the image exposes {', '.join(image.ports) or 'no port'}",
            expected="5000/tcp",
            file="Dockerfile",
        )


@check(
    points=3,
    hints=(
        "Where in the image does `COPY . .` copy to?",
        "WORKDIR /app, before the first COPY.",
    ),
)
def test_workdir(image, twice, layers, container, causes):
    """It has a working folder of its own, not `/`, and the app is there."""
    folder = image.workdir.strip("/")
    if not folder:
        fail(
            "the working folder is `/`",
            why="Files of the app between /bin, /etc and /usr are hard to find, and easy to clash with.",
            file="Dockerfile",
        )
    files = [
        f"/{entry.path}"
        for layer in layers
        for entry in layer.entries
        if twice.app in entry.held
    ]
    apps = [path for path in files if not PACKAGES & set(path.split("/"))]
    if any(path.startswith(f"/{folder}/") for path in apps):
        return
    if apps:
        fail(
            f"the working folder is `/{folder}`, and the app is not there",
            expected="the app in its working folder",
            why=f"It is `{min(apps, key=len)}`.",
            hint="Where does COPY copy to, and which WORKDIR came before it?",
            file="Dockerfile",
        )
    # It is packed, or installed as a package: then the process tells where it works.
    if not container.running:
        causes.no_answer(container)
    works = set()
    for process in working(
        [process for process in container.processes() if not process.is_from_outside]
    ):
        with contextlib.suppress(SubmissionError):  # it has ended
            works.add(container.program(process.pid).folder)
    if not any(f"{path}/".startswith(f"/{folder}/") for path in works):
        fail(
            f"the working folder is `/{folder}`, and the app is not there",
            expected="the app in its working folder",
            why=(
                f"What serves the page works in {', '.join(f'`{path}`' for path in sorted(works)[:3])}."
                if works
                else ""
            ),
            hint="Where does COPY copy to, and which WORKDIR came before it?",
            file="Dockerfile",
        )


@check(
    points=7,
    hints=(
        "Which version of Flask will this image have in a year?",
        "`==` pins a package; a tag pins an image.",
        "`pip freeze` in a container shows the versions that were installed.",
    ),
)
def test_pinned(dockerfile, submission):
    """The base image and every requirement are pinned to one version."""
    expect_pinned_bases(dockerfile)
    expect_pinned_packages(submission, dockerfile)


@check(
    points=13,
    hints=(
        "Change one letter in app.py and build again. Which step takes long?",
        "A step is taken from the cache as long as nothing before it changed. What does the install really need?",
        "COPY requirements.txt . first, then RUN pip install, then COPY . .",
    ),
)
def test_cache(twice, layers, engine, submission, dockerfile):
    """After a change of app.py alone, building again installs nothing again."""
    own = own_packages(submission, dockerfile)
    again = rebuilt_layers(
        engine,
        twice.image,
        twice.changed,
        lambda path: installs(path, own),
        layers,
        copied=submission.size,
    )
    if again:
        fail(
            f"`{again[0].shown}` installed packages again",
            why="Something that changes with app.py, such as a COPY of everything, comes before an install.",
            file="Dockerfile",
        )


@check(
    points=10,
    hints=(
        "What is in the folder that `COPY . .` copies, besides the app?",
        ".dockerignore keeps files out of the build. Its patterns look from the top of the folder.",
        ".git, .env, **/__pycache__ and **/*.pyc",
    ),
)
def test_clean_context(layers, twice):
    """`.git`, `.env`, `__pycache__` and `*.pyc` beside the app never reach the image, not even a lower layer."""
    found = sorted(
        {
            entry.path
            for layer in layers
            for entry in layer.entries
            if twice.clutter in entry.held
        }
    )
    if found:
        fail(
            "the image holds " + ", ".join(f"`/{path}`" for path in found[:5]),
            why="What is in a layer stays in the image, also when a later step deletes it. .env files hold secrets.",
            file=".dockerignore",
        )


@check(
    points=8,
    hints=(
        "`docker history IMAGE` shows what each step added.",
        "pip keeps a cache, apt keeps lists, and compilers are rarely needed afterwards.",
        "pip install --no-cache-dir",
    ),
)
def test_size(image, session):
    """It adds at most 60 MB to its base image."""
    base = session.base(image)
    added = (image.size - (base.size if base else 0)) / 1e6
    if added > ADDED_MB:
        fail(
            f"{added:.1f} MB on top of {'the base image' if base else 'nothing'}",
            expected=f"at most {ADDED_MB} MB",
            why="Every byte is stored, sent and scanned for each copy of the image.",
        )


@check(
    points=7,
    hints=(
        "Who are you in the container? `docker exec CONTAINER id` tells.",
        "Without USER, everything runs as root; a hole in the app is then root's.",
        "RUN useradd --system cat, then USER cat",
    ),
)
def test_not_root(container, serving):
    """No process of it runs as root."""
    roots = [process for process in container.processes() if process.is_root]
    if roots:
        fail(
            f"process {roots[0].pid}, `{' '.join(roots[0].argv)[:100]}`, runs as uid 0 (root), or can again",
            why="Whoever breaks into the app is then root in the container.",
        )


@check(
    points=7,
    hints=(
        "Which program listens on the port? `docker top CONTAINER` shows it.",
        "Flask's own server is for development. WSGI servers such as gunicorn or waitress are for production.",
        "Put gunicorn into requirements.txt, and start it in CMD.",
    ),
)
def test_production_server(container, http, serving, rng):
    """A production server answers, not Flask's development server."""
    sign = sign_of_development(
        container, http, port=serving.port, loopback=serving.loopback, rng=rng
    )
    if sign:
        fail(
            sign,
            why="The development server is slow, and its debugger lets strangers run code.",
        )
