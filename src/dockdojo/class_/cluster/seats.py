"""How many submissions are under way at a time: as many as the workers have slots, and never one more that waits there.

What waits at a worker dies with it, and counts as if it had killed it.
"""

from __future__ import annotations

from dockdojo.class_.throttle import Turns

LOOK_SECONDS = 0.5
"""Between two looks at whether the run is to stop."""


class Seats(Turns):
    """Seats that become more and fewer."""

    def __init__(self, at_most: int) -> None:
        super().__init__()
        self.at_most = at_most
        self._count = 0

    @property
    def count(self) -> int:
        """Return how many there are."""
        return self._count

    def resize(self, count: int) -> None:
        """Have that many, but not more than `at_most`; whoever sits now may go on."""
        with self._changed:
            self._count = min(count, self.at_most)
            self._changed.notify_all()

    def _may_begin(self) -> bool:
        return self._running < self._count
