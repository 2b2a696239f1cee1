"""Other formats of a report that was written as JSON."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from dockdojo.class_ import gradebooks, services, tables
from dockdojo.cli.options import FOLDER, OUTPUT, deliver, deliver_bytes, read
from dockdojo.errors import UsageError
from dockdojo.model import Report
from dockdojo.reports import FORMATS, classroom50, json, policy


@click.command()
@click.argument("report", type=FOLDER)
@click.option(
    "--format",
    "style",
    type=click.Choice((*FORMATS, "canvas")),
    required=True,
    help="What to make of it.",
)
@OUTPUT
@click.option(
    "--roster",
    type=FOLDER,
    metavar="CSV",
    help="For canvas: the gradebook that Canvas exported; it comes back filled in.",
)
@click.option(
    "--student",
    metavar="ID",
    default="",
    help="Whose report it is: an id of the roster, and of the rules.",
)
@click.option(
    "--marks",
    "rules",
    type=FOLDER,
    metavar="TOML",
    help="Late days, most points, scale, changes by hand.",
)
@click.option(
    "--submitted",
    metavar="TIME",
    default="",
    help="When it was handed in: 2026-12-02T08:00+01:00.",
)
@click.option(
    "--assignment",
    metavar="NAME",
    default="",
    help="For canvas: the column, as Canvas names it, or its number; the lab's title otherwise.",
)
@click.option(
    "--about",
    multiple=True,
    metavar="KEY=VALUE",
    help="For classroom50: classroom, owner, commit and so on.",
)
def convert(
    report: Path,
    style: str,
    output: Path | None,
    roster: Path | None,
    student: str,
    rules: Path | None,
    submitted: str,
    assignment: str,
    about: tuple[str, ...],
) -> None:
    """Make another format of a report that was written with `--format json`."""
    found = json.parse(read(report))
    if rules is not None:
        found = policy.apply(
            found,
            policy.parse(read(rules), str(rules)),
            student=student,
            submitted=_time(submitted) if submitted else None,
        )
    if style == "canvas":
        if roster is None:
            raise UsageError(
                "`--format canvas` needs `--roster`.",
                hint="Export the gradebook from Canvas.",
            )
        deliver_bytes(_canvas(found, roster, student, assignment), output)
        return
    if style == "classroom50":
        known = dict(word.partition("=")[::2] for word in about)
        if unknown := sorted(set(known) - set(classroom50.ABOUT)):
            raise UsageError(
                f"--about {unknown[0]}: there is {', '.join(classroom50.ABOUT)}."
            )
        rendered = classroom50.render(found, known)
    else:
        rendered = FORMATS[style](found)
    deliver(rendered, output, for_people=style == "text")


def _canvas(report: Report, gradebook: Path, student: str, assignment: str) -> bytes:
    """The gradebook with the mark in it. Raises UsageError where the student is not found, or several are."""
    table = tables.read_table(gradebook)
    service = services.tell_service(table, "canvas")
    mark = gradebooks.Mark(
        ids=dict.fromkeys(service.kinds, student),
        score=report.score if report.final else None,
    )
    filled = gradebooks.fill(
        table, assignment or report.title, [mark], report.max_score, service=service
    )
    if filled.unmatched or filled.doubtful:
        word = "nobody" if filled.unmatched else "several students"
        raise UsageError(
            f"{table.name} has {word} with the id {student!r}.",
            hint="Ids are in ID, SIS User ID, SIS Login ID.",
        )
    return filled.table.to_bytes()


def _time(words: str) -> datetime:
    try:
        return datetime.fromisoformat(words)
    except ValueError:
        raise UsageError(
            f"--submitted {words}: that is no time.",
            hint="For example 2026-12-02T08:00+01:00.",
        ) from None
