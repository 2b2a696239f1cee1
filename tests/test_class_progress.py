"""How a run goes: lines in a pipe, and a table with keys on a terminal."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import re
import sys
import threading
import time

import pytest
from rich.console import Console

from dockdojo.class_.journal import Enrolled
from dockdojo.class_.run import Control, Told
from dockdojo.cli.classes import progress
from dockdojo.cli.classes.progress import Progress
from tests.class_runs import report_of, run_of

PATIENCE_SECONDS = 60


@pytest.fixture
def run(tmp_path):
    ada = Enrolled(name="ada", people=({"name": "Ada"},), label="x")
    return run_of(tmp_path / "run", [(ada, report_of(80))])


def told(name, what, score=0, reason=""):
    points = 100 if what in ("done", "same", "unchanged") else 0
    return Told(name=name, what=what, score=score, max_score=points, reason=reason)


def test_in_a_pipe_there_is_a_line_for_each(run):
    out = io.StringIO()
    shown = Progress(Console(file=out, width=200), 12, Control(), run)
    with shown.shown():
        for event in (
            told("ada", "begun"),
            told("ada", "done", 80),
            told("bo", "same", 80),
            told("cy", "fault", reason="no space left"),
            told("cy", "not final", reason="no space left"),
            told("di", "unchanged", 100),
        ):
            shown.tell(event)
    assert out.getvalue().splitlines() == [
        "✓  1/12     80/100  ada",
        "✓  2/12     80/100  bo  (as another one's)",
        "!  2/12             cy  (our fault, tried again: no space left)",
        "!  3/12             cy  (not final: no space left)",
        "=  4/12    100/100  di  (unchanged)",
    ]


def test_how_long_it_takes_is_told_by_what_was_graded(run):
    now = 0.0
    shown = Progress(Console(file=io.StringIO()), 10, Control(), run, clock=lambda: now)
    for name in "abcdef":
        shown.tell(told(name, "unchanged", 100))
    assert shown.seconds_left() is None
    shown.tell(told("g", "begun"))
    now = 12.0
    shown.tell(told("g", "done", 80))
    assert shown.seconds_left() == 36.0


@contextlib.contextmanager
def terminal(monkeypatch):
    """A terminal whose keys are pressed by writing into what this gives."""
    keyboard, screen = pty.openpty()
    with os.fdopen(screen, "r") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield keyboard
        monkeypatch.undo()
        os.close(keyboard)


def until(happened):
    end = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_on_a_terminal_there_are_a_table_and_keys(run, monkeypatch):
    out, control, lock = io.StringIO(), Control(), threading.Lock()
    console = Console(file=out, force_terminal=True, width=120)
    shown = Progress(console, 3, control, run)

    def screen():
        with lock:
            return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())

    with terminal(monkeypatch) as keyboard, shown.shown():
        shown.tell(told("bo", "begun"))
        shown.tell(told("ada", "done", 80))
        until(lambda: "running: bo" in screen())
        assert "all points" in screen()
        assert progress.KEYS in screen()
        os.write(keyboard, b"p")
        until(control.pausing.is_set)
        until(lambda: "paused, and these go on: bo" in screen())
        os.write(keyboard, b"p")
        until(lambda: not control.pausing.is_set())
        os.write(keyboard, b"l")
        until(lambda: "A zombie was left." in screen())
        os.write(keyboard, b"x")
        assert not control.stopping.is_set()
        os.write(keyboard, b"s")
        until(control.stopping.is_set)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "?"), (7.4, "7 s"), (61, "1 min 01 s"), (3_600, "60 min")],
)
def test_time_as_a_person_says_it(seconds, words):
    assert progress._span(seconds) == words
