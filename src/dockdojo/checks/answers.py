"""`answers.toml`: each question stands for itself. A mistake in one costs that one; a key of no question costs nothing."""

from __future__ import annotations

import codecs
import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from dockdojo.checks import fail
from dockdojo.errors import SubmissionError
from dockdojo.parsing import Unreadable, parse
from dockdojo.submission.folder import Submission
from dockdojo.texts import MAX_LINE

FILE = "answers.toml"
HINT = 'Each answer is a line of the form key = "answer", with the key as the starter has it.'
MAX_CHARACTERS = 50_000
"""Of answers.toml; what people write has a thousand."""
MAX_ANSWER_CHARACTERS = 2_000
FIRST_WORD = re.compile(r"""["']?([\w-]{1,200})""")
CURLY_QUOTES = "“”„‟‘’‚‛«»"
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""How a file begins that is saved as UTF-16."""


Question = tuple[str, dict[str, str]]
"""The right answer; and for each wrong one why it is wrong, without telling the right one."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A line that cannot be read, and the key that it begins with."""

    line: int
    text: str
    key: str


@dataclass(frozen=True)
class Document:
    """What can be read of a file of answers."""

    text: str
    values: Mapping[str, Any]
    """For each key its value and "", or None and the name of the kind that it is instead."""
    lines: Mapping[str, int] = field(default_factory=dict)
    """The lines of the keys, where the file was read line by line."""
    broken: tuple[Broken, ...] = ()


class Answers(dict[str, str]):
    """The answers that were given as text, by key."""

    def __init__(
        self,
        document: Document,
        given: dict[str, str],
        mistyped: dict[str, str],
        known: list[str],
    ) -> None:
        super().__init__(given)
        self.document = document
        self.mistyped = mistyped
        """Keys whose value is no answer, with what it is instead: `a number`."""
        self.unknown = [key[:100] for key in document.values if key not in known]
        """Keys of no question."""
        self.stray = [broken for broken in document.broken if broken.key not in known]
        """Lines that cannot be read and that begin with the key of no question."""

    def broken_at(self, key: str) -> Broken | None:
        """Return the unreadable line that begins with the key; None where there is none."""
        return next(
            (broken for broken in self.document.broken if broken.key == key), None
        )

    def line_of(self, key: str) -> int:
        """Return the number of the line that sets the key; 0 where none does."""
        return self.document.lines.get(key) or line_of(self.document.text, key)


def read_document(text: str) -> Document:
    """Read the answers: as TOML where it is valid, else each line by itself."""
    try:
        return Document(text, parse("toml", text, name=FILE))
    except Unreadable:
        found = parse("toml_lines", text, name=FILE)
    broken = tuple(
        Broken(line, said, _first_word(said)) for line, said in found.pop("", ())
    )
    values = {key: (value, kind) for key, (value, kind, _) in found.items()}
    return Document(
        text, values, {key: line for key, (_, _, line) in found.items()}, broken
    )


def _first_word(line: str) -> str:
    match = FIRST_WORD.match(line.strip())
    return match[1] if match else ""


def read_answers(
    submission: Submission, keys: Iterable[str], *, fold: bool = True
) -> Answers:
    """Return the answers by key, trimmed and (with `fold`) in lower case.

    Fails the check where the file is missing, or is not text.
    """
    known = list(keys)
    text = _text(submission)
    if len(text) > MAX_CHARACTERS:
        fail(
            f"{FILE} has {len(text):,} characters",
            expected=f"at most {MAX_CHARACTERS:,}",
            file=FILE,
        )
    document = read_document(text)
    given, mistyped = {}, {}
    for key in known:
        if key not in document.values:
            continue
        value, kind = document.values[key]
        if value is None or len(value) > MAX_ANSWER_CHARACTERS:
            mistyped[key] = str(kind or "too long")
        elif value.strip():
            given[key] = value.strip().lower() if fold else value.strip()
    return Answers(document, given, mistyped, known)


def _text(submission: Submission) -> str:
    """The file's text. A comment in another encoding than UTF-8 takes no answer away."""
    try:
        return submission.read(FILE)
    except SubmissionError:
        raw = submission.read_bytes(FILE)
        if len(raw) > MAX_CHARACTERS or raw.startswith(UTF16_MARKS):
            raise
        return raw.decode("utf-8-sig", "replace")


def line_of(text: str, key: str) -> int:
    """Return the number of the line that sets the key; 0 where none does."""
    for number, line in enumerate(text.split("\n"), 1):
        name, equals, _ = line[:MAX_LINE].partition("=")
        if equals and name.strip().strip("\"'") == key:
            return number
    return 0


def expect_given(
    submission: Submission, answers: Answers, key: str, expected: str
) -> str:
    """Return the answer to a question. Fails the check where there is none, or where it is not text."""
    if key not in answers:
        _tell_missing(answers, key, expected)
    return answers[key]


def _tell_missing(answers: Answers, key: str, expected: str) -> NoReturn:
    if broken := answers.broken_at(key):
        _tell_broken(broken, f'`{key} = "…"`, a text between quotation marks')
    if key in answers.mistyped:
        fail(
            f"`{key}` is {answers.mistyped[key]}",
            expected=f'`{key} = "…"`, a text between quotation marks',
            hint=HINT,
            file=FILE,
            line=answers.line_of(key),
        )
    near = difflib.get_close_matches(key, answers.unknown, n=1)
    if answers.stray and not near:
        _tell_broken(answers.stray[0], expected, f"`{key}` has no answer yet; ")
    odd = near or answers.unknown[:1]
    is_heading = (
        bool(odd) and answers.document.values.get(odd[0], ("", ""))[1] == "a table"
    )
    fail(
        f"`{key}` has no answer yet"
        + (f"; {FILE} has an unknown key `{odd[0]}`" if odd else ""),
        expected=expected,
        why=(
            f"Did you mean `{key}`?"
            if near
            else "Was a line moved below a [heading]?" if is_heading else ""
        ),
        hint=HINT if odd else "",
        file=FILE,
        line=answers.line_of(odd[0] if odd else key),
    )


def _tell_broken(broken: Broken, expected: str, before: str = "") -> NoReturn:
    """The line is not TOML. Its key tells which question that costs; the others were read."""
    fail(
        f"{before}line {broken.line} of {FILE} is not valid TOML: `{broken.text.strip()[:100]}`",
        expected=expected,
        why=_why_broken(broken.text),
        hint=HINT,
        file=FILE,
        line=broken.line,
    )


def _why_broken(line: str) -> str:
    _, equals, value = line.partition("=")
    value = value.strip()
    if any(c in line for c in CURLY_QUOTES):
        return 'These quotation marks are curly; TOML knows the straight one, ".'
    if not equals:
        return "There is no equals sign between a key and an answer."
    if value.startswith("="):
        return "One equals sign stands between a key and its answer."
    if value[:1] == '"' and "\\" in value:
        return "Between double quotation marks, a backslash begins a sign of its own: between single ones it does not."
    if value[:1] in ('"', "'") and value.count(value[0]) % 2 == 0:
        return "Something stands behind the answer: nothing comes after its second quotation mark, but for a comment."
    if value[:1] in ('"', "'"):
        return "The quotation marks do not pair: an answer has one before it and one behind it."
    return "The quotation marks around the answer are missing."


def expect_answer(
    submission: Submission,
    answers: Answers,
    key: str,
    right: str,
    wrong: dict[str, str],
) -> None:
    """Fails the check unless the answer is `right`. `wrong` maps each wrong choice to the reason why it is wrong."""
    line = answers.line_of(key)
    choices = " or ".join(f'"{choice}"' for choice in sorted({right, *wrong}))
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
    fail(
        f'`{key}` is "{given}"',
        expected="another answer",
        why=wrong[given],
        file=FILE,
        line=line,
    )


def expect_answers(
    submission: Submission,
    quiz: Mapping[str, Question],
    *keys: str,
    others: Iterable[str] = (),
) -> None:
    """Judge the answers of these questions of a quiz, in their order; of all its questions where none is named.

    `others` are the keys of questions that are in the same file and not in the quiz.
    """
    answers = read_answers(submission, [*others, *quiz])
    for key in keys or quiz:
        right, wrong = quiz[key]
        expect_answer(submission, answers, key, right, wrong)


def of_no_question(text: str, starter: str) -> list[tuple[str, int]]:
    """Return what answers no question of the starter: unknown keys and unreadable lines, each with its line number."""
    questions, document = read_document(starter).values, read_document(text)
    keys = [
        (f"the key `{key[:100]}`", document.lines.get(key) or line_of(text, key))
        for key in document.values
        if key not in questions
    ]
    return keys + [
        ("what cannot be read", broken.line)
        for broken in document.broken
        if broken.key not in questions
    ]
