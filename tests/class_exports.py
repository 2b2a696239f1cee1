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


def moodle_gradebook(titles: Mapping[str, str] = {"Lab 1": ""}) -> str:
    """Moodle's gradebook export: names of columns say what kind of activity it is, and how the grade is shown."""
    columns = ",".join(f'"Assignment: {title} (Real)"' for title in titles)
    rows = [
        f'"First name","Last name","ID number",Institution,Department,"Email address",{columns},"Last downloaded from this course"'
    ]
    for last, first, _, sis, email in STUDENTS.values():
        cells = ",".join(f"{text or '-'}" for text in titles.values())
        rows.append(f"{first},{last},{sis},,,{email},{cells},1764288000")
    return "\n".join(rows) + "\n"


def blackboard_gradebook() -> bytes:
    """Blackboard's Download Grades, "tab-delimited": UTF-16 under the name of a spreadsheet, all cells in quotation marks."""
    rows = [
        [
            "Last Name",
            "First Name",
            "Username",
            "Student ID",
            "Last Access",
            "Availability",
            "Total [Total Pts: up to 200 Score] |11",
            "Lab 1 [Total Pts: 100 Score] |12345",
            "Lab 10 [Total Pts: 10 Score] |12346",
        ]
    ]
    for login, (last, first, _, sis, _) in STUDENTS.items():
        rows.append([last, first, login, sis, "2026-11-01", "Yes", "", "", ""])
    lines = ["\t".join(f'"{cell}"' for cell in row) for row in rows]
    return ("\r\n".join(lines) + "\r\n").encode("utf-16")


def gradescope_grades() -> str:
    """Gradescope's Download Grades: four columns for each assignment."""
    more = ("Max Points", "Submission Time", "Lateness (H:M:S)")
    titles = ["Lab 1", *(f"Lab 1 - {word}" for word in more)]
    rows = [["First Name", "Last Name", "SID", "Email", "Sections", *titles]]
    for last, first, _, sis, email in STUDENTS.values():
        rows.append([first, last, sis, email, "A", "", "100.0", "", ""])
    return "\n".join(",".join(row) for row in rows) + "\n"


def classroom50_table() -> str:
    """A table with Classroom 50's columns of the roster, and one of marks."""
    rows = ["username,first_name,last_name,email,section,github_id,role,lab-1"]
    for login, (last, first, number, _, email) in STUDENTS.items():
        rows.append(f"{login},{first},{last},{email},A,{number},student,")
    return "\ufeff" + "\n".join(rows) + "\n"
