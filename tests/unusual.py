"""For tests of one lab: the solution with some files changed, graded; which checks did not pass."""

from __future__ import annotations

import shutil
from pathlib import Path

from dockerlab.course import open_course
from dockerlab.grading import grade

COURSE = open_course()


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
