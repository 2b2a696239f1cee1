"""What an assignment repository consists of, as names and bytes: the lesson, the starter, and what grades it on a push.

The same lab, style and package give the same bytes, so a file that was changed afterwards can be told. No grader, solution or
variant is ever in it: those come from a pinned release of the toolkit when it is graded.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
from importlib.metadata import version
from pathlib import Path

from dockdojo.beneath import printable
from dockdojo.course import Course
from dockdojo.errors import CourseError, UsageError

STYLES = ("plain", "classroom", "classroom50", "gradescope")
SCRIPT = "tests/grading.sh"
WORKFLOW = ".github/workflows/grading.yml"
OURS = (SCRIPT, WORKFLOW, "autograder.py", "gradescope/setup.sh", "gradescope/run_autograder")
"""What grades; noticed in a report where it is not as it was handed out."""
LARGEST = 100_000
"""Bytes of such a file that are looked at; ours are far smaller."""

GRADING = """#!/usr/bin/env bash
# Grades this folder:  bash ./tests/grading.sh [--format text|json|html ...]
# Lab {lab}, style {style}. Checks come from {package}, never from this folder. A change of this file is named in the report.
set -eu
package=${{DOCKDOJO_PACKAGE:-{package}}}
here=$(cd "$(dirname "$0")/.." && pwd)
key=$(printf %s "$package" | sha256sum | cut -c1-12)
home=${{XDG_CACHE_HOME:-$HOME/.cache}}/dockdojo/$key
cd /  # nothing of the folder is imported
if ! [ -x "$home/bin/dockdojo" ]; then
  echo "Installing $package (once)" >&2
  rm -rf "$home" && python3 -m venv "$home" && "$home/bin/pip" install --quiet --disable-pip-version-check "$package"
fi
export DOCKDOJO_PACKAGE=$package
exec env -u PYTHONPATH -u DOCKDOJO_COURSE "$home/bin/dockdojo" grade {lab} "$here" "$@"
"""
CLASSROOM = """# Grades each push. Lab {lab}, style {style}. A change of this file is named in the report.
name: Grading
on: [push, workflow_dispatch]
permissions:
  contents: read
  checks: write
  actions: read
jobs:
  grade:
    runs-on: ubuntu-latest
    timeout-minutes: 60
    steps:
      - uses: actions/checkout@v4
        with:
          lfs: true
          submodules: recursive
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - name: Grade
        id: grade
        working-directory: ${{{{ runner.temp }}}}
        env:
          DOCKDOJO_PACKAGE: {package}
        run: |
          python -m venv grader && grader/bin/pip install --quiet "$DOCKDOJO_PACKAGE"
          code=0
          grader/bin/dockdojo grade {lab} "$GITHUB_WORKSPACE" --student --format json -o report.json || code=$?
          test -f report.json
          grader/bin/dockdojo convert report.json --format markdown >> "$GITHUB_STEP_SUMMARY"
          grader/bin/dockdojo convert report.json --format github
          if [ "$code" -gt 1 ]; then exit "$code"; fi  # the report is not final: no points are sent
          echo "result=$(grader/bin/dockdojo convert report.json --format classroom)" >> "$GITHUB_OUTPUT"
      - uses: actions/upload-artifact@v4
        if: always()
        with:
          name: report
          path: ${{{{ runner.temp }}}}/report.json
      - uses: classroom-resources/autograding-grading-reporter@v1
        env:
          DOCKDOJO_RESULTS: ${{{{ steps.grade.outputs.result }}}}
        with:
          runners: dockdojo
"""
AUTOGRADER = '''"""Grades this submission for Classroom 50: writes ./result.json; exit code 0 means that it was graded."""

# Lab {lab}, style {style}. Checks come from a pinned release. A change of this file is named in the report.
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

PACKAGE = os.environ.get("DOCKDOJO_PACKAGE", {package_literal})
ABOUT = {{
    "owner": "GITHUB_REPOSITORY_OWNER",
    "submission": "GITHUB_REPOSITORY",
    "commit": "GITHUB_SHA",
    "classroom": "CLASSROOM50_CLASSROOM",
    "assignment": "CLASSROOM50_ASSIGNMENT",
}}


def main():
    here = Path(__file__).resolve().parent
    with tempfile.TemporaryDirectory() as scratch:
        venv.create(Path(scratch, "grader"), with_pip=True)
        home = Path(scratch, "grader", "bin")
        pip = [home / "pip", "install", "--quiet", PACKAGE]
        subprocess.run(pip, cwd=scratch, check=True)
        os.environ["DOCKDOJO_PACKAGE"] = PACKAGE
        report = Path(scratch, "report.json")
        grade = [home / "dockdojo", "grade", "{lab}", here]
        done = subprocess.run(
            [*grade, "--student", "--format", "json", "-o", report], cwd=scratch
        )
        if done.returncode not in (0, 1):
            return done.returncode
        about = [
            f"--about={{key}}={{os.environ[name]}}"
            for key, name in ABOUT.items()
            if os.environ.get(name)
        ]
        convert = [home / "dockdojo", "convert", report, "--format", "classroom50"]
        out = ["-o", Path.cwd() / "result.json"]
        return subprocess.run([*convert, *about, *out], cwd=scratch).returncode


if __name__ == "__main__":
    sys.exit(main())
'''
SETUP = """#!/usr/bin/env bash
# Lab {lab}, style {style}. Runs once, when Gradescope builds the autograder's image.
set -eu
apt-get update && apt-get install -y --no-install-recommends python3 python3-venv docker.io
python3 -m venv /autograder/grader
/autograder/grader/bin/pip install --quiet {package}
"""
RUN = """#!/usr/bin/env bash
# Lab {lab}, style {style}. Grades a submission. It needs a Docker Engine: DOCKER_HOST names one, or the container is privileged.
set -eu
root=${{AUTOGRADER_ROOT:-/autograder}}
mkdir -p "$root/results"
export DOCKDOJO_PACKAGE={package}
cd /
code=0
"$root/grader/bin/dockdojo" grade {lab} "$root/submission" --student --format json -o "$root/results/report.json" || code=$?
[ "$code" -le 1 ] || exit "$code"
"$root/grader/bin/dockdojo" convert "$root/results/report.json" --format gradescope -o "$root/results/results.json"
rm "$root/results/report.json"
"""
FILES = {
    "plain": {},
    "classroom": {WORKFLOW: CLASSROOM},
    "classroom50": {"autograder.py": AUTOGRADER},
    "gradescope": {"gradescope/setup.sh": SETUP, "gradescope/run_autograder": RUN},
}
IGNORED = (
    ".venv/", "__pycache__/", "*.pyc", ".env", "data/", "model_checkpoint.pth", "result.json", "report.json",
    "results.json", ".DS_Store",
)  # fmt: skip
"""Lines of an assignment's .gitignore; without those that would leave out a file of the lab."""
READ = {
    "plain": "",
    "classroom": "Each push is graded; the result is at the commit, and in the summary of the workflow run.\n",
    "classroom50": "Each submission is graded by `autograder.py`.\n",
    "gradescope": "For instructors: zip the two files of the folder `gradescope`; students do not need them.\n",
}


def default_package() -> str:
    """The release that grades: this one."""
    return f"dockdojo=={version('dockdojo')}"


def files(course: Course, slug: str, style: str, package: str = "") -> dict[str, bytes]:
    """The assignment: path to bytes. Raises UsageError for an unknown style or package, CourseError without a starter."""
    lab = course.lab(slug)
    starter = course.starter(slug)
    if not starter.is_dir():
        raise CourseError(f"{starter} is missing: the lab `{slug}` has no starter.")
    made = {path.relative_to(starter).as_posix(): path.read_bytes() for path in _plain_files(starter)}
    if course.lesson(slug).is_file():
        made["LESSON.md"] = course.lesson(slug).read_bytes()
    made.setdefault(
        "README.md",
        f"# {lab.title}\n\n{lab.summary}. Read [LESSON.md](LESSON.md), and work in this folder.\n\n"
        f"```sh\nbash ./{SCRIPT}\n```\n\ngrades it here. It needs Python and Docker. {READ[_style(style)]}".encode(),
    )
    lines = [line for line in IGNORED if not any(_hides(line, name) for name in made)]
    made[".gitignore"] = made.get(".gitignore", b"") + "".join(f"{line}\n" for line in lines).encode()
    made[".dockdojo.json"] = (json.dumps({"lab": slug}, indent=2) + "\n").encode()
    made[".devcontainer/devcontainer.json"] = (_devcontainer(package or default_package()) + "\n").encode()
    return made | graders(slug, style, package)


def _hides(line: str, name: str) -> bool:
    """Whether a line of IGNORED leaves out the file: a name at any depth, of a folder where it ends in a slash."""
    *folders, last = name.split("/")
    parts = folders if line.endswith("/") else [*folders, last]
    return any(fnmatch.fnmatchcase(part, line.rstrip("/")) for part in parts)


def graders(slug: str, style: str, package: str = "") -> dict[str, bytes]:
    """The files of an assignment that start a grading. Raises UsageError for a package that a shell would take apart."""
    package = package or default_package()
    if any(one in package for one in "'\"`$\\\n"):
        raise UsageError(f"--package {package!r}: name it without quotes, backslashes and dollar signs.")
    words = {
        "lab": slug, "style": _style(style), "package": f"'{package}'", "package_literal": json.dumps(package),
    }  # fmt: skip
    return {path: text.format(**words).encode() for path, text in {SCRIPT: GRADING, **FILES[style]}.items()}


def _style(style: str) -> str:
    if style not in STYLES:
        raise UsageError(f"There is no style {style!r}.", hint=f"There is {', '.join(STYLES)}.")
    return style


def _devcontainer(package: str) -> str:
    return json.dumps(
        {
            "image": "mcr.microsoft.com/devcontainers/python:3.12",
            "features": {"ghcr.io/devcontainers/features/docker-in-docker:2": {}},
            "postCreateCommand": f"pip install '{package}'",
        },
        indent=2,
    )


def _plain_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def notices(slug: str, folder: Path, package: str = "") -> tuple[str, ...]:
    """What of an assignment's own files in a submission is not as it was handed out, a line each; with SHA-256.

    A folder that has none of them is no assignment, and nothing is said.
    """
    found: dict[str, bytes] = {}
    for name in OURS:
        path = folder / name
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= LARGEST:
            found[name] = path.read_bytes()
        elif path.is_symlink() or path.exists():
            found[name] = b""
    if not found:
        return ()
    # The script names its style, so each style hands out another one.
    handed_out = {item for style in STYLES for item in graders(slug, style, package).items()}
    lines = []
    for name, data in found.items():
        digest = hashlib.sha256(data).hexdigest()
        same = (name, data) in handed_out
        said = "is as it was handed out" if same else "was CHANGED since it was handed out, or is of another release"
        lines.append(f"{name} {said} (SHA-256 {digest}). This report was made without it.")
    workflows = folder / ".github" / "workflows"
    if workflows.is_dir() and not workflows.is_symlink():
        others = sorted(one.name for one in workflows.iterdir() if one.name != Path(WORKFLOW).name)[:20]
        lines += [
            f".github/workflows/{printable(name)[:200]} was ADDED: it is no part of the assignment." for name in others
        ]
    return tuple(lines)
