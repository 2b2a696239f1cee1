"""Other formats of a report that was written as JSON."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from dockdojo.cli.options import FOLDER, OUTPUT, deliver, read
from dockdojo.errors import UsageError
from dockdojo.reports import FORMATS, canvas, classroom50, json, policy


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
    help="For canvas: a gradebook that was exported from Canvas.",
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
    help="For canvas: the column, as Canvas names it: Name (1234).",
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
        row = canvas.find(canvas.read_roster(read(roster)), student)
        rendered = canvas.render([(row, found)], assignment)
    elif style == "classroom50":
        known = dict(word.partition("=")[::2] for word in about)
        if unknown := sorted(set(known) - set(classroom50.ABOUT)):
            raise UsageError(
                f"--about {unknown[0]}: there is {', '.join(classroom50.ABOUT)}."
            )
        rendered = classroom50.render(found, known)
    else:
        rendered = FORMATS[style](found)
    deliver(rendered, output, for_people=style == "text")


def _time(words: str) -> datetime:
    try:
        return datetime.fromisoformat(words)
    except ValueError:
        raise UsageError(
            f"--submitted {words}: that is no time.",
            hint="For example 2026-12-02T08:00+01:00.",
        ) from None
