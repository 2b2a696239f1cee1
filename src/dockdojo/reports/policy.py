"""An instructor's rules: late days, the most points that count, another scale, and changes by hand, each with its reason.

They stand in one TOML file beside the roster, and are applied when a report is written. What they give or take is a line of the
report, so the sum of all lines is the mark, in every format.

    [labs.mnist]
    due = 2026-12-01T23:59:00+01:00

    [late]
    free_days = 1            # nothing is taken for these
    percent_per_day = 10     # of the points that were earned, for each day that was begun
    last_day = 5             # later, nothing counts

    [points]
    most = 90                # percent of the points that can be had at all
    scale_to = 20            # what full marks are in the gradebook

    [[adjust]]
    student = "4711"
    lab = "mnist"
    points = 5
    reason = "The network was down on the last evening."
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace

import msgspec

from dockdojo.errors import UsageError
from dockdojo.model import Feedback, Outcome, Report

LATE, CAPPED, SCALED, BY_HAND = "(late)", "(most)", "(scaled)", "(by hand)"
RULES = (LATE, CAPPED, SCALED, BY_HAND)
"""Names of lines that are no checks; no check can have them."""
DAY = 86_400


class _LabPolicy(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    due: dt.datetime


class _LatePolicy(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    percent_per_day: float = 0
    free_days: int = 0
    last_day: int | None = None


class _PointsPolicy(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    cap_percent: float = msgspec.field(default=100, name="most")
    scale_to: int | None = None


class _Adjustment(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    student: str
    lab: str
    points: int
    reason: str


class Policy(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The rules of one course."""

    labs: dict[str, _LabPolicy] = {}
    late: _LatePolicy = _LatePolicy()
    points: _PointsPolicy = _PointsPolicy()
    adjust: list[_Adjustment] = []


def parse(text: str, name: str) -> Policy:
    """The rules of a TOML file. Raises UsageError naming the file and what is wrong in it."""
    try:
        policy = msgspec.toml.decode(text, type=Policy)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise UsageError(f"{name}: {error}") from error
    wrong = [
        (
            not 0 <= policy.late.percent_per_day <= 100,
            "late.percent_per_day is from 0 to 100",
        ),
        (policy.late.free_days < 0, "late.free_days is 0 or more"),
        (
            policy.late.last_day is not None and policy.late.last_day < 0,
            "late.last_day is 0 or more",
        ),
        (
            not 0 < policy.points.cap_percent <= 100,
            "points.most is more than 0 and at most 100",
        ),
        (
            policy.points.scale_to is not None and policy.points.scale_to <= 0,
            "points.scale_to is more than 0",
        ),
        (
            any(not adjustment.reason.strip() for adjustment in policy.adjust),
            "each [[adjust]] has a reason",
        ),
        (
            any(rule.due.tzinfo is None for rule in policy.labs.values()),
            "a due date has a time zone, such as +01:00",
        ),
    ]
    for bad, should in wrong:
        if bad:
            raise UsageError(f"{name}: {should}.")
    return policy


def apply(
    report: Report,
    policy: Policy,
    *,
    student: str = "",
    submitted: dt.datetime | None = None,
) -> Report:
    """The report with the rules' lines: late days first, then changes by hand, the most that counts, and the scale.

    Points are whole, rounded half up; a mark never falls below 0 or rises above what can be had. Raises UsageError where the
    report has such lines already, where `submitted` has no time zone, or where the lab has a due date and `submitted` is missing.
    """
    if any(outcome.adjustment or outcome.check in RULES for outcome in report.outcomes):
        raise UsageError(
            "The rules were applied to this report already.",
            hint="Take the one that `grade` wrote.",
        )
    for line in _lines_before_scaling(report, policy, student, submitted):
        report = replace(report, outcomes=(*report.outcomes, line))
    scale = policy.points.scale_to
    if scale is not None and report.max_score:
        score = _round(report.score * scale / report.max_score)
        line = _line(
            SCALED,
            f"{report.score} of {report.max_score} points are {score} of {scale}.",
            score - report.score,
            points=scale - report.max_score,
        )
        report = replace(report, outcomes=(*report.outcomes, line))
    return report


def _lines_before_scaling(
    report: Report, policy: Policy, student: str, submitted: dt.datetime | None
) -> list[Outcome]:
    score, found = report.score, []
    lab = policy.labs.get(report.lab)
    if lab is not None:
        if submitted is None:
            raise UsageError(
                f"{report.lab} has a due date: when was it submitted?",
                hint="--submitted 2026-12-02T08:00+01:00",
            )
        if submitted.tzinfo is None:
            raise UsageError(
                "--submitted has no time zone.",
                hint="For example 2026-12-02T08:00+01:00.",
            )
        days = math.ceil(max(0.0, (submitted - lab.due).total_seconds()) / DAY)
        lost, why = _lost(score, days, policy.late)
        if days:
            found.append(
                _line(
                    LATE, f"Submitted {days} day(s) after the due date: {why}.", -lost
                )
            )
            score -= lost
    for adjustment in policy.adjust:
        if adjustment.student == student and adjustment.lab == report.lab:
            given = max(-score, min(adjustment.points, report.max_score - score))
            found.append(
                _line(
                    BY_HAND,
                    f"{adjustment.points:+d} points by hand: {adjustment.reason}",
                    given,
                )
            )
            score += given
    cap = _round(report.max_score * policy.points.cap_percent / 100)
    if score > cap:
        found.append(
            _line(
                CAPPED,
                f"At most {cap} of {report.max_score} points count.",
                cap - score,
            )
        )
    return found


def _lost(score: int, days: int, rule: _LatePolicy) -> tuple[int, str]:
    if rule.last_day is not None and days > rule.last_day:
        return score, f"after day {rule.last_day}, nothing counts"
    counted = max(0, days - rule.free_days)
    lost = min(score, _round(score * counted * rule.percent_per_day / 100))
    free = f", {min(days, rule.free_days)} of them free" if rule.free_days else ""
    return lost, f"{rule.percent_per_day:g} % of {score} points for each{free}"


def _line(name: str, words: str, change: int, points: int = 0) -> Outcome:
    return Outcome(
        check=name,
        title=words,
        status="passed",
        points=points,
        adjustment=change - points,
        feedback=Feedback(why=f"{change:+d} points"),
    )


def _round(value: float) -> int:
    return math.floor(value + 0.5)
