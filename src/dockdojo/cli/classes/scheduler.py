"""`dockdojo class scheduler`: where workers and runs meet."""

from __future__ import annotations

from pathlib import Path

import click

from dockdojo.class_.cluster import expect_extra
from dockdojo.cli.classes.machines import CERTIFICATES, say


@click.command()
@click.option(
    "--address",
    default="tls://127.0.0.1:8786",
    show_default=True,
    help="Where it listens. Another machine reaches it only where you name an address of this one.",
)
@CERTIFICATES
def scheduler(address: str, certificates: Path) -> None:
    """Run the scheduler to which workers and `class grade --scheduler` connect, until Ctrl-C.

    It keeps nothing: when it dies, start it again, and the run goes on.
    """
    expect_extra()
    from dockdojo.class_.cluster.services import run_scheduler  # the extra's

    run_scheduler(address, certificates, say)
