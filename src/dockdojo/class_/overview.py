"""A run as a page for whoever teaches: the marks, each check, what went wrong most often, and everybody with their own page."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from dockdojo.class_.feedback import FOLDER, HTML
from dockdojo.class_.records import Record
from dockdojo.class_.statistics import (
    Marks,
    check_statistics,
    commonest_failures,
    marks_of,
    once_each,
)
from dockdojo.model import Status
from dockdojo.reports import charts, pages
from dockdojo.reports.policy import is_rule
from dockdojo.reports.text import MARKS, cut

MAX_FAILURES = 20
"""Failures that the page has; the commonest ones."""
MAX_NAME_CHARACTERS = 200
MAX_TEXT_CHARACTERS = 1_000
"""Of what was expected or observed, and of a reason."""
STATES: dict[str, tuple[Status, str]] = {
    "not final": ("error", "not final"),
    "waiting": ("error", "not graded yet"),
    "running": ("error", "not graded yet"),
    "refused": ("failed", "refused"),
    "missing": ("skipped", "nothing handed in"),
}
"""How states without a report are shown, and in which words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Somebody on the page."""

    name: str
    """The row's."""
    people: str
    """Their names; empty where they say no more than the row's."""
    mark: str
    """Points, or the state in words."""
    status: Status | None
    """How the state is shown; None where there are points."""
    reason: str
    href: str
    """Where their own page is, seen from this one; empty where there is none."""


def as_html(records: Sequence[Record], lab: str, folder: Path, beside: Path) -> str:
    """Return the page of a run's records. Links lead from `beside`, the folder in which the page will be, into the run's."""
    work = once_each(records)
    reports = [record.report for record in work if record.report]
    marks = marks_of(record.report for record in records if record.report)
    failures = commonest_failures(records)
    lines = [_line(record, folder, beside) for record in records]
    states = [record.row.state for record in records]
    return pages.render(
        "class",
        lab=lab,
        title=cut(reports[0].title, MAX_NAME_CHARACTERS) if reports else lab,
        marks=marks,
        facts=_facts(marks),
        histogram=charts.histogram(marks.bins) if marks else None,
        graded=sum(state == "done" for state in states),
        open_ones=[
            line for line, record in zip(lines, records, strict=True) if record.is_open
        ],
        missing=_in_state(lines, states, "missing"),
        refused=_in_state(lines, states, "refused"),
        has_rules=any(
            is_rule(outcome) for report in reports for outcome in report.outcomes
        ),
        has_problems=sum(bool(report.problem) for report in reports),
        checks=check_statistics(reports),
        failures=failures[:MAX_FAILURES],
        more_failures=len(failures) - MAX_FAILURES,
        submissions=len(reports),
        lines=lines,
        who={
            record.row.name: line
            for line, record in zip(lines, records, strict=True)
            if not record.group
        },
        is_linked=any(line.href for line in lines),
        signs=MARKS,
        number=number_in_words,
        percent=percent_in_words,
        short=lambda text: cut(text, MAX_TEXT_CHARACTERS),
    )


def number_in_words(value: float) -> str:
    """Return a mark with at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")


def percent_in_words(share: float | None) -> str:
    """Return a share in whole per cent: 0 % and 100 % are said where nobody and everybody is meant; a dash for None."""
    if share is None:
        return "–"
    if 0 < share < 1:
        return f"{min(99, max(1, round(100 * share)))} %"
    return f"{100 * share:.0f} %"


def _facts(marks: Marks | None) -> list[tuple[str, str]]:
    """The marks at a glance: values, and what they are."""
    if marks is None:
        return []
    first, median, third = map(number_in_words, marks.quartiles)
    unit = "per cent" if marks.maximum is None else f"of {marks.maximum} points"
    return [
        (number_in_words(marks.mean), f"mean, {unit}"),
        (median, "median"),
        (f"{first} to {third}", "the middle half"),
        (
            f"{number_in_words(marks.lowest)} to {number_in_words(marks.highest)}",
            "lowest to highest",
        ),
    ]


def _in_state(lines: Sequence[Line], states: Sequence[str], state: str) -> list[Line]:
    return [line for line, found in zip(lines, states, strict=True) if found == state]


def _line(record: Record, folder: Path, beside: Path) -> Line:
    row, report = record.row, record.report
    people = " + ".join(ids.get("name", "") or row.name for ids in row.people)
    status, words = STATES.get(row.state, (None, ""))
    return Line(
        name=cut(row.name, MAX_NAME_CHARACTERS),
        people="" if people == row.name else cut(people, MAX_NAME_CHARACTERS),
        mark=f"{report.score}/{report.max_score}" if report else words,
        status=None if report else status,
        reason=cut(row.reason, MAX_TEXT_CHARACTERS),
        href=_href(record, folder, beside),
    )


def _href(record: Record, folder: Path, beside: Path) -> str:
    """The page that `class feedback` wrote for somebody, or for the group that they are of."""
    for name in dict.fromkeys((record.row.name, record.origin)):
        page = folder / FOLDER / name / HTML
        if page.is_file():
            return quote(Path(os.path.relpath(page, beside)).as_posix())
    return ""
