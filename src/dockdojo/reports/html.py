"""The report as one self-contained page: no script, nothing fetched, readable on paper and by a screen reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dockdojo.model import HIDDEN, Feedback, Outcome, Report, Where
from dockdojo.reports import charts, pages, policy
from dockdojo.reports.bounds import bounded
from dockdojo.reports.phrases import (
    advice_in_words,
    caveat,
    detail_in_lines,
    feedback_in_words,
    notes_in_words,
)
from dockdojo.reports.priority import most_useful_first
from dockdojo.reports.text import MARKS, clean, cut

WORDS = {
    "passed": "passed",
    "failed": "failed",
    "skipped": "skipped",
    "error": "not carried out",
}
AROUND = 3
"""Lines that are shown above and below one at fault."""
MAX_LINE = 300
"""Characters of a line that are shown."""
SHORT_LOG = 15
"""Lines of a log that is open from the start; a longer one is folded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """The lines of a file around one at fault."""

    file: str
    fault: int
    lines: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A check that did not pass, with all there is to say about it."""

    outcome: Outcome
    said: list[tuple[str, str]]
    """Label and text: expected, observed, why, where, hint."""
    excerpt: Excerpt | None = None
    log: tuple[str, ...] = ()
    same_as: str = ""
    """The check that has the same to say, and says it."""
    decides: tuple[str, ...] = ()
    """Checks that hang on this one."""


def render(report: Report, comments: Sequence[str] = ()) -> str:
    """The page, with comments that an instructor wrote by hand."""
    report = bounded(report)
    rules = [outcome for outcome in report.outcomes if policy.is_rule(outcome)]
    checks = [outcome for outcome in report.outcomes if not policy.is_rule(outcome)]
    visible = [outcome for outcome in checks if outcome.check != HIDDEN]
    unsolved = [check for check in checks if check.status in ("failed", "error")]
    return pages.render(
        "report",
        report=report,
        comments=[cut(comment) for comment in comments],
        problem=cut(report.problem),
        caveat=caveat(report),
        signs=MARKS,
        words=WORDS,
        short_log=SHORT_LOG,
        rules=rules,
        checks=checks,
        visible=visible,
        score=charts.score(checks),
        unsolved=unsolved,
        findings=[] if report.problem else _findings(report, unsolved),
        skipped=[
            Finding(outcome=check, said=feedback_in_words(check))
            for check in checks
            if check.status == "skipped"
        ],
        passed=[check for check in checks if check.status == "passed"],
        image=charts.layers(report.layers),
        curves=charts.curves(report.curve),
        notes=notes_in_words(report),
        advice=advice_in_words(report),
        slowest=max((check.seconds for check in checks), default=0) or 1,
    )


def _findings(report: Report, unsolved: list[Outcome]) -> list[Finding]:
    told: dict[Feedback, str] = {}
    findings = []
    for outcome in most_useful_first(unsolved, report):
        feedback = outcome.feedback or Feedback()
        key = Feedback(observed=feedback.observed, detail=feedback.detail)
        same_as = told.get(key, "") if key.observed else ""
        told.setdefault(key, outcome.check)
        if same_as:
            outcome = replace(outcome, feedback=None)
        findings.append(
            Finding(
                outcome=outcome,
                said=feedback_in_words(outcome),
                excerpt=None if same_as else _excerpt(report, feedback.where),
                log=tuple(detail_in_lines(outcome)),
                same_as=same_as,
                decides=tuple(
                    other.check
                    for other in report.outcomes
                    if other.decided_by == outcome.check
                ),
            )
        )
    return findings


def _excerpt(report: Report, where: Where | None) -> Excerpt | None:
    """The lines around one at fault, where the report has the file."""
    if where is None or where.file not in report.sources:
        return None
    lines = report.sources[where.file].removesuffix("\n").split("\n")
    if not 1 <= where.line <= len(lines):
        return None
    first, last = max(1, where.line - AROUND), min(len(lines), where.line + AROUND)
    return Excerpt(
        file=clean(where.file),
        fault=where.line,
        lines=tuple(
            (number, cut(clean(lines[number - 1]), MAX_LINE))
            for number in range(first, last + 1)
        ),
    )
