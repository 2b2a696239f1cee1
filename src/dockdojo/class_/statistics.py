"""What the marks of a class tell about its lab: how they spread, how each check separates, and what went wrong most often."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dockdojo.class_.records import Record
from dockdojo.model import Feedback, Outcome, Report
from dockdojo.reports.policy import is_rule

BINS = 10
"""Parts of the maximum in which marks are counted: each has 10 per cent."""
MAX_COMPARED_CHARACTERS = 500
"""Of what was observed: by so many are two texts the same."""
MAX_NAMES = 12
"""Of those with the same failure."""
QUOTED = re.compile(r"`[^`]*+`|\"[^\"]*+\"|(?<!\w)'[^']*+'(?!\w)")
HEXADECIMAL = re.compile(
    r"\b(?:0x[0-9a-f]++|(?=[a-f]*+[0-9])[0-9a-f]{7,}+)\b", re.IGNORECASE
)
"""Ids of containers, images and commits; `defaced` is a word."""
NUMBER = re.compile(r"\d++(?:[.,:]\d++)*+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """How the marks of those who were graded spread."""

    count: int
    maximum: int | None
    """Points that can be had; None where that is not the same for all, and marks are in per cent."""
    mean: float
    quartiles: tuple[float, float, float]
    """The second one is the median."""
    lowest: float
    highest: float
    bins: tuple[int, ...]
    """Marks in each tenth of the maximum; full marks are in the last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckStatistics:
    """One check over all submissions for which it was carried out or skipped."""

    check: str
    title: str
    points: int
    hidden: bool
    judged: int
    """Submissions; without those for which it could not be carried out."""
    skipped: int
    difficulty: float | None
    """The share of its points that was earned, from 0 to 1: 1 is the easiest. None where no point could be earned."""
    discrimination: float | None
    """See `discrimination_of`."""

    @property
    def skip_rate(self) -> float:
        """The share of submissions for which it was skipped, since an earlier check did not pass."""
        return self.skipped / self.judged if self.judged else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Submissions that failed a check in the same way."""

    check: str
    """Empty where the whole submission was kept from being graded."""
    title: str
    hidden: bool
    expected: str
    observed: str
    """As most of them have it."""
    wordings: int
    """Texts that were observed; they differ in numbers, ids and quoted words only."""
    count: int
    names: tuple[str, ...]
    """Rows, the first ones of the roster."""


def marks_of(reports: Iterable[Report]) -> Marks | None:
    """Return how the marks spread; None where nobody was graded.

    Quartiles are those of the whole class, no sample of it: `inclusive` in `statistics.quantiles`.
    """
    found = [report for report in reports if report.max_score > 0]
    if not found:
        return None
    maxima = {report.max_score for report in found}
    maximum = maxima.pop() if len(maxima) == 1 else None
    values = [
        (report.score if maximum is not None else 100 * report.score / report.max_score)
        for report in found
    ]
    bins = Counter(_bin_of(report) for report in found)
    return Marks(
        count=len(values),
        maximum=maximum,
        mean=statistics.fmean(values),
        quartiles=_quartiles(values),
        lowest=min(values),
        highest=max(values),
        bins=tuple(bins[number] for number in range(BINS)),
    )


def _bin_of(report: Report) -> int:
    return max(0, min(BINS - 1, BINS * report.score // report.max_score))


def _quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) == 1:  # from Python 3.13 on, quantiles() takes it, too
        return (values[0], values[0], values[0])
    first, median, third = statistics.quantiles(values, n=4, method="inclusive")
    return (first, median, third)


def check_statistics(reports: Iterable[Report]) -> list[CheckStatistics]:
    """Return the numbers of each check, in the order of the reports.

    A submission of which nothing could be graded says nothing about checks, and is left out; so is a check that could not be
    carried out.
    """
    judged: dict[str, list[tuple[Outcome, int]]] = {}
    for report in reports:
        if report.problem:
            continue
        checks = [outcome for outcome in report.outcomes if not is_rule(outcome)]
        total = sum(outcome.score for outcome in checks)
        for outcome in checks:
            if outcome.status != "error" and not outcome.ungraded:
                rest = total - outcome.score
                judged.setdefault(outcome.check, []).append((outcome, rest))
    return [_statistics_of(check, found) for check, found in judged.items()]


def _statistics_of(check: str, found: Sequence[tuple[Outcome, int]]) -> CheckStatistics:
    outcomes = [outcome for outcome, _ in found]
    points = sum(outcome.points for outcome in outcomes)
    scores = [outcome.score for outcome in outcomes]
    return CheckStatistics(
        check=check,
        title=outcomes[0].title,
        points=outcomes[0].points,
        hidden=outcomes[0].hidden,
        judged=len(outcomes),
        skipped=sum(outcome.status == "skipped" for outcome in outcomes),
        difficulty=sum(scores) / points if points else None,
        discrimination=discrimination_of(scores, [rest for _, rest in found]),
    )


def discrimination_of(scores: Sequence[int], rests: Sequence[int]) -> float | None:
    """Return the corrected item-total correlation of a check, from -1 to 1; None where either side is the same for all.

    It is Pearson's r between the check's points x and those of all other checks of the same report, y:
    sum((x - mean x)(y - mean y)) / sqrt(sum((x - mean x)^2) * sum((y - mean y)^2)). The check itself is not in y, since it would
    correlate with itself (S. Henrysson, Correction of item-total correlations in item analysis, Psychometrika 28, 1963, 211-218).
    What was skipped has no points in either: checks that hang on each other correlate for that alone.
    """
    if len(set(scores)) < 2 or len(set(rests)) < 2:
        return None
    return statistics.correlation(scores, rests)


def commonest_failures(records: Iterable[Record]) -> list[Failure]:
    """Return what went wrong, the commonest first: by check, and by what was observed but for numbers, ids and quoted words.

    A group's work counts once. A check that failed for the cause that an earlier one told is left out.
    """
    groups: dict[tuple[str, str], list[tuple[str, Outcome]]] = {}
    for record in once_each(records):
        if record.report is not None:
            for outcome in _failed(record.report):
                key = (outcome.check, normalised(_observed(outcome)))
                groups.setdefault(key, []).append((record.origin, outcome))
    found = [_failure(group) for group in groups.values()]
    return sorted(found, key=lambda failure: -failure.count)


def _failed(report: Report) -> Iterator[Outcome]:
    if report.problem:
        told = Feedback(observed=report.problem)
        yield Outcome(check="", title="", status="failed", points=0, feedback=told)
        return
    for outcome in report.outcomes:
        if outcome.status == "failed" and not outcome.decided_by:
            yield outcome


def _failure(group: Sequence[tuple[str, Outcome]]) -> Failure:
    wordings = Counter(_observed(outcome) for _, outcome in group)
    observed = wordings.most_common(1)[0][0]
    outcome = next(outcome for _, outcome in group if _observed(outcome) == observed)
    return Failure(
        check=outcome.check,
        title=outcome.title,
        hidden=outcome.hidden,
        expected=outcome.feedback.expected if outcome.feedback else "",
        observed=observed,
        wordings=len(wordings),
        count=len(group),
        names=tuple(name for name, _ in group[:MAX_NAMES]),
    )


def _observed(outcome: Outcome) -> str:
    feedback = outcome.feedback or Feedback()
    return feedback.observed or feedback.why


def normalised(text: str) -> str:
    """Return the beginning of a text with `…` for each quoted value and `#` for each id and number, by which two are the same."""
    words = QUOTED.sub("…", text[:MAX_COMPARED_CHARACTERS])
    return " ".join(NUMBER.sub("#", HEXADECIMAL.sub("#", words)).split())


def once_each(records: Iterable[Record]) -> list[Record]:
    """Return the first record of each row of the run: rules may have told a group's members apart, and their work is the same."""
    found: dict[str, Record] = {}
    for record in records:
        found.setdefault(record.origin, record)
    return list(found.values())
