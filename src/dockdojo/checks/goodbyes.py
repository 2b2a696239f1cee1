"""How a program ends that a signal asked to: by a goodbye that names the signal, soon, and with exit code 0."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol, TypeVar

from dockdojo.checks import fail
from dockdojo.checks.host import Awaited
from dockdojo.connection.types import Stopped
from dockdojo.errors import LimitReached

T = TypeVar("T")
GOODBYE = "Gracefully shutting down after receiving signal {}"
LAST_WORD = "Gracefully shutting down"
NUMBERS = re.compile(GOODBYE.format(r"([\w.]{0,40}\w)"))
SOON = 2
"""Seconds in which a program that was asked to has ended."""
GRACE = 5
"""Seconds after which one that was asked to is taken for deaf."""


class Ending(Protocol):
    """How a container ended."""

    @property
    def stop(self) -> Stopped:
        """Its exit code, output and seconds."""


def quicker_of_two(end: Callable[[], T], seconds: Callable[[T], float]) -> T:
    """Return how a container ends; where it took long or went on, how another of it does, if that one is quicker.

    Who is slow or deaf by himself is so twice; a busy machine is so once. `end` starts a container and ends it, and raises
    LimitReached where it went on; `seconds` tells how long the end took. Raises LimitReached where both went on.
    """
    try:
        first = end()
    except LimitReached:
        return end()
    if seconds(first) < SOON:
        return first
    try:
        return min(first, end(), key=seconds)
    except LimitReached:
        return first


def graceful(ending: Awaited[Ending], number: int, called: str) -> None:
    """Fails the check unless the container said goodbye for that signal, and ended by itself, in time, with exit code 0.

    `ending.result()` is how it ended, or raises LimitReached where it went on; `called` is what was done to it.
    """
    try:
        stop = ending.result().stop
    except LimitReached:
        fail(
            f"after {called}, it goes on for more than {GRACE} s",
            expected=f'"{GOODBYE.format(number)}", and exit code 0 within {SOON} s',
            why="Process 1 gets the signal, and ignores each for which it has no handler.",
            hint=f"`docker top CONTAINER` shows process 1. Is it your program, and has that a handler for signal {number}?",
        )
    text = stop.stdout + stop.stderr
    said = sorted(set(NUMBERS.findall(text)))
    if said != [str(number)]:
        seen = " and ".join(f'"{GOODBYE.format(spoken)}"' for spoken in said)
        fail(
            f"after {called}, it says {seen or 'no goodbye'}, and ends with exit code {stop.exit_code} "
            f"after {stop.seconds:.1f} s",
            expected=f'"{GOODBYE.format(number)}", and exit code 0 within {SOON} s',
            hint=(
                "The handler is given the number of the signal that came: handler(number, frame). Print that one."
                if said
                else "It ended, and nothing printed the goodbye. Let the handler of this signal print it and end the program."
            ),
            detail=text[-600:],
        )
    if stop.exit_code != 0 or stop.seconds >= SOON:
        fail(
            f"after {called}, it says its goodbye, and ends with exit code {stop.exit_code} after {stop.seconds:.1f} s",
            expected=f"exit code 0 within {SOON} s",
            why=(
                "A program that ended as it was asked to has done its work: exit code 0."
                if stop.exit_code
                else ""
            ),
            hint="What runs after the goodbye? sys.exit(0) ends the program at once, with exit code 0.",
        )
