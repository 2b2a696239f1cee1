"""The report as one self-contained page: no script, nothing fetched, readable on paper and by a screen reader."""

from __future__ import annotations

import re
from html import escape

from dockdojo.model import Outcome, Report
from dockdojo.reports import pictures
from dockdojo.reports.bounds import bounded
from dockdojo.reports.phrases import (
    advice_in_words,
    detail_in_lines,
    feedback_in_words,
    notes_in_words,
    verdict,
)
from dockdojo.reports.text import MARKS, clean, cut

CODE = re.compile(r"`([^`]+)`")
WORDS = {
    "passed": "passed",
    "failed": "failed",
    "skipped": "skipped",
    "error": "not carried out",
}
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Whatever a submission smuggles in, a browser runs and fetches nothing."""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}: {score} of {max_score} points</title>
<style>
:root {{ color-scheme: light dark; --ink: #1b1f24; --page: #ffffff; --soft: #f2f4f7; --line: #6b7280;
  --passed: #17663a; --failed: #a8201a; --error: #8a5a00; --skipped: #4b5563; }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #e6e8eb; --page: #14171a; --soft: #20252b; --line: #9aa3af;
  --passed: #6fd39a; --failed: #ff9a92; --error: #f2c069; --skipped: #b6bec9; }} }}
body {{ font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page);
  max-width: 60rem; margin: auto; padding: 1rem; }}
h1, h2, h3 {{ line-height: 1.25; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }}
td.result, td.points {{ white-space: nowrap; }} td.points {{ text-align: right; }}
.passed {{ color: var(--passed); }} .failed {{ color: var(--failed); }}
.error {{ color: var(--error); }} .skipped {{ color: var(--skipped); }}
section {{ border-left: .3rem solid currentColor; padding: .1rem 1rem; margin: 1rem 0; break-inside: avoid; }}
section > * {{ color: var(--ink); }}
dt {{ font-weight: 600; }} dd {{ margin: 0 0 .4rem 1rem; overflow-wrap: anywhere; }}
pre, code {{ font-family: ui-monospace, monospace; background: var(--soft); }}
pre {{ padding: .6rem; white-space: pre-wrap; overflow-wrap: anywhere; }}
.bar {{ background: var(--line); height: .6rem; min-width: 1px; }}
{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p><strong>{verdict}</strong></p>
{problem}<h2>Checks</h2>
<table>
<thead><tr><th scope="col">Result</th><th scope="col">Check</th><th scope="col">Points</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
{details}{curve}{stack}<h2>Time</h2>
<table>
<thead><tr><th scope="col">Check</th><th scope="col">Seconds</th><th scope="col">Share</th></tr></thead>
<tbody>
{times}
</tbody>
</table>
{notes}{advice}<p>Graded {started}, in {seconds:.1f} s{engine}. Submission {checksum}.</p>
</main>
</body>
</html>
"""


def render(report: Report) -> str:
    """The page."""
    report = bounded(report)
    longest = max((one.seconds for one in report.outcomes), default=0) or 1
    details = "".join(
        _details(report, one)
        for one in report.outcomes
        if one.status != "passed" and one.feedback is not None and not report.problem
    )
    advice = "".join(f"<li>{_text(one)}</li>\n" for one in advice_in_words(report))
    notes = "".join(f"<li>{_text(one)}</li>\n" for one in notes_in_words(report))
    engine = report.engine
    page = PAGE.format(
        policy=POLICY,
        style=pictures.STYLE,
        stack=pictures.stack(report.layers),
        curve=pictures.curve(report.curve),
        title=_text(report.title, code=False),
        score=report.score,
        max_score=report.max_score,
        verdict=_text(verdict(report)),
        problem=f"<p>{_text(cut(report.problem))}</p>\n" if report.problem else "",
        rows="\n".join(_row(one) for one in report.outcomes),
        details=f"<h2>What to look at</h2>\n{details}" if details else "",
        times="\n".join(_time(one, longest) for one in report.outcomes),
        advice=(
            f"<h2>Advice on style, worth no points</h2>\n<ul>\n{advice}</ul>\n"
            if advice
            else ""
        ),
        notes=f"<h2>Notes</h2>\n<ul>\n{notes}</ul>\n" if notes else "",
        started=_text(report.started),
        seconds=report.seconds,
        engine=(
            _text(
                f" on Docker {engine.version} ({engine.storage_driver}, GPU: {engine.gpu})"
            )
            if engine
            else ""
        ),
        checksum=(
            f"<code>{_text(report.checksum[:16])}</code>"
            if report.checksum
            else "was refused"
        ),
    )
    return page.replace(
        "##[", "&#35;#["
    )  # shown as it is, and no command where the page is printed to a log


def _row(outcome: Outcome) -> str:
    return (
        f'<tr><td class="result {outcome.status}">{MARKS[outcome.status]} {WORDS[outcome.status]}</td>'
        f'<td>{_text(outcome.title)}</td><td class="points">{outcome.score}/{outcome.points}</td></tr>'
    )


def _details(report: Report, outcome: Outcome) -> str:
    pairs = "".join(
        f"<dt>{name}</dt><dd>{_text(text)}</dd>\n"
        for name, text in feedback_in_words(outcome)
    )
    lines = detail_in_lines(outcome)
    detail = f"<pre>{escape(chr(10).join(lines))}</pre>\n" if lines else ""
    head = f"<h3>{MARKS[outcome.status]} {_text(outcome.check)}: {_text(outcome.title)}</h3>"
    where = outcome.feedback.where if outcome.feedback else None
    source = pictures.source(report, where.file, where.line) if where else ""
    return f'<section class="{outcome.status}">\n{head}\n<dl>\n{pairs}</dl>\n{source}{detail}</section>\n'


def _time(outcome: Outcome, longest: float) -> str:
    share = 100 * outcome.seconds / longest
    return (
        f"<tr><td>{_text(outcome.check)}</td><td>{outcome.seconds:.1f}</td>"
        f'<td><div class="bar" style="width: {share:.0f}%"></div></td></tr>'
    )


def _text(text: str, *, code: bool = True) -> str:
    parts = CODE.split(clean(text))
    if not code:
        return escape("".join(parts))
    return "".join(
        f"<code>{escape(part)}</code>" if number % 2 else escape(part)
        for number, part in enumerate(parts)
    )
