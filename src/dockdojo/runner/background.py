"""Work beside the checks, such as waiting for a grace period: begun at once, and waited for by the check that needs it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import ContextVar, copy_context
from typing import Any, Generic, Protocol, TypeVar

from dockdojo.errors import LimitReached
from dockdojo.runner.scope import ContainerScope

T = TypeVar("T")
MAX_SIDE_BY_SIDE = 6
"""Calls to the engine that go on at once; more make none of them quicker on two processors."""


class Clock(Protocol):
    """How long there is to wait, and who is told that somebody waits."""

    @property
    def build_seconds(self) -> float:
        """How long one build, and one piece of work beside the checks, may take."""

    def time_left(self) -> float:
        """Return the seconds that are left of the whole grading. Raises LimitReached where there are none."""

    def waiting(self) -> contextlib.AbstractContextManager[None]:
        """Stop the clock of the check that runs."""


class Background(Generic[T]):
    """A piece of work that goes on beside the checks."""

    def __init__(
        self, call: Callable[[], T], scopes: ContextVar[ContainerScope], clock: Clock
    ) -> None:
        self._scopes = scopes
        self._clock = clock
        self._scope = ContainerScope()
        self.future: Future[T] = Future()

        def work() -> T:
            scopes.set(self._scope)
            try:
                return call()
            finally:
                self._scope.close()

        def run() -> None:
            try:
                self.future.set_result(copy_context().run(work))
            except BaseException as error:
                self.future.set_exception(error)

        threading.Thread(target=run, daemon=True).start()

    def result(self) -> T:
        """Return what the work came to; wait for it. An error of the work is raised to each who asks.

        The limits that its containers met are noted for the check that asks.
        """
        if not self.future.done():
            with self._clock.waiting():
                wait(
                    [self.future],
                    timeout=min(self._clock.build_seconds, self._clock.time_left()),
                )
        if not self.future.done():
            self._clock.time_left()
            raise LimitReached(
                f"It did not come to an end within {self._clock.build_seconds:.0f} s."
            )
        self._scopes.get().add_notes(self._scope.notes)
        return self.future.result()


def gather(*calls: Callable[[], Any]) -> list[Any]:
    """Do things side by side, such as waiting for several containers, and return the results in order.

    The first error is raised.
    """
    with ThreadPoolExecutor(max_workers=MAX_SIDE_BY_SIDE) as pool:
        return [
            future.result()
            for future in [pool.submit(copy_context().run, call) for call in calls]
        ]
