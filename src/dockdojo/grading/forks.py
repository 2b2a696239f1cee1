"""Whoever grades more than once starts what grades from a process that has imported everything: `with forking():`.

A process of Python that imports pytest, docker and our own rooms costs half a processor second; a fork of one costs some
hundredths. Where forking is not to be had (Windows, macOS), each grading has a new process as ever.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

CAN_FORK = os.name == "posix" and sys.platform != "darwin"
START_SECONDS = 60.0
"""In which a process is forked; the first one waits for the server's own imports."""


class Forked:
    """A process that was forked for us: like subprocess.Popen, as far as a grading needs it."""

    def __init__(self, stdin: IO[bytes], stdout: IO[bytes], end: socket.socket) -> None:
        """`end` tells its number first, and its exit code when it has ended."""
        self.stdin, self.stdout = stdin, stdout
        self.returncode: int | None = None
        self._end = end
        self._told = b""
        if not self._wait_for_lines(1, START_SECONDS):
            raise OSError("no process was forked")
        self.pid = int(self._told.split(b"\n")[0])

    def poll(self) -> int | None:
        """Return its exit code, or None while it runs; of one whose server died nobody knows, and it counts as killed."""
        if self.returncode is None and self._wait_for_lines(2, 0):
            self.returncode = int(self._told.split(b"\n")[1])
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code. Raises TimeoutExpired."""
        if self.returncode is None and not self._wait_for_lines(2, timeout):
            raise subprocess.TimeoutExpired("a grading", timeout or 0)
        return self.poll() or 0

    def kill(self) -> None:
        """End it."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, 9)

    def release(self) -> None:
        """Say that all it started is gone: its number may be given to another process."""
        self._end.close()

    def _wait_for_lines(self, count: int, seconds: float | None) -> bool:
        while self._told.count(b"\n") < count:
            if not select.select([self._end], [], [], seconds)[0]:
                return False
            piece = self._end.recv(64)
            if not piece and not self._told:
                return False
            self._told += piece or b"-9\n"
        return True


class ForkServer:
    """A running process of `runner.fork_server`."""

    def __init__(self, options: Sequence[str], environment: Mapping[str, str]) -> None:
        """`options` are the interpreter's, `environment` is that of the processes, but for what each has of its own."""
        self.environment = dict(environment)
        self._asking = threading.Lock()
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    *options,
                    "-m",
                    "dockdojo.runner.fork_server",
                    str(theirs.fileno()),
                ],
                env=self.environment,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def fork(self, home: Path, environment: Mapping[str, str], said: Any) -> Forked:
        """Return a new process in the folder `home`, with its stderr in the file `said`. Raises OSError where there is none."""
        request = json.dumps({"home": str(home), "environment": dict(environment)})
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
            stdin, to_stdin = os.pipe()
            theirs.callback(os.close, stdin)
            writer = ours.enter_context(os.fdopen(to_stdin, "wb"))
            from_stdout, stdout = os.pipe()
            theirs.callback(os.close, stdout)
            reader = ours.enter_context(os.fdopen(from_stdout, "rb"))
            end, other = socket.socketpair()
            ours.callback(end.close)
            theirs.callback(other.close)
            fds = [stdin, stdout, said.fileno(), other.fileno()]
            with self._asking:
                socket.send_fds(self._control, [request.encode()], fds)
                # Until it has answered, so that one message never runs into the next.
                theirs.close()
                forked = Forked(writer, reader, end)
            ours.pop_all()
            return forked

    def close(self) -> None:
        """End it, and whatever of it still runs."""
        self._control.close()
        try:
            self._process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


_server: list[ForkServer] = []
_askers: list[object] = []
"""Who is within `forking` now."""
_starting = threading.Lock()


@contextlib.contextmanager
def forking() -> Iterator[None]:
    """Within this, what grades is forked from a process that has imported everything; it ends with the outermost."""
    _askers.append(object())
    try:
        yield
    finally:
        _askers.pop()
        if not _askers:
            _end()


def fork(
    options: Sequence[str],
    environment: Mapping[str, str],
    own: Mapping[str, str],
    home: Path,
    said: Any,
) -> Forked | None:
    """Return a process that was forked; None where none is to be, or where that did not work: then it is started as ever.

    `own` is what each process has of its own in its environment.
    """
    if not CAN_FORK or not _askers:
        return None
    with _starting:
        if not _server:
            _server.append(ForkServer(options, environment))
        server = _server[-1]
    if server.environment != dict(environment):
        return None
    try:
        return server.fork(home, own, said)
    except OSError:
        with _starting:
            if _server and _server[-1] is server:
                _end()
        return None


def _end() -> None:
    while _server:
        _server.pop().close()
