"""The command line: arguments, the terminal, exit codes. `main` returns the exit code; below, nothing exits."""

from __future__ import annotations

import os
import signal
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import click

from dockdojo.cli import encodings
from dockdojo.cli.lazy import LazyGroup
from dockdojo.errors import DockdojoError

INTERRUPTED = 130
TERMINATED = 143


class Terminated(BaseException):
    """SIGTERM came: everything is cleaned up on the way out, as after Ctrl-C."""


SECTIONS = {
    "Learn": {
        "list": (
            "dockdojo.cli.workspace:list_labs",
            "List the labs, with what you have done.",
        ),
        "start": ("dockdojo.cli.workspace:start", "Begin a lab in a new folder."),
        "check": ("dockdojo.cli.workspace:check", "Check your work."),
        "hint": ("dockdojo.cli.workspace:hint", "Show the next hint for a check."),
        "look": (
            "dockdojo.cli.workspace:look",
            "Name what is odd in a folder, without building anything.",
        ),
        "layers": (
            "dockdojo.cli.layers:layers",
            "Show an image layer by layer, with wasted bytes.",
        ),
        "reset": (
            "dockdojo.cli.workspace:reset",
            "Begin a lab anew; your work is kept beside it.",
        ),
        "solution": (
            "dockdojo.cli.workspace:solution",
            "Show the solution of a lab that you have solved.",
        ),
    },
    "Grade and teach": {
        "grade": ("dockdojo.cli.grade:grade", "Grade the submission in a folder."),
        "class": (
            "dockdojo.cli.classes:class_",
            "Grade a whole class from what a service exported.",
        ),
        "convert": (
            "dockdojo.cli.convert:convert",
            "Make another format of a JSON report.",
        ),
        "rubric": (
            "dockdojo.cli.grade:rubric",
            "Show what a lab's checks ask, and what each is worth.",
        ),
        "export": (
            "dockdojo.cli.authors:export",
            "Write an assignment repository that grades itself.",
        ),
        "new": (
            "dockdojo.cli.authors:new",
            "Begin a new lab that the self-test accepts.",
        ),
    },
    "The machine": {
        "demo": (
            "dockdojo.cli.demo:demo",
            "See it all: an engine, images, and labs graded.",
        ),
        "doctor": (
            "dockdojo.cli.doctor:doctor",
            "Is the machine ready, and is the course whole?",
        ),
        "engine": (
            "dockdojo.cli.engine:engine",
            "Bring up an engine, end it, see what answers.",
        ),
        "images": (
            "dockdojo.cli.images:images",
            "Get the base images, or build stand-ins.",
        ),
        "data": (
            "dockdojo.cli.images:data",
            "Prepare handwritten digits for the labs that train.",
        ),
        "mirror": (
            "dockdojo.cli.images:mirror",
            "Serve wheels to builds that reach no index.",
        ),
        "clean": ("dockdojo.cli.engine:clean", "Remove what killed runs left behind."),
    },
}


def _print_version(
    context: click.Context, option: click.Parameter, value: bool
) -> None:
    if value and not context.resilient_parsing:
        click.echo(f"dockdojo {metadata.version('dockdojo')}")
        context.exit()


@click.group(
    cls=LazyGroup,
    sections=SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 96},
    no_args_is_help=True,
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
@click.option(
    "--course",
    "root",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Another course than the one that dockdojo came with.",
)
def dockdojo(root: Path | None) -> None:
    """Learn Docker by doing graded labs; grade them on a real Docker Engine.

    Begin with `dockdojo list`, then `dockdojo start hello_world`.
    """
    if root is not None:
        os.environ["DOCKDOJO_COURSE"] = str(root)


def main(args: list[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0, 1, 2 or 3, as the README says; 130 after Ctrl-C."""
    _listen_to_sigterm()
    encodings.tolerate()
    try:
        result: Any = dockdojo.main(
            args=args, standalone_mode=False, prog_name="dockdojo"
        )
    except click.exceptions.NoArgsIsHelpError as usage:
        click.echo(usage.format_message())
        return 0
    except click.UsageError as error:
        error.show()
        return 2
    except click.ClickException as error:
        error.show()
        return 2
    except click.Abort:
        return _interrupted()
    except DockdojoError as error:
        click.echo(f"dockdojo: {error}", err=True)
        return error.exit_code
    except KeyboardInterrupt:
        return _interrupted()
    except Terminated:
        click.echo("dockdojo: terminated; everything it made was removed.", err=True)
        return TERMINATED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return result if isinstance(result, int) else 0


def _interrupted() -> int:
    click.echo("dockdojo: interrupted; everything it made was removed.", err=True)
    return INTERRUPTED


def _listen_to_sigterm() -> None:
    def end(number: int, frame: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Terminated

    if hasattr(signal, "SIGTERM"):
        signal.signal(signal.SIGTERM, end)


def run() -> None:
    """The console script."""
    sys.exit(main())
