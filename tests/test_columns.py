"""A terminal of 60 columns: what is listed is wrapped to it, and no line is longer; where programs read, a line is an entry."""

from __future__ import annotations

import fcntl
import io
import os
import struct
import subprocess
import sys
import termios
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from dockdojo.cli import columns, show, watching
from dockdojo.commands.student import start
from dockdojo.model import ImageStats, LayerStats, Report, Waste
from dockdojo.reports.layers import render_text

WIDTH = 60
COMMAND = str(Path(sys.executable).with_name("dockdojo"))


def on_a_terminal(*words, folder):
    """What the command shows on a pty of 60 columns."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, WIDTH, 0, 0))
    env = {
        key: value
        for key, value in os.environ.items()
        if key not in ("COLUMNS", "LINES")
    }
    with subprocess.Popen(
        [COMMAND, *words],
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**env, "TERM": "xterm"},
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65_536):
                shown += piece
        except OSError:  # the other side is closed
            pass
        assert process.wait() == 0, shown
    os.close(ours)
    return shown.decode().splitlines()


def in_a_pipe(*words, folder, **env):
    clean = {
        key: value
        for key, value in os.environ.items()
        if key not in ("COLUMNS", "LINES")
    }
    done = subprocess.run(
        [COMMAND, *words],
        cwd=folder,
        env={**clean, **env},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def is_cut(lines, width=WIDTH):
    return [line for line in lines if len(line) > width]


@pytest.fixture
def here(course, tmp_path):
    """A folder in which one lab was begun."""
    start(course, "hello_world", tmp_path / "hello_world")
    return tmp_path


@pytest.mark.parametrize(
    "words", [("list",), ("hint", "hello_world"), ("hint", "hello_world", "greets")]
)
def test_it_is_wrapped_to_the_terminal_and_a_line_in_a_pipe(words, here):
    shown = on_a_terminal(*words, folder=here)
    assert is_cut(shown) == []
    if words[-1] == "greets":  # each call shows the next rung
        return
    plain = in_a_pipe(*words, folder=here)
    assert len(plain) < len(shown)
    assert " ".join(" ".join(shown).split()) == " ".join(" ".join(plain).split())
    assert is_cut(in_a_pipe(*words, folder=here, COLUMNS="60")) == []


def test_a_list_says_what_was_done(course):
    labs = [course.lab(slug) for slug in course.slugs]
    done = {
        labs[0].slug: SimpleNamespace(
            score=50, max_score=100, hints={"a": 2}, solved=False
        )
    }
    for width in (0, 40, 60, 100):
        lines = list(columns.labs([(lab, 100) for lab in labs], done, width))
        assert not is_cut(lines, width or 1_000)
        bar = next(line for line in lines if "█" in line)
        assert "50 of 100 points, 2 hint(s)" in " ".join(" ".join(lines).split())
        assert bar.count("█") == bar.count("░") > 0


LONG = (
    "RUN apt-get update && apt-get install -y --no-install-recommends "
    + "package " * 30
)
STATS = ImageStats(
    image="registry.example.org/a/rather/long/name/of/an/image:and-a-tag",
    layers=tuple(
        LayerStats(
            instruction=text,
            diff_id="",
            size=10**6,
            wasted=10,
            added=(("a", 1),),
            changed=(),
            removed=(),
            in_base=number == 0,
        )
        for number, text in enumerate(("ADD rootfs.tar /", LONG, "COPY . ."))
    ),
    waste=(Waste(path="usr/lib/" + "x" * 90, size=10, made_by=0, hidden_by=1),),
)


@pytest.mark.parametrize("width", [60, 80, 96, 200])
def test_layers_fit_the_terminal(width):
    text = render_text(STATS, width)
    assert is_cut(text.splitlines(), width) == []
    assert "…" in text
    assert "COPY . ." in text
    assert "x" * 40 in text


def test_layers_in_a_pipe_are_a_line_each():
    lines = render_text(STATS).splitlines()
    assert any(
        line.startswith("    1") and "RUN apt-get update" in line and line.endswith("…")
        for line in lines
    )


@pytest.mark.parametrize("width", [40, 60, 80])
def test_the_footer_of_watch_fits(course, here, width):
    out = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=True,
        theme=show.THEME,
        highlight=False,
        soft_wrap=True,
        no_color=True,
    )
    report = Report(
        lab="hello_world",
        title="x",
        outcomes=(),
        started="2026-01-01T00:00:00+00:00",
        seconds=1,
    )
    watching._footer(course, here / "hello_world", out, report, True)
    lines = out.file.getvalue().splitlines()
    assert is_cut(lines, width) == []
    assert "q: quit" in " ".join(lines)
    assert "░" in "".join(lines)
