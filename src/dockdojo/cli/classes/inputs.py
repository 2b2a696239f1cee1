"""Options that several commands of a class share."""

from __future__ import annotations

import click

from dockdojo.class_.layouts import LAYOUTS
from dockdojo.cli.options import FOLDER

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
