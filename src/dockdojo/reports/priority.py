"""Which check to look at first: the one that others hang on, and failures before what could not be carried out."""

from __future__ import annotations

from collections.abc import Iterable

from dockdojo.model import Outcome, Report


def most_useful_first(outcomes: Iterable[Outcome], report: Report) -> list[Outcome]:
    """Return outcomes in the order of the tasks: failures before what could not be graded, and what decides others first."""
    deciding = {outcome.decided_by for outcome in report.outcomes}
    return sorted(
        outcomes,
        key=lambda outcome: (outcome.status != "failed", outcome.check not in deciding),
    )
