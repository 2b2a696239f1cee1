"""What a terminal shows while checks run, and how a report looks there. Plain text without a terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from rich.console import Console
from rich.highlighter import RegexHighlighter
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text
from rich.theme import Theme

from dockdojo.cli import columns
from dockdojo.events import Building, Built, CheckEnded, CheckStarted, Doing, Event
from dockdojo.grading.findings import Finding
from dockdojo.model import Outcome, Report
from dockdojo.reports import text
from dockdojo.reports.priority import most_useful_first

THEME = Theme(
    {
        "lab.passed": "green",
        "lab.failed": "red",
        "lab.error": "yellow",
        "lab.skipped": "dim",
        "lab.label": "bold",
        "lab.code": "cyan",
    }
)


MIN_WIDTH = 40
"""Columns; a narrower terminal wraps by itself."""


class _Highlighter(RegexHighlighter):
    base_style = "lab."
    highlights: ClassVar[list[str]] = [
        r"^\s+(?P<passed>✓)",
        r"^\s+(?P<failed>✗)",
        r"^\s+(?P<error>!)",
        r"^\s+(?P<skipped>–)",
        r"^\s+(?P<label>(expected|observed|why|where|hint):)",
        r"(?P<code>`[^`]+`)",
    ]


def console(*, stderr: bool = False) -> Console:
    """A console that is plain where there is no terminal or NO_COLOR is set."""
    return Console(stderr=stderr, theme=THEME, highlight=False, soft_wrap=True)


def width_of(out: Console) -> int:
    """Columns that a line may have: those of the terminal, at most as many as read well; without one, the latter."""
    return max(min(out.width, text.WIDTH), MIN_WIDTH) if out.is_terminal else text.WIDTH


def _headline(out: Console, outcome: Outcome) -> str:
    """Wrapped on a terminal; one line elsewhere, where programs read it."""
    return text.headline(outcome, width_of(out) if out.is_terminal else 0)


def write(out: Console, line: str) -> None:
    """One line, highlighted where there are colours; nothing in it is markup."""
    shown = Text(text.tame(line))
    _Highlighter().highlight(shown)
    out.print(shown)


def paragraph(out: Console, line: str) -> None:
    """A line of any length, wrapped to the terminal; as it is where there is none."""
    for piece in columns.paragraph(line, width_of(out) if out.is_terminal else 0).split(
        "\n"
    ):
        write(out, piece)


@contextmanager
def live(out: Console, *, quiet: bool = False) -> Iterator[Any]:
    """Gives a listener for grading events: a running line on a terminal, a line for each outcome everywhere."""
    if not out.is_terminal:
        yield lambda event: (
            None
            if quiet or not isinstance(event, CheckEnded)
            else write(out, _headline(out, event.outcome))
        )
        return
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=out,
        transient=True,
    )
    with progress:
        tasks: dict[str, Any] = {
            "name": "",
            "id": progress.add_task("preparing", total=None),
        }

        def listen(event: Event) -> None:
            match event:
                case CheckStarted(check=check):
                    tasks["name"] = check
                    progress.reset(tasks["id"], description=check)
                case Building():
                    progress.update(
                        tasks["id"], description=f"{tasks['name']}: building the image"
                    )
                case Doing(what=what):
                    progress.update(tasks["id"], description=f"{tasks['name']}: {what}")
                case Built():
                    progress.update(tasks["id"], description=tasks["name"])
                case CheckEnded(outcome=outcome):
                    if not quiet:
                        shown = Text(_headline(out, outcome))
                        _Highlighter().highlight(shown)
                        progress.console.print(shown)

        yield listen


@contextmanager
def steps(out: Console) -> Iterator[Any]:
    """Gives `tell(text)` for long work: one running line on a terminal, plain lines elsewhere."""
    if not out.is_terminal:
        yield lambda line: write(out, f"  {line}")
        return
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=out,
        transient=True,
    ) as progress:
        task = progress.add_task("", total=None)
        yield lambda line: progress.update(
            task, description=re.sub(r"[\[\]]", "", line)[: out.width - 20]
        )


def feedback(out: Console, report: Report) -> None:
    """What there is to say about the checks that did not pass, and the score; their headlines are on the screen already.

    A terminal gets the most useful one whole, and a line for each of the others.
    """
    if report.problem:
        for line in textwrap.wrap(text.clean(report.problem), width_of(out) - 2):
            write(out, f"  {line}")
    seen: dict[str, str] = {}
    outcomes = (
        []
        if report.problem
        else [outcome for outcome in report.outcomes if worth_telling(outcome)]
    )
    for number, outcome in enumerate(
        most_useful_first(outcomes, report) if out.is_terminal else outcomes
    ):
        if number and out.is_terminal:
            said = (
                outcome.feedback.observed or outcome.feedback.why
                if outcome.feedback
                else ""
            )
            line = f"  {text.MARKS[outcome.status]} {outcome.check}: {text.clean(said)}"
            write(out, text.shortened(line, width_of(out)))
            continue
        write(out, "")
        write(out, _headline(out, outcome))
        _feedback(out, outcome, seen)
        if not number and len(outcomes) > 1 and out.is_terminal:
            write(out, "")
            write(out, "Then:")
    for line in text.advice_lines(report, width_of(out)):
        write(out, line)
    write(out, "")
    for line in text.summary(report, width_of(out)):
        write(out, line)


def worth_telling(outcome: Outcome) -> bool:
    """Whether there is something to say of it that another check's feedback does not say already."""
    if outcome.status == "passed" or outcome.feedback is None:
        return False
    return not (outcome.status == "skipped" and outcome.decided_by)


def _feedback(out: Console, outcome: Outcome, seen: dict[str, str]) -> None:
    assert outcome.feedback is not None
    key = outcome.feedback.observed + outcome.feedback.detail
    if key and key in seen:
        write(out, f"      the same as at `{seen[key]}`")
        return
    seen[key] = outcome.check
    for line in text.feedback_lines(outcome, width_of(out)):
        write(out, line)


def finding(out: Console, found: Finding) -> None:
    """What was found in a folder: where and what, why it matters, and the way out."""
    where = (
        f"{text.clean(found.file)}, line {found.line}"
        if found.line
        else text.clean(found.file)
    )
    write(out, f"  ! {where}: {text.clean(found.what)}")
    for label, said in (("why", found.why), ("hint", found.way_out)):
        for line in text.labelled(label, said, width_of(out)):
            write(out, line)
