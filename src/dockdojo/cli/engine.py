"""The Docker Engine, and what was left behind on it."""

from __future__ import annotations

import click

from dockdojo import grading
from dockdojo.cli import show
from dockdojo.connection import machine
from dockdojo.engine import cleaning, client
from dockdojo.host import daemon


@click.group()
def engine() -> None:
    """The Docker Engine: bring one up, end it, see what answers."""


@engine.command()
@click.option(
    "--install",
    is_flag=True,
    help="Install the distribution's package first, where none is (Debian and Ubuntu, as root).",
)
@click.option(
    "--simulate-gpu",
    "gpus",
    type=int,
    is_flag=False,
    flag_value=2,
    default=0,
    metavar="[N]",
    help="Have it grant N (2) SIMULATED GPUs; an engine that dockdojo started without them is started anew.",
)
def up(install: bool, gpus: int) -> None:
    """Make sure that an engine answers; start one where none does."""
    with show.steps(show.console(stderr=True)) as tell:
        done = daemon.up(install=install, tell=tell, simulate_gpus=gpus)
    click.echo(
        f"Started an engine at {done.where}; its log is {done.log}."
        if done.started
        else f"An engine answers at {done.where}."
    )
    if done.simulated_gpus:
        click.echo(
            f"It grants {done.simulated_gpus} SIMULATED GPUs: `docker run --gpus all IMAGE nvidia-smi`."
        )


@engine.command()
def down() -> None:
    """End the engine that `dockdojo engine up` started, and no other."""
    click.echo(
        "Ended the engine."
        if daemon.down()
        else "dockdojo started no engine that still runs."
    )


@engine.command()
def status() -> None:
    """Show what answers: version, storage driver, builder, GPU, cgroup version, where."""
    with client.connect() as found:
        info = found.info()
    rows = {
        "engine": f"Docker {info.version} (API {info.api_version})",
        "where": info.where,
        "storage": info.storage_driver,
        "cgroup": f"version {info.cgroup_version}",
        "builder": info.builder,
        "GPU": info.gpu,
        "started by": "dockdojo" if machine.started_by_us() else "somebody else",
        "builds": info.build_limits,
    }
    for name, value in rows.items():
        click.echo(f"{name:<11} {value}")


@click.command()
@click.option(
    "--all",
    "everyone",
    is_flag=True,
    help="Also what runs of dockdojo that still go on have made.",
)
@click.option(
    "--cache",
    is_flag=True,
    help="Also the engine's build cache and cache mounts, whoever's builds filled them.",
)
def clean(everyone: bool, cache: bool) -> None:
    """Remove what runs left behind that were killed. Never touches what others made, but for --cache."""
    with client.connect() as found:
        freed = cleaning.clean_build_cache(found.api) if cache else 0
        gone = (
            found.clean(keep=lambda labels: False) if everyone else found.clean_dead()
        )
    gone["folders"] = grading.clean_folders(everyone=everyone)
    said = ", ".join(f"{count} {name}" for name, count in gone.items() if count)
    click.echo(f"Removed {said}." if said else "Nothing was left behind.")
    if cache:
        click.echo(f"The build cache is empty: {freed / 1e6:,.0f} MB are free again.")
