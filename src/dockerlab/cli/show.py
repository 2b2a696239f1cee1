"""What a terminal shows while checks run, and how a report looks there. Plain text without a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from rich.console import Console
from rich.highlighter import RegexHighlighter
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text
from rich.theme import Theme

from dockerlab.events import Building, Built, CheckEnded, CheckStarted, Doing, Event
from dockerlab.model import Outcome, Report
from dockerlab.reports import text

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


def write(out: Console, line: str) -> None:
    """One line, highlighted where there are colours; nothing in it is markup."""
    shown = Text(text.tame(line))
    _Highlighter().highlight(shown)
    out.print(shown)


@contextmanager
def live(out: Console, *, quiet: bool = False) -> Iterator[Any]:
    """Gives a listener for grading events: a running line on a terminal, a line for each outcome everywhere."""
    if not out.is_terminal:
        yield lambda event: (
            None if quiet or not isinstance(event, CheckEnded) else write(out, text.headline(event.outcome))
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
        tasks: dict[str, Any] = {"name": "", "id": progress.add_task("preparing", total=None)}

        def listen(event: Event) -> None:
            match event:
                case CheckStarted(check=check):
                    tasks["name"] = check
                    progress.reset(tasks["id"], description=check)
                case Building():
                    progress.update(tasks["id"], description=f"{tasks['name']}: building the image")
                case Doing(what=what):
                    progress.update(tasks["id"], description=f"{tasks['name']}: {what}")
                case Built():
                    progress.update(tasks["id"], description=tasks["name"])
                case CheckEnded(outcome=outcome):
                    if not quiet:
                        shown = Text(text.headline(outcome))
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
        yield lambda line: progress.update(task, description=re.sub(r"[\[\]]", "", line)[: out.width - 20])


def feedback(out: Console, report: Report) -> None:
    """What there is to say about the checks that did not pass, and the score; their headlines are on the screen already.

    A terminal gets the most useful one whole, and a line for each of the others.
    """
    if report.problem:
        write(out, f"  {text.clean(report.problem)}")
    seen: dict[str, str] = {}
    told = [] if report.problem else [one for one in report.outcomes if worth_telling(one)]
    for number, outcome in enumerate(sorted(told, key=usefulness) if out.is_terminal else told):
        if number and out.is_terminal:
            said = outcome.feedback.observed or outcome.feedback.why if outcome.feedback else ""
            write(out, f"  {text.MARKS[outcome.status]} {outcome.check}: {text.clean(said)}"[: max(out.width - 1, 40)])
            continue
        write(out, "")
        write(out, text.headline(outcome))
        _feedback(out, outcome, seen)
        if not number and len(told) > 1 and out.is_terminal:
            write(out, "")
            write(out, "Then:")
    for line in text.advice_lines(report):
        write(out, line)
    write(out, "")
    for line in text.summary(report):
        write(out, line)


def worth_telling(outcome: Outcome) -> bool:
    """Whether there is something to say of it that another check's feedback does not say already."""
    if outcome.status == "passed" or outcome.feedback is None:
        return False
    return not (outcome.status == "skipped" and outcome.feedback.why.startswith("It needs"))


def usefulness(outcome: Outcome) -> tuple[bool, bool]:
    """Sorts what to look at first to the front: failures before what could not be graded, those with a place before others."""
    where = outcome.feedback.where if outcome.feedback else None
    return outcome.status != "failed", where is None or not where.line


def _feedback(out: Console, outcome: Outcome, seen: dict[str, str]) -> None:
    assert outcome.feedback is not None
    key = outcome.feedback.observed + outcome.feedback.detail
    if key and key in seen:
        write(out, f"      the same as at `{seen[key]}`")
        return
    seen[key] = outcome.check
    for line in text.feedback_lines(outcome):
        write(out, line)
