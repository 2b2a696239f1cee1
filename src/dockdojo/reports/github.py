"""Workflow commands of GitHub Actions: an annotation for each check that did not pass, on the line at fault.

Format: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands.
"""

from __future__ import annotations

from dockdojo.model import Outcome, Report
from dockdojo.reports.bounds import bounded
from dockdojo.reports.phrases import feedback_in_words, notes_in_words, verdict
from dockdojo.reports.text import clean, cut, tame

LEVELS = {"failed": "error", "error": "warning", "skipped": "notice"}


def render(report: Report) -> str:
    """A line a check that did not pass, and one with the score. What a submission said cannot begin a command of its own."""
    report = bounded(report)
    lines = [
        _annotation(outcome)
        for outcome in report.outcomes
        if outcome.status != "passed"
    ]
    lines += [_command("notice", note, title="Note") for note in notes_in_words(report)]
    lines += [
        _command(
            "notice",
            cut(clean(advice.text)),
            title=f"Advice: {advice.code}",
            file=advice.file,
            line=advice.line,
        )
        for advice in report.advice
    ]
    return (
        "\n".join([*lines, _command("notice", verdict(report), title=report.title)])
        + "\n"
    )


def _annotation(outcome: Outcome) -> str:
    where = outcome.feedback.where if outcome.feedback else None
    said = "\n".join(
        [
            cut(clean(outcome.title)),
            *(f"{name}: {text}" for name, text in feedback_in_words(outcome)),
        ]
    )
    title = f"{outcome.check} ({outcome.score}/{outcome.points})"
    return _command(
        LEVELS[outcome.status],
        said,
        title=title,
        file=where.file if where else "",
        line=where.line if where else 0,
    )


def _command(
    level: str, message: str, *, title: str, file: str = "", line: int = 0
) -> str:
    properties = {
        "file": file,
        "line": str(line) if file and line else "",
        "title": title,
    }
    message = "\n".join(map(tame, message.split("\n")))
    words = ",".join(
        f"{key}={_property(tame(clean(value)))}"
        for key, value in properties.items()
        if value
    )
    return f"::{level} {words}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
