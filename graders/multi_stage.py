"""Multi-stage builds: what the image does, what is left in it, and where its extension came from."""

import secrets
from pathlib import Path, PurePosixPath

import pytest

from dockerlab import check, fail
from dockerlab.errors import BuildFailed, SubmissionError

GIVEN = Path(__file__).parents[1] / "labs" / "multi_stage" / "starter"
SOURCE, TESTS = "fastsum/fastsum.c", "tests/test_fastsum.py"
DOC = b"Sums numbers, quickly."
ADDED_MB = 25
NUMBERS, SUM = "3 -5 40 1000000007", 1000000045
BY_DEFAULT = 500000500000
COMPILERS = ("gcc", "cc", "g++", "c++", "clang", "tcc", "cc1", "cc1plus", "as", "ld", "make")
FAILING = b"""import unittest


class TestThatFails(unittest.TestCase):
    def test_it(self):
        self.fail("on purpose")


def test_it():
    raise AssertionError("on purpose")


if __name__ == "__main__":
    unittest.main()
"""


@pytest.fixture(scope="session")
def marked(bench):
    """The image of the same submission with a mark in the source of the extension, and its layers; made beside the checks."""
    mark = f"mark-{secrets.token_hex(12)}".encode()
    source = (bench.submission.path / SOURCE).read_bytes() if bench.submission.has(SOURCE) else b""
    if DOC not in source:
        source = (GIVEN / SOURCE).read_bytes()

    def look():
        image = bench.build(changes={SOURCE: source.replace(DOC, mark)})
        return image, bench.engine.layers(image.id, (mark,))

    return bench.soon(look)


@pytest.fixture(scope="session")
def own(bench, marked):
    """The layers on top of the base."""
    image, layers = marked()
    base = bench.base(image)
    return layers[len(base.layers) if base else 0 :]


@check(
    points=20,
    hints=("Run it, and read what it says.", "The program needs app.py, and the extension where Python finds it."),
)
def test_sum(run, marked):
    """`docker run IMAGE` prints the right sum, also of the numbers in `-e NUMBERS`."""
    for env, wanted in (({}, BY_DEFAULT), ({"NUMBERS": NUMBERS}, SUM)):
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
def test_stage(build, submission):
    """`docker build --target test .` runs the unit tests, and fails when one fails."""
    stages = [one.args[2].lower() for one in submission.dockerfile().all("FROM") if len(one.args) == 3]
    if "test" not in stages:
        fail(
            f"there is no stage `test`; there is {', '.join(f'`{one}`' for one in stages) or 'no named stage'}",
            file="Dockerfile",
        )
    build(target="test")
    try:
        build(target="test", changes={TESTS: FAILING})
    except BuildFailed:
        return
    fail(
        f"with a test in {TESTS} that fails, the build succeeds all the same",
        expected="a build that fails",
        why="Do the tests run in that stage, and does their exit code get through?",
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
def test_clean(own):
    """No compiler, no headers, no pip cache and no source of the extension are in the image."""
    for layer in own:
        for entry in layer.entries:
            path = PurePosixPath("/" + entry.path)
            what = ""
            if (path.name in COMPILERS and path.parent.name == "bin") or "/gcc/" in str(path):
                what = "a compiler"
            elif path.suffix in (".h", ".hpp"):
                what = "a header"
            elif path.name == "fastsum.c":
                what = "the source of the extension"
            elif "/.cache/pip/" in str(path):
                what = "pip's cache"
            if what and entry.kind in ("file", "link"):
                fail(
                    f"`{path}` is {what}; `{layer.instruction[:120]}` brought it",
                    why="What a later step deletes stays in its layer. What was never brought over is not there.",
                    file="Dockerfile",
                )


@check(points=10, hints=("Which user runs the program?", "USER 1000"))
def test_not_root(run):
    """It does not run as root."""
    done = run("-u", entrypoint=("id",))
    assert done.stdout.strip() != "0", "Building may need root. Adding numbers does not."


@check(points=15, hints=("`dockerlab layers IMAGE` shows where the megabytes are.",))
def test_size(image, bench):
    """It adds at most 25 MB to its base image."""
    base = bench.base(image)
    added = (image.size - (base.size if base else 0)) / 1e6
    if added > ADDED_MB:
        fail(f"{added:.1f} MB on top of {'the base' if base else 'nothing'}", expected=f"at most {ADDED_MB} MB")


@check(
    points=15,
    hints=("Is the extension compiled from fastsum/fastsum.c in this build?",),
)
def test_built_here(own):
    """The extension is the one that was built in this build, from fastsum/fastsum.c."""
    holding = [entry.path for layer in own for entry in layer.entries if entry.held and not entry.path.endswith(".c")]
    if not holding:
        raise SubmissionError(
            "A change in fastsum/fastsum.c does not reach the image.",
            hint="A library that was compiled somewhere else, or earlier, runs what was in the source then.",
            file="Dockerfile",
        )
