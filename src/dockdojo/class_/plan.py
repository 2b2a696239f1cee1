"""Who is graded with what: each name of the roster has a row, and each hand-in that is nobody's is named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from dockdojo.class_.layouts import HandIn, Layout, tell_layout
from dockdojo.class_.people import KINDS, Person, Roster
from dockdojo.class_.trees import Tree

Which = Literal["in-time", "last"]
"""Of several hand-ins of one student: the last before the due date (else the last at all), or the last whenever it came."""
ANY = "any"
"""The kind of an id that may be of any kind: a folder's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An export that was read."""

    path: Path
    tree: Tree
    layout: Layout
    hand_ins: tuple[HandIn, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A hand-in, and where it comes from."""

    source: Source
    hand_in: HandIn


@dataclass(slots=True, kw_only=True)
class Row:
    """One student, or a group that handed in together."""

    people: tuple[Person, ...]
    chosen: Candidate | None = None
    others: tuple[Candidate, ...] = ()
    """Hand-ins that are not graded, because another one is."""
    problem: str = ""
    """Why nothing of theirs can be graded, though something was handed in."""

    @property
    def key(self) -> str:
        """What the row is called: the key of who is in it, or of all of a group."""
        return "+".join(person.key for person in self.people)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """A hand-in that belongs to nobody on the roster."""

    candidate: Candidate
    reason: str


@dataclass(slots=True)
class Plan:
    """All rows, in the order of the roster, and what is left over."""

    rows: list[Row] = field(default_factory=list)
    strays: list[Stray] = field(default_factory=list)

    @property
    def missing(self) -> list[Row]:
        """Return the rows of those who handed nothing in."""
        return [row for row in self.rows if row.chosen is None and not row.problem]


def read_source(path: Path, tree: Tree, layout: str = "") -> Source:
    """Read an export. Raises UsageError where it is not understood."""
    told = tell_layout(path, tree, layout)
    return Source(
        path=path,
        tree=tree,
        layout=told,
        hand_ins=tuple(told.read(path, tree)),
    )


def make_plan(
    sources: Iterable[Source],
    roster: Roster,
    *,
    which: Which = "in-time",
    due: datetime | None = None,
) -> Plan:
    """Return who is graded with what. Without a roster, everybody whom the exports name is in the class."""
    plan = Plan()
    known = Roster(roster.people)
    handed_in: dict[frozenset[Person], list[Candidate]] = {}
    for source in sources:
        for hand_in in source.hand_ins:
            candidate = Candidate(source=source, hand_in=hand_in)
            owners, reason = _owners(hand_in, known, is_closed=bool(roster.people))
            if reason:
                plan.strays.append(Stray(candidate=candidate, reason=reason))
            else:
                handed_in.setdefault(owners, []).append(candidate)
    order = {person: place for place, person in enumerate(known.people)}
    for owners, candidates in handed_in.items():
        people = tuple(sorted(owners, key=order.__getitem__))
        plan.rows.append(_row(people, candidates, which, due))
    have_handed_in = frozenset[Person]().union(*handed_in)
    plan.rows += [
        Row(people=(person,)) for person in known.people if person not in have_handed_in
    ]
    plan.rows.sort(key=lambda row: order[row.people[0]])
    return plan


def _owners(
    hand_in: HandIn, known: Roster, *, is_closed: bool
) -> tuple[frozenset[Person], str]:
    """Those who handed it in; or why nobody can be told. Without a closed roster, whom an export names is taken in."""
    found = set[Person]()
    if not hand_in.owners:
        return frozenset(), "the export does not say whose it is"
    for ids in hand_in.owners:
        people = _matches(ids, known)
        if not people and not is_closed:
            people = [_stranger(ids)]
            known.add(people[0])
        if not people:
            words = ", ".join(
                f"{KINDS.get(kind, 'name')} `{value[:80]}`"
                for kind, value in ids.items()
            )
            return frozenset(), f"nobody on the roster has the {words}"
        if len(people) > 1 and "repository" not in ids:
            names = " and ".join(person.name or person.key for person in people[:3])
            return frozenset(), f"it may be that of {names}"
        found.update(people)
    return frozenset(found), ""


def _matches(ids: Mapping[str, str], roster: Roster) -> list[Person]:
    """The people with one of these ids; by the name only where nothing else is told."""
    for kind, value in ids.items():
        if kind == ANY:
            return roster.find_any(value) or roster.find("name", value)
        if kind != "name" and (found := roster.find(kind, value)):
            return found
    has_id = any(kind != "name" for kind in ids)
    return [] if has_id else roster.find("name", ids.get("name", ""))


def _stranger(ids: Mapping[str, str]) -> Person:
    """Somebody of whom only the export tells."""
    known = {("roster" if kind == ANY else kind): value for kind, value in ids.items()}
    return Person(name=ids.get("name", ""), ids=known)


def _row(
    people: tuple[Person, ...],
    candidates: list[Candidate],
    which: Which,
    due: datetime | None,
) -> Row:
    with_files = [
        candidate
        for candidate in candidates
        if candidate.hand_in.folder or candidate.hand_in.files
    ]
    if not with_files:
        entries = any(candidate.hand_in.entries for candidate in candidates)
        return Row(
            people=people,
            problem=(
                "A text or an address was handed in, and no files."
                if entries
                else "It was handed in without files."
            ),
        )
    if len(with_files) == 1:
        return Row(people=people, chosen=with_files[0])
    times = [
        (_moment(candidate.hand_in.at), candidate)
        for candidate in with_files
        if candidate.hand_in.at is not None
    ]
    if len(times) < len(with_files):
        labels = ", ".join(
            f"`{candidate.hand_in.label}`" for candidate in with_files[:5]
        )
        return Row(
            people=people,
            others=tuple(with_files),
            problem=f"Several were handed in, and nothing tells which is the last: {labels}.",
        )
    times.sort(key=lambda pair: pair[0])
    in_time = [pair for pair in times if due is not None and pair[0] <= _moment(due)]
    chosen = (in_time if which == "in-time" and in_time else times)[-1][1]
    return Row(
        people=people,
        chosen=chosen,
        others=tuple(candidate for _, candidate in times if candidate is not chosen),
    )


def _moment(at: datetime) -> datetime:
    """A time that can be compared; one without a zone is taken for UTC, as long as all of a service's are."""
    return at if at.tzinfo else at.replace(tzinfo=UTC)
