"""The report as plain text, for terminals, logs and mail. Control characters of a submission never get through."""

from __future__ import annotations

import textwrap

from dockerlab.model import Feedback, Outcome, Report

WIDTH = 96
MARKS = {"passed": "✓", "failed": "✗", "skipped": "–", "error": "!"}
LABELS = (
    ("expected", "expected"),
    ("observed", "observed"),
    ("why", "why"),
    ("where", "where"),
    ("hint", "hint"),
)


def render(report: Report) -> str:
    """All checks, each with its feedback, and the score."""
    lines = [f"{report.title} ({report.lab})", ""]
    if report.problem:
        lines += [f"  {one}" for one in textwrap.wrap(clean(report.problem), WIDTH - 2)] + [""]
    seen: dict[Feedback, str] = {}
    for outcome in report.outcomes:
        lines.append(headline(outcome))
        if outcome.feedback is None or report.problem:
            continue
        plain = Feedback(observed=outcome.feedback.observed, detail=outcome.feedback.detail)
        if plain.observed and plain in seen:
            lines.append(f"      the same as at `{seen[plain]}`")
            continue
        seen.setdefault(plain, outcome.check)
        lines += feedback_lines(outcome.feedback)
    return "\n".join([*lines, "", *summary(report)]) + "\n"


def headline(outcome: Outcome) -> str:
    """One line a check: mark, points, name and sentence."""
    points = f"{outcome.score}/{outcome.points}"
    return f"  {MARKS[outcome.status]} {points:>7}  {outcome.check}: {clean(outcome.title)}"


def feedback_lines(feedback: Feedback) -> list[str]:
    """Expected, observed, why, where and the hint, wrapped and indented; then the detail as it is."""
    lines = []
    for name, label in LABELS:
        value = getattr(feedback, name)
        if value:
            head = f"      {label + ':':<10}"
            lines += textwrap.wrap(clean(str(value)), WIDTH, initial_indent=head, subsequent_indent=" " * 16)
    if feedback.detail:
        lines += ["      | " + clean(line)[: WIDTH - 8] for line in feedback.detail.splitlines()]
    return lines


def summary(report: Report) -> list[str]:
    """The score, and whether it counts."""
    lines = [f"{report.score} of {report.max_score} points, in {report.seconds:.1f} s"]
    errors = [outcome for outcome in report.outcomes if outcome.status == "error"]
    if errors:
        lost = sum(outcome.points for outcome in errors)
        lines.append(f"Not final: {len(errors)} check(s), worth {lost} points, could not be carried out.")
        lines.append("That is not the submission's fault. Grade again.")
    return lines


def clean(text: str) -> str:
    """Without what a terminal would obey: escapes, control characters and right-to-left marks are shown as ␛ or �."""
    return "".join("␛" if c == "\x1b" else c if c.isprintable() else " " if c in "\n\t\r" else "\ufffd" for c in text)
