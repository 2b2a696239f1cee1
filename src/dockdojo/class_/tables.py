"""Tables as gradebooks export and take them back: CSV in any encoding, with any delimiter.

What nobody changed is written again byte for byte: services and spreadsheets quote as they like, also without need.
"""

from __future__ import annotations

import csv
import functools
import io
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from dockdojo.errors import UsageError, reason_of

MAX_TABLE_BYTES = 20_000_000
"""Of one table; a gradebook of 2,000 students with 50 columns has two."""
MAX_CELL_CHARACTERS = 100_000
DELIMITERS = ",;\t|"
BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
"""Blackboard writes UTF-16, Excel and Canvas UTF-8 with a mark (RFC 3629, RFC 2781)."""
FALLBACK = "cp1252"
"""What spreadsheets of western Windows write where they do not write UTF-8."""


@dataclass(frozen=True, slots=True)
class Line:
    """A row as its file writes it: each cell with its quotation marks, and what ends the line."""

    cells: tuple[str, ...]
    end: str


@dataclass(slots=True, kw_only=True)
class Table:
    """The rows of a table, and how its file writes them."""

    name: str
    """Of the file."""
    rows: list[list[str]]
    mark: bytes = b""
    """The byte order mark at the file's beginning."""
    encoding: str = "utf-8"
    delimiter: str = ","
    newline: str = "\n"
    quotes_all: bool = False
    """Whether each cell stands between quotation marks."""
    lines: list[Line] = field(default_factory=list)
    """The rows as they were read; empty where they are to be written anew."""

    @property
    def header(self) -> list[str]:
        """The cells of the first row, trimmed."""
        return [cell.strip() for cell in self.rows[0]] if self.rows else []

    def column(self, *names: str) -> int | None:
        """Return the place of the first column that has one of these names, in any case; None without one."""
        wanted = {name.casefold() for name in names}
        for place, cell in enumerate(self.header):
            if cell.casefold() in wanted:
                return place
        return None

    def keep(self, numbers: Collection[int]) -> None:
        """Keep the rows of these numbers, from 0, and no other."""
        self.rows = [row for place, row in enumerate(self.rows) if place in numbers]
        self.lines = [line for place, line in enumerate(self.lines) if place in numbers]

    def to_bytes(self) -> bytes:
        """Return the file's bytes. Raises UsageError where the encoding lacks a character."""
        lines = self.lines or [Line((), self.newline)] * len(self.rows)
        text = "".join(
            self._written(row, line) for row, line in zip(self.rows, lines, strict=True)
        )
        try:
            return self.mark + text.encode(self.encoding)
        except UnicodeEncodeError as error:
            raise UsageError(
                f"{self.name} is written in {self.encoding}, which has no {error.object[error.start]!r}.",
                hint="Export it again as UTF-8.",
            ) from error

    def _written(self, row: list[str], line: Line) -> str:
        written = []
        for place, cell in enumerate(row):
            raw = line.cells[place] if place < len(line.cells) else None
            is_same = raw is not None and _bare(raw) == cell
            written.append(
                raw if raw is not None and is_same else self._cell(cell, raw)
            )
        return self.delimiter.join(written) + line.end

    def _cell(self, text: str, before: str | None) -> str:
        """A cell that is new, between quotation marks where it needs them or where they stood before."""
        special = any(sign in text for sign in ('"', "\r", "\n", self.delimiter))
        was_quoted = before is not None and before.startswith('"')
        if special or self.quotes_all or was_quoted:
            doubled = text.replace('"', '""')
            return f'"{doubled}"'
        return text


def read_table(path: Path) -> Table:
    """Read a table. Raises UsageError where there is none, or where it is too large."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_TABLE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {reason_of(error)}.") from error
    if len(raw) > MAX_TABLE_BYTES:
        raise UsageError(
            f"{path} has more than {MAX_TABLE_BYTES // 10**6} MB: that is no table of a class."
        )
    return parse_table(raw, path.name)


def parse_table(raw: bytes, name: str) -> Table:
    """Return the table in a file's bytes. Raises UsageError where it is none."""
    mark, encoding = next(
        (pair for pair in BYTE_ORDER_MARKS if raw.startswith(pair[0])), (b"", "utf-8")
    )
    try:
        text = raw[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        if mark:
            raise UsageError(f"{name} is no text in {encoding.upper()}.") from error
        encoding = FALLBACK
        text = raw.decode(FALLBACK, "replace")
    if "\0" in text:
        raise UsageError(f"{name} is no table: it holds bytes that no text has.")
    first = text.split("\n", 1)[0]
    delimiter = _delimiter(first)
    previous = csv.field_size_limit(MAX_CELL_CHARACTERS)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise UsageError(f"{name} is no table: {error}.") from error
    finally:
        csv.field_size_limit(previous)
    lines = _lines(text, delimiter)
    # Where a quotation mark stands in an odd place, the rows are written anew.
    is_plain = [[*map(_bare, line.cells)] for line in lines] == [
        row or [""] for row in rows
    ]
    return Table(
        name=name,
        rows=rows,
        lines=lines if is_plain else [],
        mark=mark,
        encoding=encoding,
        delimiter=delimiter,
        newline="\r\n" if first.endswith("\r") else "\n",
        quotes_all=_quotes_all(first, delimiter),
    )


def _lines(text: str, delimiter: str) -> list[Line]:
    """The rows of a text as they are written there."""
    found, cells, place = list[Line](), list[str](), 0
    piece = _piece(delimiter)
    while place < len(text) or cells:
        match = piece.match(text, place)
        assert match is not None
        cells.append(match[1])
        place = match.end()
        if match[2] != delimiter:
            found.append(Line(tuple(cells), match[2]))
            cells = []
    return found


@functools.cache
def _piece(delimiter: str) -> re.Pattern[str]:
    """A cell, and what stands behind it; linear, since nothing is tried twice."""
    other = f"[^{re.escape(delimiter)}\\r\\n]*+"
    return re.compile(
        rf'("(?:[^"]++|"")*+"?{other}|{other})({re.escape(delimiter)}|\r\n|\r|\n|\Z)'
    )


def _bare(raw: str) -> str:
    """A cell without its quotation marks."""
    if len(raw) > 1 and raw[0] == raw[-1] == '"':
        return raw[1:-1].replace('""', '"')
    return raw


def _delimiter(header: str) -> str:
    """The delimiter that stands most often in the header, outside of quotation marks."""
    outside = "".join(header.split('"')[::2])
    return max(
        DELIMITERS,
        key=lambda delimiter: (
            outside.count(delimiter),
            -DELIMITERS.index(delimiter),
        ),
    )


def _quotes_all(header: str, delimiter: str) -> bool:
    """Whether each cell of the header stands between quotation marks, though none needs to."""
    line = header.rstrip("\r")
    cells = line.split(delimiter)
    return bool(line) and all(
        len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in cells
    )
