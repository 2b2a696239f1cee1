"""From what a check raised to what a student reads. Nobody reads a traceback."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from dockdojo.checks import CheckFailed, feedback_of
from dockdojo.connection.types import ExitCode
from dockdojo.errors import DockdojoError, NoGpu, SubmissionError
from dockdojo.model import Check, Feedback, Status

MAX_VALUE_CHARACTERS = 400
"""Characters of one value that are shown."""
_WORDS: dict[type[ast.cmpop], str] = {
    ast.Eq: "is",
    ast.NotEq: "is not",
    ast.Lt: "is less than",
    ast.LtE: "is at most",
    ast.Gt: "is more than",
    ast.GtE: "is at least",
    ast.In: "is in",
    ast.NotIn: "is not in",
    ast.Is: "is",
    ast.IsNot: "is not",
}

WORDS_OF_DOCKER = {
    "exit_code": "the exit code",
    "stdout": "stdout",
    "stderr": "stderr",
    "seconds": "the time in seconds",
    "oom_killed": "`OOMKilled`",
    "running": "the container's state `Running`",
    "status": "the HTTP status",
    "text": "the answer",
    "type": "the media type",
    "workdir": "WORKDIR",
    "user": "USER",
    "cmd": "CMD",
    "entrypoint": "ENTRYPOINT",
    "env": "the environment (ENV)",
    "labels": "the labels (LABEL)",
    "ports": "the ports of EXPOSE",
    "volumes": "the folders of VOLUME",
    "stop_signal": "STOPSIGNAL",
    "size": "the size in bytes",
    "layers": "the layers",
    "tags": "the tags",
    "argv": "the process's words",
    "uid": "the process's user",
    "state": "the process's state",
    "pid": "the process's number",
}
"""What graders name in their asserts, as people read it: they know Docker, and not the grader's Python."""
NOT_SO = "It is not so."
SEE_ABOVE = "It is the same as at `{}`: see above."


def line_through(error: pytest.ExceptionInfo[BaseException], grader: Path) -> int:
    """The last line of the grader that an exception came through; 0 where there is none."""
    lines = [
        entry.lineno + 1 for entry in error.traceback if Path(entry.path) == grader
    ]
    return lines[-1] if lines else 0


def judge(
    error: BaseException,
    grader: Path,
    line: int,
    compared: tuple[Any, Any] | None,
    check: Check,
) -> tuple[Status, Feedback]:
    """The outcome that an exception of a check means, and the feedback.

    `line` is where in the grader it came through; `compared` the two values of its last failed comparison.
    """
    hint = check.hints[0] if check.hints else ""
    if isinstance(error, pytest.skip.Exception):
        return "skipped", Feedback(why=str(error.msg or "It cannot be checked here."))
    if isinstance(error, CheckFailed):
        return "failed", _with(error.feedback, hint, check)
    if isinstance(error, SubmissionError):
        # It knows what to try next, such as for a build that failed; the check's own hints are about something else.
        return "failed", _with(
            replace(feedback_of(error), why="", hint=error.hint), hint, check
        )
    if isinstance(error, NoGpu):
        return "skipped", Feedback(
            why=f"{error.message} Its points cannot be earned here.", hint=error.hint
        )
    if isinstance(error, DockdojoError):
        return "error", Feedback(observed=error.message, why=error.hint)
    if isinstance(error, AssertionError):
        return "failed", _with(_plain(error, grader, line, compared), hint, check)
    return "error", Feedback(
        observed=f"The grader itself failed: {type(error).__name__}: {_cut(str(error))}",
        why="This is not the submission's fault. Please tell the author of the lab.",
        detail=f"{grader.name}, line {line}",
    )


def _with(feedback: Feedback, hint: str, check: Check) -> Feedback:
    return Feedback(
        expected=feedback.expected or check.title,
        observed=feedback.observed,
        why=feedback.why,
        where=feedback.where,
        hint=feedback.hint or hint,
        detail=feedback.detail,
    )


def _plain(
    error: AssertionError, grader: Path, line: int, compared: tuple[Any, Any] | None
) -> Feedback:
    """A plain assert: its own source says what was expected, its values what was observed."""
    test, message = _assertion(grader, line)
    text = str(error)
    why = text.split("\nassert ", 1)[0].strip() if message else ""
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and compared is not None:
        left, right = _words(test.left), _words(test.comparators[0])
        word = _WORDS[type(test.ops[0])]
        if isinstance(test.ops[0], ast.In | ast.NotIn):
            return Feedback(
                expected=f"{_shown(compared[0])} {word} {right or 'what was found'}",
                observed=f"{right or 'found'}: {_shown(compared[1])}",
                why=why,
            )
        expected = (
            f"{left or 'what was found'} {word} {_shown(compared[1])}"
            if _is_short(compared[1])
            else ""
        )
        observed = (
            f"{left} is {_shown(compared[0])}"
            if left
            else f"found: {_shown(compared[0])}"
        )
        return Feedback(expected=expected, observed=observed, why=why)
    return Feedback(
        observed=why or (NOT_SO if test is not None else _cut(text.split("\n")[0]))
    )


def _words(expression: ast.expr) -> str:
    """What an expression of a grader is, in Docker's words; empty where there are none for it."""
    if isinstance(expression, ast.Call) and isinstance(expression.func, ast.Attribute):
        expression = expression.func.value  # such as .strip()
    return (
        WORDS_OF_DOCKER.get(expression.attr, "")
        if isinstance(expression, ast.Attribute)
        else ""
    )


def seen_above(feedback: Feedback, check: str) -> Feedback:
    """The feedback of a check that failed for what another one, above, has told already."""
    return Feedback(
        observed=feedback.observed, why=SEE_ABOVE.format(check), where=feedback.where
    )


@cache
def _tree(grader: Path) -> ast.Module:
    return ast.parse(grader.read_text(encoding="utf-8"))


def _assertion(grader: Path, line: int) -> tuple[ast.expr | None, ast.expr | None]:
    for node in ast.walk(_tree(grader)):
        if isinstance(node, ast.Assert) and node.lineno <= line <= (
            node.end_lineno or node.lineno
        ):
            return node.test, node.msg
    return None, None


def _is_short(value: Any) -> bool:
    return isinstance(value, bool | int | float | type(None)) or (
        isinstance(value, str | tuple) and len(repr(value)) <= MAX_VALUE_CHARACTERS
    )


_NO_PYTHON = {None: "nothing", True: "yes", False: "no"}


def _shown(value: Any) -> str:
    if isinstance(value, ExitCode):
        return str(value)
    if value is None or isinstance(value, bool):
        return _NO_PYTHON[value]
    if isinstance(value, tuple | list | dict | set | frozenset) and not value:
        return "none"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, str):
        return f'"{_cut(_visible(value))}"' if value else "empty"
    if (
        isinstance(value, Sequence)
        and not isinstance(value, bytes)
        and value
        and all(isinstance(element, str) for element in value)
    ):
        return _cut(", ".join(f'"{_visible(element)}"' for element in value))
    return _cut(repr(value))


def _visible(text: str) -> str:
    """Line ends and control characters made visible, so that a stray one is seen."""
    return "".join(
        _ESCAPES.get(c, c if c.isprintable() else f"\\x{ord(c):02x}") for c in text
    )


_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _cut(text: str) -> str:
    return (
        text
        if len(text) <= MAX_VALUE_CHARACTERS
        else f"{text[:MAX_VALUE_CHARACTERS]}… ({len(text)} characters)"
    )
