"""`dockdojo class similar`: pairs of submissions that share more than chance."""

from __future__ import annotations

from pathlib import Path

import click

from dockdojo.class_.asked import Asked, read_asked
from dockdojo.class_.rows import lab_of, read_rows
from dockdojo.class_.similarity.comparison import (
    Comparison,
    given_to_all,
    handed_in,
)
from dockdojo.class_.similarity.words import FORMATS, labels_of
from dockdojo.cli import options, show
from dockdojo.cli.classes import inputs
from dockdojo.cli.classes.names import tell_names
from dockdojo.cli.options import FOLDER
from dockdojo.commands import classes
from dockdojo.course import open_course
from dockdojo.errors import UsageError
from dockdojo.events import Doing


@click.command()
@click.argument("folder", type=FOLDER, metavar="RUN")
@click.argument("sources", nargs=-1, type=FOLDER, metavar="[SOURCE]...")
@inputs.ROSTERS
@inputs.LAYOUT
@click.option(
    "--given",
    "others",
    type=FOLDER,
    multiple=True,
    metavar="FOLDER",
    help="What everybody was given besides starter and solution; taken out, too.",
)
@click.option("--anonymous", is_flag=True, help="Numbers of rows in place of names.")
@click.option(
    "--format",
    "style",
    type=click.Choice(tuple(FORMATS)),
    default="text",
    show_default=True,
    help="How it is written.",
)
@options.OUTPUT
def similar(
    folder: Path,
    sources: tuple[Path, ...],
    rosters: tuple[Path, ...],
    layout: str | None,
    others: tuple[Path, ...],
    anonymous: bool,
    style: str,
    output: Path | None,
) -> None:
    """Show pairs of submissions that share more than chance, without what everybody was given: pairs to look at, no verdicts.

    RUN has the results and no submission: those are read from the exports that it was asked for, or from SOURCE.
    """
    course, slug, rows = open_course(), lab_of(folder), read_rows(folder)
    for path in others:
        if not path.is_dir():
            raise UsageError(f"There is no folder {path}.")
    named = Asked(sources=sources, rosters=rosters, layout=layout or "")
    asked = named if sources else read_asked(folder)
    with classes.planned(asked) as plan:
        found, lost = handed_in(plan, rows)
        if not found:
            raise UsageError(
                f"Nothing of {folder} is in what was named.",
                hint="Name the same SOURCE and --roster as for `class grade`.",
            )
        comparison = Comparison(
            course=course,
            lab=course.lab(slug),
            handed_in=found,
            given=given_to_all(course, slug, others),
        )
        with show.live(show.console(stderr=True), quiet=True) as listen:
            comparison.carry_out(
                lambda number: listen(Doing(what=f"{number} of {len(found)} read"))
            )
        labels = labels_of((row.name for row in rows), anonymous=anonymous)
        text = FORMATS[style](comparison, labels)
    options.deliver(text, output, for_people=style == "text")
    tell_names({"Not in what was named": [labels[name] for name in lost]})
