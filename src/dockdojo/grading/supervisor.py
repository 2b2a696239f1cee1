"""The child process from the parent's side: started, listened to, watched, and ended."""

from __future__ import annotations

import queue
import time
from pathlib import Path
from typing import Any

import msgspec

from dockdojo.errors import CourseError, LimitReached, OurFault
from dockdojo.events import (
    Broken,
    BrokenEvent,
    Building,
    Built,
    CheckEnded,
    CheckStarted,
    Collected,
    Costs,
    Curve,
    Listen,
    Loaded,
    Picture,
    Waiting,
    decode,
)
from dockdojo.grading.child import Child
from dockdojo.model import Check, Feedback, Limits, Outcome, Part, Point
from dockdojo.runner.request import UNGRADED, GradeRequest

SLACK_SECONDS = 15.0
"""Seconds beyond a limit of the lab after which the child is judged to hang: what it waits for has limits of its own."""
START_SECONDS = 60.0


class Supervisor:
    """Runs one grader to its end, with as many child processes as it takes."""

    def __init__(
        self,
        request: GradeRequest,
        owner: str,
        listen: Listen,
        first: Child | None = None,
    ) -> None:
        """`first` is a child that was started already; what it does not finish is given to others."""
        self._request = request
        self._first = first
        self._owner = owner
        self._listen = listen
        self.checks: list[Check] = []
        self.outcomes: dict[str, Outcome] = {}
        self.costs: dict[str, float] = {}
        self.modules: set[str] = set()
        """Of the toolkit, those that grading needed."""
        self.layers: tuple[Part, ...] = ()
        self.curve: tuple[Point, ...] = ()
        self.ends = time.monotonic() + request.limits.deadline
        """When the whole grading is over (monotonic)."""
        self._failed_builds: dict[str, dict[str, Any]] = {}
        self._building: dict[str, float] = {}
        """Builds that go on, by name, with the seconds that each may take."""
        self.builder = ""
        """How the child built images; looking for that once is enough."""

    def work(self) -> None:
        """Fills `checks` and `outcomes`. Raises CourseError where the grader cannot be loaded."""
        while True:
            known = len(self.outcomes)
            running, why = self._child()
            if not running and not why:
                return
            if self.is_late:
                self._out_of_time()
                return
            if not running:
                if self.checks and len(self.outcomes) == len(self.checks):
                    return
                if len(self.outcomes) > known:
                    continue
                raise OurFault(
                    f"The process that grades ended before its first check: {why}"
                )
            check = next(check for check in self.checks if check.name == running)
            lost = Outcome(
                check=check.name,
                title=check.title,
                status="error",
                points=check.points,
                hidden=check.hidden,
                feedback=Feedback(
                    observed=why,
                    why="This is not the submission's fault: the grader could not finish the check.",
                ),
            )
            self._bring(lost)
            if self._request.only is None and len(self.outcomes) == len(self.checks):
                return

    @property
    def is_late(self) -> bool:
        """Whether the whole grading's time is over."""
        return time.monotonic() >= self.ends

    def _out_of_time(self) -> None:
        """What was not carried out when the submission had used up the time is failed."""
        seconds = self._request.limits.deadline
        feedback = Feedback(
            observed=f"The whole grading reached its limit of {seconds:.0f} s before this could be carried out.",
            why="What took so long? Each build and each run counts.",
        )
        for check in self.checks:
            if check.name not in self.outcomes and (
                self._request.only is None or check.name in self._request.only
            ):
                late = Outcome(
                    check=check.name,
                    title=check.title,
                    status="failed",
                    points=check.points,
                    hidden=check.hidden,
                    feedback=feedback,
                )
                self._bring(late)

    def _note_build(self, event: Building | Built) -> None:
        """Keep what failed: neither the next check nor the next child builds it again."""
        if not event.build:
            return
        if isinstance(event, Building):
            self._building[event.build] = event.seconds
        else:
            self._building.pop(event.build, None)
            if event.failed:
                self._failed_builds[event.build] = event.failed

    def _give_up_builds(self) -> None:
        """A build in which a child came to its end is not tried again."""
        for name, seconds in self._building.items():
            error = LimitReached(
                f"The build did not come to an end within {seconds:.0f} s."
            )
            self._failed_builds[name] = dict(error.as_record())
        self._building.clear()

    def _bring(self, outcome: Outcome) -> None:
        self.outcomes[outcome.check] = outcome
        self._listen(CheckEnded(outcome=outcome))

    def _child(self) -> tuple[str, str]:
        """One child, to its end: the check that it died in ("" for none), and why it died ("" where it did not)."""
        done = {
            name: UNGRADED if outcome.ungraded else outcome.status
            for name, outcome in self.outcomes.items()
        }
        child, self._first = (
            self._first or Child(Path(self._request.home), self._owner),
            None,
        )
        with child:
            left = max(0.1, self.ends - time.monotonic())
            child.send(
                msgspec.structs.replace(
                    self._request,
                    done=done,
                    seconds_left=left,
                    failed_builds=self._failed_builds,
                )
            )
            try:
                running, why = self._follow(child.lines, self._request.limits)
            finally:
                child.end()
                self._give_up_builds()
            return running, child.death if why == DIED else why

    def _follow(self, lines: queue.Queue[bytes], limits: Limits) -> tuple[str, str]:
        running, patience, finished = "", START_SECONDS, False
        since = time.monotonic()
        while True:
            until = min(since + patience, self.ends + LATE_SECONDS)
            try:
                line = lines.get(timeout=max(0.05, until - time.monotonic()))
            except queue.Empty:
                return running, f"it did not come to an end within {patience:.0f} s"
            if not line:
                return (running, DIED) if running or not finished else ("", "")
            try:
                event = decode(line)
            except BrokenEvent as error:
                return running, error.message
            match event:
                case Collected(checks=checks):
                    self.checks = checks
                case Broken(reason=reason):
                    raise CourseError(f"{self._request.grader}: {reason}")
                case CheckStarted(check=running):
                    patience, since = (
                        limits.check_seconds + SLACK_SECONDS,
                        time.monotonic(),
                    )
                case Building(seconds=seconds):
                    self._note_build(event)
                    patience, since = seconds + SLACK_SECONDS, time.monotonic()
                case Waiting(seconds=seconds):
                    patience, since = seconds + SLACK_SECONDS, time.monotonic()
                case Built():
                    self._note_build(event)
                    patience, since = (
                        limits.check_seconds + SLACK_SECONDS,
                        time.monotonic(),
                    )
                case CheckEnded(outcome=outcome):
                    running, patience, since = "", START_SECONDS, time.monotonic()
                    self._bring(outcome)
                    continue
                case Curve(points=points):
                    self.curve = tuple(points[:MAX_EPOCHS])
                case Picture(layers=layers):
                    self.layers = tuple(layers)
                case Loaded(modules=modules):
                    self.modules |= set(modules)
                    continue
                case Costs(costs=costs, builder=builder):
                    finished, self.builder = True, builder
                    for key, value in costs.items():
                        self.costs[key] = self.costs.get(key, 0) + value
            self._listen(event)


DIED = "died"
LATE_SECONDS = 8.0
"""After the deadline, for the child to come to its end by itself."""
MAX_EPOCHS = 1_000
"""Epochs of a learning curve that are kept."""
