"""Markdown for a step summary of GitHub Actions: a table, and below it each check that did not pass.

Whatever a submission said is written in character references: they show as the characters, and are never markup
(https://github.github.com/gfm/#entity-and-numeric-character-references).
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from dockdojo.model import Outcome, Report
from dockdojo.reports.bounds import bounded
from dockdojo.reports.phrases import (
    advice_in_words,
    detail_in_lines,
    feedback_in_words,
    notes_in_words,
    verdict,
)
from dockdojo.reports.text import MARKS, clean, cut

SPLIT = "@#"
"""What makes a mention, an address or a reference of the word around it, also when written as a reference: kept apart from it."""
CODE = re.compile(r"`([^`]+)`")


def render(report: Report, comments: Sequence[str] = ()) -> str:
    """The report as Markdown, with comments that an instructor wrote by hand."""
    report = bounded(report)
    lines = [f"## {plain(report.title)}", "", verdict(report), ""]
    lines += comment_lines(comments)
    if report.problem:
        lines += [plain(cut(clean(report.problem))), ""]
    lines += ["| | check | points |", "|---|---|---|"]
    lines += [
        f"| {MARKS[outcome.status]} | {plain(cut(clean(outcome.title)))} | {outcome.score}/{outcome.points} |"
        for outcome in report.outcomes
    ]
    for outcome in report.outcomes:
        if (
            outcome.status != "passed"
            and outcome.feedback is not None
            and not report.problem
        ):
            lines += _details(outcome)
    if report.notes:
        lines += ["", "Notes:", ""]
        lines += [f"- {plain(note)}" for note in notes_in_words(report)]
    if report.advice:
        lines += ["", "Advice on style, worth no points:", ""]
        lines += [f"- {plain(advice)}" for advice in advice_in_words(report)]
    return "\n".join(lines) + "\n"


def comment_lines(comments: Sequence[str]) -> list[str]:
    """Comments by hand, a paragraph for each of their lines, and a heading above; nothing without one."""
    lines = ["### Comments", ""] if comments else []
    for comment in comments:
        for line in comment.splitlines():
            lines += [plain(cut(clean(line))), ""]
    return lines


def _details(outcome: Outcome) -> list[str]:
    lines = ["", f"### {MARKS[outcome.status]} {plain(outcome.check)}", ""]
    lines += [
        f"- **{name}:** {plain(text)}" for name, text in feedback_in_words(outcome)
    ]
    detail = detail_in_lines(outcome)
    if detail:
        lines += ["", f"<pre>{html.escape(chr(10).join(detail))}</pre>"]
    return lines


def plain(text: str) -> str:
    """The text as it is, whatever is in it; what stands between backticks becomes code."""
    parts = CODE.split(text)
    return "".join(
        f"<code>{_safe(part)}</code>" if number % 2 else _safe(part)
        for number, part in enumerate(parts)
    )


def _safe(text: str) -> str:
    return "".join(_shown(c) for c in text)


def _shown(c: str) -> str:
    if c in SPLIT:
        return f"<span>&#{ord(c)};</span>"
    return c if c.isalnum() or c in " ,;()'" or ord(c) > 127 else f"&#{ord(c)};"
