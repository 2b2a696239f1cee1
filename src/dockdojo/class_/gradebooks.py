"""The instructor's own exported file back, filled in: its encoding, delimiter and columns stay, and nobody is guessed.

A new column would make a new assignment in Canvas, and one unknown user cancels a whole import into Moodle: so a column must be
there, and who cannot be matched is named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from dockdojo.class_.records import Record
from dockdojo.class_.services import (
    PLAIN,
    Service,
    cell_of,
    id_columns,
    id_in,
    is_nobodys,
    points_possible,
    tell_service,
)
from dockdojo.class_.tables import Table
from dockdojo.errors import UsageError
from dockdojo.reports.canvas import safe_cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What somebody has; None for a mark that does not count yet, or for nothing handed in."""

    ids: Mapping[str, str]
    score: float | None
    comment: str = ""

    @property
    def name(self) -> str:
        """How they are called in messages."""
        return self.ids.get("name") or next(iter(self.ids.values()), "?")


@dataclass(slots=True)
class Filled:
    """A gradebook that was filled in."""

    table: Table
    count: int = 0
    """Rows that got a mark."""
    unmatched: list[str] = field(default_factory=list)
    """People of the class whom the gradebook does not have."""
    doubtful: list[str] = field(default_factory=list)
    """People of the class whose ids lead to several rows, or to one that is another's as well."""
    left_out: int = 0
    """Rows of the file that are not in what is written, since they got no mark."""


def fill(
    table: Table,
    title: str,
    marks: Iterable[Mark],
    max_score: float,
    *,
    service: Service | None = None,
    comments: str = "",
) -> Filled:
    """Write marks into the column of that title, which may be its number alone, and comments into theirs.

    An empty title is the service's own column of marks, and so for comments. Raises UsageError where there is no such column, or
    more than one, where the points that are possible differ, and where no column tells who somebody is.
    """
    service = service or tell_service(table)
    place = column_of(table, title or _own(table, service.column), service)
    beside = _comments_column(table, comments, service)
    _expect_possible(table, place, max_score, service)
    rows = _rows_by_id(table, service)
    marks = list(marks)
    found = [_rows_of(mark, rows) for mark in marks]
    claimed = Counter(number for numbers in found for number in numbers)
    filled, kept = Filled(table), {0}
    for mark, numbers in zip(marks, found, strict=True):
        if not numbers:
            filled.unmatched.append(mark.name)
        elif len(numbers) > 1 or claimed[min(numbers)] > 1:
            filled.doubtful.append(mark.name)
        else:
            (number,) = numbers
            if mark.comment and beside is not None:
                _set(table.rows[number], beside, safe_cell(mark.comment))
            if mark.score is not None:
                _set(table.rows[number], place, _number(mark.score, table))
                filled.count += 1
                kept.add(number)
    if service.drops_others:
        filled.left_out = len(table.rows) - len(kept)
        table.keep(kept)
    return filled


def column_of(table: Table, title: str, service: Service = PLAIN) -> int:
    """Return the place of an assignment's column: by its whole name, or by the title or the number in it.

    Raises UsageError where there is none, or more than one.
    """
    found = [
        place
        for place, cell in enumerate(table.header)
        if title == cell or title in _names(cell, service)
    ]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"`{cell[:60]}`" for cell in table.header[-8:])
    raise UsageError(
        f"{table.name} has {'no column' if not found else 'several columns'} `{title[:100]}`.",
        hint=f"The last ones are {listed}. A new column would make a new assignment, so none is added.",
    )


def _names(cell: str, service: Service) -> tuple[str, ...]:
    """What a column may be called for short."""
    match = service.title.fullmatch(cell) if service.title else None
    return tuple(match.groupdict().values()) if match else ()


def _own(table: Table, name: str) -> str:
    """The service's own column of marks. Raises UsageError where the file has none of that name."""
    if not name or table.column(name) is None:
        raise UsageError(
            f"Which column of {table.name} are the marks to go into?",
            hint=f"Name it with --column: {', '.join(f'`{cell[:60]}`' for cell in table.header[-8:])}.",
        )
    return table.header[table.column(name) or 0]


def _comments_column(table: Table, name: str, service: Service) -> int | None:
    if name:
        return column_of(table, name)
    return table.column(service.comments) if service.comments else None


def _expect_possible(
    table: Table, place: int, max_score: float, service: Service
) -> None:
    possible = points_possible(table, place, service)
    if possible is not None and possible[1] != max_score:
        raise UsageError(
            f"{table.name} says that {possible[0]} points are possible, and the lab has {max_score:g}.",
            hint="Change the assignment's points, or scale the marks (scale_to in the rules).",
        )


def _rows_by_id(table: Table, service: Service) -> dict[tuple[str, str], set[int]]:
    columns = id_columns(table, service)
    found: dict[tuple[str, str], set[int]] = {}
    for number, row in enumerate(table.rows[1:], 1):
        if is_nobodys(table, row, service):
            continue
        for kind, place in columns.items():
            if value := id_in(kind, cell_of(row, place)):
                found.setdefault((kind, value), set()).add(number)
    return found


def _rows_of(mark: Mark, rows: Mapping[tuple[str, str], set[int]]) -> set[int]:
    """All rows to which an id of somebody leads."""
    keys = ((kind, value.strip().casefold()) for kind, value in mark.ids.items())
    return set[int]().union(*(rows.get(key, set()) for key in keys))


def _set(row: list[str], place: int, text: str) -> None:
    row += [""] * (place + 1 - len(row))
    row[place] = text


def _number(score: float, table: Table) -> str:
    """A mark as the file writes numbers: with a comma, where a semicolon stands between cells."""
    text = f"{score:.10g}"
    return text.replace(".", ",") if table.delimiter == ";" else text


def marks_of(
    records: Iterable[Record], comments: Mapping[str, str] | None = None
) -> Iterator[Mark]:
    """Return the marks of a run's rows, one for each person; what may not be graded has 0. Comments are by the rows' names."""
    for record in records:
        for ids in record.row.people:
            text = (comments or {}).get(record.origin, "")
            yield Mark(ids=ids, score=record.score, comment=text)
