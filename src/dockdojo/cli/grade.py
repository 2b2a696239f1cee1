"""Grading a submission, and what is asked of one."""

from __future__ import annotations

from pathlib import Path

import click

from dockdojo import grading
from dockdojo.cli import options, show
from dockdojo.cli.options import FOLDER, OUTPUT, write
from dockdojo.course import open_course
from dockdojo.errors import UsageError
from dockdojo.reports import FORMATS, redaction
from dockdojo.reports import rubric as rubrics


@click.command()
@click.argument("lab")
@click.argument("folder", type=FOLDER)
@click.option(
    "--format",
    "style",
    type=click.Choice(tuple(FORMATS)),
    default="text",
    show_default=True,
    help="How the report is written.",
)
@OUTPUT
@click.option(
    "--student",
    "for_students",
    is_flag=True,
    help="The student's report: nothing of hidden checks but their points.",
)
@click.option(
    "--picture",
    is_flag=True,
    help="Look into the image's layers, too; html always does.",
)
@click.option(
    "--seed",
    default="",
    metavar="TEXT",
    help="Draw the same inputs as the report that has this seed.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="CHECK",
    help="Carry out this check and what it needs; again for more. That is no mark.",
)
def grade(
    lab: str,
    folder: Path,
    style: str,
    output: Path | None,
    for_students: bool,
    picture: bool,
    seed: str,
    only: tuple[str, ...],
) -> int:
    """Grade the submission in a folder. Exit code: 0 full marks, 1 some check failed, 2 usage, 3 our fault."""
    if output is not None and not output.parent.is_dir():
        raise UsageError(
            f"There is no folder {output.parent} to write the report into."
        )
    if only and (style != "text" or output is not None):
        raise UsageError(
            "Some checks alone are no mark.",
            hint="--only prints its report as text, and nowhere else.",
        )
    course = open_course()
    checks = grading.list_checks(course, lab) if only else []
    names = [grading.find_check(checks, lab, name).name for name in only]
    with show.live(show.console(stderr=True), quiet=True) as listen:
        report = grading.grade(
            lab,
            folder,
            course=course,
            listen=listen,
            picture=picture or style == "html",
            seed=seed,
            only=names or None,
        )
    if for_students:
        report = redaction.for_student(report)
    rendered = FORMATS[style](report)
    if output is not None:
        write(output, rendered)
        word = "" if report.final else "not final: "
        click.echo(
            f"{word}{report.score}/{report.max_score} points; the report is in {output}.",
            err=True,
        )
    else:
        options.show(rendered, for_people=style == "text")
    if only:
        click.echo(
            f"That was {len(report.outcomes)} of {len(checks)} checks, which gives no mark."
        )
    return report.exit_code


@click.command()
@click.argument("lab")
@click.option(
    "--format",
    "style",
    type=click.Choice(tuple(rubrics.FORMATS)),
    default="text",
    show_default=True,
    help="How it is written.",
)
def rubric(lab: str, style: str) -> None:
    """Show what a lab's checks ask, what each is worth, which others it needs, and how many hints there are."""
    course = open_course()
    checks = grading.list_checks(course, lab)
    options.show(rubrics.FORMATS[style](course.lab(lab), checks))
