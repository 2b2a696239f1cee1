"""Names of people in a line of text."""

from __future__ import annotations

from collections.abc import Sequence

MAX_SHOWN = 20
"""Names of one kind that are listed in a line."""


def some(names: Sequence[str]) -> str:
    """Return the first of them, and how many more there are."""
    rest = len(names) - MAX_SHOWN
    return ", ".join(names[:MAX_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
