"""The whole house in one go."""

from __future__ import annotations

import click

from dockdojo.cli import show
from dockdojo.commands import demo as stage
from dockdojo.course import open_course
from dockdojo.host import base_images, daemon


@click.command()
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Also the labs that train: they take some minutes more.",
)
def demo(everything: bool) -> int:
    """See it all: bring up an engine, get the images, grade the solutions and one flawed submission."""
    course, out = open_course(), show.console()
    show.write(out, "1. The engine")
    with show.steps(out) as tell:
        up = daemon.up_for_course(tell)
    show.write(
        out,
        (
            f"  started one at {up.where} (`dockdojo engine down` ends it)"
            if up.started
            else f"  one answers at {up.where}"
        ),
    )
    show.write(out, "2. The base images")
    with show.steps(out) as tell:
        get = base_images.prepare if everything else base_images.get_images
        got = get(course, lambda ref, what: tell(f"{ref}: {what}"))
    for image in got:
        show.write(
            out,
            f"  {image.ref:<24} {image.size / 1e6:>6.1f} MB  {'stand-in' if image.stand_in else 'official'}, {image.how}",
        )
    wrong = 0
    for number, (scene, events, report_of) in enumerate(
        stage.play_all(course, everything=everything), 3
    ):
        show.write(out, f"{number}. {scene.lab}: the {scene.what}")
        with show.live(out) as listen:
            for event in events:
                listen(event)
        report = report_of()
        show.feedback(out, report)
        wrong = max(wrong, stage.verdict(scene, report))
    show.write(out, "")
    show.write(
        out,
        f"Your turn: `dockdojo start {course.slugs[0]}`, then read {course.slugs[0]}/LESSON.md.",
    )
    return wrong
