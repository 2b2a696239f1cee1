"""Pinned or not: base images and Python requirements. The one place where a submission's text is the point."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace

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
from dockdojo.checks.requirement_files import (
    MAX_FILES,
    LooseRequirement,
    name_of,
    read_requirement_files,
    requirement_is_pinned,
    requirements,
)
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
    """Yield the base images that are not pinned, with their lines."""
    for ref, instruction in dockerfile.bases():
        if not image_is_pinned(ref):
            yield ref, instruction.line


def names_required(submission: Submission, dockerfile: Dockerfile) -> set[str]:
    """Return the names of the packages that the submission asks for, in a RUN or in requirements.txt."""
    files = BuildFiles(submission, dockerfile)
    found = [install for install, _ in pip_installs(dockerfile, files)]
    texts = [package for install in found for package in install.packages]
    names = sorted(
        {FIRST_FILE, *(name for install in found for name in install.files)}
    )[:MAX_FILES]
    for file in {file for name in names if (file := files.find(name))}:
        texts += [text for text, _ in requirements(file.text) if not is_place(text)]
    return {name_of(text) for text in texts} - TOOLS


def loose_installs(
    dockerfile: Dockerfile, files: BuildFiles | None = None
) -> Iterator[LooseRequirement]:
    """Yield the packages that pip installs without a version, in a RUN or in a script that it starts."""
    for found, script in pip_installs(dockerfile, files):
        for package in found.packages:
            if name_of(package) not in TOOLS and not requirement_is_pinned(package):
                line = script.line or _line_with(package, str(script.text))
                yield LooseRequirement(
                    text=package, file=script.file, line=line, by_command=True
                )


def _line_with(package: str, text: str) -> int:
    return next(
        (i for i, line in enumerate(text.split("\n"), 1) if package in line[:MAX_LINE]),
        0,
    )


def pip_installs(
    dockerfile: Dockerfile, files: BuildFiles | None = None
) -> Iterator[tuple[PipInstall, Script]]:
    """Yield each `pip install` of a RUN; with `files`, also of scripts that it starts. Options set by variables are included."""
    for script in scripts(dockerfile, files):
        set_by_variables = variables(
            dockerfile, script, (*REQUIREMENT_VARIABLES, *CONSTRAINT_VARIABLES)
        )
        more_files = [
            word for name in REQUIREMENT_VARIABLES for word in set_by_variables[name]
        ]
        more_constraints = [
            word for name in CONSTRAINT_VARIABLES for word in set_by_variables[name]
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
    """Return the lock file from which a command installs; empty where it is no such command."""
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


def loose_packages(
    submission: Submission, dockerfile: Dockerfile
) -> list[LooseRequirement]:
    """Return all requirements that are not pinned: in a RUN, or in a file of requirements of any name.

    A file that names another by `-r` brings it along; what a constraint (`-c`, PIP_CONSTRAINT) pins is pinned. A
    requirements.txt that nothing installs is not judged, as long as it is known what is installed. Raises SubmissionError
    where nothing names a package at all.
    """
    files = BuildFiles(submission, dockerfile)
    found = list(loose_installs(dockerfile, files))
    named = int(uses_lock(submission, dockerfile, files))
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
                if not install.no_deps:
                    found += loose_dependencies(submission, project)
        waiting += [(name, False) for name in install.files]
        waiting += [(name, True) for name in install.constraints]
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
    read = read_requirement_files(files, waiting)
    if not named and not read.named:
        # Perhaps it is installed in a way that is not seen.
        read = read_requirement_files(files, [*waiting, (FIRST_FILE, False)])
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


def project_at(submission: Submission, place: str) -> str | None:
    """Return the pyproject.toml of a folder that pip installs, "" where it has none; None where the place is no such folder."""
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
    """Whether a place is a URL, or a packed file such as a wheel."""
    return "://" in place or place.endswith((".whl", ".tar.gz", ".zip"))


def loose_dependencies(submission: Submission, place: str) -> list[LooseRequirement]:
    """Return the dependencies in a project's pyproject.toml that are not pinned; `pip install .` installs them, too."""
    if not place:
        return []
    text = submission.read(place)
    try:
        dependencies = parse("project", text, name=place)
    except Unreadable as error:
        fail(f"{place} is not valid TOML: {error.message}", file=place, line=error.line)
    return [
        LooseRequirement(
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
