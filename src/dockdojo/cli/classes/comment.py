"""`dockdojo class comment`: what an instructor writes by hand."""

from __future__ import annotations

from pathlib import Path

import click

from dockdojo.class_ import comments
from dockdojo.class_.find import find_row
from dockdojo.class_.journal import Journal
from dockdojo.class_.rows import lab_of, read_rows
from dockdojo.cli.options import FOLDER
from dockdojo.errors import UsageError
from dockdojo.reports.text import clean


@click.command()
@click.argument("folder", type=FOLDER, metavar="RUN")
@click.argument("student", default="")
@click.argument("text", default="")
@click.option(
    "--remove",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="Take the comment of this number away.",
)
def comment(folder: Path, student: str, text: str, remove: int | None) -> None:
    """Comment on what a student handed in, who is named by an id or a full name; without TEXT, list the comments.

    Comments stay when something is graded again, and are in the feedback. One on a group's work is the group's.
    """
    if not text and remove is None:
        only = find_row(read_rows(folder), student).name if student else ""
        for name, found in comments.read_comments(folder).items():
            for it in found if only in ("", name) else ():
                click.echo(
                    f"{it.number:4}  {it.at:%Y-%m-%d %H:%M}  {name}: {clean(it.text)}"
                )
        return
    if text and remove is not None:
        raise UsageError("A comment is either written or removed.")
    row = find_row(read_rows(folder), student)
    with Journal(folder, lab_of(folder)) as journal:
        if remove is None:
            number = comments.add(journal, row.name, text)
            click.echo(f"Comment {number} on {row.name} is kept.", err=True)
        else:
            comments.remove(journal, row.name, remove)
            click.echo(f"Comment {remove} on {row.name} is removed.", err=True)
