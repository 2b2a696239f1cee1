"""What several commands share: how a folder is named, and files that are read and written for them."""

from __future__ import annotations

from pathlib import Path

import click

from dockdojo.cli import encodings
from dockdojo.errors import UsageError, reason_of

FOLDER = click.Path(path_type=Path)
OUTPUT = click.option(
    "-o",
    "--output",
    type=FOLDER,
    metavar="FILE",
    help="Where to write it, instead of the terminal.",
)


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


def write_bytes(output: Path, raw: bytes) -> None:
    """Write a file's bytes. Raises UsageError where that cannot be."""
    try:
        output.write_bytes(raw)
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {reason_of(error)}.") from error


def show(text: str, *, for_people: bool = False) -> None:
    """Print a text as it is; what is not for people is a document, in whole Unicode."""
    click.echo(text if for_people else encodings.document(text), nl=False)


def deliver(text: str, output: Path | None, *, for_people: bool) -> None:
    """Show a text, or write it into a file and say so."""
    if output is None:
        show(text, for_people=for_people)
    else:
        write(output, text)
        click.echo(f"Written to {output}.", err=True)


def deliver_bytes(raw: bytes, output: Path | None) -> None:
    """Print bytes as they are, or write them into a file and say so."""
    if output is None:
        click.echo(raw, nl=False)
    else:
        write_bytes(output, raw)
        click.echo(f"Written to {output}.", err=True)
