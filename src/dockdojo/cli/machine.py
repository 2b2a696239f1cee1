"""The commands about the machine: the engine, the base images, data, wheels, and what is left behind."""

from __future__ import annotations

from pathlib import Path

import click

from dockdojo.cli.commands import FOLDER, open_the_course


@click.command()
@click.option(
    "--run",
    is_flag=True,
    help="Grade every starter, solution and variant of the course, too.",
)
@click.argument("labs", nargs=-1)
def doctor(run: bool, labs: tuple[str, ...]) -> int:
    """Look whether the machine is ready and the course is whole."""
    from dockdojo.cli import show
    from dockdojo.commands import doctor as look
    from dockdojo.connection import machine as here
    from dockdojo.engine import client
    from dockdojo.host import base_images, daemon, package_index

    course, out, bad = open_the_course(), show.console(), 0

    def tell(finding: look.Finding) -> None:
        nonlocal bad
        bad += not finding.ok
        show.write(
            out, f"  {'✓' if finding.ok else '✗'} {finding.what}: {finding.detail}"
        )

    where = daemon.answering()
    tell(
        look.Finding(
            "Docker Engine",
            where is not None,
            f"answers at {where.url}" if where else here.advice(),
        )
    )
    if where is not None:
        with client.connect() as found:
            show.write(out, f"    limits of builds: {found.info().build_limits}")
        refs = tuple(one.ref for one in course.images())
        missing = base_images.missing_images(course, refs)
        tell(
            look.Finding(
                "base images",
                not missing,
                (
                    f"missing: {', '.join(missing)}; run `dockdojo images`"
                    if missing
                    else "all here"
                ),
            )
        )
        if package_index.is_needed(course):
            runs = package_index.status()
            said = (
                f"{len(runs.wheels)} served at {runs.url}"
                if runs
                else "builds find no torch; run `dockdojo mirror up`"
            )
            tell(look.Finding("wheels", runs is not None, said))
        if stand_ins := base_images.stand_ins_here(course):
            show.write(
                out, f"    stand-ins, built on this machine: {', '.join(stand_ins)}"
            )
    for finding in look.inspect_course(course):
        tell(finding)
    if run:
        for slug in labs:
            course.lab(slug)
        with show.steps(show.console(stderr=True)) as step:
            for finding in look.self_test(course, labs or course.slugs, step):
                tell(finding)
    show.write(out, "All well." if not bad else f"{bad} finding(s).")
    return 3 if bad else 0


@click.command()
@click.option("--rebuild", is_flag=True, help="Get them again, though they are here.")
@click.option(
    "--no-pull", is_flag=True, help="Do not ask the registry: build stand-ins."
)
def images(rebuild: bool, no_pull: bool) -> None:
    """Get the base images: from the registry, or as stand-ins built here where none answers."""
    from dockdojo.cli import show
    from dockdojo.host import base_images

    with show.steps(show.console(stderr=True)) as step:
        got = base_images.get_images(
            open_the_course(),
            lambda ref, what: step(f"{ref}: {what}"),
            rebuild=rebuild,
            pull=False if no_pull else None,
        )
    for one in got:
        kind = "stand-in" if one.stand_in else "official"
        click.echo(f"{one.ref:<24} {one.size / 1e6:>7.1f} MB  {kind:<9} {one.how}")


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
    from dockdojo import datasets
    from dockdojo.cli import show
    from dockdojo.paths import state_folder

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
    from dockdojo.cli import show
    from dockdojo.host import base_images, package_index

    course = open_the_course()
    with show.steps(show.console(stderr=True)) as tell:
        base_images.get_images(course, lambda ref, what: tell(f"{ref}: {what}"))
        found = package_index.up(course, tell)
        base_images.get_images(course, lambda ref, what: tell(f"{ref}: {what}"))
    click.echo(f"{len(found.wheels)} wheels at {found.url}")


@mirror.command("down")
def mirror_down() -> None:
    """End it. The wheels stay, for the next time."""
    from dockdojo.host import package_index

    click.echo("Ended the index." if package_index.down() else "No index ran.")


@mirror.command("status")
def mirror_status() -> None:
    """Show where it is, and which wheels it has."""
    from dockdojo.host import package_index

    found = package_index.status()
    click.echo(
        f"at {found.url}"
        if found
        else "No index runs; `dockdojo mirror up` starts one."
    )
    for name in found.wheels if found else ():
        click.echo(f"  {name}")


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
    from dockdojo.cli import show
    from dockdojo.host import daemon

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
    from dockdojo.host import daemon

    click.echo(
        "Ended the engine."
        if daemon.down()
        else "dockdojo started no engine that still runs."
    )


@engine.command()
def status() -> None:
    """Show what answers: version, storage driver, builder, GPU, cgroup version, where."""
    from dockdojo.connection import machine as here
    from dockdojo.engine import client

    with client.connect() as found:
        info = found.info()
    rows = {
        "engine": f"Docker {info.version} (API {info.api_version})",
        "where": info.where,
        "storage": info.storage_driver,
        "cgroup": f"version {info.cgroup_version}",
        "builder": info.builder,
        "GPU": info.gpu,
        "started by": "dockdojo" if here.started_by_us() else "somebody else",
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
    from dockdojo import grading
    from dockdojo.engine import cleaning, client

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


ALL = (doctor, images, data, mirror, engine, clean)
