"""A comparison as a table, as JSON and as a page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping

from dockdojo.class_.similarity.comparison import Comparison, Sides
from dockdojo.class_.similarity.pairs import Pair
from dockdojo.class_.similarity.winnowing import SCHEMES
from dockdojo.errors import DockdojoError
from dockdojo.reports import pages
from dockdojo.reports.text import clean, quiet_json, shortened, tame

SCHEMA = "dockdojo/similar/v1"
MAX_SHOWN_PAIRS = 40
"""Pairs that the page has side by side; the table has all."""
MAX_TABLE_PAIRS = 200
"""Pairs of the table in text, and of the page."""

MAX_LABEL, MAX_REASON = 80, 300
"""Characters of a row's name, and of why it may not be read."""


def labels_of(names: Iterable[str], *, anonymous: bool) -> dict[str, str]:
    """Return what rows are called: as they are, or by their numbers in the run."""
    return {
        name: f"row {number}" if anonymous else shortened(name, MAX_LABEL)
        for number, name in enumerate(names, 1)
    }


def as_text(comparison: Comparison, labels: Mapping[str, str]) -> str:
    """Return the pairs as a table, with the files in which they share something."""
    found = comparison.found
    lines = [*_in_words(comparison), ""]
    listed = found.pairs[:MAX_TABLE_PAIRS]
    for pair, sides in _with_sides(comparison, listed):
        left, right = (labels[name] for name in pair.names)
        files = dict.fromkeys(file.path for file in sides.left) if sides else {}
        lines.append(f"{percent(pair):>5}  {left}  {right}  ({', '.join(files)})")
    if rest := len(found.pairs) - len(listed) + found.more:
        lines.append(f"… and {rest} more")
    if not found.pairs:
        lines.append("No two share more than chance.")
    return "".join(f"{tame(clean(line))}\n" for line in lines)


def as_json(comparison: Comparison, labels: Mapping[str, str]) -> str:
    """Return the pairs as JSON, each with the shared lines of both."""
    found = comparison.found
    document = {
        "schema": SCHEMA,
        "lab": comparison.lab.slug,
        "compared": found.compared,
        "too_little": [labels[name] for name in found.too_little],
        "unread": {labels[name]: why for name, why in comparison.unread.items()},
        "needed": round(found.needed, 4),
        "more": found.more,
        "pairs": [
            {
                "names": [labels[name] for name in pair.names],
                "share": round(pair.score, 4),
                "fingerprints": pair.shared,
                "files": [_shared_lines(sides, side) for side in ("left", "right")],
            }
            for pair, sides in _with_sides(comparison, found.pairs[:MAX_TABLE_PAIRS])
        ],
    }
    document["more"] = found.more + max(0, len(found.pairs) - MAX_TABLE_PAIRS)
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return f"{quiet_json(text)}\n"


def as_html(comparison: Comparison, labels: Mapping[str, str]) -> str:
    """Return a page: the pairs, and the first of them side by side, with what they share marked."""
    found = comparison.found
    listed = found.pairs[:MAX_TABLE_PAIRS]
    return pages.render(
        "similar",
        lab=comparison.lab,
        about=_in_words(comparison),
        pairs=listed,
        more=len(found.pairs) - len(listed) + found.more,
        sides=[
            sides
            for _, sides in _with_sides(comparison, listed[:MAX_SHOWN_PAIRS])
            if sides
        ],
        too_little=found.too_little,
        unread={
            name: shortened(why, MAX_REASON) for name, why in comparison.unread.items()
        },
        labels=labels,
        percent=percent,
        schemes=SCHEMES,
    )


def percent(pair: Pair) -> str:
    """Return a pair's score as words."""
    return f"{int(100 * pair.score)} %"


def _in_words(comparison: Comparison) -> list[str]:
    found = comparison.found
    solution = comparison.course.solution(comparison.lab.slug)
    taken = "starter and solution" if solution else "the starter"
    lines = [
        f"{found.compared} submissions compared, without {taken} and without what many have.",
        f"A pair shares {int(100 * found.needed)} % or more of what is the smaller one's own. It is no verdict: look at it.",
    ]
    if not solution:
        lines.append(
            "This course came without its solution: who wrote the same as it may be a pair. Name it with --given."
        )
    if found.too_little:
        lines.append(
            f"{len(found.too_little)} have too little of their own to say anything."
        )
    if comparison.unread:
        lines.append(f"{len(comparison.unread)} may not be read.")
    return lines


def _with_sides(
    comparison: Comparison, pairs: Iterable[Pair]
) -> Iterable[tuple[Pair, Sides | None]]:
    """Each pair side by side; None where a submission is not there any more."""
    for pair in pairs:
        try:
            yield pair, comparison.sides(pair)
        except DockdojoError:
            yield pair, None


def _shared_lines(sides: Sides | None, side: str) -> dict[str, list[int]]:
    files = getattr(sides, side) if sides else ()
    return {
        file.path: [line.number for run in file.runs for line in run if line.part]
        for file in files
    }


FORMATS: dict[str, Callable[[Comparison, Mapping[str, str]], str]] = {
    "text": as_text,
    "html": as_html,
    "json": as_json,
}
