"""`answers.toml`: each question stands for itself. A mistake in one costs that one; a key of no question costs nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import NoReturn

from dockerlab.checks import fail
from dockerlab.checks.submission import Submission
from dockerlab.parsing import Unreadable, parse
from dockerlab.texts import MAX_LINE

FILE = "answers.toml"
HINT = 'Each answer is a line of the form key = "answer", with the key as the starter has it.'
MAX_CHARACTERS = 50_000
"""Of answers.toml; what people write has a thousand."""
LONGEST = 2_000
"""Characters of one answer."""


class Answers(dict[str, str]):
    """The answers by key: those that were given, and are texts."""

    def __init__(self, given: dict[str, str], mistyped: dict[str, str], unknown: list[str]) -> None:
        super().__init__(given)
        self.mistyped = mistyped
        """Keys whose value is no answer, with what it is instead: `a number`."""
        self.unknown = unknown
        """Keys of no question."""


def read_answers(submission: Submission, keys: Iterable[str], *, fold: bool = True) -> Answers:
    """The answers by key, trimmed and (with `fold`) in lower case.

    Ends the check as failed where the file is missing or cannot be read.
    """
    known = list(keys)
    text = submission.read(FILE)
    if len(text) > MAX_CHARACTERS:
        fail(f"{FILE} has {len(text):,} characters", expected=f"at most {MAX_CHARACTERS:,}", file=FILE)
    try:
        raw = parse("toml", text, name=FILE)
    except Unreadable as error:
        fail(
            f"{FILE} is not valid TOML: {error.message}",
            expected='lines of the form key = "answer"',
            why='Text stands between quotation marks, and each key stands once: state = "running".',
            hint=HINT,
            file=FILE,
            line=error.line,
        )
    given, mistyped = {}, {}
    for key in [one for one in known if one in raw]:
        value, kind = raw[key]
        if value is None or len(value) > LONGEST:
            mistyped[key] = str(kind or "too long")
        elif value.strip():
            given[key] = value.strip().lower() if fold else value.strip()
    return Answers(given, mistyped, [one[:100] for one in raw if one not in known])


def line_of(text: str, key: str) -> int:
    """The line on which the key is set; 0 where it is not."""
    for number, line in enumerate(text.split("\n"), 1):
        name, equals, _ = line[:MAX_LINE].partition("=")
        if equals and name.strip().strip("\"'") == key:
            return number
    return 0


def expect_given(submission: Submission, answers: Answers, key: str, expected: str) -> str:
    """The answer to one question. Ends the check as failed where there is none, or where it is no text."""
    if key not in answers:
        _tell_missing(submission.read(FILE), answers, key, expected)
    return answers[key]


def _tell_missing(text: str, answers: Answers, key: str, expected: str) -> NoReturn:
    if key in answers.mistyped:
        fail(
            f"`{key}` is {answers.mistyped[key]}",
            expected=f'`{key} = "…"`, a text between quotation marks',
            hint=HINT, file=FILE, line=line_of(text, key),
        )  # fmt: skip
    near = difflib.get_close_matches(key, answers.unknown, n=1)
    odd = near or answers.unknown[:1]
    fail(
        f"`{key}` has no answer yet" + (f"; {FILE} has an unknown key `{odd[0]}`" if odd else ""),
        expected=expected,
        why=f"Did you mean `{key}`?" if near else "Was a line moved below a [heading]?" if odd else "",
        hint=HINT if odd else "", file=FILE, line=line_of(text, odd[0] if odd else key),
    )  # fmt: skip


def expect_answer(submission: Submission, answers: Answers, key: str, right: str, wrong: dict[str, str]) -> None:
    """Holds one answer against the right one. `wrong` maps each wrong choice to why it is wrong, without the right one."""
    line = line_of(submission.read(FILE), key)
    choices = " or ".join(f'"{one}"' for one in sorted({right, *wrong}))
    given = expect_given(submission, answers, key, f"one of {choices}").lower()
    if given == right.lower():
        return
    wrong = {choice.lower(): why for choice, why in wrong.items()}
    if given not in wrong:
        fail(
            f'`{key}` is "{given[:60]}"',
            expected=f"one of {choices}",
            why="The answer must be one of the choices, letter for letter.",
            hint="The comment above the question lists the choices.",
            file=FILE,
            line=line,
        )
    fail(f'`{key}` is "{given}"', expected="another answer", why=wrong[given], file=FILE, line=line)
