"""An instructor's rules: late days, the most points that count, another scale, and changes by hand, each with its reason.

They stand in one TOML file beside the roster, and are applied when a report is written. What they give or take is a line of the
report, so the sum of all lines is the mark, in every format.

    [labs.mnist]
    due = 2026-12-01T23:59:00
    timezone = "Europe/Paris"   # of times without one, here and where the service tells none

    [[extension]]
    student = "4711"
    lab = "mnist"
    due = 2026-12-04T23:59:00
    reason = "Ill."

    [[submitted]]            # where the service does not tell it
    student = "4712"
    lab = "mnist"
    at = 2026-12-01T20:00:00

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
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

import msgspec

from dockdojo.errors import UsageError
from dockdojo.model import Feedback, Outcome, Report
from dockdojo.reports.due_dates import days_late, earliest, latest, zone_of

LATE, CAPPED, SCALED, BY_HAND = "(late)", "(most)", "(scaled)", "(by hand)"
RULES = (LATE, CAPPED, SCALED, BY_HAND)
"""Names of lines that are no checks; no check can have them."""


class _LabPolicy(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    due: dt.datetime
    timezone: str = ""

    @property
    def zone(self) -> dt.tzinfo | None:
        return zone_of(self.timezone) if self.timezone else None


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


class _Extension(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    student: str
    lab: str
    due: dt.datetime
    reason: str


class _Submitted(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    student: str
    lab: str
    at: dt.datetime


class Policy(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The rules of one course."""

    labs: dict[str, _LabPolicy] = {}
    late: _LatePolicy = _LatePolicy()
    points: _PointsPolicy = _PointsPolicy()
    adjust: list[_Adjustment] = []
    extension: list[_Extension] = []
    submitted: list[_Submitted] = []

    def students(self, lab: str) -> list[str]:
        """Return whom rules for one student name in a lab."""
        rules: Iterable[_Adjustment | _Extension | _Submitted] = (
            *self.adjust,
            *self.extension,
            *self.submitted,
        )
        return list(dict.fromkeys(rule.student for rule in rules if rule.lab == lab))


@dataclass(frozen=True, slots=True)
class _Due:
    """Until when it was due for one student, and whether that is later than for the others."""

    at: dt.datetime
    reason: str = ""


def parse(text: str, name: str) -> Policy:
    """The rules of a TOML file. Raises UsageError naming the file and what is wrong in it."""
    try:
        policy = msgspec.toml.decode(text, type=Policy)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise UsageError(f"{name}: {error}") from error
    for bad, should in _wrong(policy):
        if bad:
            raise UsageError(f"{name}: {should}.")
    return policy


def _wrong(policy: Policy) -> Iterable[tuple[bool, str]]:
    """What rules should be like, and whether they are not. Raises UsageError for a time zone that there is not."""
    late, points = policy.late, policy.points
    reasons = [
        *(rule.reason for rule in policy.adjust),
        *(rule.reason for rule in policy.extension),
    ]
    zones = {lab: rule.zone for lab, rule in policy.labs.items()}
    times = [
        *((lab, rule.due) for lab, rule in policy.labs.items()),
        *((rule.lab, rule.due) for rule in policy.extension),
        *((rule.lab, rule.at) for rule in policy.submitted),
    ]
    return (
        (not 0 <= late.percent_per_day <= 100, "late.percent_per_day is from 0 to 100"),
        (late.free_days < 0, "late.free_days is 0 or more"),
        (
            late.last_day is not None and late.last_day < 0,
            "late.last_day is 0 or more",
        ),
        (
            not 0 < points.cap_percent <= 100,
            "points.most is more than 0 and at most 100",
        ),
        (
            points.scale_to is not None and points.scale_to <= 0,
            "points.scale_to is more than 0",
        ),
        (
            not all(reason.strip() for reason in reasons),
            "each [[adjust]] and [[extension]] has a reason",
        ),
        (
            any(rule.lab not in policy.labs for rule in policy.extension),
            "an [[extension]] is of a lab that has a due date",
        ),
        (
            any(at.tzinfo is None and zones.get(lab) is None for lab, at in times),
            'a due date has a time zone, such as +01:00, or the lab has one: timezone = "Europe/Paris"',
        ),
    )


def apply(
    report: Report,
    policy: Policy,
    *,
    student: str = "",
    ids: Collection[str] = (),
    submitted: dt.datetime | None = None,
) -> Report:
    """The report with the rules' lines: late days first, then changes by hand, the most that counts, and the scale.

    `student` and `ids` are what the rules may call whose report it is, in any case. A time without a zone is in the lab's; where
    it can mean two moments, the one that is better for the student counts. Points are whole, rounded half up; a mark never falls
    below 0 or rises above what can be had. Raises UsageError where the report has such lines already, or where the lab has a due
    date and it is not known when it was submitted.
    """
    if any(map(is_rule, report.outcomes)):
        raise UsageError(
            "The rules were applied to this report already.",
            hint="Take the one that `grade` wrote.",
        )
    called = {name.strip().casefold() for name in (student, *ids)} - {""}
    for line in _lines_before_scaling(report, policy, called, submitted):
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


def is_rule(outcome: Outcome) -> bool:
    """Return whether a rule gave or took these points, and no check."""
    return bool(outcome.adjustment) or outcome.check in RULES


def _lines_before_scaling(
    report: Report, policy: Policy, called: set[str], submitted: dt.datetime | None
) -> list[Outcome]:
    score, found = report.score, []
    due = _due(policy, report.lab, called)
    if due is not None:
        moment = _submitted(policy, report.lab, called, submitted)
        days = days_late(moment, due.at, policy.labs[report.lab].zone)
        lost, why = _lost(score, days, policy.late)
        if days:
            which = f"extended due date ({due.reason})" if due.reason else "due date"
            found.append(
                _line(LATE, f"Submitted {days} day(s) after the {which}: {why}.", -lost)
            )
            score -= lost
    for adjustment in policy.adjust:
        if _is_for(adjustment, report.lab, called):
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


def _is_for(
    rule: _Adjustment | _Extension | _Submitted, lab: str, called: set[str]
) -> bool:
    return rule.lab == lab and rule.student.strip().casefold() in called


def _due(policy: Policy, lab: str, called: set[str]) -> _Due | None:
    """Until when it was due for somebody; of several extensions the last in the file counts."""
    if lab not in policy.labs:
        return None
    rule = policy.labs[lab]
    at, reason = rule.due, ""
    for extension in policy.extension:
        if _is_for(extension, lab, called):
            at, reason = extension.due, extension.reason.strip().rstrip(".")
    moment = latest(at, rule.zone)
    return _Due(moment, reason) if moment else None


def _submitted(
    policy: Policy, lab: str, called: set[str], told: dt.datetime | None
) -> dt.datetime:
    """When it was submitted, in UTC; what the rules say counts before what the service does."""
    times = [rule.at for rule in policy.submitted if _is_for(rule, lab, called)]
    at = times[-1] if times else told
    if at is None:
        raise UsageError(
            f"{lab} has a due date: when was it submitted?",
            hint="Say it with --submitted 2026-12-02T08:00+01:00, or as [[submitted]] in the rules.",
        )
    moment = earliest(at, policy.labs[lab].zone)
    if moment is None:
        raise UsageError(
            f"It was submitted at {at:%Y-%m-%d %H:%M}, which has no time zone.",
            hint=f'Say which it is: timezone = "Europe/Paris" in [labs.{lab}], or a time as 2026-12-02T08:00+01:00.',
        )
    return moment


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
