"""Whom somebody means: a row of a run by its name, or by an id or the full name of who is in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dockdojo.class_.rows import Submission
from dockdojo.errors import UsageError

MAX_SHOWN_CHARACTERS = 80
MAX_NAMED = 5


def called_of(name: str, ids: Mapping[str, str]) -> set[str]:
    """Return what somebody may be called: the row's name, any id, the full name; to be compared in lower case."""
    return {text.strip().casefold() for text in (name, *ids.values())} - {""}


def find_row(rows: Iterable[Submission], student: str) -> Submission:
    """Return the row that is meant. Raises UsageError where it is nobody's, or may be several's."""
    wanted, found = student.strip().casefold(), list[Submission]()
    for row in rows:
        if row.name == student:
            return row
        if any(wanted in called_of(row.name, ids) for ids in row.people or ({},)):
            found.append(row)
    if len(found) == 1:
        return found[0]
    shown = student[:MAX_SHOWN_CHARACTERS]
    if not found:
        raise UsageError(
            f"Nobody of the class is called `{shown}`.",
            hint="`dockdojo class report RUN` shows names and ids.",
        )
    names = " or ".join(row.name for row in found[:MAX_NAMED])
    raise UsageError(
        f"`{shown}` may be {names}.",
        hint="Use one of these names, or an id that only one of them has.",
    )
