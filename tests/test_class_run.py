"""A class is graded by slots whose process is played by a small program: what is graded again, what is not, who pays for what."""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from dataclasses import replace

import pytest

from dockdojo.class_ import depends
from dockdojo.class_.journal import MAX_ATTEMPTS, Journal
from dockdojo.class_.people import read_rosters
from dockdojo.class_.plan import make_plan, read_source
from dockdojo.class_.run import ClassRun
from dockdojo.class_.slots import Slot
from dockdojo.class_.tables import parse_table
from dockdojo.class_.trees import open_tree
from dockdojo.course import open_course
from dockdojo.reports import json as json_report
from tests.class_exports import written

COURSE = open_course()
GRADER = """
import json, os, sys, time
from pathlib import Path
from dockdojo.model import Outcome, Report
from dockdojo.reports import json as json_report
for line in sys.stdin:
    folder = Path(json.loads(line)["folder"])
    order, *rest = (folder / "Dockerfile").read_text().split()
    with open(sys.argv[1], "a") as log:
        log.write(f"{order}\\n")
    if order == "die":
        os.kill(os.getpid(), 9)
    if order == "hang":
        time.sleep(600)
    if order == "nonsense":
        print("{", flush=True)
        continue
    if order == "fault":
        print(json.dumps({"fault": "no space left"}), flush=True)
        continue
    status = "error" if order == "error" else "passed"
    outcome = Outcome(check="a", title="A", status=status, points=10)
    report = Report(lab="hello_world", title="x", outcomes=(outcome,), started="", seconds=0.0)
    used = {"modules": ["dockdojo.model"], "images": {"busybox:latest": "sha256:1"}}
    print(json.dumps({"report": json_report.render(report), **used}), flush=True)
"""


@pytest.fixture
def graded(tmp_path):
    """Grades a class of folders; returns the states, what was told, and how often each order was carried out."""
    script, log = tmp_path / "grader.py", tmp_path / "orders"
    script.write_text(GRADER)

    def grade(
        orders,
        *,
        names=(),
        common=None,
        slots=2,
        seconds=600,
        stop_after=0,
        images=None,
    ):
        source = tmp_path / "class"
        for name, order in orders.items():
            written(source / name, {"Dockerfile": order.encode()})
        roster = read_rosters(
            [
                parse_table(
                    (
                        "id,name\n" + "".join(f"{name},{name}\n" for name in names)
                    ).encode(),
                    "r.csv",
                )
            ]
            if names
            else []
        )
        log.write_text("")
        told = []
        with (
            open_tree(source) as tree,
            Journal(tmp_path / "run", "hello_world") as journal,
        ):
            lab = COURSE.lab("hello_world")
            lab = replace(
                lab, limits=replace(lab.limits, grading_seconds=seconds - 120)
            )
            run = ClassRun(
                course=COURSE,
                lab=lab,
                plan=make_plan([read_source(source, tree)], roster),
                journal=journal,
                tell=lambda event: (
                    told.append(event),
                    (
                        run.control.stopping.set()
                        if stop_after and len(told) >= stop_after
                        else None
                    ),
                ),
                common=common or {"grader": "1"},
                image_id=lambda ref: (images or {}).get(ref, ""),
            )
            run.carry_out(
                lambda: Slot(
                    run.control.stopping.is_set, (sys.executable, str(script), str(log))
                ),
                slots,
            )
            states = {row.name: row.state for row in journal.submissions()}
        return states, told, Counter(log.read_text().split())

    return grade


def test_one_that_kills_or_hangs_whoever_grades_it_costs_one_row(graded):
    states, told, orders = graded(
        {
            "ada": "pass 1",
            "bo": "die",
            "cy": "nonsense",
            "di": "fault",
            "ed": "error",
            "fa": "pass 2",
        }
    )
    assert states == {
        "ada": "done",
        "bo": "not final",
        "cy": "not final",
        "di": "not final",
        "ed": "not final",
        "fa": "done",
    }
    assert orders == {
        "pass": 2,
        **dict.fromkeys(("die", "nonsense", "fault", "error"), MAX_ATTEMPTS),
    }
    reasons = {event.name: event.reason for event in told if event.what == "not final"}
    assert "exit code -9" in reasons["bo"]
    assert reasons["di"] == "no space left"


def test_one_that_takes_too_long_is_given_up(graded):
    states, told, _ = graded({"ada": "hang"}, seconds=1)
    assert states == {"ada": "not final"}
    assert "it took too long" in told[-1].reason


def test_nothing_changed_and_nothing_is_graded(graded):
    people = {f"s{i}": f"pass {i}" for i in range(30)}
    assert graded(people)[2] == {"pass": 30}
    states, told, orders = graded(people)
    assert not orders
    assert {event.what for event in told} == {"unchanged"}
    assert set(states.values()) == {"done"}


def test_what_changed_is_graded_again_and_only_that(graded):
    people = {f"s{i}": f"pass {i}" for i in range(5)}
    graded(people)
    assert graded({**people, "s3": "pass again"})[2] == {"pass": 1}
    assert graded({**people, "s3": "pass again"}, common={"grader": "2"})[2] == {
        "pass": 5
    }


def test_an_image_that_changed_grades_again_what_stands_on_it(graded, monkeypatch):
    assert graded({"ada": "pass"})[2] == {"pass": 1}
    assert not graded({"ada": "pass"}, images={"busybox:latest": "sha256:1"})[2]
    assert not graded({"ada": "pass"}, images={"debian:latest": "sha256:2"})[2]
    changed = {"busybox:latest": "sha256:2"}
    assert graded({"ada": "pass"}, images=changed)[2] == {"pass": 1}
    monkeypatch.setattr(depends, "of_module", lambda name: name)
    assert graded({"ada": "pass"})[2] == {"pass": 1}


def test_the_same_is_graded_once(graded):
    states, told, orders = graded(dict.fromkeys(("ada", "bo", "cy"), "pass"))
    assert orders == {"pass": 1}
    assert set(states.values()) == {"done"}
    assert Counter(event.what for event in told) == {"begun": 1, "done": 1, "same": 2}
    states, _, orders = graded(dict.fromkeys(("ada", "bo"), "fault"))
    assert (states["ada"], states["bo"], orders["fault"]) == (
        "not final",
        "not final",
        MAX_ATTEMPTS,
    )


def test_stopped_it_goes_on(graded):
    people = {f"s{i}": f"pass {i}" for i in range(12)}
    states, _, first = graded(people, stop_after=4)
    assert 0 < list(states.values()).count("done") < 12
    assert set(states.values()) == {"done", "waiting"}
    states, _, second = graded(people)
    assert set(states.values()) == {"done"}
    assert (
        first["pass"] + second["pass"] <= 12 + 2
    )  # what was begun and not taken, in each slot


def test_our_fault_is_tried_again_by_the_next_run(graded):
    graded({"ada": "fault"})
    assert graded({"ada": "fault"})[2] == {"fault": MAX_ATTEMPTS}


def test_everybody_on_the_roster_has_a_row_and_nobody_else(graded):
    states, _, orders = graded({"ada": "pass", "eve": "pass"}, names=("ada", "bo"))
    assert states == {"ada": "done", "bo": "missing"}
    assert orders == {"pass": 1}


def test_a_submission_that_may_not_be_graded_is_refused_once(graded, tmp_path):
    graded({"ada": "pass"})
    (tmp_path / "class" / "bo").mkdir()
    os.mkfifo(tmp_path / "class" / "bo" / "pipe")
    states, told, orders = graded({})
    assert (states["bo"], orders) == ("refused", {})
    assert "a named pipe" in told[-1].reason
    assert [event.what for event in graded({})[1]] == ["unchanged", "unchanged"]


def test_nothing_is_written_into_a_students_folder(graded, tmp_path):
    graded({"ada": "pass", "bo": "fault"})
    for name in ("ada", "bo"):
        assert os.listdir(tmp_path / "class" / name) == ["Dockerfile"]


def test_slots_leave_no_process(tmp_path):
    stopping = threading.Event()
    with Slot(
        stopping.is_set, (sys.executable, "-c", "import time; time.sleep(600)")
    ) as slot:
        stopping.set()
        answer = slot.grade("hello_world", tmp_path, 60)
        assert "was stopped" in answer.fault
    assert slot._process is None


def test_what_a_result_depends_on():
    one = depends.of_course(COURSE, "signals")
    assert one == depends.of_course(COURSE, "signals")
    assert depends.what_changed(one, depends.of_course(COURSE, "gpu")) == [
        "lab",
        "grader",
    ]
    assert depends.what_changed({}, {"engine": "x"}) == ["engine"]


def test_a_result_depends_on_the_modules_that_were_loaded():
    found = depends.of_grading(
        ["dockdojo.model", "dockdojo.cli.show", "dockdojo.gone"], {"busybox": "x"}
    )
    assert found["module dockdojo.gone"] == depends.GONE
    assert found["image busybox"] == "x"
    assert "module dockdojo.cli.show" not in found
    assert depends.now(found, lambda ref: "") == found
    assert depends.now(found, lambda ref: "y")["image busybox"] == "y"


def test_reports_are_kept_as_they_were_written(graded, tmp_path):
    graded({"ada": "pass"})
    with Journal(tmp_path / "run", "hello_world") as journal:
        (row,) = journal.submissions()
        assert json_report.parse(journal.report(row.report)).score == 10
