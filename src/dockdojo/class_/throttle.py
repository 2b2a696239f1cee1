"""How many are graded at a time: as many as the processors and the memory have room for, whatever the gradings do.

Much of a grading waits, for a `docker stop` or a server that starts. Whoever waits takes no processor: so more than one for each
processor are under way where processors stand idle, and no more where they do not.
"""

from __future__ import annotations

import abc
import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import psutil

IDLE_SHARE = 0.3
"""Of the processors' time that stood idle lately; with less, nothing more is begun beyond the usual number."""
SAMPLE_SECONDS = 1.0
"""For which the processors are watched."""
SETTLE_SECONDS = 2.0
"""After one was begun, until it shows how much it takes."""
LOOK_SECONDS = 0.25


class Processors:
    """How idle this machine's processors are."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._before = psutil.cpu_times()
        self._share = 0.0

    def idle_share(self) -> float:
        """Return the share of all processors' time that stood idle in the last whole sample; 0 before there is one."""
        if time.monotonic() - self._since >= SAMPLE_SECONDS:
            now = psutil.cpu_times()
            idle, total = now.idle - self._before.idle, sum(now) - sum(self._before)
            self._share = idle / total if total > 0 else 0.0
            self._since, self._before = time.monotonic(), now
        return self._share


def free_memory() -> int:
    """Return how many bytes of memory can be had."""
    return int(psutil.virtual_memory().available)


class Turns(abc.ABC):
    """Lets gradings begin one after the other, while there is room; used by the threads of all slots."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = 0

    @contextlib.contextmanager
    def turn(self, is_over: Callable[[], bool]) -> Iterator[None]:
        """Wait until one more may begin, and hold its place; no longer than until `is_over`."""
        with self._changed:
            while not self._may_begin() and not is_over():
                self._changed.wait(LOOK_SECONDS)
            self._running += 1
            self._has_begun()
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    @abc.abstractmethod
    def _may_begin(self) -> bool:
        """Whether there is room for one more."""

    def _has_begun(self) -> None:  # noqa: B027 -- most have nothing to note
        """Take note that one more has begun."""


class Throttle(Turns):
    """Follows what this machine has room for."""

    def __init__(
        self,
        at_least: int,
        at_most: int,
        need_bytes: int,
        *,
        idle_share: Callable[[], float] | None = None,
        free: Callable[[], int] = free_memory,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`at_least` begin whatever the machine does, more up to `at_most` where it has room: `need_bytes` for each."""
        super().__init__()
        self.at_most = max(at_least, at_most)
        self._at_least = at_least
        self._need_bytes = need_bytes
        self._idle_share = idle_share or Processors().idle_share
        self._free = free
        self._clock = clock
        self._last_begun = clock()

    def _may_begin(self) -> bool:
        idle = self._idle_share()  # always, so that the samples follow each other
        if self._running < self._at_least:
            return True
        return (
            self._running < self.at_most
            and self._clock() - self._last_begun >= SETTLE_SECONDS
            and idle >= IDLE_SHARE
            and self._free() >= self._need_bytes
        )

    def _has_begun(self) -> None:
        self._last_begun = self._clock()
