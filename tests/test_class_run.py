"""A class is graded by slots whose process is played by a small program: what is graded again, what is not, who pays for what."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import threading
import zipfile
from collections import Counter

from dockdojo.class_ import depends
from dockdojo.class_.history import merged, what_hangs_on
from dockdojo.class_.journal import MAX_ATTEMPTS, Journal
from dockdojo.class_.people import Person
from dockdojo.class_.plan import Plan, Row
from dockdojo.class_.records import read_records
from dockdojo.class_.rows import read_rows
from dockdojo.class_.run import names_of
from dockdojo.class_.slots import Slot
from dockdojo.model import Outcome, Report
from dockdojo.reports import json as json_report
from tests.class_exports import written, zipped
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


def scores(folder):
    return {record.row.name: record.score for record in read_records(folder / "run")}


def when_begun(name, change):
    """What changes a folder once the row of that name is begun."""
    return lambda event: (
        change() if (event.name, event.what) == (name, "begun") else None
    )


def test_nobody_has_the_mark_of_what_another_one_changed_meanwhile(
    graded_class, tmp_path
):
    folder = tmp_path / "class" / "ada" / "Dockerfile"
    people = {"a first": "pass x", "ada": "less same", "bo": "less same"}
    change = when_begun("a-first", lambda: folder.write_text("pass other"))
    assert list(graded_class({"a first": "pass x"})[0]) == [
        "a-first-" + short("a first")
    ]
    name = "a-first-" + short("a first")
    change = when_begun(name, lambda: folder.write_text("pass other"))
    (tmp_path / "class" / "a first" / "Dockerfile").write_text("pass y")
    people["a first"] = "pass y"
    graded_class(people, slots=1, on=change)
    assert scores(tmp_path) == {name: 10, "ada": 10, "bo": 0}
    assert {event.what for event in graded_class({})[1]} == {"unchanged"}


def short(key):
    return hashlib.sha256(key.encode()).hexdigest()[:6]


def test_those_that_are_refused_for_the_same_reason_are_not_the_same(
    graded_class, tmp_path
):
    for name, order in (("ada", "pass"), ("bo", "less")):
        written(tmp_path / "class" / name, {"Dockerfile": order.encode()})
        os.mkfifo(tmp_path / "class" / name / "pipe")
    mend = when_begun("aa", (tmp_path / "class" / "ada" / "pipe").unlink)
    states, _, _ = graded_class({"aa": "pass x"}, slots=1, on=mend)
    assert states == {"aa": "done", "ada": "done", "bo": "refused"}
    assert scores(tmp_path) == {"aa": 10, "ada": 10, "bo": 0}


def test_a_regrade_of_one_leaves_the_others_as_they_were_handed_in(
    graded_class, tmp_path
):
    export = tmp_path / "export"

    def hand_in(name, day, order):
        at = f"2026-10-{day:02}-10-00-00"
        written(export, {f"Lab_{name}_attempt_{at}_Dockerfile": order.encode()})

    hand_in("amy", 1, "pass amy")
    hand_in("bob", 1, "pass bob")
    graded_class({}, sources=export)
    before = {row.name: row for row in read_rows(tmp_path / "run")}
    hand_in("bob", 9, "less late")
    _, told, _ = graded_class({}, sources=export, wanted=frozenset({"amy"}))
    after = {row.name: row for row in read_rows(tmp_path / "run")}
    assert {event.name for event in told} == {"amy"}
    assert after["bob"] == before["bob"]
    graded_class({}, sources=export)
    last = {row.name: row for row in read_rows(tmp_path / "run")}["bob"]
    assert last.submitted.day == 9
    assert scores(tmp_path) == {"amy": 10, "bob": 0}


def test_the_same_handed_in_again_later_is_late(graded_class, tmp_path):
    for day in (1, 9):
        name = f"Lab_amy_attempt_2026-10-{day:02}-10-00-00_Dockerfile"
        written(tmp_path / "export", {name: b"pass"})
        orders = graded_class({}, sources=tmp_path / "export")[2]
    (row,) = read_rows(tmp_path / "run")
    assert (orders, row.submitted.day, row.attempt) == ({}, 9, 1)


def test_who_is_not_in_another_export_keeps_the_mark(graded_class, tmp_path):
    graded_class({"ada": "pass"}, names=("ada", "bo"))
    written(tmp_path / "other" / "bo", {"Dockerfile": b"less"})
    states, _, _ = graded_class({}, names=("ada", "bo"), sources=tmp_path / "other")
    assert states == {"ada": "done", "bo": "done"}
    assert scores(tmp_path) == {"ada": 10, "bo": 0}


def test_a_report_that_is_lost_is_made_anew(graded_class, tmp_path):
    graded_class({"ada": "pass 1", "bo": "less"})
    row = next(row for row in read_rows(tmp_path / "run") if row.name == "ada")
    (tmp_path / "run" / "reports" / f"{row.report}.json").unlink()
    assert graded_class({})[2] == {"pass": 1}
    assert scores(tmp_path) == {"ada": 10, "bo": 0}


def test_a_damaged_archive_costs_one_row(graded_class, tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("Dockerfile", b"FROM busybox\n" * 100)
    raw = bytearray(out.getvalue())
    place = raw.index(b"Dockerfile") + len("Dockerfile") + 12
    raw[place : place + 20] = bytes(range(200, 220))
    bad_name = "y" * 300
    flat = {
        "adaada_101_9001_s.zip": bytes(raw),
        "bobo_102_9002_Dockerfile": b"pass",
        "cycy_103_9003_s.zip": zipped({"a": b"1", "a/b": b"2"}),
        "didi_104_9004_s.zip": zipped({bad_name: b"1", "z": b"2"}),
    }
    export = tmp_path / "submissions.zip"
    export.write_bytes(zipped(flat))
    states, told, orders = graded_class({}, sources=export)
    assert orders == {"pass": 1}
    assert not [(event.name, event.reason) for event in told if event.what == "fault"]
    assert sorted(states.values()) == ["done", "refused", "refused", "refused"]


def test_stopped_while_it_looks_it_begins_nothing(graded_class):
    people = {f"s{number}": f"pass {number}" for number in range(5)}
    graded_class(people)
    _, told, _ = graded_class({}, stop_after=1)
    assert len(told) == 1


def test_names_stay_with_whom_they_are():
    def names(*keys):
        rows = [Row(people=(Person(name=key, ids={"login": key}),)) for key in keys]
        return {row.key: name for name, row in names_of(Plan(rows=rows)).items()}

    alone = names("o-brien")
    both = names("o brien", "o-brien")
    assert alone["o-brien"] == both["o-brien"] == "o-brien"
    assert len(set(both.values())) == 2
    assert names("o brien")["o brien"] == both["o brien"]


def test_what_hangs_on_a_check_is_graded_with_it_again():
    def outcome(check, status, decided_by="", hidden=False):
        return Outcome(
            check=check,
            title=check,
            status=status,
            points=10,
            decided_by=decided_by,
            hidden=hidden,
        )

    def report(*outcomes):
        return Report(
            lab="x", title="x", outcomes=outcomes, started="today", seconds=0.0
        )

    kept = report(
        outcome("build", "failed"),
        outcome("app", "skipped", "build"),
        outcome("page", "skipped", "app"),
        outcome("quiz", "passed"),
        outcome("port", "failed", hidden=True),
    )
    assert what_hangs_on(kept, "build") == ("build", "app", "page")
    assert what_hangs_on(kept, "nothing") == ()
    again = report(*(outcome(name, "passed") for name in ("build", "app", "page")))
    assert merged(kept, again, "build").score == 40
    hidden = merged(kept, report(outcome("port", "passed", hidden=True)), "port")
    assert hidden.score == 20
    assert "port" not in hidden.notes[-1]
