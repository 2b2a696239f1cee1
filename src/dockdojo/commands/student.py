"""What a student does: start a lab, check the work, ask for a hint, begin anew, and see the solution in the end."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from dockdojo.course import Course
from dockdojo.errors import CourseError, UsageError
from dockdojo.events import CheckEnded, CheckStarted, Collected, Event, Listen
from dockdojo.grading import find_check, grade, list_checks, require_folder
from dockdojo.grading.findings import Finding
from dockdojo.grading.look import look_at
from dockdojo.model import HIDDEN, Check, Outcome, Report
from dockdojo.reports.redaction import for_student

NOTES = ".dockdojo.json"
"""The workspace's own file: which lab it is, and how many hints were shown."""


class Notes(msgspec.Struct, forbid_unknown_fields=False):
    """What dockdojo remembers in a workspace; made to be committed."""

    lab: str
    hints: dict[str, int] = {}
    """For each check, how many rungs of its ladder were shown."""
    passed: dict[str, str] = {}
    """For each check that ever passed, when it first did: ISO 8601, UTC."""
    score: int = 0
    """The best so far."""
    max_score: int = 0

    @property
    def solved(self) -> bool:
        """Whether everything passed once."""
        return self.max_score > 0 and self.score == self.max_score


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
            hint=f"Name another folder: `dockdojo start {slug} DIR`.",
        )
    _copy_starter(course, slug, target)
    write_notes(target, Notes(lab=slug))
    return target


def _copy_starter(course: Course, slug: str, target: Path) -> None:
    """Copy the lab's starter to a workspace, and its lesson beside it."""
    shutil.copytree(course.starter(slug), target, dirs_exist_ok=True, symlinks=True)
    lesson = course.lesson(slug)
    if lesson.is_file():
        shutil.copyfile(lesson, target / "LESSON.md")


def read_notes(folder: Path) -> Notes | None:
    """Return the workspace's notes; None where the folder is no workspace. Raises UsageError where they cannot be read."""
    path = folder / NOTES
    if not path.is_file() or path.is_symlink():
        return None
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(1_000_000), type=Notes)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} cannot be read: {error}", hint="Remove it, and name the lab."
        ) from error


def write_notes(folder: Path, notes: Notes) -> None:
    """Write the notes into the workspace."""
    (folder / NOTES).write_bytes(
        msgspec.json.format(msgspec.json.encode(notes)) + b"\n"
    )


def find_workspace(course: Course, words: tuple[str, ...]) -> tuple[str, Path]:
    """Return lab and folder for the words `[LAB] [DIR]`; either may be left out in a workspace. Raises UsageError."""
    if len(words) > 2:
        raise UsageError("Too many words.", hint="It is `dockdojo check [LAB] [DIR]`.")
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
            hint="Name it: `dockdojo check LAB`; or begin with `dockdojo start LAB`.",
        )
    course.lab(notes.lab)
    return notes.lab, folder


def check(
    course: Course,
    lab: str,
    folder: Path,
    listen: Listen | None = None,
    *,
    only: list[str] | None = None,
    before: Report | None = None,
) -> Report:
    """Grades the workspace (or only some checks, and what they need), and remembers there what passed.

    With `before`, a report of all checks, the report of some is one of all, too: what was not graded again stands as it was.
    """
    report = for_student(
        grade(
            lab,
            folder,
            course=course,
            listen=listen and _without_hidden(listen),
            only=only,
        )
    )
    if before is not None and only is not None:
        now = {
            outcome.check: outcome
            for outcome in report.outcomes
            if outcome.check != HIDDEN
        }
        report = replace(
            report,
            outcomes=tuple(
                now.get(outcome.check, outcome) for outcome in before.outcomes
            ),
        )
    notes = read_notes(folder)
    if notes is not None and notes.lab == lab:
        # Full marks are those of one grading of everything.
        remember(
            notes,
            report,
            whole=only is None or (before is not None and report.exit_code != 0),
        )
        write_notes(folder, notes)
    return report


def look(course: Course, folder: Path, slug: str | None = None) -> tuple[Finding, ...]:
    """What happened to a folder on its way here (see grading.findings). Without a lab, the workspace's own, or any.

    Raises UsageError for a folder that is not there, SubmissionError for one that may not be graded.
    """
    require_folder(folder)
    notes = read_notes(folder) if slug is None else None
    name = slug or (notes.lab if notes else None)
    return (
        look_at(folder, course.lab(name), course.starter(name))
        if name
        else look_at(folder)
    )


def _without_hidden(listen: Listen) -> Listen:
    """Tells the listener nothing of hidden checks."""
    hidden: set[str] = set()

    def hear(event: Event) -> None:
        match event:
            case Collected(checks=checks):
                hidden.update(check.name for check in checks if check.hidden)
                listen(
                    Collected(checks=[check for check in checks if not check.hidden])
                )
            case CheckStarted(check=name) | CheckEnded(outcome=Outcome(check=name)) if (
                name in hidden
            ):
                pass
            case _:
                listen(event)

    return hear


def remember(notes: Notes, report: Report, *, whole: bool = True) -> None:
    """Adds what passed now; what passed earlier is kept. Some checks alone (not `whole`) give no score."""
    for outcome in report.outcomes:
        if outcome.status == "passed":
            notes.passed.setdefault(outcome.check, report.started)
    max_score = sum(outcome.points for outcome in report.outcomes if not outcome.hidden)
    if whole and (report.score >= notes.score or max_score != notes.max_score):
        notes.score, notes.max_score = report.score, max_score


def progress(course: Course, folder: Path) -> dict[str, Notes]:
    """Return what was done of each lab, by the notes of `folder` and of the workspaces in it."""
    found: dict[str, Notes] = {}
    for place in (folder, *(folder / slug for slug in course.slugs)):
        notes = read_notes(place)
        if notes is not None and notes.lab in course.slugs:
            known = found.get(notes.lab)
            found[notes.lab] = (
                notes if known is None or notes.score >= known.score else known
            )
    return found


def reset(course: Course, lab: str, folder: Path) -> Path:
    """Brings the starter back into the workspace; returns the folder beside it where the work is now. Notes are kept.

    Raises UsageError where the folder is no workspace of the lab.
    """
    notes = read_notes(folder) if folder.is_dir() else None
    if notes is None or notes.lab != lab:
        raise UsageError(
            f"{folder.resolve()} is no workspace of {lab}.",
            hint=f"`dockdojo start {lab}` makes one.",
        )
    home = folder.resolve()
    aside = next(
        moved
        for number in range(1, 1000)
        if not (moved := home.with_name(f"{home.name}.old-{number}")).exists()
    )
    aside.mkdir()
    for path in sorted(home.iterdir()):
        if path.name not in (NOTES, ".git"):
            shutil.move(path, aside / path.name)
    _copy_starter(course, lab, home)
    return aside


def solution(course: Course, lab: str, folder: Path) -> Path:
    """Copies the solution beside a workspace that has had full marks, and returns the copy. Raises UsageError before that."""
    course.lab(lab)
    source = course.solution(lab)
    if source is None:
        raise UsageError("This course came without its solutions.")
    notes = read_notes(folder) if folder.is_dir() else None
    if notes is None or notes.lab != lab or not notes.solved:
        best = (
            f" The best so far is {notes.score} of {notes.max_score} points."
            if notes and notes.max_score
            else ""
        )
        raise UsageError(
            f"The solution of {lab} is shown when everything is green.{best}",
            hint=f"`dockdojo check {lab}`, and `dockdojo hint {lab} CHECK` where you are stuck.",
        )
    home = folder.resolve()
    target = home.with_name(f"{home.name}.solution")
    if target.exists():
        raise UsageError(f"{target} is there already.")
    shutil.copytree(source, target, symlinks=True)
    return target


def seen_checks(course: Course, lab: str) -> list[Check]:
    """The checks of a lab that students see: all that are not hidden."""
    return [check for check in list_checks(course, lab) if not check.hidden]


def checks_with_hints(course: Course, lab: str) -> list[Check]:
    """The checks of a lab for which there is a hint."""
    return [check for check in seen_checks(course, lab) if check.hints]


def next_hint(course: Course, lab: str, folder: Path, name: str) -> Hint:
    """The next hint for a check; the workspace remembers how many were shown. After the last hint comes the last again.

    Raises UsageError for a check that is not there or has no hints.
    """
    found = find_check(seen_checks(course, lab), lab, name)
    if not found.hints:
        raise UsageError(
            f"The check `{found.name}` has no hints.",
            hint="Its sentence says all: " + found.title,
        )
    notes = read_notes(folder) if folder.is_dir() else None
    shown = notes.hints.get(found.name, 0) if notes else 0
    rung = min(shown, len(found.hints) - 1)
    if notes is not None and notes.lab == lab:
        notes.hints[found.name] = rung + 1
        write_notes(folder, notes)
    return Hint(found, rung + 1, found.hints[rung])
