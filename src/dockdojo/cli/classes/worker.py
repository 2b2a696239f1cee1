"""`dockdojo class worker`: grades beside a machine's Docker Engine, for whoever reaches the scheduler."""

from __future__ import annotations

from pathlib import Path

import click

from dockdojo.class_.cluster import expect_extra
from dockdojo.class_.engines import clean_engine
from dockdojo.class_.run import slots_here
from dockdojo.cli.classes.machines import CERTIFICATES, say


@click.command()
@click.argument("address")
@click.option(
    "--slots",
    type=click.IntRange(1, 256),
    help="Gradings at a time; as many as the machine is good for.",
)
@CERTIFICATES
def worker(address: str, slots: int | None, certificates: Path) -> None:
    """Grade on this machine's Docker Engine for the scheduler at ADDRESS, until Ctrl-C.

    What dead runs left on the engine is removed first. Whoever reaches the scheduler with its certificates runs code here.
    """
    expect_extra()
    from dockdojo.class_.cluster.services import run_worker  # the extra's
    from dockdojo.class_.cluster.worker import Machine

    clean_engine()
    run_worker(address, certificates, Machine(slots=slots or slots_here()), say)
