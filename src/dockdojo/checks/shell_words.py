"""Where a shell's words hold its commands: `sh -c TEXT`, `bash -o pipefail -ec TEXT` (POSIX, sh; bash(1), invocation)."""

from __future__ import annotations

import re
from collections.abc import Sequence

OPTIONS = re.compile(r"[-+]\w+")
WITH_FILE = ("--rcfile", "--init-file")
"""Long options that are followed by a word of theirs."""


def commands_at(words: Sequence[str]) -> int:
    """Return the index of the text of commands in a shell's words; 0 where there is none."""
    place, is_given = 1, False
    while place < len(words):
        word = words[place]
        if word in ("--", "-"):
            place += 1
            break
        if word.startswith("--"):
            place += 2 if word in WITH_FILE else 1
        elif OPTIONS.fullmatch(word):
            is_given = is_given or (word[0] == "-" and "c" in word)
            # Each `o` is followed by a name.
            place += 1 + word.count("o") + word.count("O")
        else:
            break
    return place if is_given and place < len(words) else 0
