"""What several commands share: how a folder is named, and files that are read and written for them."""

from __future__ import annotations

from pathlib import Path

import click

from dockdojo.cli import encodings
from dockdojo.errors import UsageError

FOLDER = click.Path(path_type=Path)


def read(path: Path) -> str:
    """Return the text of a file. Raises UsageError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error


def write(output: Path, text: str) -> None:
    """Write a file. Raises UsageError where that cannot be."""
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}.") from error


def deliver(text: str, output: Path | None, *, for_people: bool) -> None:
    """Print a text, or write it into a file and say so. What is not for people is printed in whole Unicode."""
    if output is None:
        click.echo(text if for_people else encodings.document(text), nl=False)
    else:
        write(output, text)
        click.echo(f"Written to {output}.", err=True)
