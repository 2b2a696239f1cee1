"""`answers.toml`, read strictly: unknown keys, wrong types and missing answers are told by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from dockerlab.checks import fail
from dockerlab.checks.submission import Submission
from dockerlab.parsing import Unreadable, parse
from dockerlab.texts import MAX_LINE

FILE = "answers.toml"
MAX_CHARACTERS = 50_000
"""Of answers.toml; what people write has a thousand."""
LONGEST = 2_000
"""Characters of one answer."""


def read_answers(submission: Submission, keys: Iterable[str], *, fold: bool = True) -> dict[str, str]:
    """The answers by key, trimmed and (with `fold`) in lower case.

    Ends the check as failed where the file is not as it should be.
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
            file=FILE,
            line=error.line,
        )
    for key, (value, kind) in raw.items():
        if key not in known:
            near = difflib.get_close_matches(key[:100], known, n=1)
            fail(
                f"{FILE} has an unknown key `{key[:100]}`",
                expected="only the keys " + ", ".join(f"`{one}`" for one in known),
                why=f"Did you mean `{near[0]}`?" if near else "Was a line moved below a [heading]?",
                file=FILE,
                line=line_of(text, key),
            )
        if value is None or len(value) > LONGEST:
            fail(
                f"`{key}` is {kind or 'too long'}",
                expected=f'`{key} = "…"`, a text between quotation marks',
                file=FILE,
                line=line_of(text, key),
            )
    given = {key: raw[key][0].strip() for key in known if key in raw and raw[key][0].strip()}
    return {key: value.lower() for key, value in given.items()} if fold else given


def line_of(text: str, key: str) -> int:
    """The line on which the key is set; 0 where it is not."""
    for number, line in enumerate(text.split("\n"), 1):
        name, equals, _ = line[:MAX_LINE].partition("=")
        if equals and name.strip().strip("\"'") == key:
            return number
    return 0


def expect_answer(submission: Submission, answers: dict[str, str], key: str, right: str, wrong: dict[str, str]) -> None:
    """Holds one answer against the right one. `wrong` maps each wrong choice to why it is wrong, without the right one."""
    line = line_of(submission.read(FILE), key)
    choices = " or ".join(f'"{one}"' for one in sorted({right, *wrong}))
    if key not in answers:
        fail(f"`{key}` has no answer yet", expected=f"one of {choices}", file=FILE, line=line)
    given = answers[key].lower()
    if given == right.lower():
        return
    wrong = {choice.lower(): why for choice, why in wrong.items()}
    if given not in wrong:
        fail(
            f'`{key}` is "{given[:60]}"',
            expected=f"one of {choices}",
            why="The answer must be one of the choices, letter for letter.",
            file=FILE,
            line=line,
        )
    fail(f'`{key}` is "{given}"', expected="another answer", why=wrong[given], file=FILE, line=line)
