"""Multi-stage builds: what the image does, what is left in it, and where its extension came from."""

import re
from pathlib import Path, PurePosixPath

import pytest

from dockdojo import check, fail
from dockdojo.checks.extension import call, marked_source
from dockdojo.engine.files import user_id
from dockdojo.errors import BuildFailed, SubmissionError

GIVEN = Path(__file__).parents[1] / "labs" / "multi_stage" / "starter"
SOURCE, TESTS = "fastsum/fastsum.c", "tests/test_fastsum.py"
ADDED_MB = 25
BY_DEFAULT = 500000500000
LARGE = 10**12  # numbers that do not fit into 32 bits, and whose sum fits into 64
COMPILERS = re.compile(  # with the machine's name before, and a version behind, as Debian has them
    r"(?:\w{1,20}-linux-\w{1,20}-)?(?:gcc|cc|g\+\+|c\+\+|c[89]9|clang|clang\+\+|tcc|cc1|cc1plus|as|ld|ld\.\w+|make)(?:-\d+)?"
)
PARTS = re.compile(
    r"/lib(?:exec)?/gcc/"
)  # where gcc keeps its own; /usr/share/gcc belongs to a library
ENDS_LATE = 'import atexit, time; atexit.register(lambda: [print("waits", flush=True), time.sleep(60)])'
WAITS_WITHIN = 10  # seconds
TEST_FILE = """import unittest

import fastsum


class TestOfThisGrading(unittest.TestCase):
    def test_a_sum(self):
        self.assertEqual(fastsum.total({numbers}), {expected})


def test_a_sum():
    assert fastsum.total({numbers}) == {expected}


if __name__ == "__main__":
    unittest.main()
"""


def drawn(rng):
    """Some whole numbers."""
    return [rng.randint(-LARGE, LARGE) for _ in range(rng.randint(3, 9))]


def words(numbers):
    return " ".join(map(str, numbers))


@pytest.fixture(scope="session")
def source(session):
    """A source of the extension for this grading alone: it bears a mark, and adds something where it meets one number."""
    return marked_source(
        (GIVEN / SOURCE).read_text(), session.rng("the extension of this grading")
    )


@pytest.fixture(scope="session")
def marked(session, source):
    """The image of the same submission with that source, and its layers; made beside the checks."""

    def look():
        image = session.build(changes={SOURCE: source.text.encode()})
        return image, session.engine.layers(image.id, (source.mark, source.comment))

    return session.background(look)


@pytest.fixture(scope="session")
def own(session, marked):
    """The layers on top of the base."""
    image, layers = marked.result()
    base = session.base(image)
    return layers[len(base.layers) if base else 0 :]


@check(
    points=20,
    hints=(
        "Run it, and read what it says.",
        "The program needs app.py, and the extension where Python finds it.",
    ),
)
def test_sum(run, marked, rng):
    """`docker run IMAGE` prints the right sum, also of the numbers in `-e NUMBERS`, and ends with exit code 0."""
    numbers = drawn(rng)
    for env, wanted in (({}, BY_DEFAULT), ({"NUMBERS": words(numbers)}, sum(numbers))):
        done = run(env=env)
        called = " ".join(f'-e {key}="{value}"' for key, value in env.items())
        if done.stdout.strip() != str(wanted) or done.exit_code != 0:
            fail(
                f'`docker run {called} IMAGE` prints "{done.stdout.strip()[:200]}", exit code {done.exit_code}',
                expected=f'"{wanted}", exit code 0',
                detail=done.stderr[-800:],
            )


@check(
    points=20,
    hints=(
        "A stage has a name: `FROM image AS name`. `docker build --target name .` stops there.",
        "A RUN that ends with another code than 0 fails the build.",
        "FROM runtime AS test, COPY tests tests, RUN python -m unittest discover --start-directory tests",
    ),
)
def test_stage(build, submission, rng):
    """`docker build --target test .` runs the unit tests, and fails when one fails."""
    stages = [
        stage.args[2].lower()
        for stage in submission.dockerfile().all("FROM")
        if len(stage.args) == 3
    ]
    if "test" not in stages:
        fail(
            f"there is no stage `test`; there is {', '.join(f'`{name}`' for name in stages) or 'no named stage'}",
            file="Dockerfile",
        )
    build(target="test")
    numbers = drawn(rng)
    right, wrong = (
        TEST_FILE.format(numbers=numbers, expected=expected)
        for expected in (sum(numbers), sum(numbers) + rng.randint(1, 99))
    )
    try:
        build(target="test", changes={TESTS: wrong.encode()})
    except BuildFailed:
        build(
            target="test", changes={TESTS: right.encode()}
        )  # it is the test that failed, not that there was another one
        return
    fail(
        f"with a test in {TESTS} that fails, the build succeeds all the same",
        expected="a build that fails",
        why="Do the tests run in that stage, and does their exit code get through?",
        hint="A RUN that ends with another code than 0 fails the build. What comes behind the tests in that RUN?",
        file="Dockerfile",
    )


@check(
    points=20,
    hints=(
        "What does running the program need, and what did only building need?",
        "Begin a new stage FROM a clean image, and bring over only what was built: COPY --from=build.",
        "pip install --no-cache-dir",
    ),
)
def test_clean(own, source):
    """No compiler, no headers, no pip cache and no source of the extension are in the image."""
    for layer in own:
        for entry in layer.entries:
            path = PurePosixPath("/" + entry.path)
            what = ""
            if (
                COMPILERS.fullmatch(path.name) and path.parent.name == "bin"
            ) or PARTS.search(str(path)):
                what = "a compiler"
            elif path.suffix in (".h", ".hpp"):
                what = "a header"
            elif path.name == "fastsum.c" or source.comment in entry.held:
                what = "the source of the extension"
            elif "/.cache/pip/" in str(path):
                what = "pip's cache"
            if what and entry.kind in ("file", "link"):
                fail(
                    f"`{path}` is {what}; `{layer.shown}` brought it",
                    why="What a later step deletes stays in its layer. What was never brought over is not there.",
                    file="Dockerfile",
                )


def gives_root_up(session, submission):
    """Whether what begins as root becomes somebody else before the program ends: then the kernel is asked who runs."""
    if not submission.has("app.py"):
        return False
    text = submission.read("app.py")
    lines = [text, ENDS_LATE] if "__future__" in text else [ENDS_LATE, text]
    try:
        container = session.start(
            image=session.build(changes={"app.py": "\n".join(lines).encode()})
        )
        if not container.wait_for_log(r"(?m)^waits$", within=WAITS_WITHIN):
            return False
        processes = [
            process for process in container.processes() if not process.is_from_outside
        ]
    except SubmissionError:
        return False
    parents = {process.ppid for process in processes}
    return bool(processes) and not any(
        process.is_root for process in processes if process.pid not in parents
    )


@check(points=10, hints=("Which user runs the program?", "USER 1000"))
def test_not_root(image, session, submission):
    """It does not run as root."""
    if user_id(session.create(), image.user) == 0 and not gives_root_up(
        session, submission
    ):
        fail(
            (
                f"`USER {image.user}` is root"
                if image.user
                else "there is no `USER`, so it is root"
            ),
            expected="another user",
            why="Building may need root. Adding numbers does not.",
            file="Dockerfile",
        )


@check(points=15, hints=("`dockdojo layers IMAGE` shows where the megabytes are.",))
def test_size(image, session):
    """It adds at most 25 MB to its base image."""
    base = session.base(image)
    added = (image.size - (base.size if base else 0)) / 1e6
    if added > ADDED_MB:
        fail(
            f"{added:.1f} MB on top of {'the base' if base else 'nothing'}",
            expected=f"at most {ADDED_MB} MB",
        )


@check(
    points=15,
    hints=(
        "Is the extension compiled from fastsum/fastsum.c in this build?",
        "Which file does `import fastsum` find?",
    ),
)
def test_built_here(own, marked, source, session, rng):
    """The extension is built in this build, from fastsum/fastsum.c; a plain Python can import it, and app.py does."""
    image, _ = marked.result()
    holding = [
        "/" + entry.path
        for layer in own
        for entry in layer.entries
        if entry.held and entry.kind == "file"
    ]
    built = call(session, image, holding, source, drawn(rng))
    if not built.files:
        raise SubmissionError(
            "A change in fastsum/fastsum.c does not reach the image.",
            hint="A library that was compiled somewhere else, or earlier, runs what was in the source then.",
            file="Dockerfile",
        )
    if built.problem:
        fail(
            f"`{built.files[0]}` does not add as fastsum/fastsum.c says: {built.problem}",
            expected="an extension module that a plain Python can import",
            file="Dockerfile",
        )
    numbers = [*drawn(rng), source.trigger]
    done = session.run(image=image, env={"NUMBERS": words(numbers)})
    if done.stdout.strip() != str(sum(numbers) + source.extra):
        fail(
            "when fastsum/fastsum.c is changed so that it adds something else, the program prints the same as before",
            expected="the sum of the extension that this build compiles",
            why=f"`{built.files[0]}` was built, and something else is imported: another file of that name, or none.",
            hint='`docker run --rm --entrypoint python IMAGE -c "import fastsum; print(fastsum.__file__)"` tells which.',
            detail=(done.stdout + done.stderr)[-600:],
            file="app.py",
        )
