"""`dockdojo class regrade`: grade somebody's submission again, though nothing changed."""

from __future__ import annotations

from pathlib import Path

import click

from dockdojo.class_.asked import read_asked
from dockdojo.class_.rows import lab_of
from dockdojo.cli.classes import inputs
from dockdojo.cli.classes.grade import carry_out, exit_code
from dockdojo.cli.options import FOLDER
from dockdojo.commands import classes
from dockdojo.course import open_course
from dockdojo.grading import find_check, list_checks


@click.command()
@click.argument("folder", type=FOLDER, metavar="RUN")
@click.argument("students", nargs=-1, metavar="[STUDENT]...")
@click.option(
    "--check",
    default="",
    metavar="NAME",
    help="Only this check, and what it needs; the rest of the report stays.",
)
@inputs.SLOTS
def regrade(
    folder: Path, students: tuple[str, ...], check: str, slots: int | None
) -> int:
    """Grade again, by the exports that the run was asked for: who is named, else everybody.

    A student is named by any id of the roster, or by name. Both reports stay: `dockdojo class diff RUN` shows what changed.

    Exit code: as that of `class grade`.
    """
    lab, asked, course = lab_of(folder), read_asked(folder), open_course()
    if check:
        check = find_check(list_checks(course, lab), lab, check).name
    wanted = classes.find_wanted(folder, students)
    with classes.planned(asked) as plan:
        classes.expect_there(plan, wanted)
        ended = carry_out(
            course, lab, asked, plan, folder, slots=slots, wanted=wanted, only=check
        )
    return exit_code(folder, ended=ended, goes_on="`dockdojo class grade`")
