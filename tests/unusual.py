"""For tests of one lab: the solution with some files changed, graded; which checks did not pass.

Grading waits more than it works, so the cases are graded side by side, a few at a time.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

from dockdojo.course import open_course
from dockdojo.grading import grade

COURSE = open_course()
AT_ONCE = 1 + (os.cpu_count() or 2)  # what waits leaves a processor to another


class SideBySide:
    """The cases of one module. When a first result is asked for, those of every module that is to run are begun, in order:
    so nothing stands idle while one module waits for its last case.
    """

    everyone: ClassVar[list[SideBySide]] = []
    wanted: ClassVar[set[str]] = set()
    """The modules that have tests to run; conftest knows them."""
    seconds: ClassVar[dict[tuple[str, str], float]] = {}
    """How long each case took, by module and name; the run's summary tells it."""
    pool: ClassVar[ThreadPoolExecutor] = ThreadPoolExecutor(AT_ONCE)

    def __init__(
        self,
        module: str,
        names: Iterable[str],
        work: Callable[[str], Any],
        *,
        trains: Callable[[str], bool] = lambda name: False,
    ) -> None:
        """`trains` tells the cases that keep the processors busy: they come when all others are done, which may watch the clock."""
        self._module = module
        self._names = list(names)
        self._work = work
        self._trains = trains
        self._begun: dict[str, Future[Any]] = {}
        self.everyone.append(self)

    def __getitem__(self, name: str) -> Any:
        if not self._begun:
            fresh = [
                one
                for one in self.everyone
                if not one._begun and (one is self or one._module in self.wanted)
            ]
            for heavy in (False, True):
                for one in sorted(fresh, key=lambda one: one._module):
                    one._begin(
                        [name for name in one._names if one._trains(name) == heavy]
                    )
        return self._begun[name].result()

    def _begin(self, names: list[str]) -> None:
        self._begun |= {name: self.pool.submit(self._timed, name) for name in names}

    def _timed(self, name: str) -> Any:
        started = time.monotonic()
        try:
            return self._work(name)
        finally:
            self.seconds[self._module, name] = time.monotonic() - started


def lost(
    lab: str, files: dict[str, str | None], *, final: bool = True
) -> dict[str, str]:
    """The checks that did not pass, with what was observed; `files` are written over the solution (None: removed).

    `final`: whether the report must be, or must not be.
    """
    with tempfile.TemporaryDirectory(prefix="case-") as scratch:
        folder = Path(scratch, lab)
        shutil.copytree(COURSE.solution(lab), folder)
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_text(text)
        report = grade(lab, folder, course=COURSE)
    assert report.final is final, report.outcomes
    return {
        one.check: f"{one.status}: {one.feedback.observed if one.feedback else ''}"
        for one in report.outcomes
        if one.status != "passed"
    }


def failed(found: dict[str, str]) -> set[str]:
    """The checks that failed, without those that were skipped."""
    return {check for check, said in found.items() if said.startswith("failed")}
