"""Instructions of a Dockerfile as somebody wrote them, from what builders put into an image's history."""

from __future__ import annotations

import re

ARGUMENTS = re.compile(r"(?:RUN )?(?:\|\d{1,4} .*)?")
"""What may stand before the shell in a line of history."""
MAX_SHOWN = 120
"""Characters of an instruction in a sentence."""


def as_written(history: str) -> str:
    """Return an instruction as a Dockerfile has it, from a line of an image's history.

    The legacy builder writes `/bin/sh -c pip …` and `/bin/sh -c #(nop)  CMD …`, BuildKit `RUN /bin/sh -c pip … # buildkit`, and
    both `|1 NAME=value /bin/sh -c pip …` where ARGs are set.
    """
    text = " ".join(history.split()).removesuffix("# buildkit").rstrip()
    before, shell, command = text.partition("/bin/sh -c ")
    if shell and command.startswith("#(nop) "):
        text = command.removeprefix("#(nop) ")
    elif shell and ARGUMENTS.fullmatch(before):
        text = f"RUN {command}"
    return text or "(no history)"


def shown(history: str) -> str:
    """Return the same on one line of a sentence: cut at MAX_SHOWN characters, with a sign."""
    text = as_written(history)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"
