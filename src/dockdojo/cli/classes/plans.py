"""A plan in words: who is graded with what, and what is left over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from dockdojo.class_.plan import Plan, Row
from dockdojo.cli.classes.names import some


def plan_in_words(
    plan: Plan, looked_at: Iterable[tuple[Row, Sequence[str]]]
) -> Iterator[str]:
    """Yield a line for everybody whose work would be graded, with what was seen in it, and what `left_over` tells."""
    for row, seen in looked_at:
        assert row.chosen is not None
        hand_in, service = row.chosen.hand_in, row.chosen.source.layout.service
        late = ", late" if hand_in.is_late else ""
        others = f", {len(row.others)} earlier left" if row.others else ""
        yield f"{_people(row)}  ←  {hand_in.label}  ({service}{late}{others})"
        for line in seen:
            yield f"    {line}"
    yield from left_over(plan)


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
