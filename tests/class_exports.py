"""Exports as services make them, of made-up classes: the names, columns and marks are those of the services' sources."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

STUDENTS = {
    "ada": ("Lovelace", "Ada", 101, "s-1", "ada@example.org"),
    "alan": ("Turing", "Alan", 102, "s-2", "alan@example.org"),
    "grace": ("Hopper", "Grace", 103, "s-3", "grace@example.org"),
}
"""By login: last name, first name, number, student id, email."""
FILES = {"Dockerfile": b"FROM busybox\n", "app/main.py": b"print(1)\n"}


def zipped(files: Mapping[str, bytes], *, system: int = 3, mode: int = 0o644) -> bytes:
    """An archive of these files; `system` 0 is Windows, which keeps no modes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.create_system = system
            info.external_attr = (0o100000 | mode) << 16 if system == 3 else 0
            archive.writestr(info, data)
    return out.getvalue()


def written(folder: Path, files: Mapping[str, bytes]) -> Path:
    """A folder with these files."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def canvas_name(login: str) -> str:
    """What Canvas makes of a sortable name: letters alone, in lower case."""
    last, first, *_ = STUDENTS[login]
    return f"{last}{first}".lower()


def canvas_zip(
    path: Path, handed_in: Mapping[str, Mapping[str, bytes]], late: str = ""
) -> Path:
    """Canvas, Download Submissions: flat, each name with the user's and the attachment's id."""
    flat = {}
    attachment = 9000
    for login, files in handed_in.items():
        for name, data in files.items():
            attachment += 1
            word = "_LATE" if login == late else ""
            flat[
                f"{canvas_name(login)}{word}_{STUDENTS[login][2]}_{attachment}_{name}"
            ] = data
    path.write_bytes(zipped(flat))
    return path


def canvas_gradebook(delimiter: str = ",", *, split_names: bool = False) -> str:
    """The gradebook as Canvas exports it, with its two rows that are nobody's, and its test student."""
    names = ["LastName", "FirstName"] if split_names else ["Student"]
    header = [*names, "ID", "SIS User ID", "SIS Login ID", "Section", "Lab 1 (55)"]
    rows = [
        header,
        ["", *[""] * len(names), "", "", "", "Manual Posting"],
        ["    Points Possible", *[""] * (len(header) - 2), "100"],
    ]
    for login, (last, first, number, sis, _) in STUDENTS.items():
        name = [last, first] if split_names else [f"{last}, {first}"]
        rows.append([*name, str(number), sis, login, "A", ""])
    test = ["Student", "Test"] if split_names else ["Student, Test"]
    rows.append([*test, "999", "", "0f", "A", ""])
    return "\r\n".join(
        delimiter.join(f'"{cell}"' if delimiter in cell else cell for cell in row)
        for row in rows
    )


def moodle_folders(handed_in: Mapping[str, Mapping[str, bytes]]) -> dict[str, bytes]:
    """Moodle, Download all submissions in folders: the participant's id is none of the user's."""
    found = {}
    for place, (login, files) in enumerate(handed_in.items(), 70):
        last, first, *_ = STUDENTS[login]
        for name, data in files.items():
            found[f"{first} {last}_{place}_assignsubmission_file/{name}"] = data
    return found


def moodle_worksheet(handed_in: Mapping[str, object]) -> str:
    """The grading worksheet, in German: headers are translated, the numbers stay."""
    rows = ['Kennung,"Vollständiger Name",E-Mail-Adresse,Status,Bewertung,Bestwertung']
    for place, login in enumerate(handed_in, 70):
        last, first, _, _, email = STUDENTS[login]
        rows.append(f"Teilnehmer/in{place},{first} {last},{email},Abgegeben,,100")
    return "\n".join(rows)


def blackboard_files(handed_in: Mapping[str, Mapping[str, bytes]]) -> dict[str, bytes]:
    """Blackboard's file download: for each attempt a text about it, and the files."""
    found = {}
    for login, files in handed_in.items():
        for day, extra in (("01", b"old"), ("02", b"")):
            start = f"Lab 1_{login}_attempt_2026-11-{day}-10-00-00"
            found[f"{start}.txt"] = f"Name: {login}".encode()
            for name, data in files.items():
                found[f"{start}_{name}"] = data + extra
    return found


def gradescope_export(
    folder: Path, handed_in: Mapping[str, Mapping[str, bytes]]
) -> Path:
    """Gradescope's export: keys are Ruby's symbols."""
    lines = ["---"]
    files = {}
    for number, (login, given) in enumerate(handed_in.items(), 700):
        last, first, _, sis, email = STUDENTS[login]
        lines += [
            f"submission_{number}:",
            "  :submitters:",
            f"  - :name: {first} {last}",
            f"    :sid: {sis}",
            f"    :email: {email}",
            "  :created_at: 2026-11-02 10:00:00.000000000 Z",
        ]
        files |= {f"submission_{number}/{name}": data for name, data in given.items()}
    files["submission_metadata.yml"] = "\n".join(lines).encode()
    return written(folder, files)
