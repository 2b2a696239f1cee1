"""Tables as gradebooks export and take them back: CSV in any encoding, with any delimiter, written again as it was read."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
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

    def to_bytes(self) -> bytes:
        """Return the file's bytes. Raises UsageError where the encoding lacks a character."""
        out = io.StringIO()
        writer = csv.writer(
            out,
            delimiter=self.delimiter,
            lineterminator=self.newline,
            quoting=csv.QUOTE_ALL if self.quotes_all else csv.QUOTE_MINIMAL,
        )
        writer.writerows(self.rows)
        try:
            return self.mark + out.getvalue().encode(self.encoding)
        except UnicodeEncodeError as error:
            raise UsageError(
                f"{self.name} is written in {self.encoding}, which has no {error.object[error.start]!r}.",
                hint="Export it again as UTF-8.",
            ) from error


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
    return Table(
        name=name,
        rows=rows,
        mark=mark,
        encoding=encoding,
        delimiter=delimiter,
        newline="\r\n" if first.endswith("\r") else "\n",
        quotes_all=_quotes_all(first, delimiter),
    )


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
