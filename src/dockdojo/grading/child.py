"""A child process of a grading: started, sent its request, listened to, and ended with all that it started."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from dockdojo.connection.way_out import EXCEPTIONS, PROXIES
from dockdojo.events import MAX_EVENT_BYTES
from dockdojo.grading.forks import Forked, fork
from dockdojo.paths import state_folder
from dockdojo.processes import end_group, end_session
from dockdojo.runner.request import GradeRequest

_KEPT = (
    "PATH",
    "HOME",
    "USERPROFILE",
    "SYSTEMROOT",
    "SYSTEMDRIVE",
    "COMSPEC",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "TEMP",
    "TMP",
    "XDG_RUNTIME_DIR",
    "LOCALAPPDATA",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "SSH_AUTH_SOCK",
    *PROXIES,
    *EXCEPTIONS,
)
LAST_WORDS_BYTES = 2_000
"""Of what a child that died said last, for telling."""


def environment() -> dict[str, str]:
    """What the child sees of the caller's environment: how to find the engine, and nothing that steers Python or pytest."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if key in _KEPT or key.startswith("DOCKER_")
    }
    return kept | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def _own(owner: str, scratch: Path) -> dict[str, str]:
    """What each child has of its own: its temporary files are removed with the rest of the run, whatever becomes of it."""
    places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))
    return places | {"DOCKDOJO_OWNER": owner}


def _compiled_code() -> list[str]:
    """Where Python is to keep what it compiles: neither in the course nor in the toolkit; nowhere, where it cannot."""
    kept = state_folder() / "pycache"
    with contextlib.suppress(OSError):
        kept.mkdir(parents=True, exist_ok=True)
        if os.access(kept, os.W_OK):
            return ["-X", f"pycache_prefix={kept}"]
    return ["-B"]


class Child:
    """One process that grades. It starts at once, and loads what it needs while its request is still being prepared."""

    def __init__(self, home: Path, owner: str) -> None:
        """`owner` marks what it makes; compiled code is kept from one grading to the next, beside what else outlives them."""
        scratch = home / "tmp"
        scratch.mkdir(exist_ok=True)
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 -- closed in __exit__
        options, shared, own = _compiled_code(), environment(), _own(owner, scratch)
        self._process = fork(
            options, shared, own, home, self._said
        ) or subprocess.Popen(
            [sys.executable, "-I", *options, "-m", "dockdojo.runner.process"],
            cwd=home,
            env=shared | own,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            start_new_session=os.name == "posix",
        )
        self._is_ended = False
        self.lines: queue.Queue[bytes] = queue.Queue()
        """What it says, a line each; an empty one when it has ended."""
        threading.Thread(
            target=_read, args=(self._process.stdout, self.lines), daemon=True
        ).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()
        self._said.close()

    def send(self, request: GradeRequest) -> None:
        """Tell it what to do."""
        stdin = self._process.stdin
        assert stdin is not None
        with contextlib.suppress(BrokenPipeError):
            stdin.write(msgspec.json.encode(request) + b"\n")
            stdin.close()

    def end(self) -> None:
        """End it and all that it started: also a docker CLI in a group of its own, in the middle of a build.

        Once: its number may be somebody else's afterwards.
        """
        if self._is_ended:
            return
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()  # one that was sent no request yet ends then
        if process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
        try:
            end_group(process)
        finally:
            if os.name == "posix":
                end_session(process.pid)
            process.stdout.close()
            if isinstance(process, Forked):
                process.release()
            self._is_ended = True

    @property
    def death(self) -> str:
        """How it ended, and its last words, for a sentence."""
        return (
            f"its process died ({_death(self._process.returncode)}){self._last_words()}"
        )

    def _last_words(self) -> str:
        self._said.seek(0, os.SEEK_END)
        self._said.seek(max(0, self._said.tell() - LAST_WORDS_BYTES))
        last = self._said.read().decode("utf-8", "replace").strip().splitlines()[-1:]
        return f": {last[0][:200]}" if last else ""


def _read(pipe: Any, lines: queue.Queue[bytes]) -> None:
    with contextlib.suppress(ValueError, OSError):
        while line := pipe.readline(MAX_EVENT_BYTES):
            lines.put(line)
    lines.put(b"")


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"
