"""What everybody of a class has: a row of the run, and its report. All that is written about a class is written from these."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from dockdojo.class_.rows import Submission, read_report, read_rows
from dockdojo.errors import UsageError
from dockdojo.model import Report
from dockdojo.reports import json as json_report


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A row, and its report where it was graded."""

    row: Submission
    report: Report | None = None
    group: str = ""
    """The row that it was part of, where rules told a group's members apart."""

    @property
    def origin(self) -> str:
        """The row of the run that it comes from."""
        return self.group or self.row.name

    @property
    def score(self) -> int | None:
        """The mark: 0 for what may not be graded, None for what does not count yet, or where nothing was handed in."""
        if self.report is not None:
            return self.report.score
        return 0 if self.row.state == "refused" else None

    @property
    def is_open(self) -> bool:
        """Whether there is no mark yet, though something was handed in."""
        return self.row.state in ("not final", "waiting", "running")


def read_records(folder: Path, names: Collection[str] | None = None) -> list[Record]:
    """Return what everybody has, or the rows of those names, in the order of the roster. Raises UsageError for no run."""
    return [
        Record(
            row=row,
            report=(
                json_report.parse(read_report(folder, row.report))
                if row.state == "done"
                else None
            ),
        )
        for row in read_rows(folder)
        if names is None or row.name in names
    ]


def max_score_of(records: Iterable[Record]) -> int:
    """Return what can be had. Raises UsageError where nothing was graded yet, or where it is not the same for all."""
    found = {record.report.max_score for record in records if record.report}
    if len(found) != 1:
        raise UsageError(
            "Nothing was graded yet."
            if not found
            else "The lab's points changed during the run; grade again."
        )
    return found.pop()
