"""The process that grading processes are forked from: it has imported all that they need, and has looked for the builder, once.

`python -I -m dockdojo.runner.fork_server FD`, where FD is one end of a Unix socket. Nothing of a submission ever comes here: each
line on the socket asks for one process, with its stdin, stdout, stderr and a socket on which its end is told. Whoever asked
closes that socket when it has seen to all that the process started; until then, its number is nobody else's.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import tempfile
import traceback
from pathlib import Path
from typing import NoReturn

FDS = 4
"""File descriptors that come with each request: stdin, stdout, stderr, and the socket of its end."""
MAX_REQUEST_BYTES = 65_536
CLOSED = select.POLLHUP | select.POLLERR
OTHERS = range(3, 4_096)
"""File descriptors that a forked process closes: those of its siblings, and of this one."""


def preload() -> None:
    """Import what every grading process uses, look for the builder, and leave all of it to be shared.

    What only some labs use stays out: each process tells what it has loaded, and its result depends on that.
    """
    from _pytest.config import default_plugins, essential_plugins

    from dockdojo.build.builder import look_once
    from dockdojo.runner.runner import NOT_LOADED

    for name in (*essential_plugins, *default_plugins):
        if name not in NOT_LOADED:
            importlib.import_module(f"_pytest.{name}")
    look_once()
    gc.collect()
    gc.freeze()


class Server:
    """Forks on request, tells how each process ended, and reaps it when its socket is closed."""

    def __init__(self, control: socket.socket) -> None:
        """`control` is where requests come from; when it ends, so does everything."""
        self._control = control
        self._children: dict[int, tuple[int, socket.socket]] = {}
        """By the number of the socket: the process' id, 0 after it has been told that it ended, and the socket."""
        self._wake, self._signalled = socket.socketpair()
        self._wake.setblocking(False)
        self._signalled.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._signalled.fileno(), warn_on_full_buffer=False)
        self._poll = select.poll()
        self._poll.register(control.fileno(), select.POLLIN)
        self._poll.register(self._wake.fileno(), select.POLLIN)
        self._pids: dict[int, int] = {}

    def serve(self) -> None:
        """Serve until the other side of `control` is closed; whatever still runs then is ended."""
        while True:
            for number, event in self._poll.poll():
                if number == self._control.fileno():
                    if not self._answer():
                        for number in list(self._children):
                            self._forget(number)
                        return
                elif number == self._wake.fileno():
                    with contextlib.suppress(BlockingIOError):
                        self._wake.recv(4_096)
                    self._tell_ended()
                elif event & CLOSED:
                    self._forget(number)

    def _answer(self) -> bool:
        """Carry out one request; return whether there was one."""
        message, numbers, _, _ = socket.recv_fds(self._control, MAX_REQUEST_BYTES, FDS)
        if not message:
            return False
        request = json.loads(message)
        *streams, end = numbers
        ours = socket.socket(fileno=end)
        pid = os.fork()
        if pid == 0:
            _become_grading(streams, Path(request["home"]), request["environment"])
        for stream in streams:
            os.close(stream)
        ours.sendall(b"%d\n" % pid)
        self._children[end] = pid, ours
        self._pids[pid] = end
        self._poll.register(end, 0)
        return True

    def _tell_ended(self) -> None:
        for pid, number in list(self._pids.items()):
            how = os.WEXITED | os.WNOHANG | os.WNOWAIT
            ended = os.waitid(os.P_PID, pid, how)
            if ended is None:
                continue
            code = (
                ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
            )
            del self._pids[pid]
            with contextlib.suppress(OSError):
                self._children[number][1].sendall(b"%d\n" % code)

    def _forget(self, number: int) -> None:
        """Nobody asks for a process any more: it ends, if it has not, and its number is given back."""
        pid, ours = self._children.pop(number)
        self._poll.unregister(number)
        if self._pids.pop(pid, None) is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        ours.close()


def _become_grading(
    streams: list[int], home: Path, environment: dict[str, str]
) -> NoReturn:
    """What the forked process does: it is as one that was started by itself, and carries out the request on its stdin."""
    code = 1
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.closerange(OTHERS.start, OTHERS.stop)
        os.chdir(home)
        os.environ.update(environment)
        tempfile.tempdir = None
        from dockdojo.runner import process

        code = process.main()
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(code)


def main() -> int:
    """Serve on the socket whose number is the argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asks hears it
    control = socket.socket(fileno=int(sys.argv[1]))
    preload()
    Server(control).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
