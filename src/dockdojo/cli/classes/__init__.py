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
        "regrade": (
            "dockdojo.cli.classes.regrade:regrade",
            "Grade somebody again, or one check of everybody.",
        ),
        "why": (
            "dockdojo.cli.classes.why:why",
            "Tell why a submission was graded again.",
        ),
        "diff": (
            "dockdojo.cli.classes.diff:diff",
            "Show what a regrade changed, check by check.",
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
        "feedback": (
            "dockdojo.cli.classes.feedback:feedback",
            "Write everybody's own report, without hidden checks.",
        ),
        "comment": (
            "dockdojo.cli.classes.comment:comment",
            "Comment by hand on what somebody handed in.",
        ),
    },
    "Several machines": {
        "certificates": (
            "dockdojo.cli.classes.certificates:certificates",
            "Make certificates, with which machines know each other.",
        ),
        "scheduler": (
            "dockdojo.cli.classes.scheduler:scheduler",
            "Run what workers and runs connect to.",
        ),
        "worker": (
            "dockdojo.cli.classes.worker:worker",
            "Grade on this machine's engine for a scheduler.",
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
