"""A class is graded: what changed since the last time, in so many slots at a time, each result kept before the next begins."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue

import psutil

from dockdojo.class_ import depends as depend
from dockdojo.class_.history import merged, what_hangs_on
from dockdojo.class_.journal import Enrolled, Journal
from dockdojo.class_.plan import Plan, Row
from dockdojo.class_.rows import Submission
from dockdojo.class_.slots import Answer, Grades
from dockdojo.class_.throttle import Throttle
from dockdojo.class_.unpacking import Prepared, copied
from dockdojo.course import Course
from dockdojo.errors import DockdojoError, OurFault, SubmissionError
from dockdojo.grading import CLASS_SCRATCH
from dockdojo.model import Lab
from dockdojo.reports import json as json_report

UNSAFE = re.compile(r"[^\w.@+-]+")
MAX_NAME_CHARACTERS = 80
SHORT_DIGITS = 6
"""Of the digest of what somebody is called, where that is no name of a file."""
SPARE_SECONDS = 120
"""Beyond the lab's deadline, until a grading is given up from outside."""
PAUSE_SECONDS = 0.5
"""Between two looks at whether a pause is over."""
ASKED = "asked"
"""Why somebody's submission is graded again: because it was asked for."""
MORE_SLOTS = 2
"""Times as many, where processors stand idle."""
GIGABYTE = 2**30
SLOT_BYTES = 2 * GIGABYTE
"""Of memory for each slot: a container may have half of it, and a build some more."""

Tell = Callable[["Told"], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What happened to one submission."""

    name: str
    what: str
    """`unchanged`, `begun`, `done`, `same`, `refused`, `fault` or `not final`."""
    score: int = 0
    max_score: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Control:
    """What somebody does to a run while it goes."""

    stopping: threading.Event = field(default_factory=threading.Event)
    """Once set, the run comes to its end: what is being graded is given up."""
    pausing: threading.Event = field(default_factory=threading.Event)
    """While set, nothing more is begun."""


@dataclass(slots=True)
class ClassRun:
    """One call of `class grade`: the plan, the journal, and who is told what happens."""

    course: Course
    lab: Lab
    plan: Plan
    journal: Journal
    tell: Tell
    common: Mapping[str, str]
    """What all results depend on."""
    image_id: depend.ImageId = field(default=lambda ref: "")
    """Asked what became of the images that a result stands on."""
    wanted: frozenset[str] | None = None
    """The rows that are to be graded again, whatever changed or not; None for all in which something did."""
    only: str = ""
    """Of what is graded again, the check that is, with what it needs; empty for all."""
    control: Control = field(default_factory=Control)
    _hand_ins: dict[str, Enrolled] = field(default_factory=dict)
    _as_before: set[str] = field(default_factory=set)
    """Rows whose report is what another grading would be held against: done, and nothing changed."""

    def carry_out(
        self, new_slot: Callable[[], AbstractContextManager[Grades]], slots: int
    ) -> None:
        """Grade what has to be, so many at a time. Returns early where it is stopped; the same call goes on."""
        rows = names_of(self.plan)
        self._hand_ins = {name: _enrolled(name, row) for name, row in rows.items()}
        self.journal.enroll(self._hand_ins.values())
        with tempfile.TemporaryDirectory(
            prefix=f"{CLASS_SCRATCH}{os.getpid()}-"
        ) as scratch:
            waiting = self._what_changed(rows, Path(scratch))
            groups = SimpleQueue[tuple[str, list[str]]]()
            for checksum, names in waiting.items():
                groups.put((checksum, names))
            with ThreadPoolExecutor(slots) as pool:
                works = [
                    pool.submit(self._work, new_slot, groups, rows, Path(scratch))
                    for _ in range(min(slots, len(waiting)))
                ]
                try:
                    for work in works:
                        work.result()
                except BaseException:
                    self.control.stopping.set()
                    raise

    def _what_changed(
        self, rows: Mapping[str, Row], scratch: Path
    ) -> dict[str, list[str]]:
        """The names that have to be graded, by the submission's checksum; what did not change is told, and left."""
        waiting = defaultdict[str, list[str]](list)
        known = {row.name: row for row in self.journal.submissions()}
        for name, row in rows.items():
            if row.chosen is None or (
                self.wanted is not None and name not in self.wanted
            ):
                continue
            if self.control.stopping.is_set():
                return {}
            before = known[name]
            try:
                with self._copied(row, scratch) as (_, checksum):
                    depends = {"submission": checksum, **self.common}
            except SubmissionError as refusal:
                words = f"refused {name}: {refusal.message}"
                depends = {"submission": words, **self.common}
            except OurFault:  # it is met again, and told, when it is to be graded
                depends = {"submission": f"unread {name}", **self.common}
            now = depends | depend.now(before.depends, self.image_id)
            changed = depend.what_changed(before.depends, now) if before.report else []
            if before.state in ("done", "refused") and not changed:
                self._as_before.add(name)
            if self.wanted is not None:
                changed = [ASKED, *changed]
            elif name in self._as_before and self._is_told(before):
                if self._hand_ins[name] != _of_row(before):
                    self.journal.note_hand_in(self._hand_ins[name])
                continue
            if before.state != "waiting":
                self.journal.wait(name, reason=", ".join(changed))
            waiting[depends["submission"]].append(name)
        return waiting

    def _copied(
        self, row: Row, scratch: Path
    ) -> AbstractContextManager[tuple[Prepared, str]]:
        assert row.chosen is not None
        starter = self.course.starter(self.lab.slug)
        return copied(row.chosen, self.lab, starter, scratch)

    def _work(
        self,
        new_slot: Callable[[], AbstractContextManager[Grades]],
        groups: SimpleQueue[tuple[str, list[str]]],
        rows: Mapping[str, Row],
        scratch: Path,
    ) -> None:
        with new_slot() as slot:
            while not self.control.stopping.is_set():
                if self.control.pausing.is_set():
                    self.control.stopping.wait(PAUSE_SECONDS)
                    continue
                with slot.turn():
                    try:
                        checksum, names = groups.get_nowait()
                    except Empty:
                        return
                    if others := self._grade_group(
                        slot, checksum, names, rows, scratch
                    ):
                        groups.put((checksum, others))

    def _grade_group(
        self,
        slot: Grades,
        checksum: str,
        names: list[str],
        rows: Mapping[str, Row],
        scratch: Path,
    ) -> list[str]:
        """Grade the first of several that handed in the same; what comes of it is the others', too.

        Return those who are to be graded by themselves, since the first one's work is not what it was any more.
        """
        first, *others = names
        apart: list[str] = []
        kept = self._kept(names) if self.only else None
        state = "waiting"
        while state == "waiting" and not self.control.stopping.is_set():
            attempt = self.journal.begin(first)
            self.tell(Told(name=first, what="begun"))
            try:
                with self._copied(rows[first], scratch) as (made, fresh):
                    if fresh != checksum:
                        checksum, kept = fresh, None
                        apart, others = apart + others, []
                    answer = slot.grade(
                        self.lab.slug,
                        made.folder,
                        self.lab.limits.deadline + SPARE_SECONDS,
                        only=kept[1] if kept else (),
                    )
                    notes = made.notes
            except SubmissionError as refusal:
                words = f"refused {first}: {refusal.message}"
                depends = {"submission": words, **self.common}
                self._refuse(first, attempt, refusal, depends)
                return apart + others
            except OurFault as fault:
                answer = Answer(fault=str(fault))
            reason = answer.fault or fault_of(answer.report)
            if not reason:
                if kept:
                    report = self._merged(kept[0], answer.report)
                    depends = dict(kept[0].depends)
                else:
                    report = _with_notes(answer.report, notes)
                    depends = {"submission": checksum, **self.common}
                    depends |= depend.of_grading(answer.modules, answer.images)
                self._take(first, attempt, report, depends, "done")
                for name in others:
                    self._take(name, self.journal.begin(name), report, depends, "same")
                return apart
            if self.control.stopping.is_set():
                self.journal.leave(first, attempt)
                return apart
            state = self.journal.fault(first, attempt, reason)
            self.tell(
                Told(
                    name=first,
                    what="fault" if state == "waiting" else state,
                    reason=reason,
                )
            )
        if state == "not final":
            reason = f"It is the same as {first}'s, which is not final."
            for name in others:
                self.journal.give_up(name, self.journal.begin(name), reason)
                self.tell(Told(name=name, what="not final", reason=reason))
        return apart

    def _kept(self, names: list[str]) -> tuple[Submission, tuple[str, ...]] | None:
        """The row whose report stays but for one check and what hangs on it, and those; None where all is to be graded."""
        rows = [self.journal.submission(name) for name in names]
        reports = {row.report for row in rows if row}
        first = rows[0]
        if first is None or len(reports) != 1 or not self._as_before.issuperset(names):
            return None
        try:
            raw = self.journal.report(first.report)
        except OurFault:  # it is gone, and made anew
            return None
        checks = what_hangs_on(json_report.parse(raw), self.only) if raw else ()
        return (first, checks) if checks else None

    def _merged(self, kept: Submission, again: bytes) -> bytes:
        """A report in which one check, and what hangs on it, was graded again."""
        before = json_report.parse(self.journal.report(kept.report))
        report = merged(before, json_report.parse(again), self.only)
        return json_report.render(report).encode()

    def _refuse(
        self,
        name: str,
        attempt: int,
        refusal: SubmissionError,
        depends: Mapping[str, str],
    ) -> None:
        """Take note of a submission that may not be graded: that is final, with 0 points."""
        words, hand_in = str(refusal), self._hand_ins[name]
        self.journal.finish(name, attempt, b"", depends, refused=words, hand_in=hand_in)
        self.tell(Told(name=name, what="refused", reason=words))

    def _take(
        self,
        name: str,
        attempt: int,
        report: bytes,
        depends: Mapping[str, str],
        what: str,
    ) -> None:
        hand_in = self._hand_ins[name]
        if self.journal.finish(name, attempt, report, depends, hand_in=hand_in):
            self._tell_report(name, what, report)

    def _is_told(self, kept: Submission) -> bool:
        """Tell that nothing changed; False where the report is not there any more, so that it has to be made anew."""
        if kept.state == "done":
            try:
                raw = self.journal.report(kept.report)
            except OurFault:
                return False
            self._tell_report(kept.name, "unchanged", raw)
        else:
            self.tell(Told(name=kept.name, what="unchanged", reason=kept.reason))
        return True

    def _tell_report(self, name: str, what: str, raw: bytes) -> None:
        report = json_report.parse(raw)
        self.tell(
            Told(name=name, what=what, score=report.score, max_score=report.max_score)
        )


def _with_notes(report: bytes, notes: tuple[str, ...]) -> bytes:
    """The report, with what the way from the export to the folder changed."""
    if not notes:
        return report
    parsed = json_report.parse(report)
    return json_report.render(replace(parsed, notes=(*notes, *parsed.notes))).encode()


def names_of(plan: Plan) -> dict[str, Row]:
    """Return the rows of a plan by their names: safe for files, each another one, and the same whoever else there is."""
    found: dict[str, Row] = {}
    for row in plan.rows:
        base = UNSAFE.sub("-", row.key).strip("-.")[:MAX_NAME_CHARACTERS]
        if base != row.key:
            short = hashlib.sha256(row.key.encode()).hexdigest()[:SHORT_DIGITS]
            base = f"{base or 'nameless'}-{short}"
        name, number = base, 2
        while name in found:
            name, number = f"{base}-{number}", number + 1
        found[name] = row
    return found


def _of_row(row: Submission) -> Enrolled:
    return Enrolled(
        name=row.name, people=row.people, label=row.label, submitted=row.submitted
    )


def _enrolled(name: str, row: Row) -> Enrolled:
    hand_in = row.chosen.hand_in if row.chosen else None
    return Enrolled(
        name=name,
        people=tuple({"name": person.name} | dict(person.ids) for person in row.people),
        label=hand_in.label if hand_in else "",
        submitted=hand_in.at if hand_in else None,
    )


def fault_of(report: bytes) -> str:
    """Return why a report does not count yet; empty where it is final."""
    try:
        parsed = json_report.parse(report)
    except DockdojoError as error:
        return str(error)
    if parsed.final or parsed.problem:
        return ""
    for outcome in parsed.outcomes:
        if outcome.status == "error" and outcome.feedback:
            return outcome.feedback.observed[:300]
    return "it is not final"


def throttle_here(slots: int = 0) -> Throttle:
    """Return what lets gradings begin here: so many at a time, or (0) as many as there is room for."""
    usual = slots or slots_here()
    return Throttle(usual, slots or MORE_SLOTS * usual, SLOT_BYTES)


def slots_here() -> int:
    """Return how many slots this machine is good for whatever they do: one a processor, as far as the memory goes."""
    processors = (
        os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count()
    )
    memory = psutil.virtual_memory().total
    return max(1, min(processors or 1, memory // SLOT_BYTES))
