"""The commands. Each says what it does in its docstring, which is its `--help`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

FORMAT_NAMES = ("text", "json")
"""The keys of reports.FORMATS, known here without importing them."""
FOLDER = click.Path(path_type=Path)


def print_version(context: click.Context, option: click.Parameter, value: bool) -> None:
    """--version."""
    if value and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"dockerlab {version('dockerlab')}")
        context.exit()


def _course() -> Any:
    from dockerlab.course import open_course

    return open_course()


@click.command("list")
def list_labs() -> None:
    """List the labs, in the order of the course."""
    course = _course()
    click.echo(course.title)
    labs = [course.lab(slug) for slug in course.slugs]
    width = max((len(lab.slug) for lab in labs), default=0)
    for number, lab in enumerate(labs, 1):
        click.echo(
            f"{number:>3}  {lab.slug:<{width}}  {lab.points:>4} points  {lab.minutes:>3} min  {lab.title}: {lab.summary}"
        )


@click.command()
@click.argument("lab")
@click.argument("folder", type=FOLDER, required=False)
def start(lab: str, folder: Path | None) -> None:
    """Copy a lab's first files into a new folder (named like the lab, if you name none)."""
    from dockerlab import student

    target = student.start(_course(), lab, folder)
    click.echo(f"{target} is ready. Read {target / 'LESSON.md'}, then work in that folder and try:")
    click.echo(f"  cd {target} && dockerlab check")


@click.command()
@click.argument("words", nargs=-1, metavar="[LAB] [DIR]")
def check(words: tuple[str, ...]) -> int:
    """Check your work. In a folder made by `dockerlab start` the lab is known."""
    from dockerlab import student
    from dockerlab.cli import show

    course = _course()
    lab, folder = student.find_workspace(course, words)
    out = show.console()
    with show.live(out) as listen:
        report = student.check(course, lab, folder, listen)
    show.feedback(out, report)
    if report.exit_code == 0:
        later = course.slugs[course.slugs.index(lab) + 1 :]
        show.write(
            out,
            (f"All green. Next: `dockerlab start {later[0]}`." if later else "All green: that was the last lab."),
        )
    elif any(one.status == "failed" for one in report.outcomes):
        show.write(out, f"Stuck? `dockerlab hint {lab} CHECK` helps, one step at a time.")
    return report.exit_code


@click.command()
@click.argument("lab", required=False)
@click.argument("name", metavar="[CHECK]", default="")
def hint(lab: str | None, name: str) -> None:
    """Show the next hint for a check, one rung of its ladder at a time; without CHECK, list the checks that have hints."""
    from dockerlab import student

    course = _course()
    words: tuple[str, ...] = (lab,) if lab else ()
    if lab is not None and lab not in course.slugs and not name and student.read_notes(Path()) is not None:
        words, name = (), lab  # `dockerlab hint CHECK` in a workspace
    slug, folder = student.find_workspace(course, words)
    found = student.next_hint(course, slug, folder, name)
    if isinstance(found, list):
        click.echo(f"Checks of {slug} with hints:")
        for one in found:
            click.echo(f"  {one.name:<24} {len(one.hints)} hint(s)  {one.title}")
        return
    click.echo(f"{found.check.name}, hint {found.rung} of {len(found.check.hints)}: {found.text}")


@click.command()
@click.argument("lab")
@click.argument("folder", type=FOLDER)
@click.option(
    "--format",
    "style",
    type=click.Choice(FORMAT_NAMES),
    default="text",
    show_default=True,
    help="How the report is written.",
)
@click.option(
    "-o",
    "--output",
    type=FOLDER,
    metavar="FILE",
    help="Where to write the report, instead of the terminal.",
)
def grade(lab: str, folder: Path, style: str, output: Path | None) -> int:
    """Grade the submission in a folder. Exit code: 0 full marks, 1 some check failed, 2 usage, 3 our fault."""
    from dockerlab import grading
    from dockerlab.cli import show
    from dockerlab.errors import UsageError
    from dockerlab.reports import FORMATS

    if output is not None and not output.parent.is_dir():
        raise UsageError(f"There is no folder {output.parent} to write the report into.")
    with show.live(show.console(stderr=True), quiet=True) as listen:
        report = grading.grade(lab, folder, course=_course(), listen=listen)
    rendered = FORMATS[style](report)
    if output is not None:
        _write(output, rendered)
        click.echo(f"{report.score}/{report.max_score} points; the report is in {output}.", err=True)
    else:
        click.echo(rendered, nl=False)
    return report.exit_code


@click.command()
@click.argument("image")
@click.option(
    "--format",
    "style",
    type=click.Choice(("text", "json", "html")),
    default="text",
    show_default=True,
    help="What to make of it.",
)
@click.option("-o", "--output", type=FOLDER, metavar="FILE", help="Where to write it, instead of the terminal.")
def layers(image: str, style: str, output: Path | None) -> None:
    """Show an image layer by layer: instruction, size, files added, changed and removed, and wasted bytes."""
    from dockerlab import explore
    from dockerlab.reports import layers as views

    rendered = views.FORMATS[style](explore.look_into(_course(), image))
    if output is None:
        click.echo(rendered, nl=False)
    else:
        _write(output, rendered)
        click.echo(f"Written to {output}.", err=True)


def _write(output: Path, text: str) -> None:
    from dockerlab.errors import UsageError

    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}.") from error


@click.command()
@click.option("--run", is_flag=True, help="Grade every starter, solution and variant of the course, too.")
@click.argument("labs", nargs=-1)
def doctor(run: bool, labs: tuple[str, ...]) -> int:
    """Look whether the machine is ready and the course is whole."""
    from dockerlab import doctor as look
    from dockerlab import provision
    from dockerlab.cli import show
    from dockerlab.engine import daemon

    course, out, bad = _course(), show.console(), 0

    def tell(finding: look.Finding) -> None:
        nonlocal bad
        bad += not finding.ok
        show.write(out, f"  {'✓' if finding.ok else '✗'} {finding.what}: {finding.detail}")

    where = daemon.answering()
    tell(
        look.Finding(
            "Docker Engine",
            where is not None,
            f"answers at {where.url}" if where else daemon.advice(),
        )
    )
    if where is not None:
        refs = tuple(one.ref for one in course.images())
        missing = provision.missing_images(course, refs)
        tell(
            look.Finding(
                "base images",
                not missing,
                f"missing: {', '.join(missing)}; run `dockerlab images`" if missing else "all here",
            )
        )
        if stand_ins := provision.stand_ins_here(course):
            show.write(out, f"    stand-ins, built on this machine: {', '.join(stand_ins)}")
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
@click.option("--no-pull", is_flag=True, help="Do not ask the registry: build stand-ins.")
def images(rebuild: bool, no_pull: bool) -> None:
    """Get the base images: from the registry, or as stand-ins built here where none answers."""
    from dockerlab import provision
    from dockerlab.cli import show

    with show.steps(show.console(stderr=True)) as step:
        got = provision.get_images(
            _course(),
            lambda ref, what: step(f"{ref}: {what}"),
            rebuild=rebuild,
            pull=False if no_pull else None,
        )
    for one in got:
        kind = "stand-in" if one.stand_in else "official"
        click.echo(f"{one.ref:<24} {one.size / 1e6:>7.1f} MB  {kind:<9} {one.how}")


@click.group()
def engine() -> None:
    """The Docker Engine: bring one up, end it, see what answers."""


@engine.command()
@click.option(
    "--install",
    is_flag=True,
    help="Install the distribution's package first, where none is (Debian and Ubuntu, as root).",
)
def up(install: bool) -> None:
    """Make sure that an engine answers; start one where none does."""
    from dockerlab.cli import show
    from dockerlab.engine import daemon

    with show.steps(show.console(stderr=True)) as tell:
        done = daemon.up(install=install, tell=tell)
    click.echo(
        f"Started an engine at {done.where}; its log is {done.log}."
        if done.started
        else f"An engine answers at {done.where}."
    )


@engine.command()
def down() -> None:
    """End the engine that `dockerlab engine up` started, and no other."""
    from dockerlab.engine import daemon

    click.echo("Ended the engine." if daemon.down() else "dockerlab started no engine that still runs.")


@engine.command()
def status() -> None:
    """Show what answers: version, storage driver, builder, GPU, cgroup version, where."""
    from dockerlab.engine import client, daemon

    with client.connect() as found:
        info = found.info()
    rows = {
        "engine": f"Docker {info.version} (API {info.api_version})", "where": info.where, "storage": info.storage_driver,
        "cgroup": f"version {info.cgroup_version}", "builder": info.builder, "GPU": info.gpu,
        "started by": "dockerlab" if daemon.started_by_us() else "somebody else",
    }  # fmt: skip
    for name, value in rows.items():
        click.echo(f"{name:<11} {value}")


@click.command()
@click.option(
    "--all",
    "everyone",
    is_flag=True,
    help="Also what runs of dockerlab that still go on have made.",
)
def clean(everyone: bool) -> None:
    """Remove what runs left behind that were killed. Never touches what others made."""
    from dockerlab import grading
    from dockerlab.engine import client

    with client.connect() as found:
        gone = found.clean(keep=lambda labels: False) if everyone else found.clean_dead()
    gone["folders"] = grading.clean_folders(everyone=everyone)
    said = ", ".join(f"{count} {name}" for name, count in gone.items() if count)
    click.echo(f"Removed {said}." if said else "Nothing was left behind.")


@click.command()
def demo() -> int:
    """See it all: bring up an engine, get the images, grade the solutions and one flawed submission."""
    from dockerlab import demo as stage
    from dockerlab import provision
    from dockerlab.cli import show
    from dockerlab.engine import daemon

    course, out = _course(), show.console()
    show.write(out, "1. The engine")
    with show.steps(out) as tell:
        up = daemon.up(install=True, tell=tell)
    show.write(
        out,
        (
            f"  started one at {up.where} (`dockerlab engine down` ends it)"
            if up.started
            else f"  one answers at {up.where}"
        ),
    )
    show.write(out, "2. The base images")
    with show.steps(out) as tell:
        got = provision.get_images(course, lambda ref, what: tell(f"{ref}: {what}"))
    for one in got:
        show.write(
            out,
            f"  {one.ref:<24} {one.size / 1e6:>6.1f} MB  {'stand-in' if one.stand_in else 'official'}, {one.how}",
        )
    wrong = 0
    for number, (scene, events, report_of) in enumerate(stage.play_all(course), 3):
        show.write(out, f"{number}. {scene.lab}: the {scene.what}")
        with show.live(out) as listen:
            for event in events:
                listen(event)
        report = report_of()
        show.feedback(out, report)
        wrong = max(
            wrong,
            (report.exit_code if not scene.flawed and scene.what == "solution" else 3 * (not report.final)),
        )
    show.write(out, "")
    show.write(
        out,
        f"Your turn: `dockerlab start {course.slugs[0]}`, then read {course.slugs[0]}/LESSON.md.",
    )
    return wrong


ALL = (list_labs, start, check, hint, grade, layers, doctor, images, engine, clean, demo)
