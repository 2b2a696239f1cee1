"""The parsers themselves: each takes a text and returns what JSON can hold, or raises Unreadable.

They import what they need when they are called: the process that forks them has nothing of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from dockdojo.errors import DockdojoError

MAX_CONTINUED_LINES = 2_000
"""Lines that one instruction may go on for. People write some 200; the parser's time grows with their number squared."""
MAX_DEPTH = 100
"""Lists and mappings in each other; people write some ten."""


class Unreadable(DockdojoError):
    """A text that its parser does not accept: the parser's words, and the line where it has one."""

    exit_code = 1


def toml(text: str) -> dict[str, Any]:
    """Return the keys at the top of a TOML file: each with its text, or with None and the name of the kind that it is instead."""
    return _told(_read_toml(text))


def _told(raw: dict[str, Any]) -> dict[str, Any]:
    kinds = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "a table",
    }
    return {
        key: (
            [value, ""]
            if isinstance(value, str)
            else [None, kinds.get(type(value), "a date or a time")]
        )
        for key, value in raw.items()
    }


def toml_lines(text: str) -> dict[str, Any]:
    """Return what can be read of a text that is not TOML as a whole: each `key = value` by itself, up to the first [heading].

    As `toml`, with the line behind the name of the kind; and under "" the lines that cannot be read, by number and text.
    """
    import re
    import tomllib

    begins = re.compile(r"""\s*["']?[\w.-]+["']?\s*=|\s*\[""")
    pieces: list[tuple[int, list[str]]] = [(1, [])]
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if begins.match(line):
            pieces.append((number, []))
        pieces[-1][1].append(line)
    found: dict[str, Any] = {}
    broken: list[list[Any]] = []
    for number, lines in pieces:
        read: dict[str, Any] = {}
        count = 0
        # A value may go over several lines; where it does not, what stands below is no part of it.
        for length in {len(lines): None, 1: None}:
            with contextlib.suppress(ValueError, RecursionError):
                read, count = tomllib.loads("\n".join(lines[:length])), length
                break
        for place, line in enumerate(lines[count:], number + count):
            if line.strip() and not line.lstrip().startswith("#"):
                broken.append([place, line[:1_000]])
        for key, (value, kind) in _told(read).items():
            twice = key in found and found[key][0] != value
            found[key] = (
                [None, "answered twice, in different words", number]
                if twice
                else [value, kind, number]
            )
        if lines[:1] and lines[0].lstrip().startswith("["):
            break  # the keys below a heading are the heading's
    return {**found, "": broken}


def project(text: str) -> list[str]:
    """Return the dependencies that a pyproject.toml declares (PEP 621)."""
    table = _read_toml(text).get("project")
    found = table.get("dependencies") if isinstance(table, dict) else None
    return (
        [requirement for requirement in found if isinstance(requirement, str)]
        if isinstance(found, list)
        else []
    )


def _read_toml(text: str) -> dict[str, Any]:
    import re
    import tomllib

    try:
        return tomllib.loads(text)
    except ValueError as error:
        found = re.search(r"line (\d{1,9})", str(error))
        raise Unreadable(
            str(error)[:300], line=int(found[1]) if found else 0
        ) from error


def yaml_file(text: str, most_aliases: int) -> Any:
    """Return what a YAML file holds, with safe types only; keys are texts."""
    import yaml

    try:
        aliases = sum(
            isinstance(token, yaml.AliasToken)
            for token in yaml.scan(text, Loader=yaml.SafeLoader)
        )
        if aliases > most_aliases:
            raise Unreadable(f"it uses {aliases} aliases, more than {most_aliases}")
        return _plain(yaml.safe_load(text))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise Unreadable(str(error.problem)[:300], line=line) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise Unreadable("it is not valid YAML") from error


def dockerfile(text: str) -> list[list[Any]]:
    """The instructions of a Dockerfile: command, values, flags, first line, last line, original, whether it is JSON, heredocs."""
    import re

    import dockerfile as buildkit

    _refuse_what_goes_on_for_ever(text)
    try:
        commands = buildkit.parse_string(text)
    except (buildkit.GoParseError, buildkit.GoIOError, ValueError) as error:
        reason = str(error.args[0] if error.args else error)
        found = re.search(r"line (\d{1,9}): (.*)", reason)
        raise Unreadable(
            found[2] if found else reason, line=int(found[1]) if found else 0
        ) from error
    return [
        [
            command.cmd,
            command.value,
            command.flags,
            command.start_line,
            command.end_line,
            command.original,
            command.json,
            [heredoc.content for heredoc in command.heredocs],
        ]
        for command in commands
    ]


def _refuse_what_goes_on_for_ever(text: str) -> None:
    lines = 0
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if line and not line.startswith("#"):
            lines = lines + 1 if line.endswith(("\\", "`")) else 0
        if lines > MAX_CONTINUED_LINES:
            raise Unreadable(
                f"an instruction goes on for more than {MAX_CONTINUED_LINES} lines",
                line=number,
            )


def readme(text: str) -> str:
    """Return the docker commands of a README, as one shell script."""
    from dockdojo.readme import script_of

    return script_of(text)


PARSERS: dict[str, Callable[..., Any]] = {
    "toml": toml,
    "toml_lines": toml_lines,
    "project": project,
    "yaml": yaml_file,
    "dockerfile": dockerfile,
    "readme": readme,
}


def _plain(value: Any, depth: int = 0) -> Any:
    """The value in JSON's types, for YAML's others as text. Raises Unreadable where it is nested too deep."""
    if depth > MAX_DEPTH:
        raise Unreadable(f"it is nested more than {MAX_DEPTH} deep")
    if isinstance(value, dict):
        return {
            str(key)[:1_000]: _plain(item, depth + 1) for key, item in value.items()
        }
    if isinstance(value, list | tuple | set):
        return [_plain(item, depth + 1) for item in value]
    return (
        value
        if isinstance(value, bool | int | float | str | type(None))
        else str(value)[:1_000]
    )
