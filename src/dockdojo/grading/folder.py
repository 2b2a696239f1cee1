"""The safe copy of a submission, read once for all findings: names, modes and the beginnings of files."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dockdojo.beneath import open_file
from dockdojo.dockerignore import DockerIgnore
from dockdojo.errors import DockdojoError
from dockdojo.grading.intake import IGNORE_FILES, MAX_IGNORE_BYTES
from dockdojo.model import Lab

HEAD_BYTES = 4_096
"""Of each file; what is looked for stands at its beginning."""


@dataclass(frozen=True, slots=True)
class File:
    """A regular file of the copy: its name, mode, size in bytes, and the bytes at its beginning."""

    name: str
    mode: int
    size: int
    head: bytes


@dataclass
class Folder:
    """The safe copy, read once: all files that are part of the build context or of the lab."""

    root: Path
    lab: Lab | None
    starter: Path | None
    files: dict[str, File] = field(default_factory=dict)

    @classmethod
    def read(cls, root: Path, lab: Lab | None, starter: Path | None) -> Folder:
        """Read the beginnings of the files."""
        folder = cls(root, lab, starter)
        ignore = ignore_patterns(root)
        for path, info in regular_files(root):
            if (
                path not in folder.wanted
                and ignore.leaves_out(path)
                and "dockerfile" not in path.lower()
            ):
                continue
            with (
                contextlib.suppress(OSError, DockdojoError),
                open_file(root, path) as file,
            ):
                folder.files[path] = File(
                    path, info.st_mode, info.st_size, file.read(HEAD_BYTES)
                )
        return folder

    @property
    def wanted(self) -> tuple[str, ...]:
        """The files that the lab asks for; without a lab, a Dockerfile."""
        return self.lab.files if self.lab else ("Dockerfile",)

    @property
    def dockerfiles(self) -> list[str]:
        """Names of the Dockerfiles that the lab asks for."""
        return dockerfiles_of(self.wanted)

    def has(self, name: str) -> bool:
        """Whether a file of that name, or a folder, is there."""
        return os.path.lexists(self.root / name)


def dockerfiles_of(names: Iterable[str]) -> list[str]:
    """Return those of a lab's files that are Dockerfiles."""
    return [
        name
        for name in names
        if "dockerfile" in name.lower() and not name.endswith("ignore")
    ]


def regular_files(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the regular files with their paths below `root`, in order."""
    for place, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = Path(place, name)
            if path.is_file() and not path.is_symlink():
                yield path.relative_to(root).as_posix(), path.lstat()


def ignore_patterns(root: Path) -> DockerIgnore:
    """What `.dockerignore` leaves out of the build context; nothing where there is none."""
    for name in IGNORE_FILES:
        with contextlib.suppress(OSError, DockdojoError), open_file(root, name) as file:
            return DockerIgnore.parse(
                file.read(MAX_IGNORE_BYTES).decode("utf-8-sig", "replace")
            )
    return DockerIgnore()
