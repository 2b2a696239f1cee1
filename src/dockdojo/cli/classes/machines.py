"""What the commands for several machines share."""

from __future__ import annotations

import click

from dockdojo.cli.options import FOLDER

CERTIFICATES = click.option(
    "--certificates",
    type=FOLDER,
    required=True,
    metavar="DIR",
    help="What `dockdojo class certificates` made.",
)


def say(text: str) -> None:
    """Print a line about machines, beside what a command prints."""
    click.echo(f"dockdojo: {text}", err=True)
