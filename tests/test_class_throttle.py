"""How many are graded at a time follows what the machine has room for."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest

from dockdojo.class_.throttle import (
    IDLE_SHARE,
    SETTLE_SECONDS,
    Processors,
    Throttle,
    free_memory,
)


class Machine:
    """A machine that is as a test says."""

    def __init__(self):
        self.idle, self.free, self.now = 1.0, 10**12, 0.0
        self.throttle = Throttle(
            2,
            4,
            2 * 10**9,
            idle_share=lambda: self.idle,
            free=lambda: self.free,
            clock=lambda: self.now,
        )

    def begin(self, stack):
        """Begin one if there is room, and tell whether there was."""
        had_room = self.throttle._may_begin()
        stack.enter_context(self.throttle.turn(lambda: True))
        if not had_room:
            self.throttle._running -= 1
            stack.callback(setattr, self.throttle, "_running", 0)
        return had_room


@pytest.fixture
def machine():
    return Machine()


def test_what_waits_holds_no_processor(machine):
    with ExitStack() as stack:
        begun = []
        for _ in range(6):
            begun.append(machine.begin(stack))
            machine.now += SETTLE_SECONDS
        assert begun == [True] * 4 + [False] * 2


@pytest.mark.parametrize("short", ["processors", "memory", "time"])
def test_without_room_it_is_one_a_processor(machine, short):
    if short == "processors":
        machine.idle = IDLE_SHARE / 2
    if short == "memory":
        machine.free = 10**9
    with ExitStack() as stack:
        begun = []
        for _ in range(4):
            begun.append(machine.begin(stack))
            machine.now += 0 if short == "time" else SETTLE_SECONDS
        assert begun == [True, True, False, False]


def test_a_place_that_is_free_again_is_taken(machine):
    machine.idle = 0.0
    entered = threading.Event()

    def third():
        with machine.throttle.turn(lambda: False):
            entered.set()

    with machine.throttle.turn(lambda: False):
        with machine.throttle.turn(lambda: False):
            waiting = threading.Thread(target=third)
            waiting.start()
            assert not entered.wait(0.5)
        assert entered.wait(60)
    waiting.join()


def test_a_run_that_stops_waits_for_nobody(machine):
    machine.idle = 0.0
    with ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(machine.throttle.turn(lambda: True))


def test_this_machine_can_be_asked():
    processors = Processors()
    processors._since -= 10
    assert 0 <= processors.idle_share() <= 1
    assert free_memory() > 0
