"""A class on the command line: who is graded with what, the run, and how far it is."""

from __future__ import annotations

import json
import threading
from datetime import datetime
from pathlib import Path
from typing import cast

import click

from dockdojo.class_ import gradebooks, tables
from dockdojo.class_.journal import Journal, Submission
from dockdojo.class_.layouts import LAYOUTS
from dockdojo.class_.plan import Plan, Row, Which
from dockdojo.class_.run import Told
from dockdojo.cli import options, show
from dockdojo.cli.options import FOLDER
from dockdojo.commands import classes
from dockdojo.course import open_course
from dockdojo.errors import UsageError
from dockdojo.reports import json as json_report

SIGNS = {
    "done": "✓",
    "same": "✓",
    "unchanged": "=",
    "refused": "✗",
    "fault": "!",
    "not final": "!",
    "begun": "…",
}
WORDS = {
    "same": "as another one's",
    "unchanged": "unchanged",
    "refused": "may not be graded",
    "fault": "our fault, tried again",
    "not final": "not final",
}
MAX_SHOWN = 20
"""Names of one kind that are listed in a line."""
REPORTS = {"csv": gradebooks.as_csv, "json": gradebooks.as_json}
DUE_FORMATS = ("%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d")


@click.group(name="class", context_settings={"help_option_names": ["-h", "--help"]})
def class_() -> None:
    """Grade a whole class from what a service exported."""


@class_.command()
@click.argument("lab")
@click.argument("sources", nargs=-1, type=FOLDER, metavar="SOURCE...")
@click.option(
    "--to",
    "folder",
    type=FOLDER,
    metavar="RUN",
    help="The folder of the run; named again, it goes on.",
)
@click.option(
    "--roster",
    "rosters",
    type=FOLDER,
    multiple=True,
    metavar="FILE",
    help="Who is in the class: a roster or gradebook; again for more.",
)
@click.option(
    "--layout",
    type=click.Choice(tuple(LAYOUTS)),
    help="How SOURCE is laid out, where that cannot be told.",
)
@click.option(
    "--slots",
    type=click.IntRange(1, 256),
    help="Gradings at a time; as many as the machine is good for.",
)
@click.option(
    "--due",
    type=click.DateTime(DUE_FORMATS),
    metavar="TIME",
    help="When it was due, such as 2026-11-30 23:59, in UTC.",
)
@click.option(
    "--which",
    type=click.Choice(("in-time", "last")),
    default="in-time",
    show_default=True,
    help="Of several hand-ins: the last before the due date, or the last.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Show who would be graded with what, and grade nothing.",
)
def grade(
    lab: str,
    sources: tuple[Path, ...],
    folder: Path | None,
    rosters: tuple[Path, ...],
    layout: str | None,
    slots: int | None,
    due: datetime | None,
    which: str,
    dry_run: bool,
) -> int:
    """Grade the submissions of a class, as a service exported them. The same command goes on where it was stopped.

    Exit code: 0 everybody's mark counts, 1 some do not count yet or somebody is unknown, 2 usage, 3 our fault, 130 stopped.
    """
    course = open_course()
    course.lab(lab)
    if folder is None and not dry_run:
        raise UsageError(
            "Where shall the results go?",
            hint="Name a folder with --to, or look first with --dry-run.",
        )
    out = show.console()
    with classes.planned(
        sources, rosters, layout=layout or "", which=cast(Which, which), due=due
    ) as plan:
        if dry_run or folder is None:
            for line in _plan_in_words(plan):
                out.print(line, markup=False, highlight=False, soft_wrap=True)
            return 1 if plan.strays else 0
        printing = threading.Lock()
        total = sum(row.chosen is not None for row in plan.rows)
        count = 0

        def tell(told: Told) -> None:
            nonlocal count
            with printing:
                count += told.what not in ("begun", "fault")
                if told.what != "begun":
                    line = _in_words(told, count, total)
                    out.print(line, markup=False, highlight=False, soft_wrap=True)

        with show.live(show.console(stderr=True), quiet=True) as listen:
            ended = classes.grade_class(
                course, lab, plan, folder, slots=slots or 0, tell=tell, listen=listen
            )
        for line in _left_over(plan):
            out.print(line, markup=False, highlight=False, soft_wrap=True)
    if not ended:
        click.echo("dockdojo: stopped; the same command goes on.", err=True)
        return 130
    with Journal(folder, lab) as journal:
        counts = all(
            row.state in ("done", "refused", "missing") for row in journal.submissions()
        )
    return 0 if counts and not plan.strays else 1


@class_.command()
@click.argument("folder", type=FOLDER, metavar="RUN")
@click.option(
    "--format",
    "style",
    type=click.Choice(tuple(REPORTS)),
    default="csv",
    show_default=True,
    help="How it is written.",
)
@click.option(
    "--gradebook",
    type=FOLDER,
    metavar="FILE",
    help="The file that your gradebook exported; it comes back filled in, instead.",
)
@click.option(
    "--column",
    default="",
    metavar="TITLE",
    help="Where the marks go in it: an assignment's title or number.",
)
@options.OUTPUT
def report(
    folder: Path, style: str, gradebook: Path | None, column: str, output: Path | None
) -> int:
    """Write the marks of a run: a row for everybody, or your own gradebook filled in.

    A mark that does not count yet stays empty. Exit code: 1 where one does, or where somebody is not in the gradebook.
    """
    records = [_record(folder, row) for row in Journal.read(folder)]
    open_ones = [
        str(record["name"])
        for record in records
        if record["state"] in ("not final", "waiting", "running")
    ]
    unmatched: list[str] = []
    if gradebook is None:
        text = REPORTS[style](records)
        options.deliver(text, output, for_people=False)
    else:
        if output is None or not column:
            raise UsageError(
                "A gradebook that is filled in needs --column, the assignment's title, and -o, a file to write."
            )
        table = tables.read_table(gradebook)
        marks = gradebooks.marks_of(records)
        filled = gradebooks.fill(table, column, marks, gradebooks.max_score_of(records))
        unmatched = filled.unmatched
        try:
            output.write_bytes(filled.table.to_bytes())
        except OSError as error:
            raise UsageError(
                f"{output} cannot be written: {error.strerror}."
            ) from error
        click.echo(f"{filled.count} marks are in {output}.", err=True)
    for words, names in (("Not in the gradebook", unmatched), ("Not final", open_ones)):
        if names:
            click.echo(f"{words} ({len(names)}): {_some(names)}", err=True)
    return 1 if unmatched or open_ones else 0


@class_.command()
@click.argument("folder", type=FOLDER, metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(folder: Path, as_json: bool) -> None:
    """Show how far a run is: who is done, who is not final and why, and who handed nothing in."""
    rows = Journal.read(folder)
    if as_json:
        options.show(
            f"{json.dumps([_record(folder, row) for row in rows], indent=2)}\n"
        )
        return
    states = dict.fromkeys(row.state for row in rows)
    for state in states:
        names = [row.name for row in rows if row.state == state]
        click.echo(f"{state:10} {len(names):5}  {_some(names)}")
    for row in rows:
        if row.state in ("not final", "refused"):
            click.echo(f"{row.name}: {row.reason}")


def _record(folder: Path, row: Submission) -> dict[str, object]:
    found: dict[str, object] = {
        "name": row.name,
        "people": row.people,
        "state": row.state,
        "reason": row.reason,
        "attempts": row.attempt,
    }
    if row.state == "done":
        report = json_report.parse(Journal.read_report(folder, row.report))
        found |= {"score": report.score, "max_score": report.max_score}
    return found


def _in_words(told: Told, count: int, total: int) -> str:
    points = f"{told.score}/{told.max_score}" if told.max_score else ""
    words = WORDS.get(told.what, "")
    about = ": ".join(part for part in (words, told.reason) if part)
    return f"{SIGNS[told.what]} {count:>{len(str(total))}}/{total}  {points:>9}  {told.name}{f'  ({about})' if about else ''}"


def _plan_in_words(plan: Plan) -> list[str]:
    lines = [
        f"{_people(row)}  ←  {row.chosen.hand_in.label}  ({row.chosen.source.layout.service}"
        + (", late" if row.chosen.hand_in.is_late else "")
        + (f", {len(row.others)} earlier left" if row.others else "")
        + ")"
        for row in plan.rows
        if row.chosen
    ]
    return [*lines, *_left_over(plan)]


def _left_over(plan: Plan) -> list[str]:
    lines = []
    if plan.missing:
        names = [_people(row) for row in plan.missing]
        lines.append(f"Nothing handed in ({len(names)}): {_some(names)}")
    lines += [f"{_people(row)}: {row.problem}" for row in plan.rows if row.problem]
    lines += [
        f"Nobody's: `{stray.candidate.hand_in.label}`, {stray.reason}."
        for stray in plan.strays
    ]
    return lines


def _people(row: Row) -> str:
    return " + ".join(
        (
            f"{person.name} ({person.key})"
            if person.name and person.name != person.key
            else person.key
        )
        for person in row.people
    )


def _some(names: list[str]) -> str:
    rest = len(names) - MAX_SHOWN
    return ", ".join(names[:MAX_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
