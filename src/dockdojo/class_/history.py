"""Why a submission was graded again, and what that changed: its results, one beside the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dockdojo.class_.depends import IMAGE, MODULE, what_changed
from dockdojo.class_.rows import (
    Result,
    Submission,
    opened,
    read_report,
    results_of,
    rows_of,
)
from dockdojo.model import Report
from dockdojo.reports import json as json_report

WORDS = {
    "submission": "what was handed in",
    "lab": "the lab's lab.toml",
    "grader": "the grader",
    "digits": "the digits that it is graded with",
    "payloads": "the programs that dockdojo copies into containers",
    "libraries": "the libraries that dockdojo uses",
    "engine": "the engine",
}
"""What a result depends on, in words."""
NOTHING = "nothing, it was asked for"
ABSENT = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A check, or the whole (`check` is empty), that is not as it was before."""

    check: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Regrade:
    """A row with more than one result: the last two of them."""

    row: Submission
    old: Report | None
    """None where it was refused then; so is `new`."""
    new: Report | None
    reasons: tuple[str, ...]
    """What changed between them, by the names of `depends`."""

    @property
    def changes(self) -> tuple[Change, ...]:
        """Return what is not as it was: the score first, then each check by its status and points."""
        before, now = _told(self.old), _told(self.new)
        names = dict.fromkeys([*before, *now])
        return tuple(
            Change(check=name, old=before.get(name, ABSENT), new=now.get(name, ABSENT))
            for name in names
            if before.get(name) != now.get(name)
        )


def _told(report: Report | None) -> dict[str, str]:
    """The score under an empty name, and each check's status with its points."""
    if report is None:
        return {"": "refused"}
    told = {"": f"{report.score}/{report.max_score}"}
    for outcome in report.outcomes:
        told[outcome.check] = f"{outcome.status} {outcome.score}/{outcome.points}"
    return told


def read_results(folder: Path) -> Iterator[tuple[Submission, list[Result]]]:
    """Yield each row with its results, the oldest first. Raises UsageError where there is no run."""
    with opened(folder) as database:
        for row in rows_of(database):
            yield row, results_of(database, row.name)


def read_regraded(folder: Path) -> list[Regrade]:
    """Return the rows that have more than one result. Raises UsageError where there is no run."""
    return [
        Regrade(
            row=row,
            old=report_of(folder, results[-2]),
            new=report_of(folder, results[-1]),
            reasons=tuple(what_changed(results[-2].depends, results[-1].depends)),
        )
        for row, results in read_results(folder)
        if len(results) > 1
    ]


def report_of(folder: Path, result: Result) -> Report | None:
    """Return the report of a result; None of one that may not be graded."""
    raw = read_report(folder, result.report)
    return json_report.parse(raw) if raw else None


def in_words(reasons: Sequence[str]) -> str:
    """Return names of what a result depends on as a clause: `the grader and the image busybox:latest`."""
    told = [_words(name) for name in reasons]
    if not told:
        return NOTHING
    return " and ".join([", ".join(told[:-1]), told[-1]] if told[1:] else told)


def _words(name: str) -> str:
    if name.startswith(MODULE):
        return f"dockdojo's module {name.removeprefix(MODULE)}"
    if name.startswith(IMAGE):
        return f"the image {name.removeprefix(IMAGE)}"
    return WORDS.get(name, name)


def what_hangs_on(report: Report, check: str) -> tuple[str, ...]:
    """Return a check, and those that ended as they did because of it."""
    decided = {check}
    for outcome in report.outcomes:  # in order: a check needs earlier ones only
        if outcome.decided_by in decided:
            decided.add(outcome.check)
    return tuple(
        outcome.check for outcome in report.outcomes if outcome.check in decided
    )


def merged(kept: Report, again: Report, check: str) -> Report:
    """Return a report in which what was graded again stands in the place of what it was before."""
    new = {outcome.check: outcome for outcome in again.outcomes}
    hidden = check in new and new[check].hidden
    what = "A hidden check" if hidden else f"`{check}`, with what hangs on it,"
    return replace(
        kept,
        outcomes=tuple(new.get(outcome.check, outcome) for outcome in kept.outcomes),
        sources=kept.sources | again.sources,
        notes=(*kept.notes, f"{what} was graded again at {again.started}."),
    )
