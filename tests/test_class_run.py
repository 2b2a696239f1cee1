"""A class is graded by slots whose process is played by a small program: what is graded again, what is not, who pays for what."""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter

from dockdojo.class_ import depends
from dockdojo.class_.journal import MAX_ATTEMPTS, Journal
from dockdojo.class_.slots import Slot
from dockdojo.reports import json as json_report
from tests.class_graded import COURSE


def test_one_that_kills_or_hangs_whoever_grades_it_costs_one_row(graded_class):
    states, told, orders = graded_class(
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


def test_one_that_takes_too_long_is_given_up(graded_class):
    states, told, _ = graded_class({"ada": "hang"}, seconds=1)
    assert states == {"ada": "not final"}
    assert "it took too long" in told[-1].reason


def test_nothing_changed_and_nothing_is_graded(graded_class):
    people = {f"s{i}": f"pass {i}" for i in range(30)}
    assert graded_class(people)[2] == {"pass": 30}
    states, told, orders = graded_class(people)
    assert not orders
    assert {event.what for event in told} == {"unchanged"}
    assert set(states.values()) == {"done"}


def test_what_changed_is_graded_again_and_only_that(graded_class):
    people = {f"s{i}": f"pass {i}" for i in range(5)}
    graded_class(people)
    assert graded_class({**people, "s3": "pass again"})[2] == {"pass": 1}
    assert graded_class({**people, "s3": "pass again"}, common={"grader": "2"})[2] == {
        "pass": 5
    }


def test_an_image_that_changed_grades_again_what_stands_on_it(
    graded_class, monkeypatch
):
    assert graded_class({"ada": "pass"})[2] == {"pass": 1}
    assert not graded_class({"ada": "pass"}, images={"busybox:latest": "sha256:1"})[2]
    assert not graded_class({"ada": "pass"}, images={"debian:latest": "sha256:2"})[2]
    changed = {"busybox:latest": "sha256:2"}
    assert graded_class({"ada": "pass"}, images=changed)[2] == {"pass": 1}
    monkeypatch.setattr(depends, "of_module", lambda name: name)
    assert graded_class({"ada": "pass"})[2] == {"pass": 1}


def test_the_same_is_graded_once(graded_class):
    states, told, orders = graded_class(dict.fromkeys(("ada", "bo", "cy"), "pass"))
    assert orders == {"pass": 1}
    assert set(states.values()) == {"done"}
    assert Counter(event.what for event in told) == {"begun": 1, "done": 1, "same": 2}
    states, _, orders = graded_class(dict.fromkeys(("ada", "bo"), "fault"))
    assert (states["ada"], states["bo"], orders["fault"]) == (
        "not final",
        "not final",
        MAX_ATTEMPTS,
    )


def test_stopped_it_goes_on(graded_class):
    people = {f"s{i}": f"pass {i}" for i in range(12)}
    states, _, first = graded_class(people, stop_after=4)
    assert 0 < list(states.values()).count("done") < 12
    assert set(states.values()) == {"done", "waiting"}
    states, _, second = graded_class(people)
    assert set(states.values()) == {"done"}
    assert (
        first["pass"] + second["pass"] <= 12 + 2
    )  # what was begun and not taken, in each slot


def test_our_fault_is_tried_again_by_the_next_run(graded_class):
    graded_class({"ada": "fault"})
    assert graded_class({"ada": "fault"})[2] == {"fault": MAX_ATTEMPTS}


def test_everybody_on_the_roster_has_a_row_and_nobody_else(graded_class):
    states, _, orders = graded_class(
        {"ada": "pass", "eve": "pass"}, names=("ada", "bo")
    )
    assert states == {"ada": "done", "bo": "missing"}
    assert orders == {"pass": 1}


def test_a_submission_that_may_not_be_graded_is_refused_once(graded_class, tmp_path):
    graded_class({"ada": "pass"})
    (tmp_path / "class" / "bo").mkdir()
    os.mkfifo(tmp_path / "class" / "bo" / "pipe")
    states, told, orders = graded_class({})
    assert (states["bo"], orders) == ("refused", {})
    assert "a named pipe" in told[-1].reason
    assert [event.what for event in graded_class({})[1]] == ["unchanged", "unchanged"]


def test_nothing_is_written_into_a_students_folder(graded_class, tmp_path):
    graded_class({"ada": "pass", "bo": "fault"})
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


def test_reports_are_kept_as_they_were_written(graded_class, tmp_path):
    graded_class({"ada": "pass"})
    with Journal(tmp_path / "run", "hello_world") as journal:
        (row,) = journal.submissions()
        assert json_report.parse(journal.report(row.report)).score == 10
