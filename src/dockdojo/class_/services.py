"""Whose gradebook a table is, told by its columns; and how that service names an assignment's column and the points it is worth.

Names are those of the services' exports: Canvas (`gradebook_exporter`), Moodle (`mod/assign` and the gradebook's export),
Blackboard's and Gradescope's Download Grades, and a table with GitHub user names, as Classroom 50's `roster.csv` has them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from dockdojo.class_.people import (
    COLUMNS,
    GITHUB,
    PARTICIPANT,
    TEST_STUDENTS,
    email_column,
    is_moodle_worksheet,
)
from dockdojo.class_.tables import Table
from dockdojo.errors import UsageError

NUMBER = re.compile(r"-?\d{1,9}(?:[.,]\d{0,9})?")
CANVAS_TITLE = re.compile(r"(?P<title>.{1,500}?) \((?P<number>\d{1,20})\)", re.DOTALL)
"""`Lab 1 (55)`: the number is Canvas' own."""
BLACKBOARD_TITLE = re.compile(
    r"(?P<title>[^\[\]|]{1,500}?) \[[^\]]{0,100}\] ?\|(?P<number>\d{1,20})", re.DOTALL
)
"""`Lab 1 [Total Pts: 100 Score] |12345`."""
BLACKBOARD_POINTS = re.compile(r"\[[^\]\d]{0,60}(\d{1,9}(?:[.,]\d{1,9})?)[^\]]{0,60}\]")
MOODLE_TITLE = re.compile(
    r"[^:]{1,100}: (?P<title>.{1,500}) \([^()]{1,60}\)", re.DOTALL
)
"""`Assignment: Lab 1 (Real)`, in any language."""
POSSIBLE = "points possible"
MAXIMUM = ("Maximum Grade", "Bestwertung", "Note maximale", "Calificación máxima")
"""Of Moodle's worksheet, in some languages; where another one has it, the maximum is not compared."""
MAX_POINTS = "{} - Max Points"
GRADE, COMMENTS = "Grade", "Feedback comments"
"""Columns of Moodle's worksheet, in English."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service's gradebook."""

    words: str
    fits: Callable[[Table], bool]
    """Whether a table bears its marks."""
    kinds: tuple[str, ...] = ()
    """Kinds of ids that its columns hold (`people.COLUMNS`)."""
    title: re.Pattern[str] | None = None
    """What a column is called: its `title`, and a `number` where the service gives one."""
    column: str = ""
    """The column of marks, where it has the same name for all assignments."""
    comments: str = ""
    """The column of comments, likewise."""
    drops_others: bool = False
    """Whether rows without a new mark are left out: one unknown user among them would cancel the import."""


def _is_canvas(table: Table) -> bool:
    names = table.column("Student"), table.column("LastName")
    return has(table, "ID", "Section") and names != (None, None)


def _is_moodle_gradebook(table: Table) -> bool:
    has_names = has(table, "First name") and (
        has(table, "Last name") or has(table, "Surname")
    )
    is_english = has_names and (has(table, "ID number") or has(table, "Email address"))
    titles = any(MOODLE_TITLE.fullmatch(cell) for cell in table.header)
    return is_english or (titles and email_column(table) is not None)


def _is_blackboard(table: Table) -> bool:
    return has(table, "Username") and any(
        BLACKBOARD_TITLE.fullmatch(cell) for cell in table.header
    )


def _is_gradescope(table: Table) -> bool:
    return has(table, "SID", "Email") and any(
        has(table, *names)
        for names in (("First Name", "Last Name"), ("Name",), ("Sections",))
    )


def _is_classroom50(table: Table) -> bool:
    return "username" in table.header and not _is_blackboard(table)


def has(table: Table, *names: str) -> bool:
    """Return whether a table has all of these columns."""
    return all(table.column(name) is not None for name in names)


SERVICES = {
    "canvas": Service(
        words="a Canvas gradebook (Student, ID, Section)",
        fits=_is_canvas,
        kinds=("canvas", "sis", "login"),
        title=CANVAS_TITLE,
    ),
    "blackboard": Service(
        words="a Blackboard gradebook (Username, `Title [Total Pts: …] |number`)",
        fits=_is_blackboard,
        kinds=("login", "sis"),
        title=BLACKBOARD_TITLE,
    ),
    "moodle": Service(
        words="a Moodle grading worksheet or gradebook",
        fits=lambda table: is_moodle_worksheet(table) or _is_moodle_gradebook(table),
    ),
    "gradescope": Service(
        words="a Gradescope list of grades (SID, Email)",
        fits=_is_gradescope,
        kinds=("email", "sis"),
    ),
    "classroom50": Service(
        words="a table of Classroom 50 (username)",
        fits=_is_classroom50,
        kinds=("github", "email"),
    ),
}
"""By the names that `--format` takes; the one with more marks of its own comes first."""
WORKSHEET = Service(
    words="a Moodle grading worksheet",
    fits=is_moodle_worksheet,
    kinds=("participant", "email"),
    column=GRADE,
    comments=COMMENTS,
)
MOODLE_GRADEBOOK = Service(
    words="a Moodle gradebook",
    fits=_is_moodle_gradebook,
    kinds=("sis", "login", "email"),
    title=MOODLE_TITLE,
    drops_others=True,
)
PLAIN = Service(
    words="a table of one's own",
    fits=lambda table: True,
    kinds=("sis", "login", "email", "roster", "github"),
    title=CANVAS_TITLE,
)


def tell_service(table: Table, name: str = "") -> Service:
    """Return whose gradebook a table is. Raises UsageError where it is not the one of that name."""
    if name and not SERVICES[name].fits(table):
        columns = ", ".join(f"`{cell[:40]}`" for cell in table.header[:8]) or "none"
        raise UsageError(
            f"{table.name} is not {SERVICES[name].words}.",
            hint=f"Its columns are {columns}.",
        )
    found = name or next((key for key, it in SERVICES.items() if it.fits(table)), "")
    if found == "moodle":
        return WORKSHEET if is_moodle_worksheet(table) else MOODLE_GRADEBOOK
    return SERVICES.get(found, PLAIN)


def id_columns(table: Table, service: Service) -> dict[str, int]:
    """Return the columns of ids by their kinds. Raises UsageError where none tells who somebody is."""
    found = {
        kind: place
        for kind in service.kinds
        if (place := _column_of_ids(table, service, kind)) is not None
    }
    if not found:
        raise UsageError(f"No column of {table.name} tells who somebody is.")
    return found


def _column_of_ids(table: Table, service: Service, kind: str) -> int | None:
    if kind == "participant":
        return 0
    place = table.column(
        *(GITHUB if kind == "github" and service is PLAIN else COLUMNS[kind])
    )
    is_moodle = service in (WORKSHEET, MOODLE_GRADEBOOK)
    return email_column(table) if kind == "email" and is_moodle else place


def id_in(kind: str, cell: str) -> str:
    """Return the id that a cell holds, to be compared; of `Participant 123` the number."""
    text = cell.strip().casefold()
    match = PARTICIPANT.fullmatch(text) if kind == "participant" else None
    return match[1] if match else text


def is_nobodys(table: Table, row: list[str], service: Service) -> bool:
    """Return whether a row is no student's: Canvas has some above the students, and a test student below."""
    if service is not SERVICES["canvas"]:
        return False
    number, student = table.column("ID"), table.column("Student")
    last, first = table.column("LastName"), table.column("FirstName")
    name = cell_of(row, student) or f"{cell_of(row, last)}, {cell_of(row, first)}"
    is_test = name.strip().casefold() in TEST_STUDENTS
    return is_test or not cell_of(row, number).strip().isdigit()


def points_possible(
    table: Table, place: int, service: Service
) -> tuple[str, float] | None:
    """Return the points that a column is worth, as they stand there and as a number; None where the table does not tell."""
    title = table.header[place]
    text = ""
    if service is SERVICES["blackboard"] and (match := BLACKBOARD_POINTS.search(title)):
        text = match[1]
    elif service is SERVICES["gradescope"]:
        text = _first_below(table, table.column(MAX_POINTS.format(title)))
    elif service is WORKSHEET:
        text = _first_below(table, table.column(*MAXIMUM))
    else:
        text = next(
            (
                cell_of(row, place).strip()
                for row in table.rows[1:4]
                if row and row[0].strip().casefold() == POSSIBLE
            ),
            "",
        )
    if not text:
        return None
    number = float(text.replace(",", ".")) if NUMBER.fullmatch(text) else float("nan")
    return text, number


def _first_below(table: Table, place: int | None) -> str:
    cells = (cell_of(row, place).strip() for row in table.rows[1:])
    return next((cell for cell in cells if cell), "")


def cell_of(row: list[str], place: int | None) -> str:
    """Return a cell; empty where the row is shorter, or there is no such column."""
    return row[place] if place is not None and place < len(row) else ""
