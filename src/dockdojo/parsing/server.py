"""The process that answers: it forks one for each text, which the kernel ends at its limits."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
from typing import Any

from dockdojo.parsing.parsers import PARSERS, Unreadable

CPU_SECONDS = 3
MEMORY_BYTES = 1_500_000_000
"""Address space beyond what the process has when it begins; the Dockerfile parser's runtime reserves much of it."""
MAX_ANSWER_BYTES = 10_000_000
SECONDS = 30.0
"""Wall time after which a process is ended whose processor time is not over: the machine is busy, or it hangs."""
LENGTH = struct.Struct(">Q")


def serve(connection: socket.socket) -> None:
    """Answer one request after the other, each by a forked process with limits; ends with the connection."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's to handle
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    while request := receive(connection):
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(read_end)
                connection.close()
                _limit()
                with os.fdopen(write_end, "wb") as out:
                    out.write(answer(request))
            finally:
                os._exit(0)
        os.close(write_end)
        with os.fdopen(read_end, "rb") as source:
            reply = source.read(MAX_ANSWER_BYTES + 1)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status) or not reply or len(reply) > MAX_ANSWER_BYTES:
            timed_out = os.WIFSIGNALED(status) and os.WTERMSIG(status) in (
                signal.SIGXCPU,
                signal.SIGKILL,
                signal.SIGALRM,
            )
            reply = limit_met("time" if timed_out else "memory")
        send(connection, reply)


def _limit() -> None:
    """Bound this process: processor time, memory, and (a parser that sleeps) wall time."""
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with (
        contextlib.suppress(OSError, ValueError),
        open("/proc/self/statm", encoding="ascii") as file,
    ):
        has = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (has + MEMORY_BYTES, has + MEMORY_BYTES))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)


def answer(request: bytes) -> bytes:
    """Return the answer to one request, as JSON."""
    try:
        kind, text, options = json.loads(request)
        clean = text.encode(
            "utf-8", "replace"
        ).decode()  # a lone surrogate ends the Dockerfile parser
        reply: dict[str, Any] = {"value": PARSERS[kind](clean, **options)}
        return json.dumps(reply).encode()
    except Unreadable as error:
        reply = {"unreadable": error.message, "line": error.line}
    except RecursionError:
        reply = {"unreadable": "it is nested too deep", "line": 0}
    except MemoryError:
        reply = {"limit": "memory"}
    except Exception as error:
        reply = {
            "unreadable": f"its parser gives up ({type(error).__name__})",
            "line": 0,
        }
    return json.dumps(reply).encode()


def send(connection: socket.socket, data: bytes) -> None:
    """Send one message."""
    connection.sendall(LENGTH.pack(len(data)) + data)


def receive(connection: socket.socket) -> bytes:
    """Return one message; empty where the other side has ended."""
    head = _read(connection, LENGTH.size)
    return _read(connection, LENGTH.unpack(head)[0]) if head else b""


def _read(connection: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        piece = connection.recv(min(65_536, size - len(parts)))
        if not piece:
            return b""
        parts += piece
    return bytes(parts)


def limit_met(which: str) -> bytes:
    """Return the answer for a parser that met a limit: `time` or `memory`."""
    return json.dumps({"limit": which}).encode()
