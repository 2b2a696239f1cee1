"""The commands about labs and images. Each says what it does in its docstring, which is its `--help`."""

from __future__ import annotations

import shlex
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from dockdojo.cli import columns, encodings

FORMAT_NAMES = (
    "text",
    "json",
    "junit",
    "markdown",
    "github",
    "classroom",
    "classroom50",
    "gradescope",
    "html",
)
"""The keys of reports.FORMATS, known here without importing them."""
FOLDER = click.Path(path_type=Path)


def print_version(context: click.Context, option: click.Parameter, value: bool) -> None:
    """--version."""
    if value and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"dockdojo {version('dockdojo')}")
        context.exit()


def open_the_course() -> Any:
    """The course that was named, or dockdojo's own."""
    from dockdojo.course import open_course

    return open_course()


@click.command("list")
def list_labs() -> None:
    """List the labs, in the order of the course, with what you have done in the workspaces here."""
    from dockdojo.commands import student

    course, width = open_the_course(), columns.columns()
    click.echo(columns.paragraph(course.title, width))
    labs = ((course.lab(slug), course.points(slug)) for slug in course.slugs)
    for line in columns.labs(labs, student.progress(course, Path()), width):
        click.echo(line)


@click.command()
@click.argument("lab")
@click.argument("folder", type=FOLDER, required=False)
def start(lab: str, folder: Path | None) -> None:
    """Copy a lab's first files into a new folder (named like the lab, if you name none)."""
    from dockdojo.commands import student

    target = student.start(open_the_course(), lab, folder)
    click.echo(
        f"{target} is ready. Read {target / 'LESSON.md'}, then work in that folder and try:"
    )
    click.echo(f"  cd {shlex.quote(str(target))} && dockdojo check")


@click.command()
@click.argument("words", nargs=-1, metavar="[LAB] [DIR]")
@click.option(
    "--watch",
    is_flag=True,
    help="Check again whenever a file changes; keys for a hint, for everything, to quit.",
)
def check(words: tuple[str, ...], watch: bool) -> int:
    """Check your work. In a folder made by `dockdojo start` the lab is known."""
    from dockdojo.cli import show
    from dockdojo.commands import student

    course = open_the_course()
    lab, folder = student.find_workspace(course, words)
    out = show.console()
    if watch:
        from dockdojo.cli import watching

        return watching.run(course, lab, folder, out)
    with show.live(out) as listen:
        report = student.check(course, lab, folder, listen)
    show.feedback(out, report)
    if report.exit_code == 0:
        later = course.slugs[course.slugs.index(lab) + 1 :]
        show.paragraph(
            out,
            (
                f"All green. Next: `dockdojo start {later[0]}`."
                if later
                else "All green: that was the last lab."
            ),
        )
    elif any(one.status == "failed" for one in report.outcomes):
        show.paragraph(
            out, f"Stuck? `dockdojo hint {lab} CHECK` helps, one step at a time."
        )
    return report.exit_code


@click.command()
@click.argument("words", nargs=-1, metavar="[LAB] [DIR]")
def reset(words: tuple[str, ...]) -> None:
    """Begin a lab anew: the starter comes back, your work is kept beside the folder."""
    from dockdojo.commands import student

    course = open_the_course()
    lab, folder = student.find_workspace(course, words)
    click.echo(
        f"{lab} is as it was in the beginning. Your work is in {student.reset(course, lab, folder)}."
    )


@click.command()
@click.argument("words", nargs=-1, metavar="[LAB] [DIR]")
def solution(words: tuple[str, ...]) -> None:
    """Show the solution of a lab that you have solved."""
    from dockdojo.commands import student

    course = open_the_course()
    lab, folder = student.find_workspace(course, words)
    click.echo(f"The solution of {lab} is in {student.solution(course, lab, folder)}.")


@click.command()
@click.argument("lab", required=False)
@click.argument("name", metavar="[CHECK]", default="")
def hint(lab: str | None, name: str) -> None:
    """Show the next hint for a check, one rung of its ladder at a time; without CHECK, list the checks that have hints."""
    from dockdojo.commands import student

    course = open_the_course()
    words: tuple[str, ...] = (lab,) if lab else ()
    if (
        lab is not None
        and lab not in course.slugs
        and not name
        and student.read_notes(Path()) is not None
    ):
        words, name = (), lab  # `dockdojo hint CHECK` in a workspace
    slug, folder = student.find_workspace(course, words)
    found = student.next_hint(course, slug, folder, name)
    width = columns.columns()
    if isinstance(found, list):
        click.echo(f"Checks of {slug} with hints:")
        for line in columns.hints(found, width):
            click.echo(line)
        return
    click.echo(
        columns.paragraph(
            f"{found.check.name}, hint {found.rung} of {len(found.check.hints)}: {found.text}",
            width,
        )
    )


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
@click.option(
    "--student",
    "for_students",
    is_flag=True,
    help="The student's report: nothing of hidden checks but their points.",
)
@click.option(
    "--picture",
    is_flag=True,
    help="Look into the image's layers, too; html always does.",
)
@click.option(
    "--seed",
    default="",
    metavar="TEXT",
    help="Draw the same inputs as the report that has this seed.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="CHECK",
    help="Carry out this check and what it needs; again for more. That is no mark.",
)
def grade(
    lab: str,
    folder: Path,
    style: str,
    output: Path | None,
    for_students: bool,
    picture: bool,
    seed: str,
    only: tuple[str, ...],
) -> int:
    """Grade the submission in a folder. Exit code: 0 full marks, 1 some check failed, 2 usage, 3 our fault."""
    from dockdojo import grading
    from dockdojo.cli import show
    from dockdojo.errors import UsageError
    from dockdojo.reports import FORMATS, audience

    if output is not None and not output.parent.is_dir():
        raise UsageError(
            f"There is no folder {output.parent} to write the report into."
        )
    if only and (style != "text" or output is not None):
        raise UsageError(
            "Some checks alone are no mark.",
            hint="--only prints its report as text, and nowhere else.",
        )
    course = open_the_course()
    checks = grading.list_checks(course, lab) if only else []
    names = [grading.find_check(checks, lab, name).name for name in only]
    with show.live(show.console(stderr=True), quiet=True) as listen:
        report = grading.grade(
            lab,
            folder,
            course=course,
            listen=listen,
            picture=picture or style == "html",
            seed=seed,
            only=names or None,
        )
    if for_students:
        report = audience.for_student(report)
    rendered = FORMATS[style](report)
    if output is not None:
        _write(output, rendered)
        word = "" if report.final else "not final: "
        click.echo(
            f"{word}{report.score}/{report.max_score} points; the report is in {output}.",
            err=True,
        )
    else:
        click.echo(
            rendered if style == "text" else encodings.document(rendered), nl=False
        )
    if only:
        click.echo(
            f"That was {len(report.outcomes)} of {len(checks)} checks, which gives no mark."
        )
    return report.exit_code


@click.command()
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.argument("lab", required=False)
def look(folder: Path, lab: str | None) -> int:
    """Look at a folder as it is handed in, without building anything: what a copy, an archive or an editor did to it.

    Exit code: 0 nothing was found, 1 something was.
    """
    from dockdojo.cli import show
    from dockdojo.commands import student

    out = show.console()
    found = student.look(open_the_course(), folder, lab)
    for finding in found:
        show.finding(out, finding)
    if not found:
        show.write(
            out, f"{folder} is as it was made: nothing was lost or changed on the way."
        )
    return 1 if found else 0


@click.command()
@click.argument("report", type=FOLDER)
@click.option(
    "--format",
    "style",
    type=click.Choice((*FORMAT_NAMES, "canvas")),
    required=True,
    help="What to make of it.",
)
@click.option(
    "-o",
    "--output",
    type=FOLDER,
    metavar="FILE",
    help="Where to write it, instead of the terminal.",
)
@click.option(
    "--roster",
    type=FOLDER,
    metavar="CSV",
    help="For canvas: a gradebook that was exported from Canvas.",
)
@click.option(
    "--student",
    metavar="ID",
    default="",
    help="Whose report it is: an id of the roster, and of the rules.",
)
@click.option(
    "--marks",
    "rules",
    type=FOLDER,
    metavar="TOML",
    help="Late days, most points, scale, changes by hand.",
)
@click.option(
    "--submitted",
    metavar="TIME",
    default="",
    help="When it was handed in: 2026-12-02T08:00+01:00.",
)
@click.option(
    "--assignment",
    metavar="NAME",
    default="",
    help="For canvas: the column, as Canvas names it: Name (1234).",
)
@click.option(
    "--about",
    multiple=True,
    metavar="KEY=VALUE",
    help="For classroom50: classroom, owner, commit and so on.",
)
def convert(
    report: Path,
    style: str,
    output: Path | None,
    roster: Path | None,
    student: str,
    rules: Path | None,
    submitted: str,
    assignment: str,
    about: tuple[str, ...],
) -> None:
    """Make another format of a report that was written with `--format json`."""
    from dockdojo.errors import UsageError
    from dockdojo.reports import FORMATS, canvas, classroom50, json, marks

    found = json.parse(_read(report))
    if rules is not None:
        found = marks.apply(
            found,
            marks.parse(_read(rules), str(rules)),
            student=student,
            submitted=_time(submitted) if submitted else None,
        )
    if style == "canvas":
        if roster is None:
            raise UsageError(
                "`--format canvas` needs `--roster`.",
                hint="Export the gradebook from Canvas.",
            )
        row = canvas.find(canvas.read_roster(_read(roster)), student)
        rendered = canvas.render([(row, found)], assignment)
    elif style == "classroom50":
        known = dict(word.partition("=")[::2] for word in about)
        if unknown := sorted(set(known) - set(classroom50.ABOUT)):
            raise UsageError(
                f"--about {unknown[0]}: there is {', '.join(classroom50.ABOUT)}."
            )
        rendered = classroom50.render(found, known)
    else:
        rendered = FORMATS[style](found)
    if output is None:
        click.echo(
            rendered if style == "text" else encodings.document(rendered), nl=False
        )
    else:
        _write(output, rendered)
        click.echo(f"Written to {output}.", err=True)


def _time(words: str) -> datetime:
    from dockdojo.errors import UsageError

    try:
        return datetime.fromisoformat(words)
    except ValueError:
        raise UsageError(
            f"--submitted {words}: that is no time.",
            hint="For example 2026-12-02T08:00+01:00.",
        ) from None


def _read(path: Path) -> str:
    from dockdojo.errors import UsageError

    try:
        return path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error


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
@click.option(
    "-o",
    "--output",
    type=FOLDER,
    metavar="FILE",
    help="Where to write it, instead of the terminal.",
)
def layers(image: str, style: str, output: Path | None) -> None:
    """Show an image layer by layer: instruction, size, files added, changed and removed, and wasted bytes."""
    from dockdojo.commands import explore
    from dockdojo.reports import layers as views

    found = explore.look_into(open_the_course(), image)
    is_shown = style == "text" and output is None
    rendered = (
        views.render_text(found, columns.columns())
        if is_shown
        else views.FORMATS[style](found)
    )
    if output is None:
        click.echo(
            rendered if style == "text" else encodings.document(rendered), nl=False
        )
    else:
        _write(output, rendered)
        click.echo(f"Written to {output}.", err=True)


def _write(output: Path, text: str) -> None:
    from dockdojo.errors import UsageError

    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}.") from error


@click.command()
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Also the labs that train: they take some minutes more.",
)
def demo(everything: bool) -> int:
    """See it all: bring up an engine, get the images, grade the solutions and one flawed submission."""
    from dockdojo.cli import show
    from dockdojo.commands import demo as stage
    from dockdojo.host import base_images, daemon

    course, out = open_the_course(), show.console()
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
    for one in got:
        show.write(
            out,
            f"  {one.ref:<24} {one.size / 1e6:>6.1f} MB  {'stand-in' if one.stand_in else 'official'}, {one.how}",
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


ALL = (
    list_labs,
    start,
    check,
    hint,
    reset,
    solution,
    look,
    grade,
    convert,
    layers,
    demo,
)
