"""Who is process 1: the program, a shell before it, or another parent. Files and parents tell, not what it calls itself."""

from __future__ import annotations

import hashlib
import os.path
import posixpath
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from dockdojo.checks.host import GradingHost
from dockdojo.checks.shell_words import commands_at
from dockdojo.connection.types import Process, Program
from dockdojo.engine.container import Container
from dockdojo.errors import LimitReached

SHELLS = {"sh", "dash", "bash", "ash", "busybox", "zsh", "ksh", "ksh93", "mksh", "yash"}
SHELL_FILES = (
    "/usr/bin/dash",
    "/usr/bin/bash",
    "/bin/dash",
    "/bin/bash",
    "/bin/busybox",
)
"""Where base images have them."""
PAUSES = ("sleep", "cat", "tail")
"""What a script that is itself the program waits with."""
OF_SHELLS = (b"OPTIND\0", b"PPID", b"IFS", b"PS2", b"PS4")
"""Variables that a shell knows (POSIX, sh): the file of each shell holds these names, and that of no other program does."""
BUSYBOX = "busybox"
OF_BUSYBOX = b"BusyBox v"
"""Its shell is one of many programs in its file."""
MAX_PROCESSES = 30
"""Processes whose scripts are read."""
MAX_LINKS = 4


def base_of(path: str) -> str:
    """Return the last component of a path."""
    return os.path.basename(path)


def shown(process: Process) -> str:
    """Return the command line of the process, shortened."""
    return " ".join(process.argv)[:160]


def says_shell(process: Process) -> bool:
    """Whether the process is, by its own words, a shell with commands as a text: `sh -c ...`, `bash -o pipefail -ec ...`."""
    return base_of(process.argv[0]) in SHELLS and commands_at(process.argv) > 0


def below_first(processes: Sequence[Process]) -> list[Process]:
    """The descendants of process 1, without what came in from outside, such as a health check."""
    known = {1}
    for _ in processes:
        known |= {process.pid for process in processes if process.ppid in known}
    return [process for process in processes if process.pid in known - {1}]


def is_shell(data: bytes) -> bool:
    """Whether the bytes are those of a shell's program."""
    return all(name in data for name in OF_SHELLS)


def _script(process: Process) -> str:
    """The file that an interpreter was given: `perl -w /usr/local/bin/greeter`."""
    return next((word for word in process.argv[1:] if not word.startswith("-")), "")


def who_run(
    container: Container,
    processes: Sequence[Process],
    name: str,
    data: bytes,
    folder: str,
) -> frozenset[int]:
    """Return the pids of the processes that run the file of that name: by name, as a copy under another name, or as a text.

    `folder` is the image's working folder, from which relative paths go.
    """
    known: dict[str, bool] = {}

    def is_copy(path: str) -> bool:
        if path not in known:
            known[path] = bool(data) and _read(container, path) == data
        return known[path]

    text = data.decode("utf-8", "replace").strip()
    found = set()
    for process in processes[:MAX_PROCESSES]:
        words = [
            word
            for word in (
                process.argv[0],
                "" if says_shell(process) else _script(process),
            )
            if word
        ]
        if (
            name in map(base_of, words)
            or (text and text in (word.strip() for word in process.argv))
            or any(
                is_copy(posixpath.join(folder or "/", word))
                for word in words
                if len(word) < 1_000
            )
        ):
            found.add(process.pid)
    return frozenset(found)


def _read(container: Container, path: str) -> bytes:
    """The bytes of a regular file, over links; none where there is no such file, or a large one."""
    for _ in range(MAX_LINKS):
        try:
            members = container.members(path, most=1)
        except LimitReached:
            return b""
        if not members:
            return b""
        info, data = members[0]
        if not info.issym():
            return data if info.isreg() else b""
        path = posixpath.normpath(
            posixpath.join(posixpath.dirname(path), info.linkname)
        )
    return b""


def shell_named(container: Container, program: Program, of_base: dict[str, str]) -> str:
    """Return the name of the shell that the process runs; empty where its program is no shell.

    `of_base` has the shells that the base image brought, by the digests of their files; another is known by what is in it.
    """
    if program.sha256 in of_base:
        return of_base[program.sha256]
    data = _read(container, program.path)
    if not is_shell(data):
        return ""
    return BUSYBOX if OF_BUSYBOX in data else base_of(program.path) or "a shell"


class BaseShells:
    """The shells that base images brought along; each base is looked at once."""

    def __init__(self, session: GradingHost) -> None:
        self._session = session
        self._known: dict[str, dict[str, str]] = {}
        self._looking = threading.Lock()

    def of(self, dockerfile: str) -> dict[str, str]:
        """Return the names of the shells in the base of a Dockerfile's image, by the SHA-256 of their files."""
        base = self._session.base(self._session.build(dockerfile), dockerfile)
        if base is None:
            return {}
        with self._looking:
            if base.id not in self._known:
                created = self._session.create(base)
                self._known[base.id] = {
                    hashlib.sha256(data).hexdigest(): base_of(path)
                    for path in SHELL_FILES
                    for info, data in created.members(path)[:1]
                    if info.isreg()
                }
            return self._known[base.id]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen in a running container."""

    first: Process
    program: Program
    shell: str
    """The shell that process 1 is, by its file; empty where it is none."""
    processes: Sequence[Process]
    name: str
    """Of the lab's program."""
    running: frozenset[int]
    """The processes that run it."""


@dataclass(frozen=True, slots=True)
class Before:
    """What stands before the program: what was observed, why that is, and what to try."""

    observed: str
    why: str
    hint: str = ""


def what_stands_before(seen: Seen) -> Before | None:
    """Why process 1 is not the program; None where it is. Its file tells what it is, whatever it calls itself."""
    first, calls_itself = seen.first, base_of(seen.first.argv[0])
    names = {
        calls_itself,
        *(map(base_of, first.argv[1:2]) if seen.shell == BUSYBOX else ()),
    }
    is_by_name = not names.isdisjoint(SHELLS)
    below = below_first(seen.processes)
    # A program that starts itself again is process 1 all the same.
    is_first = first.pid in seen.running and not (seen.shell or is_by_name)
    child = (
        None
        if is_first
        else next((process for process in below if process.pid in seen.running), None)
    )
    if says_shell(first):
        return Before(
            f"process 1 is `{shown(first)}`",
            "A shell stands before the program: it was given a text of commands.",
        )
    if child and (seen.shell or is_by_name):
        return Before(
            f"process 1 is `{shown(first)}`, a shell, and {_called(child, seen.name)} is its child",
            "The shell started the program, and waits for its end.",
            "Where a shell starts the program as its last deed, `exec` before it makes the shell step aside.",
        )
    if child:
        return Before(
            f"process 1 is `{shown(first)}`, and {_called(child, seen.name)} is its child",
            f"`{calls_itself[:60]}` started the program, and stays before it.",
            f"Whoever starts {seen.name} as a child stays process 1. What runs {seen.name} without such a parent?",
        )
    # BusyBox's other programs are in the file of its shell, too.
    if not seen.shell or (seen.shell == BUSYBOX and not is_by_name):
        return None
    if not is_by_name:
        return Before(
            f"process 1 calls itself `{shown(first)}`, and is a shell: the file is {seen.program.path}",
            "A shell under another name is a shell all the same.",
            "Which program is to hear the signal? Start that one.",
        )
    if waited_for := [
        process for process in below if base_of(process.argv[0]) not in PAUSES
    ]:
        return Before(
            f"process 1 is `{shown(first)}`, a shell, and `{shown(waited_for[0])}` is its child",
            "The shell started the program, and waits for its end.",
            "Where a shell starts the program as its last deed, `exec` before it makes the shell step aside.",
        )
    return None


def _called(process: Process, name: str) -> str:
    """The child by the program's name, and by its own words where they have another."""
    return (
        name
        if any(base_of(word) == name for word in process.argv)
        else f"`{shown(process)}`, the {name},"
    )
