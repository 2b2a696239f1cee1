"""The command line: arguments, the terminal, exit codes. `main` returns the exit code; below, nothing exits.

Whatever is slow to import is imported in the command that needs it: `dockdojo --help` must stay quick.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import click

from dockdojo.cli import authors, commands, encodings, machine
from dockdojo.errors import DockdojoError

INTERRUPTED = 130
TERMINATED = 143


class Terminated(BaseException):
    """SIGTERM came: everything is cleaned up on the way out, as after Ctrl-C."""


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 96},
    no_args_is_help=True,
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=commands.print_version,
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


for command in (*commands.ALL, *authors.ALL, *machine.ALL):
    dockdojo.add_command(command)


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
