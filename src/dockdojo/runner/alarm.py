"""Ends a check whose own Python goes on after its time: a pattern or a loop over what a submission said.

Whatever waits for the engine has limits of its own. So when a check's time is over, and nothing waits for the engine or for a
build, it is Python that is busy with a text, and the text is to blame.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from dockdojo.errors import LimitReached

if TYPE_CHECKING:
    from dockdojo.runner.session import GradingSession

SLACK_SECONDS = 5.0
"""After the check's time: what waits for the engine notices the limit by itself."""
LOOK_SECONDS = 1.0


@contextmanager
def alarm(session: GradingSession) -> Iterator[None]:
    """Raise LimitReached in the check that runs inside, when its time is over and it neither builds nor waits."""
    if (
        not hasattr(signal, "setitimer")
        or threading.current_thread() is not threading.main_thread()
    ):
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        if (
            time.monotonic() > session.deadline + SLACK_SECONDS
            and not session.is_waiting
        ):
            raise LimitReached(
                f"What the submission says could not be read within the lab's limit of {session.limits.check_seconds:.0f} s.",
                hint="Does it print, or hold, a text that no person would write?",
            )

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, LOOK_SECONDS, LOOK_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
