"""What an instructor does for a class: hand out an assignment repository."""

from __future__ import annotations

from pathlib import Path

from dockdojo import assignment
from dockdojo.course import Course
from dockdojo.errors import UsageError

EXECUTABLE = (".sh", "run_autograder")


def export(course: Course, slug: str, target: Path, style: str, package: str = "") -> list[Path]:
    """Writes the assignment into a new folder, and returns what it wrote. Never overwrites anything; raises UsageError."""
    made = assignment.files(course, slug, style, package)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} is there already, and not empty.", hint="Name another folder.")
    written = []
    for name, data in sorted(made.items()):
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        starter = course.starter(slug) / name
        if name.endswith(EXECUTABLE) or (starter.is_file() and starter.stat().st_mode & 0o100):
            path.chmod(0o755)
        written.append(path)
    return written
