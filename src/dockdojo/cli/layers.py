"""An image, layer by layer."""

from __future__ import annotations

from pathlib import Path

import click

from dockdojo.cli import columns
from dockdojo.cli.options import OUTPUT, deliver
from dockdojo.commands import explore
from dockdojo.course import open_course
from dockdojo.reports import layers as views


@click.command()
@click.argument("image")
@click.option(
    "--format",
    "style",
    type=click.Choice(tuple(views.FORMATS)),
    default="text",
    show_default=True,
    help="What to make of it.",
)
@OUTPUT
def layers(image: str, style: str, output: Path | None) -> None:
    """Show an image layer by layer: instruction, size, files added, changed and removed, and wasted bytes."""
    found = explore.look_into(open_course(), image)
    is_shown = style == "text" and output is None
    rendered = (
        views.render_text(found, columns.columns())
        if is_shown
        else views.FORMATS[style](found)
    )
    deliver(rendered, output, for_people=style == "text")
