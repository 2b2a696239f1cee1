"""The vocabulary that graders assert with. Plain asserts on well-named values come first; `fail` says more."""

from __future__ import annotations

from typing import NoReturn

from dockdojo.errors import SubmissionError
from dockdojo.model import Feedback, Where


class CheckFailed(AssertionError):
    """A check's own explanation of what is wrong with the submission."""

    def __init__(self, feedback: Feedback) -> None:
        super().__init__(feedback.observed or feedback.why)
        self.feedback = feedback


def fail(
    observed: str,
    *,
    expected: str = "",
    why: str = "",
    file: str = "",
    line: int = 0,
    detail: str = "",
    hint: str = "",
) -> NoReturn:
    """Fails the check: what was observed, what was expected, why that is, and where to look.

    `hint` is what to try next for just this failure; without it, the first of the check's hints is shown.
    """
    where = Where(file=file, line=line) if file else None
    raise CheckFailed(
        Feedback(
            expected=expected,
            observed=observed,
            why=why,
            where=where,
            hint=hint,
            detail=detail,
        )
    )


def feedback_of(error: SubmissionError, expected: str = "") -> Feedback:
    """Return the feedback for an error that is the submission's fault."""
    return Feedback(
        expected=error.expected or expected,
        observed=error.message,
        why=error.hint,
        where=Where(file=error.file, line=error.line) if error.file else None,
        detail=error.detail,
    )
