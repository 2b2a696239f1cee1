"""What GitHub Classroom's reporter reads from `<ID>_RESULTS`: JSON in base64, each check all or nothing.

Format: https://github.com/classroom-resources/autograding-grading-reporter.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from dockerlab.model import Outcome, Report
from dockerlab.reports.bounds import bounded
from dockerlab.reports.text import clean, cut
from dockerlab.reports.words import in_words

STATUS = {"passed": "pass", "failed": "fail", "skipped": "fail", "error": "error"}


def render(report: Report) -> str:
    """One line of base64, ready for the variable."""
    return base64.b64encode(json.dumps(as_dict(bounded(report))).encode()).decode() + "\n"


def as_dict(report: Report) -> dict[str, Any]:
    """What is in it. Its total, and the sum of its tests, are the report's."""
    status = "error" if not report.final else "pass" if report.exit_code == 0 else "fail"
    tests = [_test(one) for one in report.outcomes]
    return {"version": 1, "status": status, "max_score": report.max_score, "tests": tests}


def _test(outcome: Outcome) -> dict[str, Any]:
    return {
        "name": f"{outcome.check}: {cut(clean(outcome.title))}",
        "status": "error" if outcome.unearnable else STATUS[outcome.status],
        "score": outcome.score,
        "max_score": outcome.points,
        "line_no": outcome.feedback.where.line if outcome.feedback and outcome.feedback.where else 0,
        "test_code": outcome.check,
        "message": in_words(outcome),
    }
