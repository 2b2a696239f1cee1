"""From an export to a folder that can be graded: what the way here changed is mended and noted, the student's own work is not."""

from __future__ import annotations

import errno
import posixpath
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dockdojo.beneath import check_inside
from dockdojo.class_.archives import Archive, Budget, top_folder, unpack
from dockdojo.class_.plan import Candidate
from dockdojo.class_.trees import ZIP, ZipTree
from dockdojo.errors import DockdojoError, OurFault, Refused, SubmissionError, reason_of
from dockdojo.grading.intake import copy_submission
from dockdojo.model import MB, Lab, Limits

SCRATCH = "dockdojo-hand-in-"
ITS_NAMES = (errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR, errno.EISDIR)
"""What the system says of names that cannot be, or not beside each other: the archive is at fault."""
SLACK = 10
"""How many times the lab's limits an archive may hold: `.dockerignore` may leave most of it out, and only then is it judged."""
AGAIN = re.compile(r"(.+)-\d{1,3}", re.DOTALL)
"""What Canvas makes of the name of a file that is handed in again: `main-1.py`, `Dockerfile-2`."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A folder that can be graded, and what was mended in it."""

    folder: Path
    notes: tuple[str, ...] = ()


def prepare(
    candidate: Candidate, target: Path, limits: Limits, starter: Path
) -> Prepared:
    """Return the folder of a hand-in; one that lies in an export is written to `target` first.

    Raises Refused for a hand-in that cannot be unpacked safely: that is one row, and none of the others.
    """
    hand_in, tree = candidate.hand_in, candidate.source.tree
    if hand_in.folder is not None:
        return Prepared(hand_in.folder)
    target.mkdir(parents=True)
    budget = Budget(
        files=SLACK * limits.context_files, size=SLACK * limits.context_mb * MB
    )
    names, notes = dict(hand_in.files), list[str]()
    single = next(iter(names.values())) if len(names) == 1 else ""
    if single.lower().endswith(ZIP):
        packed = target.with_name(f"{target.name}{ZIP}")
        try:
            tree.write(single, packed, budget)
            with Archive(packed.open("rb"), next(iter(names))) as archive:
                if unpack(archive, archive.members, target, budget):
                    notes += _give_back_modes(target, starter)
        finally:
            packed.unlink(missing_ok=True)
        return Prepared(target, tuple(notes))
    given = files_of(starter)
    if candidate.source.layout.name == "canvas":
        names, notes = _first_names(names, given)
    top = top_folder(names)
    for name, path in names.items():
        place = target / name.removeprefix(top)
        check_inside(target, name.removeprefix(top))
        place.parent.mkdir(parents=True, exist_ok=True)
        tree.write(path, place, budget)
    lost = isinstance(tree, ZipTree) and all(
        tree.member(path).mode is None for path in names.values()
    )
    uploaded = candidate.source.layout.name in ("canvas", "blackboard")
    if lost or uploaded:
        notes += _give_back_modes(target, starter)
    return Prepared(target, tuple(notes))


@contextmanager
def copied(
    candidate: Candidate, lab: Lab, starter: Path, scratch: Path | None = None
) -> Iterator[tuple[Prepared, str]]:
    """Give the safe copy of a hand-in, in `scratch` or where temporary folders are, and its checksum; at the end it is gone.

    Raises SubmissionError where it may not be graded, OurFault where it is gone, or where there is no room for it.
    """
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=scratch) as place:
        given, copy = Path(place, "given"), Path(place, "copy")
        try:
            made = prepare(candidate, given, lab.limits, starter)
        except DockdojoError:
            raise
        except OSError as error:
            words = (
                f"`{candidate.hand_in.label}` cannot be unpacked: {reason_of(error)}."
            )
            if error.errno in ITS_NAMES:
                raise Refused(words) from error
            raise OurFault(words) from error
        except Exception as error:  # whatever a library makes of a hostile archive
            raise OurFault(
                f"`{candidate.hand_in.label}` cannot be unpacked: {type(error).__name__}."
            ) from error
        try:
            left_out = candidate.hand_in.left_out
            checksum = copy_submission(
                made.folder, copy, lab.limits, lab.files, left_out=left_out
            )
        except SubmissionError as refusal:
            if not made.folder.is_dir():
                raise OurFault(f"{made.folder} is gone.") from refusal
            raise
        yield Prepared(copy, made.notes), checksum


def files_of(folder: Path) -> dict[str, int]:
    """Return the modes of the files in a folder of the course, by their places."""
    return {
        path.relative_to(folder).as_posix(): path.stat().st_mode
        for path in folder.rglob("*")
        if path.is_file()
    }


def _first_names(
    names: dict[str, str], given: dict[str, int]
) -> tuple[dict[str, str], list[str]]:
    """The names that files had before Canvas numbered them, where the lab gave such a file and it is not there otherwise."""
    found, notes = {}, []
    for name, path in names.items():
        stem, ending = posixpath.splitext(name)
        match = AGAIN.fullmatch(stem)
        first = f"{match[1]}{ending}" if match else ""
        if first in given and first not in names and first not in found:
            notes.append(
                f"`{name}` is `{first}` again: Canvas numbers what is handed in once more."
            )
            found[first] = path
        else:
            found[name] = path
    return found, notes


def _give_back_modes(folder: Path, starter: Path) -> list[str]:
    """Make executable again what the lab gave as a program: no upload keeps that."""
    notes = []
    for name, mode in files_of(starter).items():
        path = folder / name
        if (
            mode & stat.S_IXUSR
            and path.is_file()
            and not path.stat().st_mode & stat.S_IXUSR
        ):
            path.chmod(0o755)
            notes.append(
                f"`{name}` is executable again: the archive has no such marks."
            )
    return notes
