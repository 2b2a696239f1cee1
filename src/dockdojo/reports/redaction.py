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
    hidden = [outcome for outcome in report.outcomes if outcome.hidden]
    if not hidden:
        return report
    count = len(hidden)
    words = "1 hidden check counts" if count == 1 else f"{count} hidden checks count"
    failed_us = any(outcome.status == "error" for outcome in hidden)
    ungraded = any(outcome.ungraded for outcome in hidden)
    together = Outcome(
        check=HIDDEN,
        title=f"{words} when your instructor grades.",
        status="error" if failed_us else "skipped",
        points=sum(outcome.points for outcome in hidden),
        hidden=True,
        ungraded=ungraded,
        feedback=NOT_CARRIED_OUT if failed_us or ungraded else None,
    )
    names = {outcome.check for outcome in hidden}
    seen = tuple(
        replace(outcome, decided_by="") if outcome.decided_by in names else outcome
        for outcome in report.outcomes
        if not outcome.hidden
    )
    shown = {
        outcome.feedback.where.file
        for outcome in seen
        if outcome.feedback and outcome.feedback.where
    }
    sources = {file: text for file, text in report.sources.items() if file in shown}
    return replace(report, outcomes=(*seen, together), sources=sources, costs={})
