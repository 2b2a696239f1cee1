"""Parsers for what a submission wrote, each run in a process of its own with a limit of processor time and memory.

A parser is code for well-meant texts; what a hostile one costs, nobody can tell beforehand. So one small process forks another
for each text, and the kernel ends that one at its limits: the parser's end is then the submission's fault, by file and reason.
Where the system cannot fork (Windows), each text has a new process, which is ended when its time is over.

Nothing of a text is executed. What comes back is JSON.
"""

from __future__ import annotations

import functools
import json
import os
import socket
import subprocess
import sys
import threading
from typing import Any

from dockdojo.errors import OurFault, SubmissionError
from dockdojo.parsing.parsers import Unreadable
from dockdojo.parsing.server import (
    CPU_SECONDS,
    SECONDS,
    limit_met,
    receive,
    send,
    serve,
)

__all__ = ["Unreadable", "parse", "start"]

MAX_KEPT = 16
"""Answers that are remembered."""
TOO_MUCH = {
    "time": f"more than {CPU_SECONDS} s of processor time",
    "memory": "more memory than a file of that kind needs",
}


def parse(kind: str, text: str, *, name: str, **options: Any) -> Any:
    """Return what the parser of that kind makes of a text; `name` is the file's, for messages.

    Raises Unreadable with the parser's words, SubmissionError where it takes too much time or memory.
    """
    answer = dict(json.loads(_answer_to(json.dumps([kind, text, options]).encode())))
    if "value" in answer:
        return answer["value"]
    if "unreadable" in answer:
        raise Unreadable(str(answer["unreadable"]), line=int(answer["line"]), file=name)
    if answer.get("limit") in TOO_MUCH:
        raise SubmissionError(
            f"`{name}` cannot be read: it takes {TOO_MUCH[answer['limit']]}.",
            hint="Is it a text that a person wrote? Make it shorter and flatter.",
            file=name,
        )
    raise OurFault(
        f"`{name}` could not be parsed: {answer.get('failed', 'its parser ended')}."
    )


@functools.lru_cache(maxsize=MAX_KEPT)
def _answer_to(request: bytes) -> bytes:
    """The answer, remembered: several checks read the same file."""
    return _ask(request)


_lock = threading.Lock()
_server: list[socket.socket] = []
_owner: list[int] = []


def start() -> None:
    """Fork the process that forks the parsers, early: while this one has no threads yet. Without, it is started when needed."""
    if not hasattr(os, "fork") or sys.platform == "darwin" or _server:
        return
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        try:
            ours.close()
            serve(theirs)
        finally:
            os._exit(0)
    theirs.close()
    _keep(ours)


def _keep(ours: socket.socket) -> None:
    _server.append(ours)
    _owner.append(os.getpid())


def _ask(request: bytes) -> bytes:
    if os.name != "posix":
        return _in_new_process(request)
    with _lock:
        for _ in range(2):
            if (
                _server and _owner[-1] != os.getpid()
            ):  # this process was forked: the server is its parent's
                _server.clear()
            if not _server:
                _keep(_spawn())
            try:
                send(_server[-1], request)
                answer = receive(_server[-1])
            except OSError:
                answer = b""
            if answer:
                return answer
            _server.pop().close()
    raise OurFault("The process that parses a submission's files ends again and again.")


def _spawn() -> socket.socket:
    """A new process that serves, for whoever did not call `start`."""
    ours, theirs = socket.socketpair()
    code = "import socket, sys; from dockdojo.parsing.server import serve; serve(socket.socket(fileno=int(sys.argv[1])))"
    subprocess.Popen(
        [sys.executable, "-I", "-c", code, str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    theirs.close()
    return ours


def _in_new_process(request: bytes) -> bytes:
    code = "import sys; from dockdojo.parsing.server import answer; sys.stdout.buffer.write(answer(sys.stdin.buffer.read()))"
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", code],
            input=request,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        return done.stdout or limit_met("memory")
    except subprocess.TimeoutExpired:
        return limit_met("time")
