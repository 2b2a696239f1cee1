"""The table of tasks in a lesson: what a student is to do, what it is worth, and which checks tell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from dockdojo.model import Check

HEADER = "| what to do | points | checks |"
NAME = re.compile(r"`([a-z0-9_]+)`")


def rows(lesson: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the points of each row of the table, as they are written, and the names of its checks."""
    lines = iter(lesson.splitlines())
    for line in lines:
        if line.strip() == HEADER:
            break
    for line in lines:
        if not line.startswith("|"):
            return
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) >= 3 and set(cells[-1]) != {"-"}:
            yield cells[-2], NAME.findall(cells[-1])


def problems(lesson: str, checks: Sequence[Check]) -> Iterator[str]:
    """Where the table and the grader differ, a line each. Hidden checks are in no table."""
    points = {check.name: check.points for check in checks if not check.hidden}
    found = list(rows(lesson))
    if not found:
        yield f"its lesson has no table `{HEADER}`"
        return
    named = [name for _, names in found for name in names]
    if unknown := sorted(set(named) - points.keys()):
        yield f"its table of tasks names {', '.join(unknown)}, which is no check"
    for name in points:
        if name not in named:
            yield f"its table of tasks lacks {name} ({points[name]} points)"
    for written, names in found:
        total = sum(points.get(name, 0) for name in names)
        if written != str(total):
            yield f"its table of tasks says {written or 'no'} points for {', '.join(names)}, and the grader {total}"
