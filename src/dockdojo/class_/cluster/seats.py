"""How many submissions are under way at a time: as many as the workers have slots, and never one more that waits there.

What waits at a worker dies with it, and counts as if it had killed it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOOK_SECONDS = 0.5
"""Between two looks at whether the run is to stop."""


class Seats:
    """Seats that become more and fewer."""

    def __init__(self, at_most: int) -> None:
        self.at_most = at_most
        self._count = 0
        self._taken = 0
        self._changed = threading.Condition()

    @property
    def count(self) -> int:
        """Return how many there are."""
        return self._count

    def resize(self, count: int) -> None:
        """Have that many, but not more than `at_most`; whoever sits now may go on."""
        with self._changed:
            self._count = min(count, self.at_most)
            self._changed.notify_all()

    @contextmanager
    def taken(self, is_stopping: Callable[[], bool]) -> Iterator[None]:
        """Wait for a seat and have it; where the run is to stop, without one."""
        with self._changed:
            while self._taken >= self._count and not is_stopping():
                self._changed.wait(LOOK_SECONDS)
            self._taken += 1
        try:
            yield
        finally:
            with self._changed:
                self._taken -= 1
                self._changed.notify()
