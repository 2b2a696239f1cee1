"""What talking to the engine cost: the time in which at least one call was waiting, and counts."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Meter:
    """Adds up engine time; overlapping calls of several threads count once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._since = 0.0
        self.seconds = 0.0
        self.containers = 0
        self.builds = 0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time inside as spent waiting for the engine."""
        with self._lock:
            if self._depth == 0:
                self._since = time.monotonic()
            self._depth += 1
        try:
            yield
        finally:
            with self._lock:
                self._depth -= 1
                if self._depth == 0:
                    self.seconds += time.monotonic() - self._since

    @property
    def is_waiting(self) -> bool:
        """Whether a call goes on at this moment."""
        return self._depth > 0

    def costs(self) -> dict[str, float]:
        """Return seconds and counts, as a report keeps them."""
        return {
            "engine_seconds": round(self.seconds, 3),
            "containers": self.containers,
            "builds": self.builds,
        }
