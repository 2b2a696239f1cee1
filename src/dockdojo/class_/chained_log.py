"""A log of JSON lines, each with the hash of the one before: nobody takes one away, or changes one, unseen."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Mapping
from pathlib import Path


class ChainedLog:
    """A log that is added to, by one process at a time."""

    def __init__(self, path: Path) -> None:
        """Go on with a log, or begin one; a last line that was half written is cut off."""
        self._path = path
        self._writing = threading.Lock()
        self._last_hash = _last_hash(path)

    def add(self, values: Mapping[str, object]) -> None:
        """Add a line."""
        with self._writing:
            line = json.dumps({**values, "before": self._last_hash}, ensure_ascii=False)
            with open(self._path, "a", encoding="utf-8") as file:
                file.write(f"{line}\n")
            self._last_hash = hashlib.sha256(line.encode()).hexdigest()


def broken_line(path: Path) -> int:
    """Return the number of the first line that does not fit the one before it; 0 where all do.

    The last line may be half written, where somebody was killed; it counts as none.
    """
    before = ""
    with contextlib.suppress(FileNotFoundError):
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
        for number, line in enumerate(lines[:-1], 1):
            try:
                told = json.loads(line)["before"]
            except (ValueError, KeyError, TypeError):
                told = None
            if told != before:
                return number
            before = hashlib.sha256(line.encode()).hexdigest()
    return 0


def _last_hash(path: Path) -> str:
    """The hash of the last whole line."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return ""
    whole = raw[: raw.rfind(b"\n") + 1]
    if whole != raw:
        with path.open("r+b") as file:
            file.truncate(len(whole))
    line = whole.rstrip(b"\n").rpartition(b"\n")[2]
    return hashlib.sha256(line).hexdigest() if line else ""
