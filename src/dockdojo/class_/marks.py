"""The marks of a class as a table and as JSON: a row for everybody, whatever became of what they handed in."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping

from dockdojo.class_.records import Record
from dockdojo.reports.canvas import safe_cell


def as_dict(record: Record) -> Mapping[str, object]:
    """Return a record as JSON has it."""
    row, report = record.row, record.report
    found: dict[str, object] = {
        "name": row.name,
        "people": row.people,
        "state": row.state,
        "reason": row.reason,
        "attempts": row.attempt,
        "submitted": row.submitted.isoformat() if row.submitted else None,
    }
    if record.score is not None:
        found["score"] = record.score
    if report is not None:
        found["max_score"] = report.max_score
    return found


def as_json(records: Iterable[Record]) -> str:
    """Return the rows as JSON."""
    rows = [as_dict(record) for record in records]
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"


def as_csv(records: Iterable[Record]) -> str:
    """Return a row for each person: who it is, the state, the mark, and why there is none. Safe for spreadsheets."""
    out, records = io.StringIO(), list(records)
    writer = csv.writer(out, lineterminator="\n")
    kinds = dict.fromkeys(
        kind for record in records for ids in record.row.people for kind in ids
    )
    writer.writerow(["row", *kinds, "state", "score", "max_score", "reason"])
    for record in records:
        row, report = record.row, record.report
        for ids in row.people:
            words = [row.name, *(ids.get(kind, "") for kind in kinds), row.state]
            marks = [
                "" if record.score is None else record.score,
                report.max_score if report else "",
            ]
            writer.writerow([*map(safe_cell, words), *marks, safe_cell(row.reason)])
    return out.getvalue()
