"""What an assignment repository consists of, as names and bytes: the lesson, the starter, and what grades it on a push.

The same lab, style and release give the same bytes, so a file that was changed afterwards can be told. No grader, solution or
variant is ever in it: those come from a release of the toolkit, named by its bytes, when it is graded.
"""

from __future__ import annotations

import fnmatch
import json
import shlex
from pathlib import Path

from dockdojo import templates
from dockdojo.course import Course
from dockdojo.errors import CourseError, UsageError

SCRIPT = "tests/grading.sh"
WORKFLOW = ".github/workflows/grading.yml"
GRADERS: dict[str, dict[str, str]] = {
    "plain": {SCRIPT: "grading.sh"},
    "classroom": {SCRIPT: "grading.sh", WORKFLOW: "grading.yml"},
    "classroom50": {SCRIPT: "grading.sh", "autograder.py": "autograder.py"},
    "gradescope": {
        SCRIPT: "grading.sh",
        "gradescope/setup.sh": "setup.sh",
        "gradescope/run_autograder": "run_autograder",
    },
}
"""The files of each style that start a grading, and their templates."""
STYLES = tuple(GRADERS)
DEVCONTAINER = {
    ".devcontainer/devcontainer.json": "devcontainer.json",
    ".devcontainer/setup.sh": "devcontainer.sh",
}
IGNORED = (
    ".venv/",
    "__pycache__/",
    "*.pyc",
    ".env",
    "data/",
    "model_checkpoint.pth",
    "result.json",
    "report.json",
    "results.json",
    ".DS_Store",
)
"""Lines of an assignment's .gitignore; without those that would leave out a file of the lab."""


def files(course: Course, slug: str, style: str, release: str) -> dict[str, bytes]:
    """Return the assignment: path to bytes. `release` is what `release.requirement_lines` gives.

    Raises UsageError for an unknown style, CourseError without a starter.
    """
    lab = course.lab(slug)
    starter = course.starter(slug)
    if not starter.is_dir():
        raise CourseError(f"{starter} is missing: the lab `{slug}` has no starter.")
    made = {
        path.relative_to(starter).as_posix(): path.read_bytes()
        for path in _plain_files(starter)
    }
    if course.lesson(slug).is_file():
        made["LESSON.md"] = course.lesson(slug).read_bytes()
    words = {
        "title": lab.title,
        "summary": lab.summary,
        "script": SCRIPT,
        "style": _known(style),
    }
    made.setdefault("README.md", _rendered("README.md", **words))
    lines = [line for line in IGNORED if not any(_hides(line, name) for name in made)]
    made[".gitignore"] = (
        made.get(".gitignore", b"") + "".join(f"{line}\n" for line in lines).encode()
    )
    made[".dockdojo.json"] = (json.dumps({"lab": slug}, indent=2) + "\n").encode()
    for path, template in DEVCONTAINER.items():
        made[path] = _rendered(template, package_shell=shlex.quote(release))
    return made | graders(slug, style, release)


def graders(slug: str, style: str, release: str) -> dict[str, bytes]:
    """Return the files of an assignment that start a grading: path to bytes."""
    paths = GRADERS[_known(style)]
    return {path: grader(path, slug, style, release) for path in paths}


def grader(path: str, slug: str, style: str, release: str) -> bytes:
    """Return one of the files of a style that start a grading."""
    return _rendered(
        GRADERS[style][path],
        lab=slug,
        style=style,
        package_shell=shlex.quote(release),
        package_json=json.dumps(release),
    )


def _known(style: str) -> str:
    if style not in STYLES:
        raise UsageError(
            f"There is no style {style!r}.", hint=f"There is {', '.join(STYLES)}."
        )
    return style


def _rendered(template: str, **words: str) -> bytes:
    return templates.render(__name__, template, **words).encode()


def _hides(line: str, name: str) -> bool:
    """Whether a line of IGNORED leaves out the file: a name at any depth, of a folder where it ends in a slash."""
    *folders, last = name.split("/")
    parts = folders if line.endswith("/") else [*folders, last]
    return any(fnmatch.fnmatchcase(part, line.rstrip("/")) for part in parts)


def _plain_files(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )
