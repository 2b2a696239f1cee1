"""The instructor's own exported file back, filled in: its encoding, delimiter and columns stay, and nobody is guessed.

A new column would make a new assignment in Canvas, and one unknown user cancels a whole import into Moodle: so a column must be
there, and who cannot be matched is named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from dockdojo.class_.people import PARTICIPANT
from dockdojo.class_.records import Record
from dockdojo.class_.tables import Table
from dockdojo.errors import UsageError

COLUMNS = {
    "canvas": ("ID",),
    "sis": ("SIS User ID", "SID", "Student ID", "ID number"),
    "login": ("SIS Login ID", "Username"),
    "email": ("Email", "Email address", "E-Mail-Adresse"),
    "roster": ("identifier", "roster_identifier", "id"),
    "github": ("github_username", "username"),
}
"""Of each kind of id, the columns that may hold it."""
POSSIBLE = "points possible"
NUMBER = re.compile(r"\d{1,9}(?:\.\d{0,9})?")
NUMBERED = re.compile(r"\((\d{1,20})\)\Z")
"""Canvas' own number of an assignment, behind its title."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What somebody has; None for a mark that does not count yet, or for nothing handed in."""

    ids: Mapping[str, str]
    score: float | None


@dataclass(slots=True)
class Filled:
    """A gradebook that was filled in."""

    table: Table
    count: int = 0
    """Rows that got a mark."""
    unmatched: list[str] = field(default_factory=list)
    """People of the class whom the gradebook does not have."""


def fill(table: Table, title: str, marks: Iterable[Mark], max_score: float) -> Filled:
    """Write marks into the column of that title, which may be its number alone.

    Raises UsageError where there is no such column, or more than one, where the points that are possible differ, and where no
    column tells who somebody is.
    """
    place = column_of(table, title)
    _expect_possible(table, place, max_score)
    keys = _keys(table)
    rows: dict[tuple[str, str], list[int]] = {}
    for number, row in enumerate(table.rows[1:], 1):
        for kind, key in keys.items():
            if value := _cell(row, key).strip().casefold():
                if kind == "participant":
                    match = PARTICIPANT.fullmatch(value)
                    value = match[1] if match else value
                rows.setdefault((kind, value), []).append(number)
    filled = Filled(table)
    for mark in marks:
        found = next(
            (
                rows[kind, mark.ids[kind].casefold()]
                for kind in keys
                if (kind, mark.ids.get(kind, "").casefold()) in rows
            ),
            [],
        )
        if len(found) != 1:
            filled.unmatched.append(
                mark.ids.get("name") or next(iter(mark.ids.values()), "?")
            )
        elif mark.score is not None:
            row = table.rows[found[0]]
            row += [""] * (place + 1 - len(row))
            row[place] = _number(mark.score, table)
            filled.count += 1
    return filled


def column_of(table: Table, title: str) -> int:
    """Return the place of an assignment's column: by its number in brackets, else by its whole title."""
    found = [
        place
        for place, cell in enumerate(table.header)
        if cell == title or ((match := NUMBERED.search(cell)) and match[1] == title)
    ]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"`{cell[:60]}`" for cell in table.header[-8:])
    raise UsageError(
        f"{table.name} has {'no column' if not found else 'several columns'} `{title[:100]}`.",
        hint=f"The last ones are {listed}. A new column would make a new assignment, so none is added.",
    )


def _expect_possible(table: Table, place: int, max_score: float) -> None:
    for row in table.rows[1:4]:
        if row and row[0].strip().casefold() == POSSIBLE and _cell(row, place).strip():
            told = _cell(row, place).strip().replace(",", ".")
            if not NUMBER.fullmatch(told) or float(told) != max_score:
                raise UsageError(
                    f"{table.name} says that {told} points are possible, and the lab has {max_score:g}.",
                    hint="Change the assignment's points, or scale the marks (scale_to in the rules).",
                )


def _keys(table: Table) -> dict[str, int]:
    keys = {
        kind: place
        for kind, names in COLUMNS.items()
        if (place := table.column(*names)) is not None
    }
    cells = [row[0].strip() for row in table.rows[1:] if row and row[0].strip()]
    if (
        cells
        and all(PARTICIPANT.fullmatch(cell) for cell in cells)
        and not cells[0].isdigit()
    ):
        keys = {"participant": 0} | keys
    if not keys:
        raise UsageError(f"No column of {table.name} tells who somebody is.")
    return keys


def _cell(row: list[str], place: int) -> str:
    return row[place] if place < len(row) else ""


def _number(score: float, table: Table) -> str:
    """A mark as the file writes numbers: with a comma, where a semicolon stands between cells."""
    text = f"{score:g}"
    return text.replace(".", ",") if table.delimiter == ";" else text


def marks_of(records: Iterable[Record]) -> Iterator[Mark]:
    """Return the marks of a run's rows, one for each person; what may not be graded has 0."""
    for record in records:
        for ids in record.row.people:
            yield Mark(ids=ids, score=record.score)
