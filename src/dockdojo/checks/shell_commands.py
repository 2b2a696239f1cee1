"""The commands that a script runs, told without running it: words as a shell makes them. Comments and texts are none."""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Iterable, Iterator

from dockdojo.build.dockerfile import Instruction

MAX_SCRIPT = 100_000
"""Characters of one RUN that are read."""
MAX_DEPTH = 3
"""Shells inside of shells whose script is read: `sh -c "sh -c ..."`."""
TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|\\\n)|(?P<comment>\#[^\n]*)
    |(?P<redirection>[0-9]*(?:<<<|<<-?|>>|>&|<&|>\||<>|>|<)|&>>?)
    |(?P<operator>\n|&&|\|\||[;|&()])
    |(?P<word>(?:[^\s\\'"|&;()<>]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+)|(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
"""The tokens of a shell (POSIX, 2.3), as far as they matter: a `#` begins a comment where a word could begin."""
QUOTED = re.compile(r"""'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^'"\\]+)""", re.DOTALL)
BEFORE = frozenset(
    {
        "if",
        "then",
        "else",
        "elif",
        "do",
        "while",
        "until",
        "!",
        "{",
        "exec",
        "time",
        "command",
        "builtin",
    }
)
"""Words before a command that leave it what it is."""
RUNNERS = frozenset(
    {"sudo", "env", "busybox", "nohup", "nice", "timeout", "xargs", "stdbuf", "setsid"}
)
"""Programs that run the command behind them, and behind their own options."""
OPTION_OF_RUNNER = re.compile(r"-.*|[0-9.]+[smhd]?|\{\}", re.DOTALL)
SHELL = re.compile(r"(?:ba|da|a|z|k)?sh")
SHELL_OPTION = re.compile(r"-\w*c")
ECHO_OPTION = re.compile(r"-[neE]+")
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)


def script_of(run: Instruction) -> str | tuple[str, ...]:
    """What a RUN runs: the words of its exec form; or its script, without the instruction's options, lines joined."""
    if run.json:
        return run.args
    text = re.sub(r"\\[ \t]*\n(?:[ \t]*#[^\n]*\n)*", " ", run.original)
    return re.sub(
        r"^\s*(?:ONBUILD\s+)?RUN\s+(?:--[a-z]+(?:=\S+)?\s+)*",
        "",
        text,
        flags=re.IGNORECASE,
    )


def simple_commands(script: str | Iterable[str], depth: int = 0) -> Iterator[list[str]]:
    """Each command of a script, or of one command that is given as its words, without what stands before it.

    `A=1 sudo make` is `make`; of `sh -c '...'` the commands inside are told.
    """
    for words in (
        commands(script[:MAX_SCRIPT]) if isinstance(script, str) else [list(script)]
    ):
        words = without_runners(words)
        if not words:
            continue
        if words[0] == "find" and depth < MAX_DEPTH:
            for place, word in enumerate(words):
                if word in ("-exec", "-execdir", "-ok"):
                    yield from simple_commands(words[place + 1 :], depth + 1)
        texts = [
            text
            for option, text in itertools.pairwise(words)
            if SHELL_OPTION.fullmatch(option)
        ]
        if (
            SHELL.fullmatch(posixpath.basename(words[0]))
            and texts
            and depth < MAX_DEPTH
        ):
            yield from simple_commands(texts[0], depth + 1)
        else:
            yield words


def assignments(script: str | Iterable[str]) -> Iterator[tuple[str, str]]:
    """The variables that a script sets for its commands: `A=1 make`, `export A=1`, `env A=1 make`; not those of shells inside."""
    for words in (
        commands(script[:MAX_SCRIPT]) if isinstance(script, str) else [list(script)]
    ):
        for word in words:
            if ASSIGNMENT.fullmatch(word):
                name, _, value = word.partition("=")
                yield name, value
            elif not (
                word in BEFORE
                or word == "export"
                or posixpath.basename(word) in RUNNERS
                or word.startswith("-")
            ):
                break


def without_runners(words: list[str]) -> list[str]:
    """The command without what stands before it: `A=1 sudo -E make` is `make`."""
    place, is_runner = 0, False
    for word in words:
        if posixpath.basename(word) in RUNNERS:
            is_runner = True
        elif not (
            word in BEFORE
            or ASSIGNMENT.fullmatch(word)
            or (is_runner and OPTION_OF_RUNNER.fullmatch(word))
        ):
            break
        place += 1
    return words[place:]


def commands(script: str) -> Iterator[list[str]]:
    """The simple commands of a shell script, each as its words, without redirections and comments."""
    for words, _ in redirected_commands(script):
        if words:
            yield words


def redirected_commands(
    script: str,
) -> Iterator[tuple[list[str], list[tuple[str, str]]]]:
    """The same, each with its redirections: the operator, such as `>>`, and the word behind it."""
    words: list[str] = []
    redirections: list[tuple[str, str]] = []
    operator = ""
    for token in TOKEN.finditer(script):
        kind, text = token.lastgroup, token[0]
        if kind == "operator":
            if words or redirections:
                yield words, redirections
            words, redirections, operator = [], [], ""
        elif kind == "redirection":
            operator = text
        elif kind in ("word", "other"):
            if operator:
                redirections.append((operator, unquoted(text)))
            else:
                words.append(unquoted(text))
            operator = ""
    if words or redirections:
        yield words, redirections


def printed(words: list[str]) -> str | None:
    """What an `echo` or a `printf` prints, as far as a file of lines goes; None for any other command."""
    name, *rest = words or [""]
    if name == "echo":
        while rest and ECHO_OPTION.fullmatch(rest[0]):
            rest.pop(0)
        return " ".join(rest).replace("\\n", "\n") + "\n"
    if name != "printf" or not rest:
        return None
    text, *values = (word.replace("\\n", "\n") for word in rest)
    if "%s" not in text:
        return text
    return "".join(text.replace("%s", value) for value in values)


def unquoted(word: str) -> str:
    """A word without its quotes and backslashes; variables stay as they are written."""
    return "".join(
        next((part for part in found.groups() if part is not None), "")
        for found in QUOTED.finditer(word)
    )
