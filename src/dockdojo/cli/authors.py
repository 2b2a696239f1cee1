"""What instructors and authors do: hand out an assignment, begin a new lab."""

from __future__ import annotations

import os
from pathlib import Path

import click

from dockdojo import scaffold
from dockdojo.cli.options import FOLDER
from dockdojo.course import open_course
from dockdojo.export import STYLES, release, write


@click.command()
@click.argument("lab")
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option(
    "--style",
    type=click.Choice(STYLES),
    default="plain",
    show_default=True,
    help="Who grades a push.",
)
@click.option(
    "--package",
    "packages",
    multiple=True,
    metavar="SPEC",
    help="What grades: NAME==VERSION with --hash=sha256:…, a wheel's URL or path; else this release. Can be repeated.",
)
def export(lab: str, folder: Path, style: str, packages: tuple[str, ...]) -> None:
    """Write an assignment repository: lesson, starter, and what grades it. Solutions and graders stay here."""
    lines = release.requirement_lines(packages)
    written = write.export(open_course(), lab, folder, style, lines)
    click.echo(
        f"{folder} has {len(written)} files. It grades itself with: bash {folder / 'tests' / 'grading.sh'}"
    )
    for line in lines.splitlines():
        click.echo(f"It installs {line}")
        if " @ file:" in line:
            click.echo(
                "  That wheel lies on this machine alone. For others: --package URL-OF-A-WHEEL",
                err=True,
            )


@click.command()
@click.argument("lab")
def new(lab: str) -> None:
    """Begin a new lab that the self-test accepts, in the course named with --course; that is made where it is not there."""
    named = os.environ.get("DOCKDOJO_COURSE")
    root = Path(named) if named else open_course().root
    for path in scaffold.new_lab(root, lab):
        click.echo(f"  {path}")
    course = f" --course {named}" if named else ""
    click.echo(f"Try it: dockdojo{course} doctor --run {lab}")
