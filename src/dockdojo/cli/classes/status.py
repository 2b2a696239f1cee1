"""`dockdojo class status`: how far a run is."""

from __future__ import annotations

from pathlib import Path

import click

from dockdojo.class_ import marks
from dockdojo.class_.records import read_records
from dockdojo.class_.rows import read_rows
from dockdojo.cli import options
from dockdojo.cli.classes.names import some
from dockdojo.cli.options import FOLDER
from dockdojo.reports.text import clean, tame


@click.command()
@click.argument("folder", type=FOLDER, metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(folder: Path, as_json: bool) -> None:
    """Show how far a run is: who is done, who is not final and why, and who handed nothing in."""
    if as_json:
        options.show(marks.as_json(read_records(folder)))
        return
    rows = read_rows(folder)
    states = dict.fromkeys(row.state for row in rows)
    for state in states:
        names = [row.name for row in rows if row.state == state]
        click.echo(f"{state:10} {len(names):5}  {some(names)}")
    for row in rows:
        if row.state in ("not final", "refused"):
            click.echo(tame(clean(f"{row.name}: {row.reason}")))
