"""A grader's checks in a pytest of one's own: the same fixtures, the same engine, and what the student would read."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import left_by_us

SAID = "what the student reads"
GRADER = '''
@check(points=5)
def test_greets(run):
    """`docker run IMAGE` prints `Hello`."""
    assert run().stdout.strip() == "Hello"


@check(points=5, needs=test_greets)
def test_ends_well(run):
    """It ends with exit code 0."""
    assert run().exit_code == 0


@check(points=5, needs=test_ends_well)
def test_ends_soon(run):
    """It ends within a minute."""
    assert run().seconds < 60


@check(points=5)
def test_has_a_user(image):
    """It has a user."""
    if not image.user:
        fail("it has no USER", hint="Who runs it?")
'''


@pytest.fixture
def alone(make_course, submission, real_engine):
    """`alone("-k", "greets", dockerfile="...")`: the exit code of a pytest of its own, and what it printed."""
    course = make_course(GRADER)

    def run(*words, dockerfile='FROM busybox\nCMD ["echo", "Hello"]\n'):
        folder = submission({"Dockerfile": dockerfile})
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            course.grader("sample"),
            "--submission",
            folder,
        ]
        done = subprocess.run(
            [*map(str, command), *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=course.root,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def test_one_check_is_run_alone(alone):
    code, said = alone("-k", "greets")
    assert (code, "1 passed, 3 deselected" in said) == (0, True), said
    assert left_by_us() == []


def test_what_fails_is_shown_as_the_student_reads_it(alone):
    code, said = alone(dockerfile='FROM busybox\nCMD ["echo", "Goodbye"]\n')
    assert (code, "2 failed, 2 skipped" in said) == (1, True), said
    assert 'observed: stdout is "Goodbye"' in said.partition(SAID)[2]
    assert "Who runs it?" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--submission", "nowhere"), "There is no folder nowhere"),
        (("other.py",), "one grader"),
    ],
)
def test_what_cannot_be_run_is_told_in_a_line(alone, words, message):
    code, said = alone(*words)
    assert (code, message in said) == (4, True), said
    assert "Traceback" not in said
