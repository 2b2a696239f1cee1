"""Gradescope's `results.json`.

Format: https://gradescope-autograders.readthedocs.io/en/latest/specs/#output-format.
"""

from __future__ import annotations

import json
from typing import Any

from dockdojo.model import Outcome, Report
from dockdojo.reports.bounds import bounded
from dockdojo.reports.phrases import (
    advice_in_words,
    in_words,
    notes_in_words,
    points_sent,
    score_sent,
    verdict,
)
from dockdojo.reports.text import clean, cut, quiet_json, tame


def render(report: Report) -> str:
    """The report as an indented JSON object; all text is plain text."""
    return quiet_json(json.dumps(as_dict(bounded(report)), indent=2)) + "\n"


def as_dict(report: Report) -> dict[str, Any]:
    """What is in it. The score at the top is the sum of the tests' scores; there is none while the report is not final."""
    advice = advice_in_words(report)
    lines = [
        verdict(report),
        *([tame(cut(clean(report.problem)))] if report.problem else []),
    ]
    lines += notes_in_words(report)
    lines += ["Advice on style, worth no points:", *advice] if advice else []
    return {
        "score": score_sent(report),
        "execution_time": round(report.seconds),
        "output": "\n".join(lines),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "extra_data": {
            "lab": report.lab,
            "final": report.final,
            "checksum": report.checksum,
        },
        "tests": [
            _test(report, number, outcome)
            for number, outcome in enumerate(report.outcomes, 1)
        ],
    }


def _test(report: Report, number: int, outcome: Outcome) -> dict[str, Any]:
    return {
        "score": points_sent(report, outcome),
        "max_score": outcome.points,
        "status": "passed" if outcome.status == "passed" and report.final else "failed",
        "name": f"{outcome.check}: {cut(clean(outcome.title))}",
        "name_format": "text",
        "number": str(number),
        "output": in_words(outcome),
        "output_format": "text",
        "tags": [outcome.status],
        "visibility": "visible",
        "extra_data": {"unearnable": outcome.ungraded},
    }
