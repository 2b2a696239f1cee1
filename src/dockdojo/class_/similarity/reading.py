"""What of a submission is compared: its texts as a builder sees them, bounded."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from dockdojo.dockerignore import DockerIgnore
from dockdojo.grading.intake import IGNORE_FILES, LEFT_OUT, LITTER, MAX_IGNORE_BYTES

MAX_BYTES = 200_000
"""Of the texts of one submission; what is beyond is not compared."""
MAX_FILES = 200
"""Of one submission, Dockerfiles and programs first."""
QUIZ = "answers.toml"
"""Right answers are the same for everybody."""
DATA = frozenset(
    {".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".xml", ".lock", ".log", ".svg"}
    | {".ipynb", ".gif", ".png", ".jpg", ".pdf", ".pth", ".gz", ".zip", ".tar"}
)
"""Endings of files that nobody wrote by hand, or that are no text."""


@dataclass(frozen=True, slots=True)
class Source:
    """A text of a submission."""

    path: str
    text: str


def read_sources(folder: Path, lab_files: Collection[str] = ()) -> list[Source]:
    """Return the texts of a safe copy, the most telling first, without what `.dockerignore` leaves out."""
    ignore = _ignore(folder)
    paths = sorted(
        (
            path
            for path in _files(folder)
            if not _is_left_out(path, ignore, frozenset(lab_files))
        ),
        key=lambda path: (_rank(path), path),
    )
    found, left = [], MAX_BYTES
    for path in paths[:MAX_FILES]:
        with (folder / path).open("rb") as file:
            raw = file.read(left)
        if b"\0" in raw:
            continue
        left -= len(raw)
        text = raw.decode("utf-8-sig", "replace")
        found.append(Source(path, text.replace("\r\n", "\n").replace("\r", "\n")))
        if left <= 0:
            break
    return found


def _files(folder: Path) -> Iterator[str]:
    """The regular files; no link is followed."""
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in LITTER]
        for name in names:
            path = Path(here, name)
            if stat.S_ISREG(path.lstat().st_mode):
                yield path.relative_to(folder).as_posix()


def _ignore(folder: Path) -> DockerIgnore | None:
    for name in IGNORE_FILES:
        path = folder / name
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                raw = file.read(MAX_IGNORE_BYTES)
            return DockerIgnore.parse(raw.decode("utf-8-sig", "replace"))
    return None


def _is_left_out(
    path: str, ignore: DockerIgnore | None, lab_files: frozenset[str]
) -> bool:
    name = posixpath.basename(path).lower()
    if name == QUIZ or path in LEFT_OUT or posixpath.splitext(name)[1] in DATA:
        return True
    if ignore is None or "dockerfile" in name or path in lab_files:
        return False
    if any(path.startswith(f"{file}/") for file in lab_files):
        return False
    return ignore.leaves_out(path)


def _rank(path: str) -> int:
    name = posixpath.basename(path).lower()
    if "dockerfile" in name:
        return 0
    return 1 if name.endswith((".py", ".sh", ".c", ".js")) else 2
