"""Two submissions side by side: their files with what both have, line by line."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dockdojo.class_.similarity.reading import Source
from dockdojo.class_.similarity.tokens import Tokens, tokens_of
from dockdojo.class_.similarity.winnowing import SCHEMES, hashes_of

AROUND = 2
"""Lines that are shown above and below shared ones."""
MAX_LINES = 300
"""Of one side that are shown."""
MAX_LINE_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file; `part` is the number of the shared part that it belongs to, 0 for none."""

    number: int
    text: str
    part: int = 0


@dataclass(frozen=True, slots=True)
class File:
    """A file with shared parts: runs of lines, between which others are left out."""

    path: str
    runs: tuple[tuple[Line, ...], ...]
    shared_lines: int
    """How many of its lines are shared."""


def compare(
    left: Sequence[Source], right: Sequence[Source], left_out: Collection[int]
) -> tuple[tuple[File, ...], tuple[File, ...]]:
    """Return the files of both with what they share. `left_out` are hashes that are nobody's own.

    A shared part has the number that it has on the left, where it begins.
    """
    ours, theirs = _read(left), _read(right)
    shared = _all_hashes(ours) & _all_hashes(theirs) - frozenset(left_out)
    numbers: dict[int, int] = {}
    fresh = itertools.count(1)
    marked_left = [_parts(*read, shared, numbers, fresh) for read in ours]
    marked_right = [_parts(*read, shared, numbers, None) for read in theirs]
    return _files(left, marked_left), _files(right, marked_right)


_Read = tuple[Tokens, list[int]]


def _read(sources: Iterable[Source]) -> list[_Read]:
    texts = (tokens_of(source.path, source.text) for source in sources)
    return [(tokens, hashes_of(tokens)) for tokens in texts]


def _all_hashes(texts: Iterable[_Read]) -> frozenset[int]:
    return frozenset(value for _, hashes in texts for value in hashes)


def _parts(
    tokens: Tokens,
    hashes: list[int],
    shared: frozenset[int],
    numbers: dict[int, int],
    fresh: Iterator[int] | None,
) -> dict[int, int]:
    """The lines that are shared, each with the number of its part. With `fresh` numbers, parts that have none yet get one."""
    size, marked = SCHEMES[tokens.kind].size, dict[int, int]()
    end, part = -1, 0
    for place, value in enumerate(hashes):
        if value not in shared:
            continue
        if fresh is None:
            part = numbers[value]
        else:
            if place > end:  # it does not touch the part before
                part = numbers.get(value) or next(fresh)
            numbers.setdefault(value, part)
        first = max(place, end + 1)
        end = place + size - 1
        for line in tokens.lines[first : end + 1]:
            marked.setdefault(line, part)
    return marked


def _files(
    sources: Sequence[Source], marked: Iterable[Mapping[int, int]]
) -> tuple[File, ...]:
    found, left = [], MAX_LINES
    for source, parts in zip(sources, marked, strict=True):
        if parts:
            runs = _runs(source.text.split("\n"), parts, left)
            left -= sum(map(len, runs))
            found.append(File(source.path, runs, len(parts)))
    return tuple(found)


def _runs(
    lines: list[str], parts: Mapping[int, int], most: int
) -> tuple[tuple[Line, ...], ...]:
    shown = sorted(
        {
            near
            for number in parts
            for near in range(number - AROUND, number + AROUND + 1)
            if 1 <= near <= len(lines)
        }
    )
    runs: list[list[Line]] = []
    for number in shown[:most]:
        text = lines[number - 1]
        if len(text) > MAX_LINE_CHARACTERS:
            text = f"{text[: MAX_LINE_CHARACTERS - 1]}…"
        line = Line(number, text, parts.get(number, 0))
        if runs and runs[-1][-1].number == number - 1:
            runs[-1].append(line)
        else:
            runs.append([line])
    return tuple(map(tuple, runs))
