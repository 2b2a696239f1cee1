"""Write an assignment repository to disk."""

from __future__ import annotations

from pathlib import Path

from dockdojo.course import Course
from dockdojo.errors import UsageError
from dockdojo.export import files

EXECUTABLE = (".sh", "run_autograder")


def export(
    course: Course, slug: str, target: Path, style: str, release: str
) -> list[Path]:
    """Write the assignment into a new folder, and return the paths written. Raises UsageError rather than overwrite anything.

    `release` is what `release.requirement_lines` gives.
    """
    made = files(course, slug, style, release)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(
            f"{target} is there already, and not empty.", hint="Name another folder."
        )
    written = []
    for name, data in sorted(made.items()):
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        starter = course.starter(slug) / name
        if name.endswith(EXECUTABLE) or (
            starter.is_file() and starter.stat().st_mode & 0o100
        ):
            path.chmod(0o755)
        written.append(path)
    return written
