"""`dockdojo class grade`: who is graded with what, and the run."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import cast

import click

from dockdojo.class_.asked import Asked
from dockdojo.class_.plan import Plan, Which
from dockdojo.class_.rows import read_rows
from dockdojo.class_.run import Control
from dockdojo.cli import show
from dockdojo.cli.classes import inputs
from dockdojo.cli.classes.machines import say
from dockdojo.cli.classes.plans import left_over, plan_in_words
from dockdojo.cli.classes.progress import Progress
from dockdojo.cli.options import FOLDER
from dockdojo.commands import classes
from dockdojo.course import Course, open_course
from dockdojo.errors import UsageError
from dockdojo.events import Doing, Event

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
@inputs.ROSTERS
@inputs.LAYOUT
@inputs.SLOTS
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
    asked = Asked(
        sources=sources,
        rosters=rosters,
        layout=layout or "",
        which=cast(Which, which),
        due=due,
    )
    with classes.planned(asked) as plan:
        if dry_run or folder is None:
            for line in plan_in_words(plan, classes.look_at(course, lab, plan)):
                out.print(line, markup=False, highlight=False, soft_wrap=True)
            return 1 if plan.strays else 0
        ended = carry_out(
            course, lab, asked, plan, folder, slots=slots, scheduler=machines
        )
        for line in left_over(plan):
            out.print(line, markup=False, highlight=False, soft_wrap=True)
    return exit_code(folder, ended=ended, has_strays=bool(plan.strays))


def carry_out(
    course: Course,
    lab: str,
    asked: Asked,
    plan: Plan,
    folder: Path,
    *,
    slots: int | None,
    wanted: frozenset[str] | None = None,
    only: str = "",
    scheduler: classes.Scheduler | None = None,
) -> bool:
    """Grade what has to be, and show how it goes; see `commands.classes.grade_class`. Return whether it came to its end."""
    control = Control()
    chosen = sum(row.chosen is not None for row in plan.rows)
    total = chosen if wanted is None else len(wanted)
    progress = Progress(show.console(), total, control, folder)
    with progress.shown():
        return classes.grade_class(
            course,
            lab,
            asked,
            plan,
            folder,
            slots=slots or 0,
            tell=progress.tell,
            listen=_tell_fetched,
            control=control,
            wanted=wanted,
            only=only,
            scheduler=scheduler,
        )


def _tell_fetched(event: Event) -> None:
    """Tell, before anything is graded, what is fetched for it."""
    if isinstance(event, Doing):
        click.echo(event.what, err=True)


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


def exit_code(
    folder: Path,
    *,
    ended: bool,
    has_strays: bool = False,
    goes_on: str = "the same command",
) -> int:
    """Return what a run ends with, and say what goes on with it where it was stopped."""
    if not ended:
        click.echo(f"dockdojo: stopped; {goes_on} goes on.", err=True)
        return 130
    counts = all(
        row.state in ("done", "refused", "missing") for row in read_rows(folder)
    )
    return 0 if counts and not has_strays else 1
