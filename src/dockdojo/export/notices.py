"""What of an assignment's own files in a submission is not as it was handed out."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from dockdojo.beneath import printable
from dockdojo.export import GRADERS, STYLES, WORKFLOW, grader

PATHS = tuple(dict.fromkeys(path for style in STYLES for path in GRADERS[style]))
MAX_BYTES = 100_000
"""Of such a file that are looked at; ours are far smaller."""
MAX_OTHERS = 20
RELEASE = "# Release: "
"""The line of each file that tells, as JSON, which release it installs."""


def notices(slug: str, folder: Path) -> tuple[str, ...]:
    """Return a line for each of an assignment's own files: whether it is as it was handed out, its release, its SHA-256.

    A folder that has none of them is no assignment, and nothing is said. Where the grading was itself started by such a file,
    its release is known (DOCKDOJO_PACKAGE), and a file that names another one was changed.
    """
    found = {
        path: data for path in PATHS if (data := _bytes(folder / path)) is not None
    }
    if not found:
        return ()
    return (*(_line(slug, path, data) for path, data in found.items()), *_added(folder))


def _bytes(path: Path) -> bytes | None:
    if path.is_file() and not path.is_symlink() and path.stat().st_size <= MAX_BYTES:
        return path.read_bytes()
    return b"" if path.is_symlink() or path.exists() else None


def _line(slug: str, path: str, data: bytes) -> str:
    release = _release(data)
    known = os.environ.get("DOCKDOJO_PACKAGE", release)
    # The file names its style, so each style hands out another one.
    same = release == known and any(
        grader(path, slug, style, release) == data
        for style in STYLES
        if path in GRADERS[style]
    )
    named = (
        f", and installs {printable(' and '.join(release.split(chr(10))))[:300]}"
        if release
        else ""
    )
    said = (
        f"is as it was handed out{named}"
        if same
        else "was CHANGED since it was handed out, or is of another release"
    )
    return f"{path} {said} (SHA-256 {hashlib.sha256(data).hexdigest()}). This report was made without it."


def _release(data: bytes) -> str:
    """The release that a file names; empty where it names none."""
    for line in data.decode(errors="replace").splitlines()[:10]:
        if line.startswith(RELEASE):
            try:
                release = json.loads(line.removeprefix(RELEASE))
            except (ValueError, RecursionError):
                return ""
            return release if isinstance(release, str) else ""
    return ""


def _added(folder: Path) -> Iterator[str]:
    workflows = folder / ".github" / "workflows"
    if workflows.is_dir() and not workflows.is_symlink():
        others = sorted(
            entry.name
            for entry in workflows.iterdir()
            if entry.name != Path(WORKFLOW).name
        )
        for name in others[:MAX_OTHERS]:
            yield f".github/workflows/{printable(name)[:200]} was ADDED: it is no part of the assignment."
