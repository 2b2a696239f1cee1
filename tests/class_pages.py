"""Pages about classes that are made up, for whoever looks at pages."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from random import Random

from dockdojo.class_.overview import as_html
from dockdojo.class_.people import read_rosters
from dockdojo.class_.plan import make_plan, read_source
from dockdojo.class_.records import Record
from dockdojo.class_.rows import Submission
from dockdojo.class_.run import names_of
from dockdojo.class_.similarity import words
from dockdojo.class_.similarity.comparison import Comparison, given_to_all
from dockdojo.class_.trees import open_tree
from dockdojo.course import open_course
from dockdojo.model import Feedback, Outcome, Report
from tests.class_exports import written
from tests.test_class_similar import DOCKERFILE, ONE, OTHER, RENAMED
from tests.test_formats import ESCAPES

LONG = "".join(
    f"x{number} = config.option{number}.value{number * 7}(self.a.part{number})\n"
    for number in range(40)
)


def similar_page(*, hostile: bool = False, alike: bool = True) -> str:
    """The page of a class of five, of whom three share something."""
    extra = f"s = {ESCAPES!r}\n# {ESCAPES}\n" if hostile else ""
    programs = {
        "ada": LONG + OTHER + extra if alike else OTHER,
        "bo": ONE,
        "cy": RENAMED + LONG if alike else LONG,
        "di": LONG.replace("x", "other") + extra + "y" * 5_000 if alike else "",
    }
    course = open_course()
    with tempfile.TemporaryDirectory() as scratch:
        for name, text in programs.items():
            files = {"main.py": text.encode("utf-8", "replace")}
            if alike and name != "bo":
                files["Dockerfile"] = DOCKERFILE.encode()
            written(Path(scratch, "class", name), files)
        source = Path(scratch, "class")
        with open_tree(source) as tree:
            plan = make_plan([read_source(source, tree)], read_rosters([]))
            comparison = Comparison(
                course=course,
                lab=course.lab("signals"),
                handed_in={
                    name: row.chosen
                    for name, row in names_of(plan).items()
                    if row.chosen
                },
                given=given_to_all(course, "signals"),
            )
            comparison.carry_out(lambda number: None)
            if hostile:
                comparison.unread["ada"] = ESCAPES
            labels = words.labels_of(programs, anonymous=False)
            if hostile:
                labels = {name: f"{ESCAPES[:60]} {name}" for name in programs}
            return words.as_html(comparison, labels)


def record_of(name: str, report: Report | None, **more: object) -> Record:
    """Somebody's row and report; without one, the row's state is among `more`."""
    words: dict[str, object] = {
        "name": name,
        "people": ({"name": name.title(), "login": name},),
        "label": name,
        "submitted": None,
        "state": "done" if report else "missing",
        "reason": "",
        "attempt": 1,
        "faults": 0,
        "report": "",
        "depends": {},
    }
    return Record(row=Submission(**words | more), report=report)


CHECKS = (
    ("builds", "The image builds", 10, 0.95),
    ("exec_form", "`CMD` is in exec form", 20, 0.7),
    ("stops", "It stops within a second of SIGTERM", 30, 0.5),
    ("reaps", "It reaps the children that others left to process 1", 40, 0.3),
)
"""Name, sentence, points, and how likely somebody passes it."""


def overview_page(
    *, hostile: bool = False, count: int = 24, linked: bool = True
) -> str:
    """The page of a class of so many who were graded, and some who were not."""
    rng = Random(7)
    records = []
    for number in range(count):
        ability, outcomes = rng.uniform(-0.3, 0.3), list[Outcome]()
        for check, title, points, likely in CHECKS:
            broken = bool(outcomes) and outcomes[0].status != "passed"
            passed = rng.random() < likely + ability
            told = Feedback(
                expected="process 1 ends with exit code 143 (128 + 15, as of SIGTERM)",
                observed=f"exit code {rng.choice([0, 1, 137])} after {rng.randrange(9)}.{number} s",
                why="A shell keeps signals to itself.",
            )
            outcomes.append(
                Outcome(
                    check=check,
                    title=title,
                    status="skipped" if broken else "passed" if passed else "failed",
                    points=points,
                    feedback=None if broken or passed else told,
                    hidden=check == "reaps",
                )
            )
        report = Report(
            lab="signals",
            title="Signals and process 1",
            outcomes=tuple(outcomes),
            started="2026-11-20T10:11:12+00:00",
            seconds=1.0,
        )
        records.append(record_of(f"student{number:02}", report))
    records += [
        record_of("late", None, state="not final", reason="No space left on device."),
        record_of("turn", None, state="waiting"),
        record_of("grace", None),
        record_of("mallory", None, state="refused", reason="It has a named pipe."),
    ]
    if hostile:
        records = [_hostile(record) for record in records]
    with tempfile.TemporaryDirectory() as scratch:
        if linked:
            for record in records:
                if record.row.state == "missing":
                    continue
                page = Path(scratch, "feedback", record.row.name, "report.html")
                page.parent.mkdir(parents=True, exist_ok=True)
                page.touch()
        return as_html(records if count else [], "signals", Path(scratch), Path("/"))


def _hostile(record: Record) -> Record:
    people = ({"name": ESCAPES},)
    row = replace(record.row, people=people, reason=ESCAPES)
    if record.report is None:
        return replace(record, row=row)
    told = Feedback(expected=ESCAPES, observed=ESCAPES, why=ESCAPES)
    outcomes = tuple(
        replace(outcome, title=ESCAPES, feedback=told)
        for outcome in record.report.outcomes
    )
    refused = replace(record.report, problem=ESCAPES, outcomes=outcomes)
    whole = replace(record.report, title=ESCAPES, outcomes=outcomes)
    return replace(
        record, row=row, report=refused if row.name == "student00" else whole
    )
