"""Who reads a report: a student's tells of the hidden checks that there are some, and their points, and nothing more."""

from __future__ import annotations

from dataclasses import replace

from dockdojo.model import HIDDEN, Feedback, Outcome, Report

NOT_CARRIED_OUT = Feedback(
    observed="Not all of them could be carried out.",
    why="That is the machine's fault or the course's, not the submission's. Nothing counts before they are.",
)


def for_student(report: Report) -> Report:
    """The same report with the hidden checks in one line, from which nobody can tell whether they passed or failed.

    Its score is that of the checks that can be seen. It is final where the whole is: a hidden check that could not be carried
    out is told, since no points may come of such a report. What linter and engine said stays.
    """
    hidden = [one for one in report.outcomes if one.hidden]
    if not hidden:
        return report
    count = len(hidden)
    words = "1 hidden check counts" if count == 1 else f"{count} hidden checks count"
    failed_us = any(one.status == "error" for one in hidden)
    unearnable = any(one.unearnable for one in hidden)
    together = Outcome(
        check=HIDDEN,
        title=f"{words} when your instructor grades.",
        status="error" if failed_us else "skipped",
        points=sum(one.points for one in hidden),
        hidden=True,
        unearnable=unearnable,
        feedback=NOT_CARRIED_OUT if failed_us or unearnable else None,
    )
    seen = tuple(one for one in report.outcomes if not one.hidden)
    return replace(report, outcomes=(*seen, together), costs={})
