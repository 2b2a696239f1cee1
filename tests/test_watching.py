"""`dockdojo check --watch` on a real terminal (a pty), and in a plain pipe."""

from __future__ import annotations

import contextlib
import os
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dockdojo.commands import student

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it needs a pty")
PATIENCE = 120
LAB = "hello_world"
COMMAND = str(Path(sys.executable).with_name("dockdojo"))


class Terminal:
    """A program on a pty: what it shows, and the keys that it is given."""

    def __init__(self, command, folder):
        import termios

        self.master, slave = os.openpty()
        self.settings = termios.tcgetattr(slave)[3]
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm"},
        )
        os.close(slave)
        self.shown = ""

    def until(self, text):
        """Waits until the text was shown; returns all up to it."""
        end = time.monotonic() + PATIENCE
        while not re.search(text, self.shown):
            assert time.monotonic() < end, self.shown[-3000:]
            if select.select([self.master], [], [], 0.2)[0]:
                with contextlib.suppress(OSError):
                    self.shown += re.sub(
                        r"\x1b\[[0-9;?]*[A-Za-z]",
                        "",
                        os.read(self.master, 65536).decode("utf-8", "replace"),
                    )
            elif self.process.poll() is not None:
                raise AssertionError(f"it ended: {self.shown[-3000:]}")
        found = re.search(text, self.shown)
        before, self.shown = self.shown[: found.end()], self.shown[found.end() :]
        return before

    def press(self, keys):
        os.write(self.master, keys.encode())

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)


@pytest.fixture
def workspace(real_engine, course, tmp_path):
    """The solution, with one thing wrong."""
    folder = student.start(course, LAB, tmp_path / LAB)
    for path in course.solution(LAB).iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    answers = folder / "answers.toml"
    answers.write_text(answers.read_text().replace('"exited"', '"running"'))
    return folder


def mend(course, folder):
    (folder / "answers.toml").write_bytes(
        (course.solution(LAB) / "answers.toml").read_bytes()
    )


def test_on_a_terminal(course, workspace):
    terminal = Terminal([COMMAND, "check", "--watch"], workspace)
    try:
        first = terminal.until("q: quit")
        assert "state_after_exit" in first
        assert "95 of" in first
        terminal.press("h")
        terminal.until("hint 1 of 1")
        mend(course, workspace)
        terminal.until("answers.toml changed")
        again = terminal.until("Everything, once more")
        assert "greets" not in again, "what had failed comes first, alone"
        terminal.until("All green")
        terminal.until("q: quit")
        terminal.press("a")
        terminal.until("All green")
        terminal.until("q: quit")
        terminal.press("q")
        assert terminal.process.wait(PATIENCE) == 0
        assert student.read_notes(workspace).solved
    finally:
        terminal.close()


def test_ctrl_c_ends_it_and_the_terminal_is_as_it_was(workspace):
    import termios

    terminal = Terminal([COMMAND, "check", "--watch"], workspace)
    try:
        terminal.until("q: quit")
        assert (
            termios.tcgetattr(terminal.master)[3] != terminal.settings
        ), "single keys are read"
        os.killpg(terminal.process.pid, 2)
        assert (
            terminal.process.wait(PATIENCE) == 1
        ), "as the last report says: something failed"
        assert termios.tcgetattr(terminal.master)[3] == terminal.settings
    finally:
        terminal.close()


def test_in_a_pipe(course, workspace, tmp_path):
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [COMMAND, "check", "--watch"],
            cwd=workspace,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        end = time.monotonic() + PATIENCE
        while "Waiting for a change" not in log.read_text():
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.2)
        assert "\x1b" not in log.read_text()
        mend(course, workspace)
        while "All green" not in log.read_text():
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.2)
    finally:
        process.send_signal(2)
        process.wait(PATIENCE)
