"""What formats share: the words for a check that did not pass, with nothing in them that a reader would obey."""

from __future__ import annotations

from dockdojo.model import Outcome, Report
from dockdojo.reports.text import (
    LABELS,
    MAX_LOG_LINES,
    MAX_TEXT_CHARACTERS,
    clean,
    cut,
    tame,
)

NOT_FINAL = (
    "This check passed. It counts when the others can be carried out, too: grade again."
)
"""Of a check that passed, in a report that is not final."""


def feedback_in_words(outcome: Outcome) -> list[tuple[str, str]]:
    """What there is to say of the check, as pairs of label and text: expected, observed, why, where, hint."""
    feedback = outcome.feedback
    if feedback is None:
        return []
    pairs = [(name, getattr(feedback, name)) for name in LABELS]
    return [
        (name, cut(clean(str(value))))
        for name, value in pairs
        if value and value != outcome.title
    ]


def detail_in_lines(outcome: Outcome) -> list[str]:
    """The end of a log or a build, line by line."""
    detail = outcome.feedback.detail if outcome.feedback else ""
    return [
        tame(cut(clean(line)))
        for line in detail[-MAX_TEXT_CHARACTERS:].splitlines()[-MAX_LOG_LINES:]
    ]


def in_words(outcome: Outcome) -> str:
    """All of it as plain text; empty where there is nothing to say."""
    lines = [f"{name}: {text}" for name, text in feedback_in_words(outcome)]
    return "\n".join(
        map(tame, [*lines, *(f"| {line}" for line in detail_in_lines(outcome))])
    )


def points_sent(report: Report, outcome: Outcome) -> int:
    """The points that a consumer is sent for a check: none while the report is not final, since they would count."""
    return outcome.score if report.final else 0


def score_sent(report: Report) -> int:
    """The score that a consumer is sent: none while the report is not final."""
    return report.score if report.final else 0


def verdict(report: Report) -> str:
    """The score, and whether it counts, in a sentence."""
    score = f"{report.score} of {report.max_score} points."
    return f"{score} {caveat(report)}".rstrip()


def caveat(report: Report) -> str:
    """Why the score does not count yet; empty where it does."""
    said = []
    errors = sum(
        outcome.points for outcome in report.outcomes if outcome.status == "error"
    )
    if errors:
        said.append(
            f"Not final: checks worth {errors} points could not be carried out. Grade again."
        )
    if report.ungraded_points:
        said.append(
            f"Not final: {report.ungraded_points} points could not be earned on this machine."
        )
    return " ".join(said)


def notes_in_words(report: Report) -> list[str]:
    """What an instructor should know, a line each."""
    return [tame(cut(clean(note))) for note in report.notes]


def advice_in_words(report: Report) -> list[str]:
    """What the linter says, a line each."""
    return [
        tame(
            cut(
                clean(
                    f"{advice.file}, line {advice.line}: {advice.text} ({advice.code})"
                )
            )
        )
        for advice in report.advice
    ]
