"""A plan in words: who is graded with what, and what is left over."""

from __future__ import annotations

from dockdojo.class_.plan import Plan, Row
from dockdojo.cli.classes.names import some


def plan_in_words(plan: Plan) -> list[str]:
    """Return a line for everybody whose work would be graded, and what `left_over` tells."""
    lines = [
        f"{_people(row)}  ←  {row.chosen.hand_in.label}  ({row.chosen.source.layout.service}"
        + (", late" if row.chosen.hand_in.is_late else "")
        + (f", {len(row.others)} earlier left" if row.others else "")
        + ")"
        for row in plan.rows
        if row.chosen
    ]
    return [*lines, *left_over(plan)]


def left_over(plan: Plan) -> list[str]:
    """Return lines that name who handed nothing in, what cannot be graded, and what is nobody's."""
    lines = []
    if plan.missing:
        names = [_people(row) for row in plan.missing]
        lines.append(f"Nothing handed in ({len(names)}): {some(names)}")
    lines += [f"{_people(row)}: {row.problem}" for row in plan.rows if row.problem]
    lines += [
        f"Nobody's: `{stray.candidate.hand_in.label}`, {stray.reason}."
        for stray in plan.strays
    ]
    return lines


def _people(row: Row) -> str:
    return " + ".join(
        (
            f"{person.name} ({person.key})"
            if person.name and person.name != person.key
            else person.key
        )
        for person in row.people
    )
