"""Names of people in lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

MAX_SHOWN = 20
"""Names of one kind that are listed in a line."""


def some(names: Sequence[str]) -> str:
    """Return the first of them, and how many more there are."""
    rest = len(names) - MAX_SHOWN
    return ", ".join(names[:MAX_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def tell_names(kinds: Mapping[str, Sequence[str]]) -> bool:
    """Tell the names of each kind, by its words, beside what a command prints; return whether there were any."""
    for words, names in kinds.items():
        if names:
            click.echo(f"{words} ({len(names)}): {some(names)}", err=True)
    return any(kinds.values())
