"""Is the machine ready, and is the course whole?"""

from __future__ import annotations

import click

from dockdojo.cli import show
from dockdojo.commands import doctor as look
from dockdojo.connection import machine
from dockdojo.course import open_course
from dockdojo.engine import client
from dockdojo.host import base_images, daemon, package_index


@click.command()
@click.option(
    "--run",
    is_flag=True,
    help="Grade every starter, solution and variant of the course, too.",
)
@click.argument("labs", nargs=-1)
def doctor(run: bool, labs: tuple[str, ...]) -> int:
    """Look whether the machine is ready and the course is whole."""
    course, out, bad = open_course(), show.console(), 0

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
            f"answers at {where.url}" if where else machine.advice(),
        )
    )
    if where is not None:
        with client.connect() as found:
            show.write(out, f"    limits of builds: {found.info().build_limits}")
        refs = tuple(image.ref for image in course.images())
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
