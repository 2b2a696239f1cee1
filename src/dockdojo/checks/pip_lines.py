"""What the `pip install` lines of a script install: options as pip reads them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dockdojo.checks.shell_commands import simple_commands

PYTHON = re.compile(r"(?:python|pypy)[0-9.]*")
PIP = re.compile(r"pip[0-9.]*")
FILES, CONSTRAINTS = ("r", "requirement", "requirements"), (
    "c",
    "constraint",
    "constraints",
)
EDITABLE = ("e", "editable")
COMMANDS = frozenset({"install", "wheel", "download"})
"""Commands of pip that get packages: `pip wheel` makes what a later `pip install /wheels/*.whl` installs."""
SYNC = "sync"
"""The command of `uv pip` and the end of `pip-sync`, behind which files stand."""
PLACE = re.compile(r"[/$]|\.whl$|\.tar\.gz$|\.zip$|^\.")
SHORT_WITH_VALUE = frozenset("rctifeCPpwd")
LONG_WITH_VALUE = frozenset(
    {
        *FILES[1:],
        *CONSTRAINTS[1:],
        "target",
        "platform",
        "python-version",
        "implementation",
        "abi",
        "root",
        "prefix",
        "src",
        "upgrade-strategy",
        "config-settings",
        "config-setting",
        "global-option",
        "build-option",
        "no-binary",
        "only-binary",
        "progress-bar",
        "root-user-action",
        "report",
        "index-url",
        "extra-index-url",
        "find-links",
        "trusted-host",
        "python",
        "log",
        "log-file",
        "keyring-provider",
        "proxy",
        "retries",
        "timeout",
        "exists-action",
        "cert",
        "client-cert",
        "cache-dir",
        "use-feature",
        "use-deprecated",
        "editable",
        "hash",
        "group",
        "build-constraint",
        "index",
        "default-index",
        "resolution",
        "prerelease",
        "python-platform",
        "override",
        "exclude-newer",
        "link-mode",
        "index-strategy",
        "upgrade-package",
        "reinstall-package",
        "refresh-package",
        "wheel-dir",
        "dest",
    }
)
"""Options of pip and of `uv pip` whose value is the next word where it is not behind a `=`."""
WITHOUT_OTHERS = ("no-deps", "no-dependencies")
FLAGS = frozenset(
    {
        "pre",
        "no-build-isolation",
        "no-cache",
        "no-index",
        "upgrade",
        "reinstall",
        "refresh",
        *WITHOUT_OTHERS,
    }
)
"""Options without a value that an option with one begins like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipInstall:
    """One `pip install`."""

    packages: tuple[str, ...]
    """Requirements that are named on the line; no folders, archives or addresses."""
    places: tuple[str, ...]
    """Folders, archives and addresses that are named on the line, and what only a variable names."""
    files: tuple[str, ...]
    """What `-r` names."""
    constraints: tuple[str, ...]
    """What `-c` names."""
    no_deps: bool = False
    """Whether nothing is installed that these depend on."""


def installs(script: str | Iterable[str]) -> Iterator[PipInstall]:
    """Each `pip install` of a script, or of one command that is given as its words; `pip wheel` and `uv pip sync`, too."""
    for words in simple_commands(script):
        if (found := behind_pip(posixpath.basename(words[0]), words[1:])) is not None:
            command, rest = found
            yield synced(rest) if command == SYNC else install(rest)


def behind_pip(name: str, words: list[str]) -> tuple[str, list[str]] | None:
    """Return a pip command that gets packages and the words after it, whatever pip is called; None for other commands."""
    commands = COMMANDS
    if name == "pip-sync":
        return SYNC, words
    if PYTHON.fullmatch(name):
        module = next(
            (
                i
                for i, word in enumerate(words)
                if not word.startswith("-") or word.startswith("-m")
            ),
            0,
        )
        joined = words[module : module + 1] == ["-mpip"]
        if not joined and words[module : module + 2] != ["-m", "pip"]:
            return None
        words = words[module + (1 if joined else 2) :]
    elif name == "uv":
        words = [word for word in words if word != "-q"]
        if words[:1] != ["pip"]:
            return None
        words, commands = words[1:], COMMANDS | {SYNC}
    elif not PIP.fullmatch(name):
        return None
    # Options of pip itself may come before its command.
    arguments = list(read_options(words))
    command = next((value for option, value in arguments if not option), "")
    return (command, words[words.index(command) + 1 :]) if command in commands else None


def install(words: list[str]) -> PipInstall:
    """Read the words after `pip install`."""
    packages, places, files, constraints = (
        list[str](),
        list[str](),
        list[str](),
        list[str](),
    )
    no_deps = False
    for option, value in read_options(words):
        if option in FILES:
            files.append(value)
        elif option in CONSTRAINTS:
            constraints.append(value)
        elif option in WITHOUT_OTHERS:
            no_deps = True
        elif not option or option in EDITABLE:
            (places if is_place(value) else packages).append(value)
    return PipInstall(
        packages=tuple(packages),
        places=tuple(places),
        files=tuple(files),
        constraints=tuple(constraints),
        no_deps=no_deps,
    )


def synced(words: list[str]) -> PipInstall:
    """Read the words after `pip-sync`: files of requirements."""
    found = tuple(value for option, value in read_options(words) if not option)
    return PipInstall(
        packages=(),
        places=(),
        files=found or ("requirements.txt",),
        constraints=(),
        no_deps=True,
    )


def is_place(text: str) -> bool:
    """Whether a requirement is a folder, an archive or an address, which are what they are; or a variable's value."""
    return bool(PLACE.search(text.partition(";")[0].partition("@")[0]))


def read_options(words: list[str]) -> Iterator[tuple[str, str]]:
    """Yield (option, value) for each word as pip's own parser reads it; the option is empty for other words."""
    rest = iter(words)
    for word in rest:
        if word == "--":
            yield from (("", other) for other in rest)
        elif word.startswith("--"):
            name, behind, value = word[2:].partition("=")
            name = whole_name(name)
            yield name, (
                value if behind or name not in LONG_WITH_VALUE else next(rest, "")
            )
        elif word.startswith("-") and word != "-":
            yield from read_cluster(word[1:], rest)
        else:
            yield "", word


def read_cluster(letters: str, rest: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Short options in one word: `-qr base.txt`, `-rbase.txt`."""
    for place, letter in enumerate(letters):
        if letter in SHORT_WITH_VALUE:
            yield letter, letters[place + 1 :] or next(rest, "")
            return
        yield letter, ""


def whole_name(name: str) -> str:
    """Return an option's full name: pip accepts an unambiguous beginning, too."""
    if name in LONG_WITH_VALUE or name in FLAGS:
        return name
    fitting = [
        option
        for option in sorted(LONG_WITH_VALUE)
        if len(name) > 2 and option.startswith(name)
    ]
    return fitting[0] if fitting else name
