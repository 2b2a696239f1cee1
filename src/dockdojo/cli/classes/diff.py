"""`dockdojo class diff`: what a regrade changed."""

from __future__ import annotations

import json
from pathlib import Path

import click

from dockdojo.class_.history import Regrade, in_words, read_regraded
from dockdojo.cli import options
from dockdojo.cli.classes.names import some
from dockdojo.cli.options import FOLDER


@click.command()
@click.argument("folder", type=FOLDER, metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def diff(folder: Path, as_json: bool) -> int:
    """Show, for everybody who was graded more than once, what the last grading changed: the mark, and each check.

    Exit code: 1 where anything changed, as of other tools that compare.
    """
    found = read_regraded(folder)
    changed = [regrade for regrade in found if regrade.changes]
    if as_json:
        rows = [_as_dict(regrade) for regrade in found]
        options.show(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
        return 1 if changed else 0
    for regrade in changed:
        click.echo(
            f"{regrade.row.name}  (what had changed: {in_words(regrade.reasons)})"
        )
        width = max(len(change.check) for change in regrade.changes)
        for change in regrade.changes:
            name = change.check or "mark"
            click.echo(f"  {name:<{max(width, 4)}}  {change.old}  →  {change.new}")
    same = [regrade.row.name for regrade in found if not regrade.changes]
    if same:
        click.echo(f"As before ({len(same)}): {some(same)}")
    if not found:
        click.echo("Nobody was graded more than once.")
    return 1 if changed else 0


def _as_dict(regrade: Regrade) -> dict[str, object]:
    return {
        "name": regrade.row.name,
        "reasons": regrade.reasons,
        "changes": [
            {"check": change.check or None, "old": change.old, "new": change.new}
            for change in regrade.changes
        ],
    }
