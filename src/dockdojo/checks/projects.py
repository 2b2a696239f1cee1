"""The submission's own Python projects: their packages change with its code, so they are rebuilt for a good reason."""

from __future__ import annotations

import re
from pathlib import Path

from dockdojo.build.dockerfile import Dockerfile
from dockdojo.checks.pinning import names_required
from dockdojo.checks.requirement_files import name_of
from dockdojo.errors import SubmissionError
from dockdojo.submission.folder import Submission
from dockdojo.texts import lines_of

FILES = ("pyproject.toml", "setup.cfg", "setup.py")
MAX_PROJECTS = 20
NAME = re.compile(r"\bname\s{0,9}=\s{0,9}[\"']?([A-Za-z0-9][A-Za-z0-9._-]{0,99})")
NAMELESS = "unknown"
"""What setuptools calls a project that has no name."""


def own_packages(submission: Submission, dockerfile: Dockerfile) -> set[str]:
    """Return the names of packages that `pip install .` builds from the submission, without those that it requires."""
    places = [
        *FILES,
        *(
            f"{path.parent.name}/{path.name}"
            for name in FILES
            for path in _below(submission, name)
        ),
    ]
    found = {NAMELESS}
    for place in [place for place in places if submission.has(place)][:MAX_PROJECTS]:
        try:
            text = submission.read(place)
        except SubmissionError:  # pip cannot read it, either
            continue
        found |= {
            name_of(name) for line in lines_of(text) for name in NAME.findall(line)
        }
    return found - names_required(submission, dockerfile)


def _below(submission: Submission, name: str) -> list[Path]:
    return sorted(submission.path.glob(f"*/{name}"))
