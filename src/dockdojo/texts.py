"""The gate for every text that comes from a submission or a container: bounded, decoded, and cut before any pattern sees it.

Nothing here fails for what a text holds. Patterns elsewhere run over `lines_of` a text, so that what they cost is bounded by the
length of a line; numbers in them have at most 18 digits.
"""

from __future__ import annotations

import dataclasses
import re

from dockdojo.model import Feedback

MAX_LINE = 2_000
"""Characters of one line that any pattern sees."""
MAX_LINES = 50_000
"""Lines of one text that are looked at; a log of a training has some thousands."""
MAX_SENTENCE = 2_000
"""Characters of one sentence of a report."""
MAX_DETAIL = 6_000
"""Characters of a report's longer quotations."""
BREAKS = re.compile(r"[\r\n]+")
SURROGATES = re.compile("[\ud800-\udfff]")


def cut(text: str, most: int = MAX_SENTENCE) -> str:
    """Return the text without lone surrogates, which no format can write, and with at most so many characters."""
    clean = SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text[: most + 1])
    return clean if len(clean) <= most else f"{clean[: most - 1]}…"


def lines_of(text: str) -> list[str]:
    """Return the lines, each cut to MAX_LINE characters; a progress bar that goes back to the line's beginning makes a new one.

    Of more than MAX_LINES, the first and the last halves are kept.
    """
    lines = BREAKS.split(text)
    if len(lines) > MAX_LINES:
        lines = lines[: MAX_LINES // 2] + lines[-MAX_LINES // 2 :]
    return [line[:MAX_LINE] for line in lines]


def cut_feedback(feedback: Feedback) -> Feedback:
    """Return what a student reads, with every text of it bounded and fit for every format."""
    where = feedback.where
    return Feedback(
        expected=cut(feedback.expected),
        observed=cut(feedback.observed),
        why=cut(feedback.why),
        where=(
            dataclasses.replace(
                where, file=cut(where.file, 300), line=max(0, min(where.line, 10**9))
            )
            if where
            else None
        ),
        hint=cut(feedback.hint),
        detail=cut(feedback.detail, MAX_DETAIL),
    )
