"""Options that several commands of a class share, and what comes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from dockdojo.class_ import rules
from dockdojo.class_.layouts import LAYOUTS
from dockdojo.class_.records import Record
from dockdojo.class_.rules import Applied
from dockdojo.cli import options
from dockdojo.cli.options import FOLDER
from dockdojo.reports import policy

ROSTERS = click.option(
    "--roster",
    "rosters",
    type=FOLDER,
    multiple=True,
    metavar="FILE",
    help="Who is in the class: a roster or gradebook; again for more.",
)
LAYOUT = click.option(
    "--layout",
    type=click.Choice(tuple(LAYOUTS)),
    help="How SOURCE is laid out, where that cannot be told.",
)
RULES = click.option(
    "--rules",
    "rules_file",
    type=FOLDER,
    metavar="TOML",
    help="Late days, extensions, most points, scale, changes by hand.",
)
SLOTS = click.option(
    "--slots",
    type=click.IntRange(1, 256),
    help="Gradings at a time; as many as the machine has room for.",
)


def by_rules(records: Sequence[Record], file: Path | None, lab: str) -> Applied:
    """Return records by the rules of a file, as they are without one. Raises UsageError, see `class_.rules.apply`."""
    if file is None:
        return Applied(records=list(records))
    found = policy.parse(options.read(file), str(file))
    return rules.apply(records, found, lab)
