"""Pinned or not: base images and Python requirements. The one place where a submission's text is the point."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from dockdojo.build.dockerfile import Dockerfile
from dockdojo.checks import fail
from dockdojo.checks.build_files import (
    BuildFiles,
    Script,
    mentioned,
    place_of,
    scripts,
    variables,
)
from dockdojo.checks.pip_lines import PipInstall, installs, is_place
from dockdojo.checks.shell_commands import simple_commands
from dockdojo.errors import SubmissionError
from dockdojo.parsing import Unreadable, parse
from dockdojo.submission.folder import Submission
from dockdojo.texts import MAX_LINE

TOOLS = frozenset(
    {
        "pip",
        "setuptools",
        "wheel",
        "uv",
        "poetry",
        "pip-tools",
        "pipenv",
        "pdm",
        "pipx",
        "virtualenv",
        "build",
        "hatch",
    }
)
"""What installs the rest; its own version is not what a lab is about."""
MAX_CONTINUED = 200
"""Lines that one requirement goes over."""
MAX_FILES = 20
"""Files of requirements that are read."""
COMMENT = re.compile(r"(?:^|\s)#.*$")
OTHER_FILE = re.compile(
    r"(?:-r|-c|--requirement|--constraint)(?:\s+|=|(?<=-[rc]))(?P<name>\S.*)"
)
FIRST_FILE, PROJECT = "requirements.txt", "pyproject.toml"
LOCKS = {
    "uv": "uv.lock",
    "poetry": "poetry.lock",
    "pipenv": "Pipfile.lock",
    "pdm": "pdm.lock",
}
"""Tools that install what a lock file pins, each to one version, and the files."""
REQUIREMENT_VARIABLES, CONSTRAINT_VARIABLES = ("PIP_REQUIREMENT",), (
    "PIP_CONSTRAINT",
    "UV_CONSTRAINT",
)
"""Variables that tell pip and uv what their options tell them (pip's documentation, "Configuration")."""
ADDING = "install"
LOCKED_COMMANDS = frozenset({"sync", ADDING})
VERSION = re.compile(r"\bversion\b")
"""What stands beside each package in a lock file of any of these tools."""


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
    from packaging.requirements import (
        InvalidRequirement,
        Requirement,
    )  # loaded while a grading waits for its engine

    try:
        parsed = Requirement(text)
    except (InvalidRequirement, RecursionError):
        return False
    return bool(parsed.url) or any(
        specifier.operator == "==="
        or (specifier.operator == "==" and not specifier.version.endswith(".*"))
        for specifier in parsed.specifier
    )


def lines_of_pip(text: str) -> Iterator[tuple[str, int]]:
    """The lines of a requirements file as pip joins them, without comments; empty ones left out."""
    parts: list[str] = []
    begin = 0
    for number, raw in enumerate(text.split("\n"), 1):
        begin = begin if parts else number
        line = COMMENT.sub("", raw.rstrip("\r")[:MAX_LINE])
        parts.append(
            line.removesuffix("\\")[: MAX_LINE if len(parts) < MAX_CONTINUED else 0]
        )
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
    files = BuildFiles(submission, dockerfile)
    found = [install for install, _ in pip_installs(dockerfile, files)]
    texts = [package for install in found for package in install.packages]
    names = sorted(
        {FIRST_FILE, *(name for install in found for name in install.files)}
    )[:MAX_FILES]
    for file in {file for name in names if (file := files.find(name))}:
        texts += [text for text, _ in requirements(file.text) if not is_place(text)]
    return {name_of(text) for text in texts} - TOOLS


def loose_requirements(text: str) -> Iterator[tuple[str, int]]:
    """The requirements that are not pinned, with their lines."""
    for requirement, line in requirements(text):
        if not is_place(requirement) and not requirement_is_pinned(requirement):
            yield requirement, line


def loose_installs(
    dockerfile: Dockerfile, files: BuildFiles | None = None
) -> Iterator[Loose]:
    """Packages that pip installs by a name without a version, in a RUN or in a script that it starts."""
    for found, script in pip_installs(dockerfile, files):
        for package in found.packages:
            if name_of(package) not in TOOLS and not requirement_is_pinned(package):
                line = script.line or _line_with(package, str(script.text))
                yield Loose(text=package, file=script.file, line=line, by_command=True)


def _line_with(package: str, text: str) -> int:
    return next(
        (i for i, line in enumerate(text.split("\n"), 1) if package in line[:MAX_LINE]),
        0,
    )


def pip_installs(
    dockerfile: Dockerfile, files: BuildFiles | None = None
) -> Iterator[tuple[PipInstall, Script]]:
    """Each `pip install` of a RUN; with `files`, also of scripts that it starts. What pip is told by variables is there, too."""
    for script in scripts(dockerfile, files):
        told = variables(
            dockerfile, script, (*REQUIREMENT_VARIABLES, *CONSTRAINT_VARIABLES)
        )
        more_files = [word for name in REQUIREMENT_VARIABLES for word in told[name]]
        more_constraints = [
            word for name in CONSTRAINT_VARIABLES for word in told[name]
        ]
        for found in installs(script.text):
            yield (
                replace(
                    found,
                    files=(*found.files, *more_files),
                    constraints=(*found.constraints, *more_constraints),
                ),
                script,
            )


def uses_lock(
    submission: Submission, dockerfile: Dockerfile, files: BuildFiles
) -> bool:
    """Whether a RUN installs what a lock file of the submission pins."""
    locks = {
        lock
        for script in scripts(dockerfile, files)
        for words in simple_commands(script.text)
        if (lock := _lock_of(words))
    }
    return any(
        _pins_something(submission, place_of(submission, lock)) for lock in locks
    )


def _lock_of(words: list[str]) -> str:
    """The lock file whose packages a command installs; empty where it is no such command."""
    lock = LOCKS.get(posixpath.basename(words[0]), "")
    if LOCKED_COMMANDS.isdisjoint(words[1:]):
        return ""
    # `pipenv install NAME` adds what is not in its lock.
    adds = (
        lock == LOCKS["pipenv"]
        and ADDING in words
        and not words[-1].startswith("-")
        and words[-1] != ADDING
    )
    return "" if adds else lock


def _pins_something(submission: Submission, lock: str) -> bool:
    """Whether a lock file names a version; True where it is too large to be read."""
    try:
        return bool(lock) and VERSION.search(submission.read(lock)) is not None
    except SubmissionError:
        return True


def name_of(requirement: str) -> str:
    """The name that a requirement begins with, as the index knows it."""
    return re.sub(
        r"[-_.]+", "-", re.split(r"[\[<>=!~; @]", requirement.strip())[0]
    ).lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Loose:
    """A requirement that admits more than one version."""

    text: str
    file: str
    line: int
    by_command: bool = False
    """Whether it is named in a command, not in a file of requirements."""
    by_project: bool = False
    """Whether a project that is installed depends on it: then what else is installed pins it, too."""


def loose_packages(submission: Submission, dockerfile: Dockerfile) -> list[Loose]:
    """All that pip installs in any version: named in a RUN, or in a file of requirements, whatever that is called.

    A file that names another by `-r` brings it along; what a constraint (`-c`, PIP_CONSTRAINT) pins is pinned. A
    requirements.txt that nothing installs is not judged, as long as it is known what is installed. Raises SubmissionError
    where nothing names a package at all.
    """
    files = BuildFiles(submission, dockerfile)
    found, named = list(loose_installs(dockerfile, files)), int(
        uses_lock(submission, dockerfile, files)
    )
    exact = set[str]()
    waiting, is_unknown = list[tuple[str, bool]](), False
    for install, _ in pip_installs(dockerfile, files):
        named += sum(name_of(package) not in TOOLS for package in install.packages)
        exact |= {
            name_of(package)
            for package in install.packages
            if requirement_is_pinned(package)
        }
        for place in install.places:
            named += "://" in place
            if (project := project_at(submission, place)) is not None:
                named += 1
                found += (
                    loose_dependencies(submission, project)
                    if not install.no_deps
                    else []
                )
        waiting += [(name, False) for name in install.files] + [
            (name, True) for name in install.constraints
        ]
        # What stands behind `xargs pip install`, or in a file of another name, is not seen.
        is_empty = not (install.packages or install.places or install.files)
        is_unknown = (
            is_unknown
            or is_empty
            or any(files.find(name) is None for name in install.files)
        )
    if is_unknown or any(
        mentioned(script, files, FIRST_FILE) for script in scripts(dockerfile, files)
    ):
        waiting.append((FIRST_FILE, False))
    read = follow(files, waiting)
    if (
        not named and not read.named
    ):  # perhaps it is installed in a way that is not seen
        read = follow(files, [*waiting, (FIRST_FILE, False)])
    if not named and not read.named:
        raise SubmissionError(
            f"No package is named for pip, neither in {FIRST_FILE} nor in a RUN.",
            file=FIRST_FILE,
        )
    exact |= read.exact
    return [
        loose
        for loose in [*found, *read.loose]
        if name_of(loose.text) not in read.pinned
        and not (loose.by_project and name_of(loose.text) in exact)
    ]


@dataclass(slots=True)
class Read:
    """What files of requirements say."""

    loose: list[Loose] = field(default_factory=list)
    named: int = 0
    """How many packages they name, constraints left out."""
    exact: set[str] = field(default_factory=set)
    """Names of those that have one version."""
    pinned: set[str] = field(default_factory=set)
    """Names that constraints pin."""


def follow(files: BuildFiles, waiting: list[tuple[str, bool]]) -> Read:
    """Reads files of requirements, or of constraints where that is said beside the name, and all that they name."""
    waiting, read, seen = list(waiting), Read(), set[tuple[str, int, bool]]()
    while waiting and len(seen) < MAX_FILES:
        name, is_constraint = waiting.pop(0)
        file = files.find(name)
        if file is None or (file.name, file.line, is_constraint) in seen:
            continue
        seen.add((file.name, file.line, is_constraint))
        for whole, _ in lines_of_pip(file.text):
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
                Loose(text=requirement, file=file.name, line=line + file.line - 1)
                for requirement, line in loose_requirements(file.text)
            ]
    return read


def project_at(submission: Submission, place: str) -> str | None:
    """The pyproject.toml of a folder that pip installs, or "" where that has none; None where the place is no such folder."""
    folder = place.partition("[")[0]
    if is_archive(folder) or "$" in folder:
        return None
    inside = posixpath.normpath(folder).lstrip("/")
    for name in (
        posixpath.join(inside, PROJECT),
        posixpath.join(posixpath.basename(inside), PROJECT),
        PROJECT,
    ):
        if submission.has(posixpath.normpath(name)):
            return posixpath.normpath(name)
    return ""


def is_archive(place: str) -> bool:
    """Whether a place is an address, or a file that was packed before."""
    return "://" in place or place.endswith((".whl", ".tar.gz", ".zip"))


def loose_dependencies(submission: Submission, place: str) -> list[Loose]:
    """What a `pip install .` brings along in any version: the dependencies of the project's pyproject.toml."""
    if not place:
        return []
    text = submission.read(place)
    try:
        dependencies = parse("project", text, name=place)
    except Unreadable as error:
        fail(f"{place} is not valid TOML: {error.message}", file=place, line=error.line)
    return [
        Loose(
            text=dependency,
            file=place,
            line=_line_with(dependency, text),
            by_project=True,
        )
        for dependency in dependencies
        if not requirement_is_pinned(dependency)
    ]


def expect_pinned_bases(dockerfile: Dockerfile) -> None:
    """Fails the check where a base image is not pinned, or where there is none."""
    if not dockerfile.all("FROM"):
        fail(
            "there is no FROM",
            expected="a base image with a tag or a digest",
            file=dockerfile.name,
        )
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
    for loose in loose_packages(submission, dockerfile):
        fail(
            f"`pip install {loose.text}`" if loose.by_command else f"`{loose.text}`",
            expected="a version, such as `name==1.2.3`",
            why="Without one, the next build may install another version than the one that you tested.",
            hint="`pip freeze` in a container shows the versions that were installed.",
            file=loose.file,
            line=loose.line,
        )
