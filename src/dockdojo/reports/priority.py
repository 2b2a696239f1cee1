"""Which check to look at first: the one that others hang on, and failures before what could not be carried out."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dockdojo.model import Outcome, Report

HANGS_ON = re.compile(r"(?:It needs the check|It is the same as at) `([^`]{1,200})`")
"""How the feedback of a check begins that another one decides."""


def decided_by(outcome: Outcome) -> str:
    """The name of the check that decided this one's outcome; empty where none did."""
    found = HANGS_ON.match(outcome.feedback.why) if outcome.feedback else None
    return found[1] if found else ""


def most_useful_first(told: Iterable[Outcome], report: Report) -> list[Outcome]:
    """In the order of the tasks, with what others hang on before the rest, and failures before what could not be graded."""
    deciding = {decided_by(outcome) for outcome in report.outcomes}
    return sorted(
        told,
        key=lambda outcome: (outcome.status != "failed", outcome.check not in deciding),
    )
