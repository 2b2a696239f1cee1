"""For tests of one lab: the solution with some files changed, graded; which checks did not pass.

Grading waits more than it works, so the cases of a module are graded side by side, a few at a time.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from dockerlab.course import open_course
from dockerlab.grading import grade

COURSE = open_course()
AT_ONCE = 3
T = TypeVar("T")


class SideBySide:
    """Begins all cases when the first result is asked for."""

    def __init__(self, names: Iterable[str], work: Callable[[str], T]) -> None:
        self._names = list(names)
        self._work = work
        self._begun: dict[str, Future[T]] = {}

    def __getitem__(self, name: str) -> T:
        if not self._begun:
            pool = ThreadPoolExecutor(AT_ONCE)
            self._begun = {one: pool.submit(self._work, one) for one in self._names}
            pool.shutdown(wait=False)
        return self._begun[name].result()


def lost(lab: str, files: dict[str, str | None], scratch: Path) -> dict[str, str]:
    """The checks that did not pass, with what was observed; `files` are written over the solution (None: removed)."""
    folder = scratch / lab
    shutil.copytree(COURSE.solution(lab), folder)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            path.unlink()
        else:
            path.write_text(text)
    report = grade(lab, folder, course=COURSE)
    assert report.final, report.outcomes
    return {
        one.check: f"{one.status}: {one.feedback.observed if one.feedback else ''}"
        for one in report.outcomes
        if one.status != "passed"
    }


def failed(found: dict[str, str]) -> set[str]:
    """The checks that failed, without those that were skipped."""
    return {check for check, said in found.items() if said.startswith("failed")}
