"""`dockdojo class why`: why somebody's submission was graded when it was, and whether it would be now."""

from __future__ import annotations

from pathlib import Path

import click

from dockdojo.class_ import depends
from dockdojo.class_.find import find_row
from dockdojo.class_.history import in_words, report_of
from dockdojo.class_.rows import Result, lab_of, opened, read_rows, results_of
from dockdojo.cli.options import FOLDER
from dockdojo.commands import classes
from dockdojo.course import open_course
from dockdojo.reports.text import clean, tame


@click.command()
@click.argument("folder", type=FOLDER, metavar="RUN")
@click.argument("student")
def why(folder: Path, student: str) -> None:
    """Tell when somebody's submission was graded, what had changed each time, and whether it would be graded now."""
    row = find_row(read_rows(folder), student)
    click.echo(
        tame(clean(f"{row.name}: {row.state}{f', {row.reason}' if row.reason else ''}"))
    )
    with opened(folder) as database:
        results = results_of(database, row.name)
    before: Result | None = None
    for result in results:
        report = report_of(folder, result)
        mark = f"{report.score}/{report.max_score}" if report else "refused"
        words = f"attempt {result.attempt}, {result.ended:%Y-%m-%d %H:%M} UTC, {mark}"
        if before is not None:
            changed = depends.what_changed(before.depends, result.depends)
            words += f"; what had changed: {in_words(changed)}"
        click.echo(f"  {words}")
        before = result
    if before is None:
        return
    now = classes.depends_now(open_course(), lab_of(folder), before.depends)
    changed = [
        name
        for name in depends.what_changed(before.depends, now)
        if name not in ("submission", "engine")
    ]
    click.echo(
        f"Graded now, it would be because of {in_words(changed)}."
        if changed
        else "Nothing that it depends on changed since, but perhaps what was handed in, or the engine: `class grade` looks."
    )
