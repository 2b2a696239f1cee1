"""Children that have ended: does their parent ask how they ended, or do they stay as zombies?"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import NamedTuple

from dockdojo.engine.container import Container

CHILDREN = 5
"""Children of which it is looked at what becomes of them."""
MAX_LINES = 4 * CHILDREN
"""Lines in which none is born, after which it is waited for none: a program may print several lines a round."""
MAX_SECONDS = 20
"""Until as many have been born."""
BETWEEN_SECONDS = 0.3
"""From one look at the number of processes to the next."""
MAX_LOOKS = 5
"""At zombies that are others each time, of which each look but the first must find more than the one before."""


class Zombies(NamedTuple):
    """What became of the children of a program."""

    left: set[int]
    """Process ids of those that stay; of the last look, where there are more at each."""
    children: int
    """How many were born meanwhile; CHILDREN where the engine does not tell."""


def zombies_left(
    container: Container,
    wait_rounds: Callable[[int], None],
    sleep: Callable[[float], None],
) -> Zombies:
    """Look at a running program that starts a child in each round; `wait_rounds` waits for so many rounds more."""

    def look(rounds: int) -> set[int]:
        wait_rounds(rounds)
        return {
            process.pid for process in container.processes() if process.state == "Z"
        }

    children = _born(container, sleep)
    looks = [look(1)]
    for _ in range(2):
        looks.append(look(CHILDREN) if looks[-1] else set())
    left = set.intersection(*looks)
    # Each may be another one, and there are more and more.
    while not left and len(looks[-1]) > len(looks[-2]) and len(looks) < MAX_LOOKS:
        looks.append(look(CHILDREN))
    counts = [len(pids) for pids in looks]
    grows = len(looks) == MAX_LOOKS and all(
        later > earlier for earlier, later in itertools.pairwise(counts[1:])
    )
    return Zombies(left or (looks[-1] if grows else set()), children)


def _born(container: Container, sleep: Callable[[float], None]) -> int:
    """How many processes were started, by their numbers; looks until there are enough, or many lines came with none."""
    first, looks, children = container.last_pid(), 0, 0
    lines, end = container.logs().count("\n"), time.monotonic() + MAX_SECONDS
    while (
        first and children < CHILDREN and time.monotonic() < end and container.running
    ):
        if not children and container.logs().count("\n") > lines + MAX_LINES:
            break
        sleep(BETWEEN_SECONDS)
        looks += 1  # each look is a process, too
        children = container.last_pid() - first - looks
    return children if first else CHILDREN
