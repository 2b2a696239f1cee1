"""`dockdojo class grade`: who is graded with what, and the run."""

from __future__ import annotations

import threading
from datetime import datetime
from pathlib import Path
from typing import cast

import click

from dockdojo.class_.layouts import LAYOUTS
from dockdojo.class_.plan import Plan, Row, Which
from dockdojo.class_.rows import read_rows
from dockdojo.class_.run import Told
from dockdojo.cli import show
from dockdojo.cli.classes.machines import say
from dockdojo.cli.classes.names import some
from dockdojo.cli.options import FOLDER
from dockdojo.commands import classes
from dockdojo.course import open_course
from dockdojo.errors import UsageError

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
DUE_FORMATS = ("%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d")


@click.command()
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
    "--scheduler",
    metavar="ADDRESS",
    help="Grade on the machines of a scheduler, such as tls://10.0.0.1:8786.",
)
@click.option(
    "--certificates",
    type=FOLDER,
    metavar="DIR",
    help="What `dockdojo class certificates` made, for --scheduler.",
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
    scheduler: str | None,
    certificates: Path | None,
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
    machines = _machines(scheduler, certificates)
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
                course,
                lab,
                plan,
                folder,
                slots=slots or 0,
                tell=tell,
                listen=listen,
                scheduler=machines,
            )
        for line in _left_over(plan):
            out.print(line, markup=False, highlight=False, soft_wrap=True)
    if not ended:
        click.echo("dockdojo: stopped; the same command goes on.", err=True)
        return 130
    counts = all(
        row.state in ("done", "refused", "missing") for row in read_rows(folder)
    )
    return 0 if counts and not plan.strays else 1


def _machines(address: str | None, folder: Path | None) -> classes.Scheduler | None:
    """Where several machines are, if they are named. Raises UsageError where one of the two options lacks the other."""
    if (address is None) != (folder is None):
        raise UsageError(
            "--scheduler and --certificates go together.",
            hint="`dockdojo class certificates DIR` makes them.",
        )
    if address is None or folder is None:
        return None
    return classes.Scheduler(address=address, certificates=folder, say=say)


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
        lines.append(f"Nothing handed in ({len(names)}): {some(names)}")
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
