"""What GitHub Classroom's reporter reads from `<ID>_RESULTS`: JSON in base64, each check all or nothing.

Format: https://github.com/classroom-resources/autograding-grading-reporter.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from dockdojo.model import Outcome, Report
from dockdojo.reports.bounds import bounded
from dockdojo.reports.phrases import NOT_FINAL, in_words, notes_in_words, points_sent
from dockdojo.reports.text import clean, cut

STATUS = {"passed": "pass", "failed": "fail", "skipped": "fail", "error": "error"}


def render(report: Report) -> str:
    """One line of base64, ready for the variable."""
    return (
        base64.b64encode(json.dumps(as_dict(bounded(report))).encode()).decode() + "\n"
    )


def as_dict(report: Report) -> dict[str, Any]:
    """What is in it. Its total, and the sum of its tests, are the report's; none of it scores while the report is not final."""
    status = (
        "error" if not report.final else "pass" if report.exit_code == 0 else "fail"
    )
    tests = [_test(report, outcome) for outcome in report.outcomes]
    # There is no place for notes but a message, which the reporter prints.
    if notes := notes_in_words(report):
        first = next(
            (test for test in tests if test["status"] != "pass"),
            tests[0] if tests else {"message": ""},
        )
        first["message"] = "\n".join(
            ["Notes: " + " ".join(notes), first["message"]]
        ).strip()
    return {
        "version": 1,
        "status": status,
        "max_score": report.max_score,
        "tests": tests,
    }


def _test(report: Report, outcome: Outcome) -> dict[str, Any]:
    return {
        "name": f"{outcome.check}: {cut(clean(outcome.title))}",
        # The reporter adds up the scores of whatever passes: nothing passes, and nothing scores, before the report is final.
        "status": STATUS[outcome.status] if report.final else "error",
        "score": points_sent(report, outcome),
        "max_score": outcome.points,
        "line_no": (
            outcome.feedback.where.line
            if outcome.feedback and outcome.feedback.where
            else 0
        ),
        "test_code": outcome.check,
        "message": (
            in_words(outcome)
            if report.final or outcome.status != "passed"
            else NOT_FINAL
        ),
    }
