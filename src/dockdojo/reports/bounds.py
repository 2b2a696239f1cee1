"""The last bound before any format: what a submission said has an end, is whole Unicode, and its numbers are numbers.

The child that grades bounds its texts already. This holds for whatever report is rendered, also for one that was read from a
file.
"""

from __future__ import annotations

import math
from dataclasses import replace

from dockdojo.model import Advice, Feedback, Outcome, Part, Point, Report
from dockdojo.texts import SURROGATES

MAX_TEXT = 20_000
"""Characters of one text, which is also the longest source that is quoted."""
MAX_NAME = 300
"""Characters of a file's name."""
MAX_ADVICE, MAX_NOTES, MAX_SOURCES, MAX_LAYERS, MAX_POINTS = 200, 200, 50, 500, 1_000
MAX_LINE_NUMBER = 10**9
MAX_LOSS = 1e12
"""A larger number than a training can mean; also in the drawing of a curve."""


def bounded(report: Report) -> Report:
    """The same report with every text and list of it bounded; points and outcomes stay as they are."""
    sources = list(report.sources.items())[:MAX_SOURCES]
    return replace(
        report,
        outcomes=tuple(_outcome(outcome) for outcome in report.outcomes),
        problem=_text(report.problem),
        advice=tuple(_advice(advice) for advice in report.advice[:MAX_ADVICE]),
        notes=tuple(_text(note) for note in report.notes[:MAX_NOTES]),
        sources={_text(name, MAX_NAME): _text(source) for name, source in sources},
        layers=tuple(_part(layer) for layer in report.layers[:MAX_LAYERS]),
        curve=tuple(_point(point) for point in report.curve[:MAX_POINTS]),
    )


def _text(text: str, max_characters: int = MAX_TEXT) -> str:
    """At most so many characters, with a word on how many there were; lone surrogates, which nothing can write, as U+FFFD."""
    whole = SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text[:max_characters])
    return (
        whole if len(text) <= max_characters else f"{whole}… ({len(text)} characters)"
    )


def _line(number: int) -> int:
    return max(0, min(number, MAX_LINE_NUMBER))


def _outcome(outcome: Outcome) -> Outcome:
    feedback = _feedback(outcome.feedback) if outcome.feedback else None
    return replace(
        outcome,
        title=_text(outcome.title),
        feedback=feedback,
        decided_by=_text(outcome.decided_by),
    )


def _feedback(feedback: Feedback) -> Feedback:
    where = feedback.where
    return Feedback(
        expected=_text(feedback.expected),
        observed=_text(feedback.observed),
        why=_text(feedback.why),
        where=(
            replace(where, file=_text(where.file, MAX_NAME), line=_line(where.line))
            if where
            else None
        ),
        hint=_text(feedback.hint),
        detail=_text(feedback.detail),
    )


def _advice(advice: Advice) -> Advice:
    return replace(
        advice,
        file=_text(advice.file, MAX_NAME),
        line=_line(advice.line),
        code=_text(advice.code, MAX_NAME),
        level=_text(advice.level, MAX_NAME),
        text=_text(advice.text),
    )


def _part(part: Part) -> Part:
    return replace(part, instruction=_text(part.instruction))


def _point(point: Point) -> Point:
    return Point(
        epoch=_line(point.epoch),
        loss=_number(point.loss),
        accuracy=_number(point.accuracy),
    )


def _number(value: float | None) -> float | None:
    return (
        value
        if value is not None and math.isfinite(value) and abs(value) < MAX_LOSS
        else None
    )
