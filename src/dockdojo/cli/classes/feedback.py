"""`dockdojo class feedback`: everybody's own report."""

from __future__ import annotations

from pathlib import Path

import click

from dockdojo.class_ import anonymous, feedback_zips
from dockdojo.class_ import feedback as room
from dockdojo.class_.comments import read_comments
from dockdojo.class_.filesystems import write_whole
from dockdojo.class_.records import Record, read_records
from dockdojo.class_.rows import lab_of
from dockdojo.class_.trees import open_tree
from dockdojo.cli import options
from dockdojo.cli.classes import inputs
from dockdojo.cli.classes.names import tell_names
from dockdojo.cli.options import FOLDER
from dockdojo.errors import OurFault, UsageError, reason_of

SECRET_MODE = 0o600


@click.command()
@click.argument("folder", type=FOLDER, metavar="RUN")
@inputs.RULES
@click.option(
    "--anonymous",
    "is_anonymous",
    is_flag=True,
    help="Numbers instead of names, for whoever grades by hand.",
)
@click.option(
    "--key",
    type=FOLDER,
    metavar="FILE",
    help="With --anonymous: where to write whose each number is.",
)
@click.option(
    "--zip",
    "service",
    type=click.Choice(("moodle", "canvas")),
    help="An archive that this service takes back, instead of folders.",
)
@click.option(
    "--export",
    type=FOLDER,
    metavar="ZIP",
    help="With --zip canvas: the archive that Canvas gave, whose names it wants back.",
)
@options.OUTPUT
def feedback(
    folder: Path,
    rules_file: Path | None,
    is_anonymous: bool,
    key: Path | None,
    service: str | None,
    export: Path | None,
    output: Path | None,
) -> int:
    """Write everybody's own report into RUN/feedback: a page, Markdown and JSON, without hidden checks.

    What does not count yet says so. Exit code: 1 where something does, or where an archive has no place for somebody.
    """
    _expect_sense(rules_file, is_anonymous, key, service, export, output)
    lab = lab_of(folder)
    records = room.for_students(read_records(folder))
    open_ones = [record.row.name for record in records if record.is_open]
    comments = {
        name: [comment.text for comment in found]
        for name, found in read_comments(folder).items()
    }
    applied = inputs.by_rules(records, rules_file, lab)
    records = applied.records
    unplaced: list[str] = []
    if service is not None and output is not None:
        packed = _packed(records, lab, comments, service, export)
        unplaced = packed.unplaced
        options.write_bytes(output, packed.to_bytes())
        click.echo(f"{len(packed.files)} reports are in {output}.", err=True)
    elif is_anonymous:
        _write_anonymous(folder, records, lab, comments, key)
    else:
        wanted = {
            record.row.name: room.documents(record, lab, _of(record, comments))
            for record in records
        }
        _tell(folder / room.FOLDER, room.write(folder / room.FOLDER, wanted))
    is_open = tell_names(
        {
            "No place in the archive": unplaced,
            "Not final": open_ones,
            "Named in the rules without effect": applied.unused,
        }
    )
    return 1 if is_open else 0


def _expect_sense(
    rules_file: Path | None,
    is_anonymous: bool,
    key: Path | None,
    service: str | None,
    export: Path | None,
    output: Path | None,
) -> None:
    wrong = [
        (
            is_anonymous and rules_file is not None,
            "--anonymous goes without --rules: an extension tells who it is.",
        ),
        (
            is_anonymous and service is not None,
            "--anonymous goes without --zip: an archive is for the students.",
        ),
        (key is not None and not is_anonymous, "--key goes with --anonymous."),
        (
            (service is None) != (output is None),
            "--zip and -o, the archive to write, go together.",
        ),
        (
            (service == "canvas") != (export is not None),
            "--zip canvas and --export, the archive that Canvas gave, go together.",
        ),
    ]
    for is_wrong, words in wrong:
        if is_wrong:
            raise UsageError(words)


def _of(record: Record, comments: dict[str, list[str]]) -> list[str]:
    """The comments on a row; those of a group are also its members'."""
    return comments.get(record.origin, [])


def _packed(
    records: list[Record],
    lab: str,
    comments: dict[str, list[str]],
    service: str,
    export: Path | None,
) -> feedback_zips.Packed:
    if export is None:
        return feedback_zips.for_moodle(
            (record.row, room.documents(record, lab, _of(record, comments)))
            for record in records
        )
    with open_tree(export) as tree:
        return feedback_zips.for_canvas(
            (
                (record.row, room.as_text(record, lab, _of(record, comments)))
                for record in records
            ),
            tree,
        )


def _write_anonymous(
    folder: Path,
    records: list[Record],
    lab: str,
    comments: dict[str, list[str]],
    key: Path | None,
) -> None:
    secret = anonymous.secret_of(folder)
    numbers = anonymous.numbers_of((record.row.name for record in records), secret)
    wanted = {}
    for record in records:
        covered = [
            anonymous.cover(record, comment) for comment in _of(record, comments)
        ]
        hidden = anonymous.without_names(record, secret)
        wanted[numbers[record.row.name]] = room.documents(hidden, lab, covered)
    place = folder / anonymous.FOLDER
    # In the order of the numbers, so that no file's time tells the order of the roster.
    _tell(place, room.write(place, dict(sorted(wanted.items()))))
    if key is not None:
        try:
            write_whole(key, anonymous.as_key(records, numbers).encode(), SECRET_MODE)
        except OSError as error:
            raise OurFault(f"{key} cannot be written: {reason_of(error)}.") from error


def _tell(place: Path, written: room.Written) -> None:
    gone = f", {written.removed} removed" if written.removed else ""
    click.echo(
        f"Feedback is in {place}: {written.changed} files written, {written.same} as they were{gone}.",
        err=True,
    )
