"""A gradebook of its own for Canvas, and cells that no spreadsheet calculates. To fill in one's own, see `class_.gradebooks`.

Format: https://community.canvaslms.com/t5/Instructor-Guide/How-do-I-import-grades-in-the-Gradebook/ta-p/807.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping

from dockdojo.model import Report
from dockdojo.reports.text import clean

COLUMNS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
POSSIBLE = "Points Possible"
FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""What makes a spreadsheet calculate, also after spaces, and in the wide forms of East Asian scripts (https://owasp.org/www-community/attacks/CSV_Injection)."""


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
