"""What is written to a terminal or a pipe whose encoding lacks a character: the nearest one that it has, never an error."""

from __future__ import annotations

import codecs
import io
import sys

NEAREST = {
    "✓": "+",
    "✗": "x",
    "–": "-",
    "—": "-",
    "…": "...",
    "·": "*",
    "█": "#",
    "░": ".",
    "␛": "^[",
    "→": "->",
    "≥": ">=",
    "≤": "<=",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "×": "x",
    "µ": "u",
    "│": "|",
    "─": "-",
    "━": "-",
}
"""What is written in the place of what we write ourselves; all else becomes a question mark."""
HANDLER = "dockdojo.nearest"


def _nearest(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(NEAREST.get(character, "?") for character in lacking), error.end


def tolerate() -> None:
    """Let stdout and stderr take every text."""
    codecs.register_error(HANDLER, _nearest)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors != HANDLER:
            stream.reconfigure(errors=HANDLER)


def document(text: str) -> str | bytes:
    """A document that says of itself that it is UTF-8, for `click.echo`: its bytes, wherever no person reads along."""
    return text if sys.stdout.isatty() else text.encode("utf-8", "replace")
