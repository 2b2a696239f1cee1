"""Who reads a report: a student's tells of the hidden checks that there are some, and their points, and nothing more."""

from __future__ import annotations

from dataclasses import replace

from dockerlab.model import HIDDEN, Outcome, Report


def for_student(report: Report) -> Report:
    """The same report with the hidden checks in one line, from which nobody can tell how they ended.

    Its score is that of the checks that can be seen, and it is final if those are. What linter and engine said stays.
    """
    hidden = [one for one in report.outcomes if one.hidden]
    if not hidden:
        return report
    count = len(hidden)
    words = "1 hidden check counts" if count == 1 else f"{count} hidden checks count"
    together = Outcome(
        check=HIDDEN,
        title=f"{words} when your instructor grades.",
        status="skipped",
        points=sum(one.points for one in hidden),
        hidden=True,
    )
    seen = tuple(one for one in report.outcomes if not one.hidden)
    return replace(report, outcomes=(*seen, together), costs={})
