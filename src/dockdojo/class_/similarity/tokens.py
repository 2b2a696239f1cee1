"""A text as tokens that keep what it does and drop what it calls things: each with its line, in time linear in the text.

Comments, docstrings and layout are dropped. In Python, names become one token, but for keywords, builtins, imported modules and
what is reached through a dot, which nobody can rename freely; `self.x` is one's own. In scripts and Dockerfiles, variables do.
"""

from __future__ import annotations

import builtins
import io
import keyword
import posixpath
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from dockdojo import parsing
from dockdojo.errors import DockdojoError

Kind = Literal["program", "words"]
"""`program`: names are one token, so that it takes more of them to say something. `words`: each word is its own."""
PYTHON, PROGRAMS = ".py", frozenset({".c", ".h", ".cpp", ".js", ".ts", ".go", ".rs"})
NAME, TEXT, NUMBER, LINE_END = "name", "text", "number", "end"
KEPT = frozenset(
    {*keyword.kwlist, *(name for name in dir(builtins) if not name.startswith("_"))}
)
DROPPED = frozenset({"NL", "COMMENT", "ENCODING", "ENDMARKER", "INDENT", "DEDENT"})
SCRIPT = re.compile(r"\$\{?\w+|[\w./:@%+-]+|[^\w\s]")
"""A variable, a word as a shell has it, or a sign."""
PROGRAM = re.compile(
    r"(?P<comment>#[^\n]*|//[^\n]*)|(?P<text>\"[^\"\n]*\"|'[^'\n]*')|(?P<number>\d[\w.]*)|(?P<name>[^\W\d]\w*)"
    r"|(?P<sign>[-+*/%@&|^=<>!~]+|[^\w\s])"
)
"""What a program is made of, where nothing better reads it."""
SIGNS_OF_QUOTING = frozenset("\"'[]{},\\`")
"""JSON form and shell form, quoted or not, are the same words."""
IDENTIFIER = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of one text."""

    kind: Kind
    words: tuple[str, ...]
    lines: tuple[int, ...]
    """The line of each, from 1."""


_Found = Iterable[tuple[str, int]]


def tokens_of(path: str, text: str) -> Tokens:
    """Return the tokens of a file by its name. No text raises an error."""
    name = posixpath.basename(path).lower()
    ending = posixpath.splitext(name)[1]
    if ending == PYTHON:
        return _as_tokens("program", _python(text))
    if ending in PROGRAMS:
        return _as_tokens("program", _program(text.split("\n"), 1))
    if "dockerfile" in name:
        return _as_tokens("words", _dockerfile(text))
    return _as_tokens("words", _script(enumerate(text.split("\n"), 1)))


def _as_tokens(kind: Kind, found: _Found) -> Tokens:
    pairs = tuple(found)
    return Tokens(kind, tuple(word for word, _ in pairs), tuple(at for _, at in pairs))


def _script(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[str, int]]:
    """The words of a script, of settings or of prose, without lines that are comments."""
    for number, line in lines:
        if line.lstrip().startswith("#"):
            continue
        for match in SCRIPT.finditer(line):
            word = match[0]
            if word.startswith("$") and len(word) > 1:
                yield "$", number
            elif line[match.end() : match.end() + 1] == "=" and IDENTIFIER.fullmatch(
                word
            ):
                yield NAME, number
            elif word not in SIGNS_OF_QUOTING:
                yield word, number


def _dockerfile(text: str) -> Iterator[tuple[str, int]]:
    """The words of the instructions, as BuildKit's own parser finds them; of the lines, where it refuses the file."""
    lines = text.split("\n")
    try:
        commands = parsing.parse("dockerfile", text, name="Dockerfile")
    except DockdojoError:
        yield from _script(enumerate(lines, 1))
        return
    for command, _, _, first, last, *_ in commands:
        yield str(command).upper(), first
        found = _script(enumerate(lines[first - 1 : last], first))
        next(found, None)  # the command itself
        yield from found


def _python(text: str) -> Iterator[tuple[str, int]]:
    """The tokens as Python itself finds them; from where it gives up, as near as a pattern comes."""
    last = 0
    try:
        for word, last in _read_python(text):
            yield word, last
    except (tokenize.TokenError, SyntaxError, ValueError, RecursionError):
        yield from _program(text.split("\n")[last:], last + 1)


def _read_python(text: str) -> Iterator[tuple[str, int]]:
    before = ["", ""]
    depth = 0  # of f-strings in each other, from Python 3.12
    is_import, held = False, 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        kind, line = tokenize.tok_name[token.type], token.start[0]
        if kind in DROPPED:
            continue
        if kind.endswith("STRING_END"):
            depth -= 1
            continue
        if kind.endswith("STRING_START"):
            depth, kind = depth + 1, "STRING" if not depth else ""
        elif depth:
            continue
        if held:
            started, held = held, 0
            if kind == "NEWLINE":
                continue  # a text that is a whole statement is a docstring
            yield TEXT, started
        word = token.string
        begins = before[1] in ("", LINE_END)
        if kind == "STRING":
            if begins:
                held = line
                continue
            word = TEXT
        elif kind == "NUMBER":
            word = NUMBER
        elif kind == "NEWLINE":
            word, is_import = LINE_END, False
        elif kind == "NAME":
            if begins and word in ("import", "from"):
                is_import = True
            word = _name(word, before, is_import=is_import)
        elif not kind:
            continue
        before = [before[1], word if kind != "NAME" else token.string]
        yield word, line


def _name(name: str, before: list[str], *, is_import: bool) -> str:
    if name in KEPT or (is_import and before[1] != "as"):
        return name
    return name if before[1] == "." and before[0] not in ("self", "cls") else NAME


def _program(lines: list[str], first: int) -> Iterator[tuple[str, int]]:
    """The tokens of a program in whatever language, a line at a time."""
    for number, line in enumerate(lines, first):
        before = ["", ""]
        for match in PROGRAM.finditer(line):
            kind, word = match.lastgroup, match[0]
            if kind == "comment":
                break
            if kind == "name":
                yield _name(word, before, is_import=False), number
            else:
                yield {"text": TEXT, "number": NUMBER}.get(str(kind), word), number
            before = [before[1], word]
        if before[1]:
            yield LINE_END, number
