"""Code that only looks formatted, and files that are none: always the submission's fault, and soon over."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dockdojo.checks import CheckFailed, formatting
from dockdojo.checks.formatting import expect_black
from dockdojo.errors import SubmissionError
from dockdojo.processes import end_session

FORMATTED = {
    "plain": b"x = 1\n",
    "pragma without effect": b"# fmt: off\nx = 1\n",
    "words in a string": b's = "# fmt: off"\n',
    "windows": b"# fmt: off\r\nx = 1\r\n",
    "latin-1": '# -*- coding: latin-1 -*-\nx = "ü"\n'.encode("latin-1"),
}
PRAGMAS = {
    "off": b"# fmt: off\nx=1\n",
    "without spaces": b"#fmt:off\nx=1\n",
    "yapf": b"# yapf: disable\nx=1\n",
    "skip": b"y = 0\nx=1  # fmt: skip\n",
    "among others": b"x=1  # noqa; fmt: skip\n",
    "two comments": b"# pylint # fmt: off\nx=1\n",
    "byte order mark": b"\xef\xbb\xbf# fmt: off\nx=1\n",
    "old line ends": b"# fmt: off\rx=1\r",
    "block": b"def f():\n    # fmt: off\n    return {  1 : 2 }\n    # fmt: on\n",
}
UNREADABLE = {
    "null byte": b"x = 1\0\n",
    "utf-16": "x = 1\n".encode("utf-16"),
    "hidden by its encoding": b"# coding: utf-7\nx = 1\n",
    "no text": b"# coding: rot13\nx = 1\n",
    "unknown encoding": b"# coding: nothing\nx=1\n",
    "surrogate": b'x = "\xed\xa0\x80"\n',
    "no end": b"# fmt: off\nx = (1\n",
    "no python": b"this is no python\n",
    "too large": b"x = 1\n" * 200_000,
}


@pytest.fixture
def judged(submission):
    """The feedback on a `train.py` of those bytes; None where it passes."""

    def judge(data, name="train.py"):
        try:
            expect_black(submission({name: data}))
        except CheckFailed as error:
            return error.feedback
        return None

    return judge


@pytest.mark.parametrize("kind", FORMATTED)
def test_formatted_code_passes(judged, kind):
    assert judged(FORMATTED[kind]) is None


@pytest.mark.parametrize("kind", PRAGMAS)
def test_a_comment_does_not_make_code_formatted(judged, kind):
    feedback = judged(PRAGMAS[kind])
    line = PRAGMAS[kind].replace(b"\r", b"\n").split(b"\n")
    pragma = next(
        number
        for number, text in enumerate(line, 1)
        if b"fmt" in text or b"yapf" in text
    )
    assert feedback.observed == "black would change `train.py`"
    assert (
        f"The comment in line {pragma} tells black to leave lines as they are"
        in feedback.why
    )
    assert feedback.where.file == "train.py"
    assert "dockdojo-black" not in feedback.detail


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_is_no_source_code_is_the_submissions_fault(judged, kind):
    feedback = judged(UNREADABLE[kind])
    assert "train.py" in feedback.observed
    assert "dockdojo-black" not in feedback.observed + feedback.detail


def test_brackets_without_end_come_to_one(submission, monkeypatch):
    monkeypatch.setattr(formatting, "MAX_BLACK_SECONDS", 5)
    with pytest.raises((CheckFailed, SubmissionError)) as raised:
        expect_black(
            submission({"train.py": b"x = " + b"[" * 20_000 + b"]" * 20_000 + b"\n"})
        )
    assert "black" in str(raised.value)


ASKS = "import sys; from pathlib import Path; from dockdojo.checks.formatting import expect_black; expect_black(Path(sys.argv[1]))"


def readers_in(place):
    """The processes of black that read in that folder."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if Path(os.readlink(folder / "cwd")).is_relative_to(place):
                yield int(folder.name)


@pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="processes are looked for in /proc"
)
def test_black_ends_with_the_session_of_who_asked(submission, tmp_path):
    """A grader's child that is ended by force leaves no black that goes on."""
    folder = submission({"train.py": b"x = " + b"[" * 20_000 + b"]" * 20_000 + b"\n"})
    (tmp_path / "scratch").mkdir()
    environment = os.environ | {"TMPDIR": str(tmp_path / "scratch")}
    asking = subprocess.Popen(
        [sys.executable, "-c", ASKS, str(folder)],
        start_new_session=True,
        env=environment,
    )
    try:
        while not list(readers_in(tmp_path / "scratch")):
            assert asking.poll() is None
    finally:
        end_session(asking.pid)
        asking.wait()
    for _ in range(200):  # what was killed needs a moment to be gone
        if not list(readers_in(tmp_path / "scratch")):
            return
        time.sleep(0.05)
    pytest.fail("black goes on")


def test_what_a_link_leads_to_is_looked_at(submission):
    folder = submission({"code.txt": "x=1\n"})
    (folder / "train.py").symlink_to("code.txt")
    with pytest.raises(CheckFailed, match=r"black would change `train\.py`"):
        expect_black(folder)
    (folder / "code.txt").unlink()
    with pytest.raises(CheckFailed, match="cannot be read"):
        expect_black(folder)


def test_odd_names(submission):
    with pytest.raises(CheckFailed, match="black would change"):
        expect_black(
            submission({"-c\n--- x.py": "", "od\udcffd\n --quiet.py": "x=1\n"})
        )
