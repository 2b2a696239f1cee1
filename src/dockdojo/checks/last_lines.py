"""What the times of a log's lines tell: what came after a last word, and what a buffer gave back at once."""

from __future__ import annotations

import re

from dockdojo.connection.types import LogLine

APART = 0.2
"""Seconds between two lines of two streams whose order is known: a busy engine writes their times down late."""
BURST_SECONDS, BURST_BYTES = 0.2, 4000
"""What a full buffer gives back: so many bytes in such a time. Python's holds 8192, others 4096."""
SLOW = 3
"""Seconds in which a program says its first words that holds none back."""
DIGITS = re.compile(r"\d+")


def said_after(lines: list[LogLine], word: str) -> LogLine | None:
    """Return the first line that is not empty after one with `word` and does not have the word itself; None without one.

    On the other stream only a line counts that looks like one before it, but for numbers: a loop's, not what the language
    says of the program's end.
    """
    last = next((line for line in lines if word in line.text), None)
    if last is None:
        return None
    shapes = {
        DIGITS.sub("0", line.text)
        for line in lines
        if line.stream != last.stream and line.seconds < last.seconds
    }
    is_later = False
    for line in lines:
        is_later = is_later or line is last
        if word in line.text or not line.text.strip():
            continue
        if line.stream == last.stream and is_later:
            return line
        if (
            line.stream != last.stream
            and line.seconds > last.seconds + APART
            and DIGITS.sub("0", line.text) in shapes
        ):
            return line
    return None


def came_at_once(lines: list[LogLine]) -> int:
    """Return how many lines came at once, long after the start, as from a full buffer; 0 where they came one by one."""
    if not lines or lines[0].seconds <= SLOW:
        return 0
    burst = [line for line in lines if line.seconds < lines[0].seconds + BURST_SECONDS]
    return len(burst) if sum(len(line.text) for line in burst) >= BURST_BYTES else 0
