"""`dockdojo class report`: the marks of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from dockdojo.class_ import gradebooks, marks, overview, tables
from dockdojo.class_.comments import read_comments
from dockdojo.class_.feedback import for_students, in_a_line
from dockdojo.class_.records import Record, max_score_of, read_records
from dockdojo.class_.rows import lab_of
from dockdojo.class_.services import SERVICES, tell_service
from dockdojo.cli import options
from dockdojo.cli.classes import inputs
from dockdojo.cli.classes.names import tell_names
from dockdojo.cli.options import FOLDER
from dockdojo.errors import UsageError

REPORTS = {"csv": marks.as_csv, "json": marks.as_json}
PAGE = "html"
"""Needs to know where it will be: it has links into the run."""


@click.command()
@click.argument("folder", type=FOLDER, metavar="RUN")
@click.option(
    "--format",
    "style",
    type=click.Choice((*REPORTS, PAGE, *SERVICES)),
    help="How it is written, csv if nothing is said; or whose the gradebook must be.",
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
@click.option(
    "--feedback-column",
    "feedback",
    default="",
    metavar="TITLE",
    help="Where comments go in it; in Moodle's worksheet `Feedback comments` by itself.",
)
@inputs.RULES
@options.OUTPUT
def report(
    folder: Path,
    style: str | None,
    gradebook: Path | None,
    column: str,
    feedback: str,
    rules_file: Path | None,
    output: Path | None,
) -> int:
    """Write the marks of a run: a row for everybody, a page about the class, or your own gradebook filled in.

    A mark that does not count yet stays empty. Exit code: 1 where one does, where somebody is not in the gradebook, or where the
    rules name somebody without effect.
    """
    graded = read_records(folder)
    applied = inputs.by_rules(graded, rules_file, lab_of(folder))
    records = applied.records
    open_ones = [record.row.name for record in graded if record.is_open]
    filled: gradebooks.Filled | None = None
    if gradebook is not None:
        if style in (*REPORTS, PAGE):
            raise UsageError(f"--format {style} goes without --gradebook.")
        if output is None:
            raise UsageError("A gradebook that is filled in needs -o, a file to write.")
        table = tables.read_table(gradebook)
        filled = gradebooks.fill(
            table,
            column,
            gradebooks.marks_of(records, _comments(folder, graded)),
            max_score_of(records),
            service=tell_service(table, style or ""),
            comments=feedback,
        )
        options.write_bytes(output, filled.table.to_bytes())
        click.echo(f"{filled.count} marks are in {output}.", err=True)
        if filled.left_out:
            click.echo(
                f"Left out ({filled.left_out}): rows without a mark, of which one unknown user would cancel the import.",
                err=True,
            )
    elif style in SERVICES:
        raise UsageError(
            f"--format {style} fills in {SERVICES[style].words}.",
            hint="Name the file that was exported with --gradebook.",
        )
    elif style == PAGE:
        beside = folder if output is None else output.parent
        page = overview.as_html(records, lab_of(folder), folder, beside)
        options.deliver(page, output, for_people=False)
    else:
        options.deliver(REPORTS[style or "csv"](records), output, for_people=False)
    is_open = tell_names(
        {
            "Not in the gradebook": filled.unmatched if filled else [],
            "In several rows of it, or in another one's": (
                filled.doubtful if filled else []
            ),
            "Not final": open_ones,
            "Named in the rules without effect": applied.unused,
        }
    )
    return 1 if is_open else 0


def _comments(folder: Path, graded: Sequence[Record]) -> dict[str, str]:
    """What goes into a column of comments, by the names of the rows; without a word on hidden checks."""
    by_hand = read_comments(folder)
    return {
        record.row.name: in_a_line(
            record, [comment.text for comment in by_hand.get(record.row.name, [])]
        )
        for record in for_students(graded)
    }
