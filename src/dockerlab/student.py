"""What a student does: start a lab, check the work, ask for a hint."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from dockerlab.course import Course
from dockerlab.errors import CourseError, UsageError
from dockerlab.grading import grade, list_checks
from dockerlab.model import Check, Report

NOTES = ".dockerlab.json"
"""The workspace's own file: which lab it is, and how many hints were shown."""


class Notes(msgspec.Struct, forbid_unknown_fields=False):
    """What dockerlab remembers in a workspace; made to be committed."""

    lab: str
    hints: dict[str, int] = {}
    """For each check, how many rungs of its ladder were shown."""


@dataclass(frozen=True, slots=True)
class Hint:
    """One rung of a check's ladder."""

    check: Check
    rung: int
    """From 1."""
    text: str


def start(course: Course, slug: str, folder: Path | None = None) -> Path:
    """Copies the starter and the lesson into a new workspace, and returns it. Never overwrites anything."""
    course.lab(slug)
    starter = course.starter(slug)
    if not starter.is_dir():
        raise CourseError(f"{starter} is missing: the lab `{slug}` has no starter.")
    target = folder or Path(slug)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(
            f"{target} is there already, and not empty.",
            hint=f"Name another folder: `dockerlab start {slug} DIR`.",
        )
    shutil.copytree(starter, target, dirs_exist_ok=True, symlinks=True)
    lesson = course.lesson(slug)
    if lesson.is_file():
        shutil.copyfile(lesson, target / "LESSON.md")
    write_notes(target, Notes(lab=slug))
    return target


def read_notes(folder: Path) -> Notes | None:
    """The workspace's notes; None where the folder is no workspace. Raises UsageError where they are broken."""
    path = folder / NOTES
    if not path.is_file() or path.is_symlink():
        return None
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(1_000_000), type=Notes)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}", hint="Remove it, and name the lab.") from error


def write_notes(folder: Path, notes: Notes) -> None:
    """Keeps the notes in the workspace."""
    (folder / NOTES).write_bytes(msgspec.json.format(msgspec.json.encode(notes)) + b"\n")


def find_workspace(course: Course, words: tuple[str, ...]) -> tuple[str, Path]:
    """Lab and folder from `[LAB] [DIR]`: either may be missing where the workspace tells it. Raises UsageError."""
    if len(words) > 2:
        raise UsageError("Too many words.", hint="It is `dockerlab check [LAB] [DIR]`.")
    if len(words) == 2:
        course.lab(words[0])
        return words[0], Path(words[1])
    if len(words) == 1 and words[0] in course.slugs:
        inside = Path(words[0])
        here = read_notes(Path())
        if here is None and inside.is_dir():
            return words[0], inside
        return words[0], Path()
    folder = Path(words[0]) if words else Path()
    if words and not folder.is_dir():
        course.lab(words[0])  # says that there is no such lab, and which is near
    notes = read_notes(folder)
    if notes is None:
        raise UsageError(
            f"{folder.resolve()} is no workspace, so the lab is not known.",
            hint="Name it: `dockerlab check LAB`; or begin with `dockerlab start LAB`.",
        )
    course.lab(notes.lab)
    return notes.lab, folder


def check(course: Course, lab: str, folder: Path, listen: Callable[[dict[str, Any]], None] | None = None) -> Report:
    """Grades the workspace."""
    return grade(lab, folder, course=course, listen=listen)


def next_hint(course: Course, lab: str, folder: Path, name: str = "") -> Hint | list[Check]:
    """The next rung for the check, remembered in the workspace; without a name, the checks that have hints.

    After the last rung the last is told again. Raises UsageError for a check that is not there or has no hints.
    """
    checks = list_checks(course, lab)
    if not name:
        return [one for one in checks if one.hints]
    found = next((one for one in checks if one.name == name.removeprefix("test_")), None)
    if found is None:
        import difflib

        near = difflib.get_close_matches(name, [one.name for one in checks], n=1, cutoff=0.4)
        hint = f"Did you mean `{near[0]}`?" if near else f"`dockerlab hint {lab}` lists them."
        raise UsageError(f"The lab `{lab}` has no check `{name}`.", hint=hint)
    if not found.hints:
        raise UsageError(f"The check `{found.name}` has no hints.", hint="Its sentence says all: " + found.title)
    notes = read_notes(folder) if folder.is_dir() else None
    shown = notes.hints.get(found.name, 0) if notes else 0
    rung = min(shown, len(found.hints) - 1)
    if notes is not None and notes.lab == lab:
        notes.hints[found.name] = rung + 1
        write_notes(folder, notes)
    return Hint(found, rung + 1, found.hints[rung])
