"""Who is in the class: people as rosters and gradebooks name them, told by the columns of each file, never by its name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from dockdojo.class_.tables import Table
from dockdojo.errors import UsageError

KINDS = {
    "canvas": "Canvas user id",
    "sis": "SIS or student id",
    "login": "login",
    "email": "email address",
    "github": "GitHub user name",
    "github_id": "GitHub id",
    "roster": "identifier of a GitHub Classroom roster",
    "repository": "repository",
    "participant": "Moodle participant id",
    "name": "full name",
}
"""Kinds of ids, and what they are in words. A name finds somebody only where a source has nothing else."""
COLUMNS = {
    "canvas": ("ID",),
    "sis": ("SIS User ID", "SID", "Student ID", "ID number", "student_id"),
    "login": ("SIS Login ID", "Username", "Login", "User ID"),
    "email": ("Email", "Email address", "E-mail", "E-Mail-Adresse"),
    "github": ("github_username", "github", "username"),
    "roster": ("identifier", "roster_identifier", "id"),
}
"""Of each kind of id, the columns that may hold it, in any case. What `ID` and `username` mean depends on whose file it is."""
TEST_STUDENTS = frozenset({"student, test", "test student"})
"""Canvas' own: nobody's."""
NOT_STUDENTS = frozenset({"teacher", "owner", "admin", "ta", "instructor"})
"""Roles in Classroom 50's roster that hand nothing in."""
ID_HEADERS = frozenset(
    name.casefold() for names in COLUMNS.values() for name in names
) - {"identifier"}
"""What the first column of somebody's own list may be called; `Identifier` is also that of Moodle's worksheet."""
GITHUB = COLUMNS["github"][:2]
"""Without `username`, which is a login wherever it is not Classroom 50's."""
PARTICIPANT = re.compile(r"\D{0,60}(\d{1,20})")
"""Moodle's `Participant 123`, in any language."""
TITLED = re.compile(r".{1,500} \(\d{1,20}\)", re.DOTALL)
"""An assignment's column in a Canvas gradebook."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Person:
    """Somebody who is to hand something in. Two are the same only where they are one object."""

    name: str
    ids: Mapping[str, str]
    """By kind, as KINDS has them."""
    section: str = ""
    group: str = ""

    @property
    def key(self) -> str:
        """What folders and rows of the class call this person: the first id that there is, in the order of KINDS."""
        return next((self.ids[kind] for kind in KINDS if self.ids.get(kind)), self.name)


class Roster:
    """Everybody in the class, found by any id."""

    def __init__(self, people: Iterable[Person] = ()) -> None:
        """Begin with these people."""
        self.people: dict[Person, None] = {}
        self._by_id: dict[tuple[str, str], dict[Person, None]] = {}
        for person in people:
            self.add(person)

    def add(self, person: Person) -> None:
        """Take somebody in."""
        self.people[person] = None
        for kind, value in person.ids.items():
            self._by_id.setdefault((kind, value.casefold()), {})[person] = None

    def remove(self, person: Person) -> None:
        """Take somebody out."""
        del self.people[person]
        for kind, value in person.ids.items():
            self._by_id[kind, value.casefold()].pop(person, None)

    def find(self, kind: str, value: str) -> list[Person]:
        """Return those with that id; several where two bear it."""
        return list(self._by_id.get((kind, value.strip().casefold()), ()))

    def find_any(self, value: str) -> list[Person]:
        """Return those of whom any id, and no name, is that."""
        return list(
            dict.fromkeys(
                person
                for kind in KINDS
                if kind != "name"
                for person in self.find(kind, value)
            )
        )

    def sharing_id_with(self, person: Person) -> list[Person]:
        """Return those who have an id in common with somebody; a name is none."""
        return list(
            dict.fromkeys(
                other
                for kind, value in person.ids.items()
                if kind not in ("name", "repository")
                for other in self.find(kind, value)
            )
        )


def read_rosters(tables: Iterable[Table]) -> Roster:
    """Return the people of several tables; who shares an id in two of them is one person.

    Raises UsageError for a table that is no roster, and for two people of one table with one id.
    """
    roster = Roster()
    for table in tables:
        people = people_of(table)
        _expect_unique(people, table.name)
        for person in people:
            known = roster.sharing_id_with(person)
            for other in known:
                roster.remove(other)
            roster.add(_merged(person, known))
    return roster


def _merged(person: Person, known: list[Person]) -> Person:
    ids = dict(person.ids)
    for other in known:
        ids = {**ids, **{kind: text for kind, text in other.ids.items() if text}}
    first = known[0] if known else person
    return replace(
        person,
        name=first.name or person.name,
        ids=MappingProxyType(ids),
        section=first.section or person.section,
        group=first.group or person.group,
    )


def _expect_unique(people: Iterable[Person], name: str) -> None:
    """Raise UsageError where two people of one table have one id; a team shares its repository."""
    seen: dict[tuple[str, str], Person] = {}
    for person in people:
        for kind, value in person.ids.items():
            if kind in ("name", "repository"):
                continue
            other = seen.setdefault((kind, value.casefold()), person)
            if other is not person:
                both = " and ".join(who.name or who.key for who in (other, person))
                raise UsageError(
                    f"{name}: {both} have the same {KINDS[kind]}, `{value[:80]}`.",
                    hint="Mend the roster: each id is one person's.",
                )


def people_of(table: Table) -> list[Person]:
    """Return the people of one table. Raises UsageError where its columns are those of no roster."""
    for reads in READERS:
        found = reads(table)
        if found is not None:
            return [person for person in found if any(person.ids.values())]
    columns = ", ".join(f"`{cell[:40]}`" for cell in table.header[:12]) or "none"
    raise UsageError(
        f"{table.name} is no roster: no column tells who somebody is. Its columns: {columns}.",
        hint="One of these is needed: ID, SIS User ID, SIS Login ID, Username, Email, SID, github_username, identifier.",
    )


def _person(name: str, section: str = "", group: str = "", **ids: str) -> Person:
    found = {kind: text.strip() for kind, text in ids.items() if text.strip()}
    if name.strip():
        found["name"] = name.strip()
    return Person(
        name=name.strip(),
        ids=MappingProxyType(found),
        section=section.strip(),
        group=group.strip(),
    )


def _rows(table: Table) -> Iterator[Callable[..., str]]:
    """For each row a function that gives the cell of the first column that has one of the names; empty without one."""
    for row in table.rows[1:]:
        if not any(cell.strip() for cell in row):
            continue

        def cell(*names: str, row: list[str] = row) -> str:
            place = table.column(*names)
            return row[place] if place is not None and place < len(row) else ""

        yield cell


def _canvas(table: Table) -> list[Person] | None:
    """A Canvas gradebook: `Student` or `LastName, FirstName`; `ID`; `Section`; then columns of assignments."""
    if table.column("ID") is None or table.column("Section") is None:
        return None
    if table.column("Student") is None and table.column("LastName") is None:
        return None
    found = []
    for cell in _rows(table):
        name = cell("Student") or f"{cell('LastName')}, {cell('FirstName')}".strip(", ")
        if not cell("ID").strip().isdigit() or name.strip().casefold() in TEST_STUDENTS:
            continue  # `Points Possible`, `Manual Posting`, and Canvas' own student
        found.append(
            _person(
                name,
                section=cell("Section"),
                canvas=cell("ID"),
                sis=cell("SIS User ID"),
                login=cell("SIS Login ID"),
            )
        )
    return found


def _github_classroom(table: Table) -> list[Person] | None:
    """`classroom_roster.csv`, or the grades of a `gh classroom` clone, which also have the repository."""
    identifier = table.column("identifier", "roster_identifier")
    if identifier is None or table.column("github_username") is None:
        return None
    return [
        _person(
            cell("name"),
            group=cell("group_name"),
            roster=cell("identifier", "roster_identifier"),
            github=cell("github_username"),
            github_id=cell("github_id"),
            repository=cell("student_repository_name"),
        )
        for cell in _rows(table)
    ]


def _classroom50(table: Table) -> list[Person] | None:
    """Classroom 50's `roster.csv`; teachers of its `role` are nobody who hands something in."""
    if table.column("username") is None or table.column("github_id") is None:
        return None
    return [
        _person(
            f"{cell('first_name')} {cell('last_name')}",
            section=cell("section"),
            github=cell("username"),
            github_id=cell("github_id"),
            email=cell("email"),
        )
        for cell in _rows(table)
        if cell("role").strip().casefold() not in NOT_STUDENTS
    ]


def _moodle_worksheet(table: Table) -> list[Person] | None:
    """A grading worksheet: the first column has `Participant 123`, whatever the language; another has email addresses."""
    if not is_moodle_worksheet(table):
        return None
    email, found = email_column(table), []
    names = table.column("Full name")
    if names is None and email is not None:  # in another language
        names = 1
    for row in table.rows[1:]:
        number = PARTICIPANT.fullmatch(row[0].strip()) if row else None
        if number is not None:
            address = row[email] if email is not None and email < len(row) else ""
            name = row[names] if names is not None and names < len(row) else ""
            found.append(_person(name, participant=number[1], email=address))
    return found


def is_moodle_worksheet(table: Table) -> bool:
    """Return whether a table is Moodle's grading worksheet.

    Its headers are translated; where it has no email addresses, as for blind marking, only the English ones are understood.
    """
    cells = [row[0].strip() for row in table.rows[1:] if row and row[0].strip()]
    numbers = [PARTICIPANT.fullmatch(cell) for cell in cells]
    words = {
        cell.removesuffix(match[1])
        for cell, match in zip(cells, numbers, strict=True)
        if match
    }
    if not all(numbers) or len(words) != 1 or words == {""} or len(table.header) < 4:
        return False
    first = table.header[0].casefold()
    if first in ID_HEADERS:  # ids such as s1001
        return False
    is_english = first == "identifier" and table.column("Grade") is not None
    return is_english or email_column(table) not in (None, 0)


def email_column(table: Table) -> int | None:
    """Return the place of the first column that has email addresses and nothing else; None without one."""
    width = len(table.header)
    for place in range(width):
        texts = [
            row[place].strip()
            for row in table.rows[1:]
            if len(row) > place and row[place].strip()
        ]
        if texts and all(text.count("@") == 1 and " " not in text for text in texts):
            return place
    return None


def _any(table: Table) -> list[Person] | None:
    """Any other list: Blackboard's, Gradescope's, Moodle's gradebook, or one's own, by the names of its columns."""
    names = {kind: COLUMNS[kind] for kind in ("sis", "login", "email")}
    names["github"] = GITHUB
    plain = (
        table.column("id") if len(table.header) and not _is_canvas_like(table) else None
    )
    if plain is None and not any(
        table.column(*words) is not None for words in names.values()
    ):
        return None
    return [
        _person(
            cell("Name", "Full name", "Student")
            or f"{cell('First Name', 'first_name')} {cell('Last Name', 'Surname', 'last_name')}",
            section=cell("Section", "Sections"),
            group=cell("Group", "Groups", "group_name"),
            roster=cell("id") if plain is not None else "",
            **{kind: cell(*words) for kind, words in names.items()},
        )
        for cell in _rows(table)
    ]


def _is_canvas_like(table: Table) -> bool:
    return any(TITLED.fullmatch(cell) for cell in table.header)


READERS: tuple[Callable[[Table], list[Person] | None], ...] = (
    _canvas,
    _classroom50,
    _github_classroom,
    _moodle_worksheet,
    _any,
)
"""In this order, so that the one with more marks of its own comes first."""
