"""The child process in which a grader runs: pytest with our plugin alone, outcomes out over a pipe as they happen.

Events go out on what was stdout; the checks' own stdout goes to stderr. What it says: see dockdojo.events.
"""

from __future__ import annotations

import dataclasses
import importlib
import math
import os
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import pytest

from dockdojo.build.builder import look_ahead
from dockdojo.checks import CheckFailed, feedback_of
from dockdojo.errors import LimitReached, SubmissionError
from dockdojo.events import (
    Broken,
    Building,
    CheckEnded,
    CheckStarted,
    Collected,
    Costs,
    Event,
    Loaded,
    Picture,
    encode,
)
from dockdojo.model import Check, Feedback, Outcome, Status
from dockdojo.processes import loaded_modules
from dockdojo.runner.alarm import alarm
from dockdojo.runner.decorator import ATTRIBUTE
from dockdojo.runner.feedback import judge, line_through, seen_above
from dockdojo.runner.fixtures import Fixtures
from dockdojo.runner.request import UNGRADED, GradeRequest
from dockdojo.runner.session import GradingSession
from dockdojo.submission.folder import Submission
from dockdojo.texts import cut_feedback

SKIPPED_FOR = "It needs the check `{}`, which did not pass."
NOT_LOADED = (
    "cacheprovider",
    "terminal",
    "faulthandler",
    "junitxml",
    "logging",
    "doctest",
    "unittest",
    "pastebin",
    "stepwise",
    "dockdojo",
    "setuponly",
    "setupplan",
    "threadexception",
    "unraisableexception",
    "recwarn",
    "debugging",
)
"""Plugins of pytest's own that a grading has no use for; two of them collect garbage several times at the end."""


class Verdict(NamedTuple):
    """How a check ended, without what is known of it beforehand."""

    status: Status
    feedback: Feedback | None = None
    decided_by: str = ""
    """The check that decided it, see Outcome."""


class Run:
    """The pytest plugin of one child."""

    def __init__(
        self,
        request: GradeRequest,
        session: GradingSession,
        emit: Callable[[Event], None],
    ) -> None:
        self.request = request
        self.session = session
        self.emit = emit
        self.status: dict[str, str] = dict(request.done)
        self.checks: dict[str, Check] = {}
        self.broken = ""
        self._compared: tuple[Any, Any] | None = None
        self._error: tuple[BaseException, int] | None = None
        self._first_of_cause: dict[Feedback, str] = {}
        """What the submission was told to be at fault for, and the first check that said so."""

    @pytest.hookimpl
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A grader that cannot be loaded is its author's fault."""
        if report.failed and not self.broken:
            self.broken = _last_line(
                str(report.longrepr), Path(self.request.grader).name
            )

    @pytest.hookimpl
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Tells the parent which checks there are, and keeps those that are to run."""
        for item in items:
            spec = getattr(getattr(item, "function", None), ATTRIBUTE, None)
            name = item.name.removeprefix("test_")
            if spec is None:
                self.broken = self.broken or f"{item.name} has no @check(points=...)"
            elif name != spec.name or name in self.checks:
                self.broken = (
                    self.broken
                    or f"{item.name}: a check is one plain function with a name of its own"
                )
            elif missing := [need for need in spec.needs if need not in self.checks]:
                self.broken = (
                    self.broken
                    or f"{item.name} needs `{missing[0]}`, which does not come before it"
                )
            else:
                self.checks[name] = spec
        if not items and not self.broken:
            self.broken = "it has no checks"
        self.session.closed_network = any(
            "http" in getattr(item, "fixturenames", ()) for item in items
        )
        if not self.broken:
            self.emit(Collected(checks=list(self.checks.values())))
        wanted = self._wanted()
        items[:] = [item for item in items if item.name.removeprefix("test_") in wanted]

    def _wanted(self) -> set[str]:
        if self.broken or self.request.collect_only:
            return set()
        wanted = set(self.checks if self.request.only is None else self.request.only)
        while (
            missing := {need for name in wanted for need in self.checks[name].needs}
            - wanted
        ):
            wanted |= missing
        return wanted - set(self.request.done)

    @pytest.hookimpl
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> bool:
        """One check: start, run, outcome."""
        spec = self.checks[item.name.removeprefix("test_")]
        self.emit(CheckStarted(check=spec.name))
        began = time.monotonic()
        missing = [need for need in spec.needs if self.status.get(need) != "passed"]
        ungraded = bool(missing) and all(
            self.status.get(need) == UNGRADED for need in missing
        )
        if missing:
            feedback = Feedback(why=SKIPPED_FOR.format(missing[0]))
            verdict = Verdict("skipped", feedback, missing[0])
        else:
            verdict = self._run(item, nextitem, spec)
            ungraded = verdict.status == "skipped"
        self.status[spec.name] = UNGRADED if ungraded else verdict.status
        outcome = Outcome(
            check=spec.name,
            title=spec.title,
            status=verdict.status,
            points=spec.points,
            seconds=round(time.monotonic() - began, 3),
            feedback=cut_feedback(verdict.feedback) if verdict.feedback else None,
            ungraded=ungraded,
            decided_by=verdict.decided_by,
            hidden=spec.hidden,
        )
        self.emit(CheckEnded(outcome=outcome))
        return True

    def _run(
        self, item: pytest.Item, nextitem: pytest.Item | None, spec: Check
    ) -> Verdict:
        from _pytest.runner import runtestprotocol

        self._compared, self._error = None, None
        self.session.begin()
        try:
            self.session.time_left()
        except LimitReached as error:
            return Verdict(*judge(error, Path(self.request.grader), 0, None, spec))
        try:
            with alarm(self.session):
                runtestprotocol(item, log=False, nextitem=nextitem)
        finally:
            self.session.end()
        if self._error is None:
            return Verdict("passed")
        error, line = self._error
        status, feedback = judge(
            error, Path(self.request.grader), line, self._compared, spec
        )
        # One cause is told once.
        if isinstance(error, SubmissionError | CheckFailed) and not spec.hidden:
            cause = dataclasses.replace(
                (
                    feedback_of(error)
                    if isinstance(error, SubmissionError)
                    else error.feedback
                ),
                hint="",
            )
            first = self._first_of_cause.setdefault(cause, spec.name)
            if first != spec.name:
                return Verdict(status, seen_above(feedback, first), first)
        if self.session.notes and status == "failed":
            why = " ".join([feedback.why, *self.session.notes]).strip()
            feedback = dataclasses.replace(feedback, why=why)
        return Verdict(status, feedback)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, Any, Any]:
        """Keeps the first exception of a check, and where in the grader it came through."""
        if call.excinfo is not None and self._error is None:
            self._error = (
                call.excinfo.value,
                line_through(call.excinfo, Path(self.request.grader)),
            )
        return (yield)

    @pytest.hookimpl
    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> None:
        """Remembers the two values of a failed comparison."""
        self._compared = (left, right)


def _last_line(text: str, grader: str) -> str:
    """The error line of a pytest report, and the grader's line that it came through."""
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line.removeprefix("E").strip() for line in lines if line.startswith("E ")]
    places = [
        line.split(":")[1]
        for line in lines
        if line.strip().startswith(grader + ":") or f"/{grader}:" in line.split(" ")[0]
    ]
    numbers = [place for place in places if place.isdigit()]
    where = f"line {numbers[-1]}: " if numbers else ""
    return where + (errors[-1] if errors else lines[-1] if lines else "unknown")


def _speak(pipe: BinaryIO) -> Callable[[Event], None]:
    lock = threading.Lock()

    def emit(event: Event) -> None:
        line = encode(event)
        with lock:
            pipe.write(line + b"\n")
            pipe.flush()

    return emit


def carry_out(request: GradeRequest) -> None:
    """Runs the grader; what happens is told on what was stdout."""
    if not request.collect_only:
        look_ahead()
    with os.fdopen(os.dup(1), "wb") as pipe:
        os.dup2(2, 1)  # what a check prints must not mix with the events
        emit = _speak(pipe)
        module, _, function = request.connect.partition(":")
        connect = getattr(importlib.import_module(module), function)
        session = GradingSession(
            open_engine=lambda: connect(run_id=request.run_id),
            submission=Submission(Path(request.submission)),
            limits=request.limits,
            emit=emit,
            data_folder=request.data,
            seed=request.seed,
            images=tuple(request.images),
            cache_namespace=request.cache_namespace,
            ends=(
                time.monotonic() + request.seconds_left
                if request.seconds_left
                else math.inf
            ),
            failed_builds={
                name: SubmissionError.from_record(raw)
                for name, raw in request.failed_builds.items()
            },
        )
        run = Run(request, session, emit)
        settings = Path(request.home, "pytest.ini")
        settings.write_text("[pytest]\npython_files = *.py\n")
        args = [
            request.grader,
            f"--rootdir={request.home}",
            f"--confcutdir={request.home}",
            "-c",
            str(settings),
            "--noconftest",
            "--import-mode=importlib",
            *(f"-pno:{plugin}" for plugin in NOT_LOADED),
        ]
        pytest.main(args, plugins=[run, Fixtures(session)])
        session.close()
        if request.picture and not run.broken:
            emit(Building(seconds=request.limits.build_seconds))
            emit(Picture(layers=session.picture()))
        if run.broken:
            emit(Broken(reason=run.broken))
        emit(Loaded(modules=loaded_modules()))
        builder = "" if request.collect_only else str(session.builder)
        emit(Costs(costs=session.costs(), builder=builder))
