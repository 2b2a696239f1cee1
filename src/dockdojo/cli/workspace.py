"""What a student does: the list of labs, a workspace, checks, hints, the solution."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from dockdojo.cli import columns, show, watching
from dockdojo.cli.options import FOLDER
from dockdojo.commands import student
from dockdojo.course import open_course


@click.command("list")
def list_labs() -> None:
    """List the labs, in the order of the course, with what you have done in the workspaces here."""
    course, width = open_course(), columns.columns()
    click.echo(columns.paragraph(course.title, width))
    labs = ((course.lab(slug), course.points(slug)) for slug in course.slugs)
    for line in columns.labs(labs, student.progress(course, Path()), width):
        click.echo(line)


@click.command()
@click.argument("lab")
@click.argument("folder", type=FOLDER, required=False)
def start(lab: str, folder: Path | None) -> None:
    """Copy a lab's first files into a new folder (named like the lab, if you name none)."""
    target = student.start(open_course(), lab, folder)
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
    course = open_course()
    lab, folder = student.find_workspace(course, words)
    out = show.console()
    if watch:
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
    elif any(outcome.status == "failed" for outcome in report.outcomes):
        show.paragraph(
            out, f"Stuck? `dockdojo hint {lab} CHECK` helps, one step at a time."
        )
    return report.exit_code


@click.command()
@click.argument("words", nargs=-1, metavar="[LAB] [DIR]")
def reset(words: tuple[str, ...]) -> None:
    """Begin a lab anew: the starter comes back, your work is kept beside the folder."""
    course = open_course()
    lab, folder = student.find_workspace(course, words)
    click.echo(
        f"{lab} is as it was in the beginning. Your work is in {student.reset(course, lab, folder)}."
    )


@click.command()
@click.argument("words", nargs=-1, metavar="[LAB] [DIR]")
def solution(words: tuple[str, ...]) -> None:
    """Show the solution of a lab that you have solved."""
    course = open_course()
    lab, folder = student.find_workspace(course, words)
    click.echo(f"The solution of {lab} is in {student.solution(course, lab, folder)}.")


@click.command()
@click.argument("lab", required=False)
@click.argument("name", metavar="[CHECK]", default="")
def hint(lab: str | None, name: str) -> None:
    """Show the next hint for a check, one rung of its ladder at a time; without CHECK, list the checks that have hints."""
    course = open_course()
    words: tuple[str, ...] = (lab,) if lab else ()
    if (
        lab is not None
        and lab not in course.slugs
        and not name
        and student.read_notes(Path()) is not None
    ):
        words, name = (), lab  # `dockdojo hint CHECK` in a workspace
    slug, folder = student.find_workspace(course, words)
    width = columns.columns()
    if not name:
        checks = student.checks_with_hints(course, slug)
        click.echo(f"Checks of {slug} with hints:")
        for line in columns.hints(checks, width):
            click.echo(line)
        return
    found = student.next_hint(course, slug, folder, name)
    click.echo(
        columns.paragraph(
            f"{found.check.name}, hint {found.rung} of {len(found.check.hints)}: {found.text}",
            width,
        )
    )


@click.command()
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.argument("lab", required=False)
def look(folder: Path, lab: str | None) -> int:
    """Look at a folder as it is handed in, without building anything: what a copy, an archive or an editor did to it.

    Exit code: 0 nothing was found, 1 something was.
    """
    out = show.console()
    found = student.look(open_course(), folder, lab)
    for finding in found:
        show.finding(out, finding)
    if not found:
        show.write(
            out, f"{folder} is as it was made: nothing was lost or changed on the way."
        )
    return 1 if found else 0
