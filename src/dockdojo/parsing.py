"""Parsers for what a submission wrote, each run in a process of its own with a limit of processor time and memory.

A parser is code for well-meant texts; what a hostile one costs, nobody can tell beforehand. So one small process forks another
for each text, and the kernel ends that one at its limits: the parser's end is then the submission's fault, by file and reason.
Where the system cannot fork (Windows), each text has a new process, which is ended when its time is over.

Nothing of a text is executed. What comes back is JSON.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from dockdojo.errors import DockdojoError, OurFault, SubmissionError

CPU_SECONDS = 3
MEMORY_BYTES = 1_500_000_000
"""Address space beyond what the process has when it begins; the Dockerfile parser's runtime reserves much of it."""
MAX_ANSWER_BYTES = 10_000_000
MAX_KEPT = 16
"""Answers that are remembered."""
MAX_CONTINUED_LINES = 2_000
"""Lines that one instruction may go on for. People write some 200; the parser's time grows with their number squared."""
MAX_DEPTH = 100
"""Lists and mappings in each other; people write some ten."""
SECONDS = 30.0
"""Wall time after which a process is ended whose processor time is not over: the machine is busy, or it hangs."""
LENGTH = struct.Struct(">Q")
TOO_MUCH = {
    "time": f"more than {CPU_SECONDS} s of processor time",
    "memory": "more memory than a file of that kind needs",
}


class Unreadable(DockdojoError):
    """A text that its parser does not accept: the parser's words, and the line where it has one."""

    exit_code = 1


# The parsers: each takes a text and returns what JSON can hold, or raises Unreadable.


def toml(text: str) -> dict[str, Any]:
    """The keys at the top of a TOML file: each with its text, or with None and the name of the kind that it is instead."""
    return _told(_read_toml(text))


def _told(raw: dict[str, Any]) -> dict[str, Any]:
    kinds = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "a table",
    }
    return {
        key: (
            [value, ""]
            if isinstance(value, str)
            else [None, kinds.get(type(value), "a date or a time")]
        )
        for key, value in raw.items()
    }


def toml_lines(text: str) -> dict[str, Any]:
    """What can be read of a text that is not TOML as a whole: each `key = value` by itself, up to the first [heading].

    As `toml`, with the line behind the name of the kind; and under "" the lines that cannot be read, by number and text.
    """
    import re
    import tomllib

    begins = re.compile(r"""\s*["']?[\w.-]+["']?\s*=|\s*\[""")
    pieces: list[tuple[int, list[str]]] = [(1, [])]
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if begins.match(line):
            pieces.append((number, []))
        pieces[-1][1].append(line)
    found: dict[str, Any] = {}
    broken: list[list[Any]] = []
    for number, lines in pieces:
        read: dict[str, Any] = {}
        count = 0
        # A value may go over several lines; where it does not, what stands below is no part of it.
        for length in {len(lines): None, 1: None}:
            with contextlib.suppress(ValueError, RecursionError):
                read, count = tomllib.loads("\n".join(lines[:length])), length
                break
        for place, line in enumerate(lines[count:], number + count):
            if line.strip() and not line.lstrip().startswith("#"):
                broken.append([place, line[:1_000]])
        for key, (value, kind) in _told(read).items():
            twice = key in found and found[key][0] != value
            found[key] = (
                [None, "answered twice, in different words", number]
                if twice
                else [value, kind, number]
            )
        if lines[:1] and lines[0].lstrip().startswith("["):
            break  # the keys below a heading are the heading's
    return {**found, "": broken}


def project(text: str) -> list[str]:
    """The dependencies that a pyproject.toml declares (PEP 621)."""
    table = _read_toml(text).get("project")
    found = table.get("dependencies") if isinstance(table, dict) else None
    return (
        [one for one in found if isinstance(one, str)]
        if isinstance(found, list)
        else []
    )


def _read_toml(text: str) -> dict[str, Any]:
    import re
    import tomllib

    try:
        return tomllib.loads(text)
    except ValueError as error:
        found = re.search(r"line (\d{1,9})", str(error))
        raise Unreadable(
            str(error)[:300], line=int(found[1]) if found else 0
        ) from error


def yaml_file(text: str, most_aliases: int) -> Any:
    """What a YAML file holds, with safe types only; keys are texts."""
    import yaml

    try:
        aliases = sum(
            isinstance(token, yaml.AliasToken)
            for token in yaml.scan(text, Loader=yaml.SafeLoader)
        )
        if aliases > most_aliases:
            raise Unreadable(f"it uses {aliases} aliases, more than {most_aliases}")
        return _plain(yaml.safe_load(text))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise Unreadable(str(error.problem)[:300], line=line) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise Unreadable("it is not valid YAML") from error


def dockerfile(text: str) -> list[list[Any]]:
    """The instructions of a Dockerfile: command, values, flags, first line, last line, original, whether it is JSON, heredocs."""
    import re

    import dockerfile as buildkit

    _refuse_what_goes_on_for_ever(text)
    try:
        commands = buildkit.parse_string(text)
    except (buildkit.GoParseError, buildkit.GoIOError, ValueError) as error:
        reason = str(error.args[0] if error.args else error)
        found = re.search(r"line (\d{1,9}): (.*)", reason)
        raise Unreadable(
            found[2] if found else reason, line=int(found[1]) if found else 0
        ) from error
    return [
        [
            command.cmd,
            command.value,
            command.flags,
            command.start_line,
            command.end_line,
            command.original,
            command.json,
            [heredoc.content for heredoc in command.heredocs],
        ]
        for command in commands
    ]


def _refuse_what_goes_on_for_ever(text: str) -> None:
    lines = 0
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if line and not line.startswith("#"):
            lines = lines + 1 if line.endswith(("\\", "`")) else 0
        if lines > MAX_CONTINUED_LINES:
            raise Unreadable(
                f"an instruction goes on for more than {MAX_CONTINUED_LINES} lines",
                line=number,
            )


def readme(text: str) -> str:
    """The docker commands of a README, as one shell script."""
    from dockdojo.readme import script_of

    return script_of(text)


PARSERS: dict[str, Callable[..., Any]] = {
    "toml": toml,
    "toml_lines": toml_lines,
    "project": project,
    "yaml": yaml_file,
    "dockerfile": dockerfile,
    "readme": readme,
}


def _plain(value: Any, depth: int = 0) -> Any:
    """The value in JSON's types, for YAML's others as text. Raises Unreadable where it is nested too deep."""
    if depth > MAX_DEPTH:
        raise Unreadable(f"it is nested more than {MAX_DEPTH} deep")
    if isinstance(value, dict):
        return {
            str(key)[:1_000]: _plain(item, depth + 1) for key, item in value.items()
        }
    if isinstance(value, list | tuple | set):
        return [_plain(item, depth + 1) for item in value]
    return (
        value
        if isinstance(value, bool | int | float | str | type(None))
        else str(value)[:1_000]
    )


# The caller's side


def parse(kind: str, text: str, *, name: str, **options: Any) -> Any:
    """What the parser of that kind makes of a text; `name` is the file's, for telling.

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
                _send(_server[-1], request)
                answer = _receive(_server[-1])
            except OSError:
                answer = b""
            if answer:
                return answer
            _server.pop().close()
    raise OurFault("The process that parses a submission's files ends again and again.")


def _spawn() -> socket.socket:
    """A new process that serves, for whoever did not call `start`."""
    ours, theirs = socket.socketpair()
    code = "import socket, sys; from dockdojo.parsing import serve; serve(socket.socket(fileno=int(sys.argv[1])))"
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
    code = "import sys; from dockdojo.parsing import answer; sys.stdout.buffer.write(answer(sys.stdin.buffer.read()))"
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", code],
            input=request,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        return done.stdout or _limit_met("memory")
    except subprocess.TimeoutExpired:
        return _limit_met("time")


def _limit_met(which: str) -> bytes:
    return json.dumps({"limit": which}).encode()


# The server's side


def serve(connection: socket.socket) -> None:
    """Answer one request after the other, each by a forked process with limits; ends with the connection."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's to handle
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    while request := _receive(connection):
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
            told = source.read(MAX_ANSWER_BYTES + 1)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status) or not told or len(told) > MAX_ANSWER_BYTES:
            timed_out = os.WIFSIGNALED(status) and os.WTERMSIG(status) in (
                signal.SIGXCPU,
                signal.SIGKILL,
                signal.SIGALRM,
            )
            told = _limit_met("time" if timed_out else "memory")
        _send(connection, told)


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
    """The answer to one request, as JSON."""
    try:
        kind, text, options = json.loads(request)
        clean = text.encode(
            "utf-8", "replace"
        ).decode()  # a lone surrogate ends the Dockerfile parser
        told: dict[str, Any] = {"value": PARSERS[kind](clean, **options)}
        return json.dumps(told).encode()
    except Unreadable as error:
        told = {"unreadable": error.message, "line": error.line}
    except RecursionError:
        told = {"unreadable": "it is nested too deep", "line": 0}
    except MemoryError:
        told = {"limit": "memory"}
    except Exception as error:
        told = {
            "unreadable": f"its parser gives up ({type(error).__name__})",
            "line": 0,
        }
    return json.dumps(told).encode()


def _send(connection: socket.socket, data: bytes) -> None:
    connection.sendall(LENGTH.pack(len(data)) + data)


def _receive(connection: socket.socket) -> bytes:
    """One message; empty where the other side has ended."""
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
