"""testinfra over a backend of ours: files by the archive call, commands in a kept-open shell of the image.

`host.file` asks the engine, and is true whatever the image's own programs say. `host.run` is the image's word: it is for
graders that want to know what a command *in there* prints, and nothing that it says makes an outcome `error`.
"""

from __future__ import annotations

import hashlib
import tarfile
import time
from datetime import UTC, datetime
from typing import Any

from testinfra.backend import base
from testinfra.host import Host

from dockdojo.engine.container import Container
from dockdojo.errors import SubmissionError

COMMAND_SECONDS = 30
"""Seconds that one command of testinfra may take."""


class ShellBackend(base.BaseBackend):  # type: ignore[misc]  # testinfra has no types
    """Runs testinfra's commands in the container's kept-open shell."""

    NAME = "dockdojo"

    def __init__(self, container: Container, **kwargs: Any) -> None:
        super().__init__(container.id, **kwargs)
        self._container = container

    def run(self, command: str, *args: str, **kwargs: Any) -> base.CommandResult:
        """One command, with testinfra's quoting."""
        line = self.get_command(command, *args)
        shell = self._container.shell
        if shell is None:
            raise SubmissionError(
                f"The image has no shell, so `{line}` cannot run in it."
            )
        until = time.monotonic() + COMMAND_SECONDS
        if self._container.deadline is not None:
            until = min(until, self._container.deadline)
        try:
            done = shell.run(line, until)
        except (
            ValueError
        ):  # the shell died under the command: a plain exec has nothing to lose
            done = self._container.exec("/bin/sh", "-c", line)
        return base.CommandResult(
            self, int(done.exit_code), line, done.stdout, done.stderr
        )


class ArchiveFile:
    """What testinfra's `host.file(path)` tells, read over the archive call: needs no shell in the image."""

    def __init__(self, container: Container, path: str) -> None:
        self.path = path
        self._container = container
        self._found: list[tuple[tarfile.TarInfo, bytes]] | None = None

    @property
    def _members(self) -> list[tuple[tarfile.TarInfo, bytes]]:
        if self._found is None:
            self._found = self._container.members(self.path)
        return self._found

    @property
    def _info(self) -> tarfile.TarInfo:
        if not self._members:
            raise SubmissionError(f"There is no `{self.path}` in the container.")
        return self._members[0][0]

    @property
    def exists(self) -> bool:
        """Whether there is anything at the path."""
        return bool(self._members)

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return self.exists and self._info.isreg()

    @property
    def is_directory(self) -> bool:
        """Whether it is a folder."""
        return self.exists and self._info.isdir()

    @property
    def is_symlink(self) -> bool:
        """Whether it is a symbolic link."""
        return self.exists and self._info.issym()

    @property
    def linked_to(self) -> str:
        """Where the link points, as it is written."""
        return self._info.linkname

    @property
    def uid(self) -> int:
        """The owner's number."""
        return self._info.uid

    @property
    def gid(self) -> int:
        """The group's number."""
        return self._info.gid

    @property
    def user(self) -> str:
        """The owner's name, by the bytes of the container's /etc/passwd; the number where that has none."""
        return self._named("/etc/passwd", self.uid)

    @property
    def group(self) -> str:
        """The group's name, by the bytes of the container's /etc/group; the number where that has none."""
        return self._named("/etc/group", self.gid)

    def _named(self, book: str, number: int) -> str:
        text = ArchiveFile(self._container, book)
        lines = (
            [line.split(":") for line in text.content_string.splitlines()]
            if text.is_file
            else []
        )
        return next(
            (words[0] for words in lines if len(words) > 2 and words[2] == str(number)),
            str(number),
        )

    @property
    def is_executable(self) -> bool:
        """Whether somebody may execute it."""
        return self.is_file and bool(self.mode & 0o111)

    @property
    def mtime(self) -> datetime:
        """When it was changed, in UTC."""
        return datetime.fromtimestamp(self._info.mtime, UTC)

    @property
    def mode(self) -> int:
        """Permission bits."""
        return self._info.mode & 0o7777

    @property
    def size(self) -> int:
        """Bytes."""
        return self._info.size

    @property
    def content(self) -> bytes:
        """The file's bytes."""
        return self._members[0][1] if self._info.isreg() else b""

    @property
    def content_string(self) -> str:
        """The file's text."""
        return self.content.decode("utf-8", "replace")

    @property
    def sha256sum(self) -> str:
        """SHA-256 of the bytes, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    def contains(self, text: str) -> bool:
        """Return whether the text is in it."""
        return text in self.content_string

    def listdir(self) -> list[str]:
        """Return the names in a folder."""
        depth = self._info.name.rstrip("/").count("/") + 1
        names = [info.name.strip("/") for info, _ in self._members[1:]]
        return sorted(
            name.rsplit("/", 1)[1] for name in names if name.count("/") == depth
        )


class ArchiveHost(Host):  # type: ignore[misc]  # testinfra has no types
    """A testinfra host whose files are read over the archive call."""

    container: Container

    def file(self, path: str) -> ArchiveFile:
        """Return the file at the path."""
        return ArchiveFile(self.container, path)


def testinfra_host(container: Container) -> Host:
    """Return a testinfra host on the running container."""
    backend = ShellBackend(container)
    host = ArchiveHost(backend)
    host.container = container
    backend.set_host(host)
    return host
