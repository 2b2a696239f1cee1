"""Files of requirements: what they name, and which of it admits one version only."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from dockdojo.checks.build_files import BuildFiles
from dockdojo.checks.pip_lines import is_place
from dockdojo.texts import MAX_LINE

MAX_CONTINUED_LINES = 200
"""Lines that one requirement may go over."""

MAX_FILES = 20
"""Files of requirements that are read."""

COMMENT = re.compile(r"(?:^|\s)#.*$")

OTHER_FILE = re.compile(
    r"(?:-r|-c|--requirement|--constraint)(?:\s+|=|(?<=-[rc]))(?P<name>\S.*)"
)


def requirement_is_pinned(text: str) -> bool:
    """Whether one requirement admits one version only (PEP 440 `==` without a wildcard, `===`, or a direct reference)."""
    # Loaded while a grading waits for its engine.
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        parsed = Requirement(text)
    except (InvalidRequirement, RecursionError):
        return False
    return bool(parsed.url) or any(
        specifier.operator == "==="
        or (specifier.operator == "==" and not specifier.version.endswith(".*"))
        for specifier in parsed.specifier
    )


def joined_lines(text: str) -> Iterator[tuple[str, int]]:
    """The lines of a requirements file as pip joins them, without comments; empty ones left out."""
    parts: list[str] = []
    begin = 0
    for number, raw in enumerate(text.split("\n"), 1):
        begin = begin if parts else number
        line = COMMENT.sub("", raw.rstrip("\r")[:MAX_LINE])
        parts.append(
            line.removesuffix("\\")[
                : MAX_LINE if len(parts) < MAX_CONTINUED_LINES else 0
            ]
        )
        if line.endswith("\\"):
            continue
        whole, parts = " ".join(parts).strip(), []
        if whole:
            yield whole, begin


def requirements(text: str) -> Iterator[tuple[str, int]]:
    """The requirements of a requirements file, with their lines; options, comments and hashes left out."""
    for whole, line in joined_lines(text):
        if not whole.startswith("-"):
            yield re.split(r"\s--", whole)[0].strip(), line


def loose_requirements(text: str) -> Iterator[tuple[str, int]]:
    """The requirements that are not pinned, with their lines."""
    for requirement, line in requirements(text):
        if not is_place(requirement) and not requirement_is_pinned(requirement):
            yield requirement, line


def name_of(requirement: str) -> str:
    """The name that a requirement begins with, as the index knows it."""
    return normalized(re.split(r"[\[<>=!~; @]", requirement.strip())[0])


def normalized(name: str) -> str:
    """A package's name as the index knows it (PEP 503): `Flask_Login` is `flask-login`."""
    return re.sub(r"[-_.]+", "-", name).lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class LooseRequirement:
    """A requirement that admits more than one version."""

    text: str
    file: str
    line: int
    by_command: bool = False
    """Whether it is named in a command, not in a file of requirements."""
    by_project: bool = False
    """Whether a project that is installed depends on it: then what else is installed pins it, too."""


@dataclass(slots=True)
class RequirementsRead:
    """What was read in files of requirements."""

    loose: list[LooseRequirement] = field(default_factory=list)
    named: int = 0
    """How many packages they name, constraints left out."""
    exact: set[str] = field(default_factory=set)
    """Names of those that have one version."""
    pinned: set[str] = field(default_factory=set)
    """Names that constraints pin."""


def read_requirement_files(
    files: BuildFiles, waiting: list[tuple[str, bool]]
) -> RequirementsRead:
    """Reads files of requirements, or of constraints where that is said beside the name, and all that they name."""
    waiting, read = list(waiting), RequirementsRead()
    seen = set[tuple[str, int, bool]]()
    while waiting and len(seen) < MAX_FILES:
        name, is_constraint = waiting.pop(0)
        file = files.find(name)
        if file is None or (file.name, file.line, is_constraint) in seen:
            continue
        seen.add((file.name, file.line, is_constraint))
        for whole, _ in joined_lines(file.text):
            if other := OTHER_FILE.fullmatch(whole):
                place = posixpath.join(
                    posixpath.dirname(file.name), other["name"].strip("\"'")
                )
                waiting.append(
                    (
                        posixpath.normpath(place),
                        is_constraint or whole.startswith(("-c", "--constraint")),
                    )
                )
        exact = {
            name_of(requirement)
            for requirement, _ in requirements(file.text)
            if requirement_is_pinned(requirement)
        }
        if is_constraint:
            read.pinned |= exact
        else:
            read.exact |= exact
            read.named += sum(1 for _ in requirements(file.text))
            read.loose += [
                LooseRequirement(
                    text=requirement, file=file.name, line=line + file.line - 1
                )
                for requirement, line in loose_requirements(file.text)
            ]
    return read
