"""Pairs of submissions that share more than chance.

A submission's own are its fingerprints without those of what everybody was given (starter, solution), and without what many of
the class have: more than a tenth of the different submissions, and more than ten. A score is what two share of the smaller one's
own. It is more than chance where it is at least MIN_SCORE and far outside of the class's own pairs: six times the median absolute
deviation above their median, as normal distributions have it.
"""

from __future__ import annotations

import heapq
import itertools
from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

MAX_FINGERPRINTS = 2_000
"""Of one submission: those of some 9,000 tokens of a program; of more, the smallest are taken."""
MIN_OWN = 12
"""Fingerprints; with fewer, somebody has too little of their own to say anything."""
MIN_SHARED = 8
"""Fingerprints of a pair."""
MIN_SCORE = 0.3
"""Of a pair, from 0 to 1."""
MAX_NEEDED = 0.9
"""No class is so alike that more than this is needed."""
COMMON_SHARE, COMMON_COUNT = 0.1, 10
DEVIATIONS = 6.0
NORMAL = 1.4826
"""Of the median absolute deviation, the standard deviation of a normal distribution."""
MIN_COMPARED = 45
"""Pairs, of which one can tell what is usual: those of ten submissions."""
MAX_PAIRS = 1_000
"""Pairs that are kept, those that share the most."""
STEPS = 1_000
"""Of a score in the distribution."""


@dataclass(frozen=True, slots=True, order=True)
class Pair:
    """Two rows, and what they share."""

    score: float
    """Of the smaller one's own, from 0 to 1."""
    shared: int
    """Fingerprints."""
    names: tuple[str, str]


@dataclass(slots=True)
class Found:
    """What came of a comparison."""

    pairs: list[Pair] = field(default_factory=list)
    """The most alike first; of several that are the same, each with the first of them."""
    more: int = 0
    """Pairs that are beyond MAX_PAIRS."""
    needed: float = MIN_SCORE
    """The score from which a pair is one."""
    compared: int = 0
    """Submissions with enough of their own."""
    too_little: list[str] = field(default_factory=list)
    """Rows with too little of their own."""
    common: frozenset[int] = frozenset()
    """Fingerprints that many have."""


def own_of(fingerprints: Iterable[int], given: Collection[int]) -> array[int]:
    """Return what is a submission's own, in order; of very many, the smallest."""
    found = (value for value in fingerprints if value not in given)
    return array("Q", heapq.nsmallest(MAX_FINGERPRINTS, found))


def find_pairs(owns: Mapping[str, array[int]]) -> Found:
    """Return the pairs of rows, by what is each one's own (see `own_of`)."""
    same = defaultdict[bytes, list[str]](list)
    for name, own in owns.items():
        same[own.tobytes()].append(name)
    groups = list(same.values())
    limit = max(COMMON_COUNT, int(COMMON_SHARE * len(groups)))
    several, common = _counted((owns[group[0]] for group in groups), limit)
    found = Found(common=common)
    enough: list[tuple[list[str], array[int], int]] = []
    for group in groups:
        own = owns[group[0]]
        size = sum(value not in common for value in own)
        if size >= MIN_OWN:
            shared = array("Q", (value for value in own if value in several))
            enough.append((group, shared, size))
        else:
            found.too_little += group
    found.compared = sum(len(group) for group, _, _ in enough)
    found.too_little.sort(key=list(owns).index)
    candidates, found.more, found.needed = _scored(enough)
    found.pairs = [
        Pair(
            score=score, shared=shared, names=(enough[left][0][0], enough[right][0][0])
        )
        for score, shared, left, right in candidates
    ]
    for group, _, size in enough:
        for other in group[1:]:
            found.pairs.append(Pair(score=1.0, shared=size, names=(group[0], other)))
    found.pairs.sort(key=lambda pair: (-pair.score, -pair.shared, pair.names))
    found.more += max(0, len(found.pairs) - MAX_PAIRS)
    del found.pairs[MAX_PAIRS:]
    return found


def _counted(
    owns: Iterable[array[int]], limit: int
) -> tuple[frozenset[int], frozenset[int]]:
    """The fingerprints that two or more have, up to the limit; and those that more have. Sorted, which takes little memory."""
    values = array("Q", itertools.chain.from_iterable(owns))
    several, common = set[int](), set[int]()
    for value, repeated in itertools.groupby(sorted(values)):
        count = sum(1 for _ in repeated)
        if count > limit:
            common.add(value)
        elif count > 1:
            several.add(value)
    return frozenset(several), frozenset(common)


def _scored(
    rows: list[tuple[list[str], array[int], int]],
) -> tuple[list[tuple[float, int, int, int]], int, float]:
    """The pairs that share enough, how many more there are, and what was needed."""
    has: dict[int, array[int]] = {}
    for place, (_, shared, _) in enumerate(rows):
        for value in shared:
            has.setdefault(value, array("I")).append(place)
    steps = [0] * (STEPS + 1)
    candidates: list[tuple[float, int, int, int]] = []
    eligible = 0
    for place, other, count in _shared_counts(rows, has):
        score = count / min(rows[place][2], rows[other][2])
        steps[int(score * STEPS)] += 1
        if score >= MIN_SCORE and count >= MIN_SHARED:
            eligible += 1
            candidate = (score, count, place, other)
            if len(candidates) < MAX_PAIRS:
                heapq.heappush(candidates, candidate)
            else:
                heapq.heappushpop(candidates, candidate)
    steps[0] += len(rows) * (len(rows) - 1) // 2 - sum(steps)
    needed = needed_score(steps)
    kept = [candidate for candidate in candidates if candidate[0] >= needed]
    more = eligible - len(candidates) if len(kept) == len(candidates) else 0
    return kept, more, needed


def _shared_counts(
    rows: list[tuple[list[str], array[int], int]], has: Mapping[int, array[int]]
) -> Iterator[tuple[int, int, int]]:
    """For each two that share anything: their places, and how much. The counts of one row at a time are in memory."""
    for place, (_, shared, _) in enumerate(rows):
        counts = Counter[int]()
        for value in shared:
            counts.update(has[value])
        for other, count in counts.items():
            if other > place:
                yield place, other, count


def needed_score(steps: list[int]) -> float:
    """Return what is more than chance, from how many pairs have each score of 0, 1, … thousandths."""
    if sum(steps) < MIN_COMPARED:
        return MIN_SCORE
    middle = _median(enumerate(steps))
    away = Counter[int]()
    for step, count in enumerate(steps):
        away[abs(step - middle)] += count
    deviation = NORMAL * _median(sorted(away.items()))
    usual = (middle + DEVIATIONS * deviation) / (len(steps) - 1)
    return min(MAX_NEEDED, max(MIN_SCORE, usual))


def _median(counts: Iterable[tuple[int, int]]) -> int:
    counts = list(counts)
    half, seen = sum(count for _, count in counts) / 2, 0
    for value, count in counts:
        seen += count
        if seen >= half:
            return value
    return 0
