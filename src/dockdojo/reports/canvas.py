"""A row for Canvas' gradebook. Students are found by the ids of a roster that was exported from Canvas, never by name.

Format: https://community.canvaslms.com/t5/Instructor-Guide/How-do-I-import-grades-in-the-Gradebook/ta-p/807.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping

from dockdojo.errors import UsageError
from dockdojo.model import Report
from dockdojo.reports.text import clean

COLUMNS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
KEYS = ("ID", "SIS User ID", "SIS Login ID")
POSSIBLE = "Points Possible"
FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""What makes a spreadsheet calculate, also after spaces, and in the wide forms of East Asian scripts (https://owasp.org/www-community/attacks/CSV_Injection)."""

Roster = list[dict[str, str]]


def read_roster(text: str) -> Roster:
    """The students of a gradebook that was exported from Canvas. Raises UsageError where it lacks the columns."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise UsageError(
            f"The roster has no column {', '.join(missing)}.",
            hint="Export it from Canvas: Gradebook, Export.",
        )
    rows = [{column: row.get(column) or "" for column in COLUMNS} for row in reader]
    return [
        row
        for row in rows
        if row["Student"].strip() != POSSIBLE and any(row[key] for key in KEYS)
    ]


def find(roster: Roster, student: str) -> dict[str, str]:
    """The row of the student with that id. Raises UsageError for none, or for more than one."""
    found = [row for row in roster if student and student in [row[key] for key in KEYS]]
    if len(found) != 1:
        word = "nobody" if not found else "several students"
        raise UsageError(
            f"The roster has {word} with the id {student!r}.",
            hint=f"Ids are in {', '.join(KEYS)}.",
        )
    return found[0]


def render(
    reports: Iterable[tuple[Mapping[str, str], Report]], assignment: str = ""
) -> str:
    """The gradebook of students and their reports, all of the same lab; the mark of a report that is not final stays empty."""
    pairs = list(reports)
    name = assignment or (pairs[0][1].title if pairs else "")
    points = str(pairs[0][1].max_score) if pairs else ""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*COLUMNS, safe_cell(name)])
    writer.writerow([f"    {POSSIBLE}", "", "", "", "", points])
    for row, report in pairs:
        writer.writerow(
            [
                *(safe_cell(row[column]) for column in COLUMNS),
                report.score if report.final else "",
            ]
        )
    return out.getvalue()


def safe_cell(text: str) -> str:
    """Return a cell's text that no spreadsheet calculates and no terminal obeys."""
    safe = clean(text)
    return f"'{safe}" if safe.lstrip().startswith(FORMULA) else safe
