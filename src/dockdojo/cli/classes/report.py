"""`dockdojo class report`: the marks of a run."""

from __future__ import annotations

from pathlib import Path

import click

from dockdojo.class_ import gradebooks, marks, tables
from dockdojo.class_.records import max_score_of, read_records
from dockdojo.cli import options
from dockdojo.cli.classes.names import some
from dockdojo.cli.options import FOLDER
from dockdojo.errors import UsageError, reason_of

REPORTS = {"csv": marks.as_csv, "json": marks.as_json}


@click.command()
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
    records = read_records(folder)
    open_ones = [record.row.name for record in records if record.is_open]
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
        filled = gradebooks.fill(
            table, column, gradebooks.marks_of(records), max_score_of(records)
        )
        unmatched = filled.unmatched
        try:
            output.write_bytes(filled.table.to_bytes())
        except OSError as error:
            raise UsageError(
                f"{output} cannot be written: {reason_of(error)}."
            ) from error
        click.echo(f"{filled.count} marks are in {output}.", err=True)
    for words, names in (("Not in the gradebook", unmatched), ("Not final", open_ones)):
        if names:
            click.echo(f"{words} ({len(names)}): {some(names)}", err=True)
    return 1 if unmatched or open_ones else 0
