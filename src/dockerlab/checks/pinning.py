"""Pinned or not: base images and Python requirements. The one place where a submission's text is the point."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from dockerlab.checks import fail
from dockerlab.checks.pip_lines import PipInstall, installs, is_place
from dockerlab.checks.shell_commands import script_of, simple_commands
from dockerlab.checks.submission import Submission
from dockerlab.engine.dockerfile import Dockerfile
from dockerlab.errors import SubmissionError
from dockerlab.parsing import Unreadable, parse
from dockerlab.texts import MAX_LINE

TOOLS = frozenset(
    {"pip", "setuptools", "wheel", "uv", "poetry", "pip-tools", "pipenv", "pdm", "pipx", "virtualenv", "build", "hatch"}
)
"""What installs the rest; its own version is not what a lab is about."""
MAX_CONTINUED = 200
"""Lines that one requirement goes over."""
MAX_FILES = 20
"""Files of requirements that are read."""
COMMENT = re.compile(r"(?:^|\s)#.*$")
OTHER_FILE = re.compile(r"(?:-r|-c|--requirement|--constraint)(?:\s+|=|(?<=-[rc]))(?P<name>\S.*)")
FIRST_FILE, PROJECT = "requirements.txt", "pyproject.toml"
LOCKS = {"uv": "uv.lock", "poetry": "poetry.lock", "pipenv": "Pipfile.lock", "pdm": "pdm.lock"}
"""Tools that install what a lock file pins, each to one version, and the files."""
LOCKED_COMMANDS = ("sync", "install")


def image_is_pinned(ref: str) -> bool:
    """Whether an image's name has a digest, or a tag that is not `latest`."""
    if "@sha256:" in ref:
        return True
    name = ref.rpartition("/")[2]
    tag = name.partition(":")[2]
    return bool(tag) and tag != "latest"


def loose_bases(dockerfile: Dockerfile) -> Iterator[tuple[str, int]]:
    """The base images that are not pinned, with their lines."""
    for ref, instruction in dockerfile.bases():
        if not image_is_pinned(ref):
            yield ref, instruction.line


def requirement_is_pinned(text: str) -> bool:
    """Whether one requirement admits one version only (PEP 440 `==` without a wildcard, `===`, or a direct reference)."""
    from packaging.requirements import InvalidRequirement, Requirement  # loaded while a grading waits for its engine

    try:
        parsed = Requirement(text)
    except (InvalidRequirement, RecursionError):
        return False
    return bool(parsed.url) or any(
        one.operator == "===" or (one.operator == "==" and not one.version.endswith(".*")) for one in parsed.specifier
    )


def lines_of_pip(text: str) -> Iterator[tuple[str, int]]:
    """The lines of a requirements file as pip joins them, without comments; empty ones left out."""
    parts: list[str] = []
    begin = 0
    for number, raw in enumerate(text.split("\n"), 1):
        begin = begin if parts else number
        line = COMMENT.sub("", raw.rstrip("\r")[:MAX_LINE])
        parts.append(line.removesuffix("\\")[: MAX_LINE if len(parts) < MAX_CONTINUED else 0])
        if line.endswith("\\"):
            continue
        whole, parts = " ".join(parts).strip(), []
        if whole:
            yield whole, begin


def requirements(text: str) -> Iterator[tuple[str, int]]:
    """The requirements of a requirements file, with their lines; options, comments and hashes left out."""
    for whole, line in lines_of_pip(text):
        if not whole.startswith("-"):
            yield re.split(r"\s--", whole)[0].strip(), line


def names_required(submission: Submission, dockerfile: Dockerfile) -> set[str]:
    """The names of packages that the submission's own lines ask for, in a RUN or in requirements.txt."""
    found = [one for one, _ in pip_installs(dockerfile)]
    texts = [package for one in found for package in one.packages]
    files = {FIRST_FILE, *(name for one in found for name in one.files)}
    for place in {place_of(submission, name) for name in sorted(files)[:MAX_FILES]} - {""}:
        texts += [text for text, _ in requirements(submission.read(place)) if not is_place(text)]
    return {name_of(text) for text in texts} - TOOLS


def loose_requirements(text: str) -> Iterator[tuple[str, int]]:
    """The requirements that are not pinned, with their lines."""
    for one, line in requirements(text):
        if not is_place(one) and not requirement_is_pinned(one):
            yield one, line


def loose_installs(dockerfile: Dockerfile) -> Iterator[tuple[str, int]]:
    """Packages that a RUN installs with pip by a name without a version, with their lines."""
    for found, line in pip_installs(dockerfile):
        for package in found.packages:
            if name_of(package) not in TOOLS and not requirement_is_pinned(package):
                yield package, line


def pip_installs(dockerfile: Dockerfile) -> Iterator[tuple[PipInstall, int]]:
    """Each `pip install` of a RUN, with its line; what ARG and ENV set is filled in."""
    for script, line in scripts(dockerfile):
        yield from ((found, line) for found in installs(script))


def scripts(dockerfile: Dockerfile) -> Iterator[tuple[str | list[str], int]]:
    """What each RUN runs, also one that an ONBUILD keeps for later, with its line."""
    for one in dockerfile.with_triggers():
        if one.name == "RUN":
            script = script_of(one)
            if isinstance(script, str):
                yield dockerfile.filled_where_known(script, one), one.line
            else:
                yield list(script), one.line


def uses_lock(submission: Submission, dockerfile: Dockerfile) -> bool:
    """Whether a RUN installs what a lock file of the submission pins."""
    for script, _ in scripts(dockerfile):
        for words in simple_commands(script):
            lock = LOCKS.get(posixpath.basename(words[0]))
            if lock and any(word in LOCKED_COMMANDS for word in words[1:]) and place_of(submission, lock):
                return True
    return False


def name_of(requirement: str) -> str:
    """The name that a requirement begins with, as the index knows it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; @]", requirement.strip())[0]).lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Loose:
    """A requirement that admits more than one version."""

    text: str
    file: str
    line: int


def loose_packages(submission: Submission, dockerfile: Dockerfile) -> list[Loose]:
    """All that pip installs in any version: named in a RUN, or in a file of requirements, whatever that is called.

    A file that names another by `-r` brings it along; what a constraint (`-c`) pins is pinned. Raises SubmissionError
    where nothing names a package at all.
    """
    found, pinned, named, seen = (
        list[Loose](),
        set[str](),
        int(uses_lock(submission, dockerfile)),
        set[tuple[str, bool]](),
    )
    found += [Loose(text=text, file=dockerfile.name, line=line) for text, line in loose_installs(dockerfile)]
    waiting = [(FIRST_FILE, False)]
    for one, _ in pip_installs(dockerfile):
        named += len(one.packages)
        if any(posixpath.normpath(place.partition("[")[0]) == "." for place in one.places):
            named += 1
            found += loose_dependencies(submission)
        waiting += [(name, False) for name in one.files] + [(name, True) for name in one.constraints]
    while waiting and len(seen) < MAX_FILES:
        place = place_of(submission, waiting[0][0])
        is_constraint = waiting.pop(0)[1]
        if not place or (place, is_constraint) in seen:
            continue
        seen.add((place, is_constraint))
        text = submission.read(place)
        for whole, _ in lines_of_pip(text):
            if other := OTHER_FILE.fullmatch(whole):
                name = posixpath.normpath(posixpath.join(posixpath.dirname(place), other["name"].strip("\"'")))
                waiting.append((name, is_constraint or whole.startswith(("-c", "--constraint"))))
        if is_constraint:
            pinned |= {name_of(one) for one, _ in requirements(text) if requirement_is_pinned(one)}
        else:
            named += sum(1 for _ in requirements(text))
            found += [Loose(text=one, file=place, line=line) for one, line in loose_requirements(text)]
    if not named:
        raise SubmissionError(f"No package is named, neither in {FIRST_FILE} nor in a RUN.", file=FIRST_FILE)
    return [one for one in found if name_of(one.text) not in pinned]


def loose_dependencies(submission: Submission) -> list[Loose]:
    """What a `pip install .` brings along in any version: the dependencies of the project's pyproject.toml."""
    if not (place := place_of(submission, PROJECT)):
        return []
    text = submission.read(place)
    try:
        dependencies = parse("project", text, name=place)
    except Unreadable as error:
        fail(f"{place} is not valid TOML: {error.message}", file=place, line=error.line)
    lines = text.split("\n")
    return [
        Loose(text=one, file=place, line=next((i for i, line in enumerate(lines, 1) if one in line[:MAX_LINE]), 0))
        for one in dependencies
        if not requirement_is_pinned(one)
    ]


def place_of(submission: Submission, name: str) -> str:
    """Where in the submission a file is that pip is told to read in the image; empty where it is not among its files.

    It may have been copied to another folder, and may lie in one: then its name tells.
    """
    base = posixpath.basename(name)
    for place in (posixpath.normpath(name).lstrip("/"), base):
        if place and submission.has(place):
            return place
    if not base or any(letter in base for letter in "*?[$"):
        return ""
    found = (path.relative_to(submission.path).as_posix() for path in sorted(submission.path.glob(f"*/{base}")))
    return next((place for place in found if submission.has(place)), "")


def expect_pinned_bases(dockerfile: Dockerfile) -> None:
    """Fails the check where a base image is not pinned, or where there is none."""
    if not dockerfile.all("FROM"):
        fail("there is no FROM", expected="a base image with a tag or a digest", file=dockerfile.name)
    for ref, line in loose_bases(dockerfile):
        fail(
            f"`FROM {ref}`",
            expected="a base image with a tag other than `latest`, or with a digest",
            why="`latest` is whatever was pushed last: the same Dockerfile makes another image next month.",
            hint="A tag after the colon names a version, such as `debian:bookworm-slim`.",
            file=dockerfile.name,
            line=line,
        )


def expect_pinned_packages(submission: Submission, dockerfile: Dockerfile) -> None:
    """Fails the check where pip installs something in any version."""
    for one in loose_packages(submission, dockerfile):
        in_file = one.file != dockerfile.name
        fail(
            f"`{one.text}`" if in_file else f"`pip install {one.text}`",
            expected="a version, such as `name==1.2.3`",
            why="Without one, the next build may install another version than the one that you tested.",
            hint="`pip freeze` in a container shows the versions that were installed.",
            file=one.file,
            line=one.line,
        )
