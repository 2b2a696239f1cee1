"""Hooks that put the number of the process before each line that a script prints: see `training/writers.py`."""

from __future__ import annotations

import os
import re
import sys
from typing import Any

MAX_LINE_CHARACTERS = 65_536
"""Characters of a line that is not ended, after which it is written."""


class Named:
    """A stream of text whose lines begin with the number of the process that writes them, and are written whole."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.rest = ""

    def write(self, text: str) -> int:
        """As of a text file; what has no end yet is kept."""
        *lines, self.rest = re.split("[\r\n]", self.rest + text)
        if len(self.rest) > MAX_LINE_CHARACTERS:
            lines, self.rest = [*lines, self.rest], ""
        if lines:
            self.stream.write(
                "".join(f"[process {os.getpid()}] {line}\n" for line in lines if line)
            )
            self.stream.flush()
        return len(text)

    def writelines(self, lines: Any) -> None:
        """The same, of many."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def install() -> None:
    """Names the lines of this process, and of those that it forks."""
    sys.stdout, sys.stderr = Named(sys.stdout), Named(sys.stderr)
