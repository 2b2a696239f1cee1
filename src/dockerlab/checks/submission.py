"""The submission's folder, as a grader may look at it: a bounded copy, never imported, never executed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dockerlab.engine.dockerfile import Dockerfile
from dockerlab.errors import SubmissionError

LARGEST_TEXT = 1_000_000
"""Bytes of one text file that a grader reads."""


@dataclass(frozen=True, slots=True)
class Submission:
    """The safe copy of what was handed in."""

    path: Path

    def has(self, name: str) -> bool:
        """Whether the file is there."""
        return (self.path / name).is_file()

    def read(self, name: str) -> str:
        """A text file's content, at most 1 MB of it. Raises SubmissionError where it is missing or no text."""
        path = self.path / name
        if not path.is_file():
            raise SubmissionError(f"There is no file `{name}`.", file=name, hint="The lesson says what belongs in it.")
        with path.open("rb") as file:
            raw = file.read(LARGEST_TEXT + 1)
        if len(raw) > LARGEST_TEXT:
            raise SubmissionError(f"`{name}` has more than {LARGEST_TEXT // 10**6} MB.", file=name)
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
            raise SubmissionError(f"`{name}` is not UTF-8 text (line {line}).", file=name, line=line) from error

    def dockerfile(self, name: str = "Dockerfile") -> Dockerfile:
        """A Dockerfile of the submission, parsed. Raises NoDockerfile or DockerfileInvalid."""
        return Dockerfile.read(self.path / name, name)

    def copy(self, target: Path, changes: Mapping[str, bytes | None]) -> Path:
        """A copy at `target` with some files written (or, where None, removed): another build context."""
        shutil.copytree(self.path, target, symlinks=True)
        for name, data in changes.items():
            path = target / name
            if path.is_symlink() or (path.exists() and not path.is_dir()):
                path.unlink()
            elif path.is_dir():
                shutil.rmtree(path)
            if data is not None:
                _inside(target, path)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
        return target


def _inside(root: Path, path: Path) -> None:
    """A submission's link must not lead the grader's own writing out of the copy."""
    if not path.parent.resolve().is_relative_to(root.resolve()):
        raise SubmissionError(f"`{path.relative_to(root)}` lies behind a link that leads out of the folder.")
