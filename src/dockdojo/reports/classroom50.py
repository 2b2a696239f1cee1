"""Classroom 50's `result.json`. What only the classroom knows (its name, the owner, the commit) comes in as `about`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dockdojo.model import Outcome, Report
from dockdojo.reports.bounds import bounded
from dockdojo.reports.phrases import in_words, notes_in_words, points_sent, score_sent
from dockdojo.reports.text import clean, cut, quiet_json

SCHEMA = "classroom50/result/v1"
ABOUT = (
    "classroom",
    "assignment",
    "assignment_type",
    "owner",
    "submission",
    "commit",
    "release",
    "review",
    "submitted_by",
)
"""Fields that the caller knows."""


def render(report: Report, about: Mapping[str, str] | None = None) -> str:
    """The report as an indented JSON object."""
    return (
        quiet_json(json.dumps(as_dict(bounded(report), about or {}), indent=2)) + "\n"
    )


def as_dict(report: Report, about: Mapping[str, str]) -> dict[str, Any]:
    """What is in it; points are whole numbers, and none while the report is not final."""
    known = {"assignment": report.lab, "assignment_type": "individual", **about}
    head = {
        key: known.get(key, "")
        for key in ABOUT
        if key != "submitted_by" or key in known
    }
    return {
        "schema": SCHEMA,
        **head,
        "datetime": report.started,
        "graded_at": report.started,
        "score": score_sent(report),
        "max-score": report.max_score,
        "final": report.final,
        "notes": notes_in_words(report),
        "tests": [_test(report, outcome) for outcome in report.outcomes],
    }


def _test(report: Report, outcome: Outcome) -> dict[str, Any]:
    return {
        "test-name": outcome.check,
        "passed": outcome.status == "passed" and report.final,
        "score": points_sent(report, outcome),
        "max-score": outcome.points,
        "title": cut(clean(outcome.title)),
        "status": outcome.status,
        "message": in_words(outcome),
    }
