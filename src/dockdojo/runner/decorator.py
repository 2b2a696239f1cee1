"""`@check`: what makes a test of a grader one of the lab's checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from dockdojo.model import Check

F = TypeVar("F", bound=Callable[..., Any])
ATTRIBUTE = "__dockdojo_check__"


def check(
    *,
    points: int,
    hints: Iterable[str] = (),
    needs: Callable[..., Any] | Iterable[Callable[..., Any]] = (),
    hidden: bool = False,
) -> Callable[[F], F]:
    """Marks a test as a check worth `points`. Its docstring is the sentence that the student reads.

    `hints` is a ladder: nudge, concept, command shape. `needs` are checks without which this one says nothing:
    where one of them does not pass, this one is `skipped`. Of a `hidden` check the student's report tells the points, and
    nothing more. Raises ValueError or TypeError for what makes no sense.
    """
    if isinstance(points, bool) or not isinstance(points, int) or points < 0:
        raise ValueError(f"points={points!r}: a whole number from 0 on")
    ladder = (hints,) if isinstance(hints, str) else tuple(hints)
    wanted = (needs,) if callable(needs) else tuple(needs)
    for hint in ladder:
        if not isinstance(hint, str) or not hint.strip():
            raise ValueError("an empty hint")
    for need in wanted:
        if not hasattr(need, ATTRIBUTE):
            raise TypeError(f"needs={need!r} is not a check of this grader")
        if getattr(need, ATTRIBUTE).hidden and not hidden:
            raise ValueError(
                f"a check that is seen must not need `{getattr(need, ATTRIBUTE).name}`, which is hidden"
            )

    def mark(function: F) -> F:
        title = " ".join((function.__doc__ or "").split())
        if not title:
            raise ValueError(
                f"{function.__name__} has no docstring: it is the sentence that the student reads"
            )
        if not function.__name__.startswith("test_"):
            raise ValueError(f"{function.__name__}: a check's name begins with test_")
        spec = Check(
            name=function.__name__.removeprefix("test_"),
            title=title,
            points=points,
            hints=ladder,
            needs=tuple(getattr(need, ATTRIBUTE).name for need in wanted),
            hidden=hidden,
        )
        setattr(function, ATTRIBUTE, spec)
        return function

    return mark
