"""Lists for a terminal of any width: wrapped to its columns, and a line an entry where programs read them."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

NARROWEST = 40
"""Columns; a narrower terminal wraps by itself."""
READABLE = 30
"""Columns that a text beside its head must have; where they are fewer, it goes below."""
BAR, SHORT_BAR = 20, 8
"""Characters of a bar, and of one in a terminal that has less than NORMAL columns."""
NORMAL = 60


def columns() -> int:
    """The columns of the terminal, or what COLUMNS says; 0, and so no wrapping, where there is neither."""
    if not sys.stdout.isatty() and not os.environ.get("COLUMNS", "").isdigit():
        return 0
    return max(shutil.get_terminal_size().columns, NARROWEST)


def entry(head: str, text: str, width: int, indent: int) -> list[str]:
    """A head and its text: side by side, wrapped below itself, or from the next line on with that indentation."""
    if not width:
        return [head + text]
    if width - len(head) >= READABLE:
        return _wrapped(text, width, head, " " * len(head))
    return _wrapped(
        head.strip(), width, head[: len(head) - len(head.lstrip())], " " * indent
    ) + _wrapped(text, width, " " * indent, " " * indent)


def paragraph(line: str, width: int) -> str:
    """The line, wrapped to so many columns; 0: as it is."""
    return "\n".join(_wrapped(line, width, "", "  ")) if width else line


def _wrapped(text: str, width: int, first: str, others: str) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=others,
        break_on_hyphens=False,
    ) or [first.rstrip()]


def labs(
    found: Iterable[tuple[Any, int]], done: dict[str, Any], width: int
) -> Iterator[str]:
    """The lines of labs and of their points, each with what was done in its workspace."""
    every = list(found)
    longest = max((len(lab.slug) for lab, _ in every), default=0)
    for number, (lab, points) in enumerate(every, 1):
        head = f"{number:>3}  {lab.slug:<{longest}}  {points:>4} points  {lab.minutes:>3} min  "
        yield from entry(head, f"{lab.title}: {lab.summary}", width, 5)
        if notes := done.get(lab.slug):
            size = SHORT_BAR if 0 < width < NORMAL else BAR
            bar = (
                "█" * round(size * notes.score / notes.max_score)
                if notes.max_score
                else ""
            )
            progress = (
                f"{notes.score} of {notes.max_score} points"
                if notes.max_score
                else "begun"
            )
            hints = sum(notes.hints.values())
            said = f"{bar:░<{size}} {progress}" + (
                f", {hints} hint(s)" if hints else ""
            )
            mark = f"     {'✓' if notes.solved else ' '} "
            yield from (
                _wrapped(said, width, mark, " " * len(mark)) if width else [mark + said]
            )


def hints(checks: Iterable[Any], width: int) -> Iterator[str]:
    """The lines of the checks that have hints."""
    for check in checks:
        yield from entry(
            f"  {check.name:<24} {len(check.hints)} hint(s)  ", check.title, width, 4
        )
