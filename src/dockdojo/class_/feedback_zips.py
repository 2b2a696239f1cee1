"""Feedback as archives that services take back, each file in a name by which they know whose it is.

Moodle (`assignfeedback_file`, "Upload multiple feedback files in a zip") cuts a name at the first four `_`: full name,
participant id, plugin; the flat form is understood by all versions, also before 3.1 and after 4.1. Canvas ("Upload Submissions",
`generate_comments_from_files`) finds the student by the user id, asks for the id of a file that this student handed in, and shows
what comes back under that file's own name: so it is plain text, which can be read whatever it is called.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dockdojo.class_.feedback import HTML
from dockdojo.class_.layouts import CANVAS, CANVAS_ENTRIES
from dockdojo.class_.rows import Submission
from dockdojo.class_.trees import Tree
from dockdojo.errors import UsageError

MOODLE_LABEL = re.compile(r"(?P<name>.+)_(?P<participant>\d{1,20})", re.DOTALL)
EPOCH = (1980, 1, 1, 0, 0, 0)
"""When all files of an archive are from: the earliest that zip knows, so that the same feedback is the same archive."""
FILE_MODE = 0o100644


@dataclass(slots=True)
class Packed:
    """Files by their names in an archive, and the rows for which there is no name."""

    files: dict[str, bytes] = field(default_factory=dict)
    unplaced: list[str] = field(default_factory=list)

    def to_bytes(self) -> bytes:
        """Return the archive."""
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in sorted(self.files.items()):
                info = zipfile.ZipInfo(name, EPOCH)
                info.external_attr = FILE_MODE << 16
                archive.writestr(info, content, zipfile.ZIP_DEFLATED)
        return out.getvalue()


def for_moodle(rows: Iterable[tuple[Submission, Mapping[str, bytes]]]) -> Packed:
    """Return the pages in the names that Moodle takes back; of rows that were exported from there."""
    packed = Packed()
    for row, files in rows:
        if not files:
            continue
        match = MOODLE_LABEL.fullmatch(row.label)
        known = {ids.get("participant") for ids in row.people}
        if match is None or match["participant"] not in known:
            packed.unplaced.append(row.name)
            continue
        who = match["name"].replace("_", " ")
        name = f"{who}_{match['participant']}_assignsubmission_file_{HTML}"
        if name in packed.files:
            packed.unplaced.append(row.name)
        else:
            packed.files[name] = files[HTML]
    return packed


def for_canvas(rows: Iterable[tuple[Submission, str]], export: Tree) -> Packed:
    """Return texts in names of the archive that Canvas gave. Raises UsageError where it is none of these."""
    names = _first_files(export)
    packed = Packed()
    for row, text in rows:
        ids = [
            ids.get("canvas") or ids.get("anonymous", "") for ids in row.people if text
        ]
        found = [names[number] for number in ids if number in names]
        for name in found:
            packed.files[name] = text.encode()
        if text and not found:
            packed.unplaced.append(row.name)
    return packed


def _first_files(export: Tree) -> dict[str, str]:
    """For each user id the name of the first file that was handed in."""
    found: dict[str, str] = {}
    for path in sorted(export.paths):
        match = CANVAS.fullmatch(path)
        if match is None:
            raise UsageError(
                f"{export.name} is not what Canvas gives for Download Submissions.",
                hint="Name the archive that was graded, as it was downloaded.",
            )
        if not path.endswith(CANVAS_ENTRIES):
            found.setdefault(match["id"] or match["anonymous"], path)
    return found
