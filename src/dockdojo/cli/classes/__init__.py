"""`dockdojo class`: a module for each command, imported when it is used."""

from __future__ import annotations

import click

from dockdojo.cli.lazy import LazyGroup

SECTIONS = {
    "The run": {
        "grade": (
            "dockdojo.cli.classes.grade:grade",
            "Grade the submissions of a class; named again, a run goes on.",
        ),
        "status": (
            "dockdojo.cli.classes.status:status",
            "Show how far a run is, also while it goes on.",
        ),
    },
    "What comes out": {
        "report": (
            "dockdojo.cli.classes.report:report",
            "Write the marks, or fill in your own gradebook.",
        ),
        "similar": (
            "dockdojo.cli.classes.similar:similar",
            "Show pairs of submissions that share more than chance.",
        ),
    },
}


@click.group(
    name="class",
    cls=LazyGroup,
    sections=SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
)
def class_() -> None:
    """Grade a whole class from what a service exported."""
