"""The submission's folder, as a grader may look at it: a bounded copy, never imported, never executed."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dockdojo.beneath import has_file, open_file, printable, write_file
from dockdojo.build.dockerfile import Dockerfile
from dockdojo.errors import SubmissionError
from dockdojo.submission.encodings import decode_as_pip

MAX_TEXT_BYTES = 1_000_000
"""Bytes of one text file that a grader reads."""
MAX_FILE_BYTES = 20_000_000
"""Bytes of one file of any kind that a grader reads."""


@dataclass(frozen=True, slots=True)
class Submission:
    """The safe copy of what was handed in."""

    path: Path

    @property
    def size(self) -> int:
        """Bytes of all regular files of the folder."""
        found = (path.lstat() for path in self.path.rglob("*"))
        return sum(info.st_size for info in found if stat.S_ISREG(info.st_mode))

    def has(self, name: str) -> bool:
        """Return whether there is a regular file of that name in the folder."""
        return has_file(self.path, name)

    def read_bytes(self, name: str, most: int = MAX_FILE_BYTES) -> bytes:
        """Return a file's bytes. Raises SubmissionError if it is missing, has more than `most`, or leads out of the folder."""
        try:
            with open_file(self.path, name) as file:
                raw = file.read(most + 1)
        except OSError:
            raise SubmissionError(
                f"There is no file `{printable(name)}`.",
                file=name,
                hint="The lesson says what belongs in it.",
            ) from None
        if len(raw) > most:
            raise SubmissionError(
                f"`{printable(name)}` has more than {most / 10**6:g} MB.", file=name
            )
        return raw

    def read(self, name: str) -> str:
        """Return a text file's content, at most 1 MB of it. Raises SubmissionError where it is missing or no text.

        A `.txt` is decoded as pip decodes requirements.
        """
        raw = self.read_bytes(name, MAX_TEXT_BYTES)
        try:
            return (
                decode_as_pip(raw) if name.endswith(".txt") else raw.decode("utf-8-sig")
            )
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
            raise SubmissionError(
                f"`{name}` is not UTF-8 text (line {line}).", file=name, line=line
            ) from error

    def dockerfile(self, name: str = "Dockerfile") -> Dockerfile:
        """Return a Dockerfile of the submission, parsed. Raises NoDockerfile or DockerfileInvalid."""
        return Dockerfile.read(self.path, name)

    def copy(self, target: Path, changes: Mapping[str, bytes | None]) -> Path:
        """Make a copy at `target` with some files written (or, where None, removed): another build context."""
        shutil.copytree(self.path, target, symlinks=True)
        for name, data in changes.items():
            try:
                write_file(target, name, data)
            except OSError as error:
                raise SubmissionError(
                    f"`{printable(name)}` cannot be changed for another build: {error.strerror}.",
                    file=name,
                ) from error
        return target
