"""Runs of made-up classes, kept by the journal as `class grade` keeps them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dockdojo.class_.journal import Enrolled, Journal
from dockdojo.model import Feedback, Outcome, Report
from dockdojo.reports import json as json_report

LAB = "signals"


def report_of(points: int = 80, **more: object) -> Report:
    """A report with so many of 100 points: one check passed, one failed."""
    outcomes = (
        Outcome(check="stops", title="It stops", status="passed", points=points),
        Outcome(
            check="reaps",
            title="It reaps",
            status="failed",
            points=100 - points,
            feedback=Feedback(observed="A zombie was left."),
        ),
    )
    words = {"outcomes": outcomes, "started": "2026-11-20T10:11:12+00:00"} | more
    return Report(lab=LAB, title="Signals", seconds=1.0, **words)


def run_of(
    folder: Path,
    rows: Iterable[tuple[Enrolled, Report | str | None]],
) -> Path:
    """A run: for each row its report; a text is why it may not be graded, None that it is not final."""
    rows = list(rows)
    with Journal(folder, LAB) as journal:
        journal.enroll(row for row, _ in rows)
        for row, found in rows:
            if not row.label:
                continue
            if isinstance(found, Report):
                raw = json_report.render(found).encode()
                journal.finish(row.name, journal.begin(row.name), raw, {})
            elif found:
                journal.finish(
                    row.name, journal.begin(row.name), b"", {}, refused=found
                )
            else:
                for _ in range(3):
                    journal.fault(row.name, journal.begin(row.name), "no space left")
    return folder
