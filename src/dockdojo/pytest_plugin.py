"""Runs a grader's checks in any pytest, one by one, with a debugger: `pytest graders/signals.py --submission DIR -k kill --pdb`.

pytest finds it by its entry point. It does nothing where `--submission` is not given, and gives no mark: that is for
`dockdojo grade`, which runs checks in a process of their own and holds their time limits.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from dockdojo.model import Check
    from dockdojo.runner.session import GradingSession

DEBUGGING_SECONDS = 86_400
"""The time limit of a check where somebody may stand in a debugger."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of a grader that is run alone."""
    group = parser.getgroup("dockdojo", "a grader of dockdojo")
    group.addoption(
        "--submission",
        metavar="DIR",
        help="The folder that the grader's checks look at.",
    )
    group.addoption(
        "--submission-seed",
        metavar="TEXT",
        default="",
        help="Draw the same inputs as the report that has this seed.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Gives the grader its fixtures, where a submission was named."""
    if not config.getoption("--submission"):
        return
    from dockdojo.course import open_course
    from dockdojo.errors import DockdojoError
    from dockdojo.grading.alone import session_for
    from dockdojo.runner.fixtures import Fixtures

    grader, folder = _grader(config), Path(config.getoption("--submission"))
    if not folder.is_dir():
        raise pytest.UsageError(f"There is no folder {folder}.")
    try:
        course = open_course(grader.parents[1])
        limits = course.lab(grader.stem).limits
        if config.getoption("usepdb") or config.getoption("trace"):
            limits = replace(
                limits,
                check_seconds=DEBUGGING_SECONDS,
                grading_seconds=DEBUGGING_SECONDS,
            )
        stack = ExitStack()
        session = stack.enter_context(
            session_for(
                course,
                grader.stem,
                folder,
                limits,
                config.getoption("--submission-seed"),
            )
        )
    except DockdojoError as error:
        raise pytest.UsageError(str(error)) from error
    config.add_cleanup(stack.close)
    config.pluginmanager.register(Fixtures(session), "dockdojo-fixtures")
    config.pluginmanager.register(Alone(session, grader), "dockdojo-alone")


def _grader(config: pytest.Config) -> Path:
    places = {Path(word.partition("::")[0]).resolve() for word in config.args}
    graders = [
        place
        for place in places
        if place.suffix == ".py" and place.parent.name == "graders"
    ]
    if len(places) != 1 or not graders:
        raise pytest.UsageError(
            "--submission goes with one grader of a course, such as graders/signals.py."
        )
    return graders[0]


class Alone:
    """The hooks of a pytest that runs one grader."""

    def __init__(self, session: GradingSession, grader: Path) -> None:
        self._session = session
        self._grader = grader
        self._compared: tuple[Any, Any] | None = None
        self._not_passed: set[str] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """One check: its time begins, and what only it used is removed in the end."""
        self._compared = None
        self._session.begin()
        try:
            return (yield)
        finally:
            self._session.end()

    @pytest.hookimpl
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """A check is left out where one that it needs did not pass."""
        from dockdojo.runner.runner import SKIPPED_FOR

        check = _check(item)
        for need in check.needs:
            if need in self._not_passed:
                self._not_passed.add(check.name)
                pytest.skip(SKIPPED_FOR.format(need))

    @pytest.hookimpl
    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> None:
        """Remembers the two values of a failed comparison."""
        self._compared = (left, right)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, Any, Any]:
        """Shows below the traceback what the student would read."""
        from dockdojo.model import Outcome
        from dockdojo.reports.text import feedback_lines
        from dockdojo.runner.feedback import judge, line_through

        report = yield
        if call.excinfo is not None and not report.skipped:
            check = _check(item)
            self._not_passed.add(check.name)
            line = line_through(call.excinfo, self._grader)
            status, feedback = judge(
                call.excinfo.value, self._grader, line, self._compared, check
            )
            outcome = Outcome(
                check=check.name,
                title=check.title,
                status=status,
                points=check.points,
                feedback=feedback,
            )
            report.sections.append(
                ("what the student reads", "\n".join(feedback_lines(outcome)))
            )
        return report


def _check(item: pytest.Item) -> Check:
    from dockdojo.runner.decorator import ATTRIBUTE

    spec: Check | None = getattr(getattr(item, "function", None), ATTRIBUTE, None)
    if spec is None:
        raise pytest.UsageError(f"{item.name} has no @check(points=...)")
    return spec
