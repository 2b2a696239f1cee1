"""`dockdojo class certificates`: who may take part where a class is graded on several machines."""

from __future__ import annotations

from pathlib import Path

import click

from dockdojo.class_.cluster import expect_extra
from dockdojo.cli.options import FOLDER


@click.command()
@click.argument("folder", type=FOLDER, metavar="DIR")
def certificates(folder: Path) -> None:
    """Make certificates for a scheduler, its workers and you, in a new folder.

    Each machine needs ca.pem and the two files of its role, and no more. Whoever has them runs code on your workers.
    """
    expect_extra()
    from dockdojo.class_.cluster.certificates import make_certificates  # the extra's

    for path in make_certificates(folder):
        click.echo(path)
