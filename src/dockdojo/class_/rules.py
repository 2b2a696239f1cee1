"""An instructor's rules, applied when marks are written: a changed rule changes marks, and grades nothing again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from dockdojo.class_.find import called_of
from dockdojo.class_.records import Record
from dockdojo.errors import UsageError
from dockdojo.model import Report
from dockdojo.reports import policy
from dockdojo.reports.policy import Policy


@dataclass(slots=True)
class Applied:
    """What everybody has by the rules."""

    records: list[Record] = field(default_factory=list)
    """As they were, with the rules' lines; a group's row is one for each member where the rules tell them apart."""
    unused: list[str] = field(default_factory=list)
    """Students whom the rules name, and for whom nothing could be done: not in the class, or without a report."""


def apply(records: Sequence[Record], rules: Policy, lab: str) -> Applied:
    """Return the records by the rules.

    Raises UsageError where a name in the rules is that of several rows, and where a due date needs to know when something was
    submitted, and nobody says.
    """
    applied = Applied(unused=_unused(records, rules, lab))
    problems: list[tuple[str, UsageError]] = []
    names = {record.row.name for record in records}
    for record in records:
        if record.report is None:
            applied.records.append(record)
            continue
        try:
            applied.records += _by_person(record, record.report, rules, names)
        except UsageError as error:
            problems.append((record.row.name, error))
    if problems:
        name, first = problems[0]
        more = f" So it is with {len(problems) - 1} more." if problems[1:] else ""
        raise UsageError(f"{name}: {first.message}{more}", hint=first.hint)
    return applied


def _by_person(
    record: Record, report: Report, rules: Policy, names: set[str]
) -> list[Record]:
    row = record.row
    marked = [
        policy.apply(
            report, rules, ids=called_of(row.name, ids), submitted=row.submitted
        )
        for ids in row.people or ({},)
    ]
    if all(other == marked[0] for other in marked):
        return [replace(record, report=marked[0])]
    members = []
    for number, (ids, found) in enumerate(zip(row.people, marked, strict=True), 1):
        name = f"{row.name}.{number}"
        while name in names:  # somebody is called so
            name += "-"
        names.add(name)
        member = replace(row, name=name, people=(ids,))
        members.append(replace(record, row=member, report=found, group=row.name))
    return members


def _unused(records: Iterable[Record], rules: Policy, lab: str) -> list[str]:
    rows: dict[str, dict[str, Record]] = {}
    for record in records:
        for ids in record.row.people or ({},):
            for word in called_of(record.row.name, ids):
                rows.setdefault(word, {})[record.row.name] = record
    adjusted = {rule.student for rule in rules.adjust if rule.lab == lab}
    found = []
    for student in rules.students(lab):
        named = rows.get(student.strip().casefold(), {})
        if len(named) > 1:
            raise UsageError(
                f"The rules name `{student[:80]}`, which may be {' or '.join(list(named)[:3])}.",
                hint="Use an id that only one of them has.",
            )
        if not named:
            found.append(student)
        for record in named.values():
            if student in adjusted and record.report is None:
                found.append(f"{student} ({record.row.state})")
    return found
