"""What labs need of the machine: base images, digits, wheels."""

from __future__ import annotations

from pathlib import Path

import click

from dockdojo import datasets
from dockdojo.cli import show
from dockdojo.cli.options import FOLDER
from dockdojo.course import open_course
from dockdojo.host import base_images, package_index
from dockdojo.paths import state_folder


@click.command()
@click.option("--rebuild", is_flag=True, help="Get them again, though they are here.")
@click.option(
    "--no-pull", is_flag=True, help="Do not ask the registry: build stand-ins."
)
def images(rebuild: bool, no_pull: bool) -> None:
    """Get the base images: from the registry, or as stand-ins built here where none answers."""
    with show.steps(show.console(stderr=True)) as step:
        got = base_images.get_images(
            open_course(),
            lambda ref, what: step(f"{ref}: {what}"),
            rebuild=rebuild,
            pull=False if no_pull else None,
        )
    for image in got:
        kind = "stand-in" if image.stand_in else "official"
        click.echo(
            f"{image.ref:<24} {image.size / 1e6:>7.1f} MB  {kind:<9} {image.how}"
        )


@click.command()
@click.option(
    "--from",
    "source",
    type=FOLDER,
    metavar="DIR",
    help="A folder that has MNIST (else: MNIST_ROOT, a mirror, a stand-in).",
)
@click.option(
    "--to",
    "target",
    type=FOLDER,
    metavar="DIR",
    help="Where to make it; torchvision is given this folder.",
)
@click.option(
    "--limit", metavar="train=N,test=M", help="So many images, the same ones each time."
)
def data(source: Path | None, target: Path | None, limit: str | None) -> None:
    """Prepare handwritten digits for the labs that train: MNIST, or a stand-in where it cannot be had."""
    with show.steps(show.console(stderr=True)) as tell:
        made = datasets.prepare(
            target or state_folder() / "data" / "mnist",
            source=source,
            limit=datasets.limits(limit),
            tell=tell,
        )
    click.echo(
        f"{made.source}: {made.train} images to train, {made.test} to test, in {made.root}"
    )


@click.group()
def mirror() -> None:
    """Wheels for builds, on machines where no index can be reached from a container."""


@mirror.command("up")
def mirror_up() -> None:
    """Fetch the course's wheels and serve them; the stand-in images are told where."""
    course = open_course()
    with show.steps(show.console(stderr=True)) as tell:
        base_images.get_images(course, lambda ref, what: tell(f"{ref}: {what}"))
        found = package_index.up(course, tell)
        base_images.get_images(course, lambda ref, what: tell(f"{ref}: {what}"))
    click.echo(f"{len(found.wheels)} wheels at {found.url}")


@mirror.command("down")
def mirror_down() -> None:
    """End it. The wheels stay, for the next time."""
    click.echo("Ended the index." if package_index.down() else "No index ran.")


@mirror.command("status")
def mirror_status() -> None:
    """Show where it is, and which wheels it has."""
    found = package_index.status()
    click.echo(
        f"at {found.url}"
        if found
        else "No index runs; `dockdojo mirror up` starts one."
    )
    for name in found.wheels if found else ():
        click.echo(f"  {name}")
