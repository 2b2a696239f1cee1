"""The report as JSON, versioned; report.schema.json beside this file is its JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from dockdojo.errors import UsageError
from dockdojo.model import Feedback, Outcome, Report
from dockdojo.reports.bounds import bounded
from dockdojo.reports.text import quiet_json

SCHEMA = "dockdojo/report/v1"
REPORT = (
    "lab",
    "title",
    "started",
    "seconds",
    "checksum",
    "seed",
    "engine",
    "problem",
    "advice",
    "notes",
    "sources",
    "layers",
    "curve",
    "costs",
)
OUTCOME = {
    "title": "title",
    "status": "status",
    "seconds": "seconds",
    "feedback": "feedback",
    "unearnable": "ungraded",
    "hidden": "hidden",
    "adjusts": "adjustment",
    "decided_by": "decided_by",
}
"""Keys of a check in JSON that need not be there, and the fields of an outcome that they are."""
SCHEMA_FILE = Path(__file__).with_name("report.schema.json")


def render(report: Report, comments: Sequence[str] = ()) -> str:
    """The report as an indented JSON object, ending in a line feed; it may be printed, whatever is in it.

    Comments that an instructor wrote by hand are there where there are some, and are none of the report's when it is read again.
    """
    found = as_dict(bounded(report))
    if comments:
        found["comments"] = list(comments)
    return indented(found)


def indented(document: dict[str, Any]) -> str:
    """Return a JSON object as text, ending in a line feed; it may be printed, whatever is in it."""
    return quiet_json(json.dumps(document, indent=2, ensure_ascii=False)) + "\n"


def parse(text: str | bytes) -> Report:
    """The report that was written as JSON. Raises UsageError for what is none, or of another version."""
    try:
        raw = json.loads(text)
        if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
            raise UsageError(f"That is no report of dockdojo (schema {SCHEMA}).")
        checks = [
            {
                "check": check["name"],
                "points": check["max_score"],
                **{field: check[key] for key, field in OUTCOME.items() if key in check},
            }
            for check in raw["checks"]
        ]
        report = msgspec.convert(
            {**{key: raw[key] for key in REPORT if key in raw}, "outcomes": checks},
            Report,
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(f"That is no whole report of dockdojo: {error!r}.") from error
    if report.score != raw["score"] or report.max_score != raw["max_score"]:
        raise UsageError(
            "The report's score is not the sum of its checks: it was changed."
        )
    return report


def as_dict(report: Report) -> dict[str, Any]:
    """The report as JSON has it."""
    return {
        "schema": SCHEMA,
        "lab": report.lab,
        "title": report.title,
        "score": report.score,
        "max_score": report.max_score,
        "final": report.final,
        "unearnable": report.ungraded_points,
        "problem": report.problem,
        "started": report.started,
        "seconds": report.seconds,
        "checksum": report.checksum,
        "seed": report.seed,
        "engine": asdict(report.engine) if report.engine else None,
        "advice": [asdict(advice) for advice in report.advice],
        "notes": list(report.notes),
        "sources": report.sources,
        "layers": [asdict(layer) for layer in report.layers],
        "curve": [asdict(point) for point in report.curve],
        "costs": report.costs,
        "checks": [_check(outcome) for outcome in report.outcomes],
    }


def _check(outcome: Outcome) -> dict[str, Any]:
    return {
        "name": outcome.check,
        "title": outcome.title,
        "status": outcome.status,
        "score": outcome.score,
        "max_score": outcome.points,
        "unearnable": outcome.ungraded,
        "hidden": outcome.hidden,
        "adjusts": outcome.adjustment,
        "decided_by": outcome.decided_by,
        "seconds": outcome.seconds,
        "feedback": _feedback(outcome.feedback) if outcome.feedback else None,
    }


def _feedback(feedback: Feedback) -> dict[str, Any]:
    where = feedback.where
    return {
        "expected": feedback.expected,
        "observed": feedback.observed,
        "why": feedback.why,
        "where": {"file": where.file, "line": where.line} if where else None,
        "hint": feedback.hint,
        "detail": feedback.detail,
    }
