"""What a service exported, as names and bytes: a folder and a zip archive look alike from here."""

from __future__ import annotations

import functools
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, Self

from dockdojo.beneath import printable
from dockdojo.class_.archives import Archive, Budget, Member, open_archive
from dockdojo.errors import Refused, UsageError, reason_of
from dockdojo.grading.intake import is_system_file

MAX_FILES = 400_000
"""Of an exported folder: of 2,000 submissions with 200 files each."""
ZIP = ".zip"


class Tree(Protocol):
    """An export that is open."""

    @property
    def name(self) -> str:
        """Return how it is called, without folders above it and without `.zip`."""

    @property
    def top(self) -> tuple[str, ...]:
        """Return the names of files at the top, and of folders with a `/` behind them."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Return the places of all files, with `/` between folders."""

    def read(self, path: str, limit: int) -> bytes:
        """Return a file's bytes. Raises Refused where it has more than `limit`."""

    def write(self, path: str, target: Path, budget: Budget) -> None:
        """Write a file's bytes to a new file. Raises Refused where the budget does not allow it."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...


class ZipTree:
    """An archive that was downloaded."""

    def __init__(self, path: Path) -> None:
        """Raises Refused where it is no archive, or a hostile one."""
        self.name = (
            path.name[: -len(ZIP)] if path.name.lower().endswith(ZIP) else path.name
        )
        self._archive = open_archive(path)
        self._members = {member.path: member for member in self._archive.members}

    @property
    def top(self) -> tuple[str, ...]:
        """The names at the top; folders have a `/`."""
        parts = (path.partition("/") for path in self._members)
        return tuple(dict.fromkeys(f"{name}{slash}" for name, slash, _ in parts))

    @property
    def paths(self) -> tuple[str, ...]:
        """The places of all files."""
        return tuple(self._members)

    @property
    def archive(self) -> Archive:
        """The archive itself."""
        return self._archive

    def member(self, path: str) -> Member:
        """Return what the archive says of a file."""
        return self._members[path]

    def read(self, path: str, limit: int) -> bytes:
        """Return a file's bytes, see Tree."""
        return self._archive.read(self._members[path], limit)

    def write(self, path: str, target: Path, budget: Budget) -> None:
        """Write a file's bytes to a new file, see Tree."""
        member = self._members[path]
        budget.take(member)
        self._archive.write(member, target)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._archive.__exit__(*error)


class FolderTree:
    """An export that was unpacked already. No link in it is followed."""

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        self._folder = folder

    @functools.cached_property
    def top(self) -> tuple[str, ...]:
        """The names at the top; folders have a `/`. Raises UsageError where they cannot be read."""
        found = []
        try:
            with os.scandir(self._folder) as entries:
                for entry in entries:
                    if is_system_file(entry.name) or entry.is_symlink():
                        continue
                    found.append(f"{entry.name}/" if entry.is_dir() else entry.name)
        except OSError as error:
            raise UsageError(
                f"{self._folder} cannot be read: {reason_of(error)}."
            ) from error
        return tuple(sorted(found))

    @functools.cached_property
    def paths(self) -> tuple[str, ...]:
        """The places of all files. Raises UsageError where there are too many."""
        return tuple(sorted(self._files()))

    def _files(self) -> Iterator[str]:
        count = 0
        for here, folders, names in os.walk(self._folder):
            folders[:] = sorted(
                name for name in folders if not is_system_file(name) and name != ".git"
            )
            for name in names:
                count += 1
                if count > MAX_FILES:
                    raise UsageError(
                        f"{self._folder} holds more than {MAX_FILES:,} files."
                    )
                path = Path(here, name)
                if not is_system_file(name) and stat.S_ISREG(path.lstat().st_mode):
                    yield path.relative_to(self._folder).as_posix()

    def _open(self, path: str) -> int:
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        try:
            return os.open(self._folder / path, flags)
        except OSError as error:
            raise Refused(
                f"`{printable(path)[:200]}` cannot be read: {reason_of(error)}."
            ) from error

    def read(self, path: str, limit: int) -> bytes:
        """Return a file's bytes, see Tree."""
        with os.fdopen(self._open(path), "rb") as file:
            raw = file.read(limit + 1)
        if len(raw) > limit:
            raise Refused(f"`{printable(path)[:200]}` has more than {limit:,} bytes.")
        return raw

    def write(self, path: str, target: Path, budget: Budget) -> None:
        """Write a file's bytes to a new file, see Tree."""
        descriptor = self._open(path)
        with os.fdopen(descriptor, "rb") as file:
            info = os.fstat(descriptor)
            budget.take_file(path, info.st_size)
            with target.open("xb") as out:
                left = info.st_size
                while left and (piece := file.read(min(2**20, left))):
                    left -= len(piece)
                    out.write(piece)
        target.chmod(0o644 | (info.st_mode & 0o111))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        return None


def open_tree(source: Path) -> Tree:
    """Open an export. Raises UsageError where there is none, Refused for an archive that is none or hostile."""
    if source.is_dir():
        return FolderTree(source)
    if not source.is_file():
        raise UsageError(
            f"There is no {source}.",
            hint="Name the folder or the zip archive that the service gave you.",
        )
    return ZipTree(source)
