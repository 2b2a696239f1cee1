"""A class is compared: each submission is read as it was graded, one at a time, and only its fingerprints are kept."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dockdojo.class_.plan import Candidate, Plan
from dockdojo.class_.rows import Submission
from dockdojo.class_.run import names_of
from dockdojo.class_.similarity.pairs import Found, Pair, find_pairs, own_of
from dockdojo.class_.similarity.reading import Source, read_sources
from dockdojo.class_.similarity.sides import File, compare
from dockdojo.class_.similarity.tokens import tokens_of
from dockdojo.class_.similarity.winnowing import fingerprints, hashes_of
from dockdojo.class_.unpacking import copied
from dockdojo.course import Course
from dockdojo.errors import DockdojoError
from dockdojo.model import Lab

LESSON = "LESSON.md"


@dataclass(frozen=True, slots=True)
class Given:
    """What everybody was given: hashes of all runs of tokens, and the texts themselves."""

    hashes: frozenset[int]
    texts: frozenset[str]
    """Of whole files; one that is the same needs no second look."""


@dataclass(frozen=True, slots=True)
class Sides:
    """A pair, and the files of both with what they share."""

    pair: Pair
    left: tuple[File, ...]
    right: tuple[File, ...]


@dataclass(slots=True)
class Comparison:
    """A class that was compared. `sides` reads a pair once more: no text is kept."""

    course: Course
    lab: Lab
    handed_in: Mapping[str, Candidate]
    """What was graded, by the names of the run's rows."""
    given: Given
    found: Found = field(default_factory=Found)
    unread: dict[str, str] = field(default_factory=dict)
    """Rows that may not be read, and why."""

    def carry_out(self, tell: Callable[[int], None]) -> None:
        """Read and compare; `tell` hears how many were read."""
        owns: dict[str, array[int]] = {}
        for number, name in enumerate(self.handed_in, 1):
            try:
                sources = self.read(name)
            except DockdojoError as refusal:
                self.unread[name] = str(refusal)
                continue
            texts = (
                tokens_of(source.path, source.text)
                for source in sources
                if source.text not in self.given.texts
            )
            owns[name] = own_of(fingerprints(texts), self.given.hashes)
            tell(number)
        self.found = find_pairs(owns)

    def sides(self, pair: Pair) -> Sides:
        """Return a pair side by side."""
        left, right = (self.read(name) for name in pair.names)
        left_out = self.given.hashes | self.found.common
        return Sides(pair, *compare(left, right, left_out))

    def read(self, name: str) -> list[Source]:
        """Return the texts of a submission, from a safe copy that is gone again. Raises DockdojoError where it cannot be read."""
        starter = self.course.starter(self.lab.slug)
        with copied(self.handed_in[name], self.lab, starter) as (made, _):
            return read_sources(made.folder, self.lab.files)


def handed_in(
    plan: Plan, rows: Iterable[Submission]
) -> tuple[dict[str, Candidate], list[str]]:
    """Return what was handed in by the rows of a run, and the rows of which the exports have nothing.

    Of several hand-ins of one student, it is the one that was graded.
    """
    found, lost = dict[str, Candidate](), list[str]()
    planned = names_of(plan)
    for row in rows:
        if not row.label:
            continue
        candidate = None
        if place := planned.get(row.name):
            candidates = [place.chosen, *place.others] if place.chosen else []
            labelled = [
                candidate
                for candidate in candidates
                if candidate.hand_in.label == row.label
            ]
            candidate = next(iter(labelled), place.chosen)
        if candidate is None:
            lost.append(row.name)
        else:
            found[row.name] = candidate
    return found, lost


def given_to_all(course: Course, slug: str, others: Collection[Path] = ()) -> Given:
    """Return what everybody was given: starter, lesson, the solution where the course came with one, and other folders."""
    hashes, texts = set[int](), set[str]()
    solution = course.solution(slug)
    given = [
        source
        for folder in (course.starter(slug), *([solution] if solution else []), *others)
        for source in read_sources(folder)
    ]
    if (lesson := course.lesson(slug)).is_file():  # `start` puts it into the workspace
        given.append(Source(LESSON, lesson.read_text(encoding="utf-8")))
    for source in given:
        hashes.update(hashes_of(tokens_of(source.path, source.text)))
        texts.add(source.text)
    return Given(frozenset(hashes), frozenset(texts))
