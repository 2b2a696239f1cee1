"""What instructors suffer from in other graders, ten times: each is a test here. Their reports are named as project#number."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import shutil
from datetime import UTC, datetime
from pathlib import Path

from dockdojo.class_.gradebooks import fill, marks_of
from dockdojo.class_.history import read_results
from dockdojo.class_.journal import MAX_ATTEMPTS, Enrolled, Journal
from dockdojo.class_.records import max_score_of, read_records
from dockdojo.class_.run import Control, Told
from dockdojo.class_.tables import read_table
from dockdojo.cli import main, show
from dockdojo.cli.classes.progress import Progress
from tests.class_exports import STUDENTS, canvas_gradebook, written
from tests.class_runs import report_of, run_of


def dockdojo(capsys, *words):
    code = main([*map(str, words)])
    return code, *capsys.readouterr()


def test_1_one_that_hangs_or_explodes_costs_one_row(graded_class):
    """otter-grader#813, nbgrader#1157: it stopped or lost the whole run."""
    people = {f"s{number}": f"pass {number}" for number in range(6)}
    states, _, _ = graded_class({**people, "eve": "hang", "mal": "die"}, seconds=2)
    assert states.pop("eve") == states.pop("mal") == "not final"
    assert set(states.values()) == {"done"}


def test_2_nobody_is_missing_in_silence(graded_class, capsys, tmp_path):
    """gh-classroom#35: 30 of 56 were there, and nothing said so."""
    names = tuple(f"s{number}" for number in range(56))
    graded_class({name: f"pass {name}" for name in names[:30]}, names=names)
    code, out, _ = dockdojo(capsys, "class", "status", tmp_path / "run")
    assert (code, len(read_records(tmp_path / "run"))) == (0, 56)
    assert "missing       26  s30, s31" in out


def test_3_it_says_how_long_and_two_are_graded_at_a_time(graded_class, tmp_path):
    """nbgrader#174, nbgrader#1456: no progress, and one after the other."""
    rng, now = random.Random(7), 0.0
    took = [rng.uniform(2, 9) for _ in range(200)]
    progress = Progress(show.console(), 200, Control(), tmp_path, clock=lambda: now)
    for number, seconds in enumerate(took):
        progress.tell(Told(name=f"s{number}", what="begun"))
        now += seconds
        progress.tell(Told(name=f"s{number}", what="done", score=1, max_score=1))
        if number in (19, 99, 179):
            left = sum(took[number + 1 :])
            assert left / 2 < progress.seconds_left() < left * 2
    # Each of two is graded only once the other one has begun.
    states, _, _ = graded_class({"ada": "meet bo", "bo": "meet ada"}, seconds=60)
    assert states == {"ada": "done", "bo": "done"}


def test_4_our_fault_is_nobodys_and_ends(graded_class):
    """PrairieLearn#7165, PrairieLearn#6255: charged to the student, or "grading" for ever."""
    states, told, orders = graded_class({"ada": "fault", "bo": "error"})
    assert states == {"ada": "not final", "bo": "not final"}
    assert orders == {"fault": MAX_ATTEMPTS, "error": MAX_ATTEMPTS}
    assert all(event.reason for event in told if event.what == "not final")


def test_5_a_folder_that_vanishes_costs_one_row(graded_class, tmp_path):
    """Submitty#12854, INGInious#824: and the slot is free again."""
    people = {f"s{number}": f"pass {number}" for number in range(4)}
    gone = tmp_path / "class" / "s2"
    states, told, orders = graded_class(
        people, slots=1, on=lambda event: shutil.rmtree(gone, ignore_errors=True)
    )
    assert states.pop("s2") == "not final"
    assert set(states.values()) == {"done"}
    assert orders == {"pass": 3}
    (reason,) = {event.reason for event in told if event.name == "s2" and event.reason}
    assert "gone" in reason


def test_6_what_a_regrade_ran_and_what_it_changed(graded_class, capsys, tmp_path):
    """autograder.io#63, classroom50#1051."""
    people = {f"s{number}": f"pass {number}" for number in range(4)}
    graded_class(people)
    assert not graded_class(people)[2]
    assert graded_class({**people, "s1": "less 1"})[2] == {"less": 1}
    assert graded_class({}, common={"grader": "2"})[2] == {"pass": 3, "less": 1}
    run = tmp_path / "run"
    _, out, _ = dockdojo(capsys, "class", "diff", run, "--json")
    changed = {one["name"]: one["reasons"] for one in json.loads(out)}
    assert set(changed) == set(people)
    assert changed["s1"] == ["grader"]
    results = {row.name: found for row, found in read_results(run)}
    assert [len(results[name]) for name in sorted(people)] == [2, 3, 2, 2]
    old, new, _ = results["s1"]
    assert old.report != new.report
    assert all((run / "reports" / f"{one.report}.json").is_file() for one in (old, new))


def test_7_a_due_date_that_moved_grades_nothing(capsys, tmp_path):
    """nbgrader#723; and the night in which clocks are set back has 25 hours."""
    ada = Enrolled(
        name="ada",
        people=({"name": "Ada"},),
        label="x",
        submitted=datetime(2026, 10, 25, 23, 30, tzinfo=UTC),
    )
    run = run_of(tmp_path / "run", [(ada, report_of(80))])
    rules = tmp_path / "rules.toml"

    def score(due):
        rules.write_text(
            f'[labs.signals]\ndue = {due}\ntimezone = "Europe/Paris"\n'
            "[late]\npercent_per_day = 10\n"
        )
        out = dockdojo(capsys, "class", "report", run, "--rules", rules)[1]
        return next(csv.DictReader(io.StringIO(out)))["score"]

    before = sorted((run / "reports").iterdir()), (run / "log.jsonl").read_bytes()
    assert score("2026-10-27T00:00:00") == "80"
    assert score("2026-10-25T00:30:00") == "72"  # 25 hours later is one day
    assert score("2026-10-24T23:00:00") == "64"
    after = sorted((run / "reports").iterdir()), (run / "log.jsonl").read_bytes()
    assert before == after


def test_8_the_gradebook_takes_its_own_file_back(tmp_path):
    """PrairieLearn#4547, canvas-lms#2134: refused, or a new column for each upload."""
    rows = [
        (
            Enrolled(
                name=login, people=({"name": login, "canvas": str(number)},), label="x"
            ),
            report_of(70),
        )
        for login, (_, _, number, *_) in STUDENTS.items()
    ]
    run = run_of(tmp_path / "run", rows)
    text = canvas_gradebook()
    (tmp_path / "grades.csv").write_text(text, encoding="utf-8-sig", newline="")
    table = read_table(tmp_path / "grades.csv")
    title = next(cell for cell in table.header if cell.endswith(")"))
    records = read_records(run)
    filled = fill(table, title, marks_of(records), max_score_of(records))
    raw = filled.table.to_bytes()
    assert filled.count == len(STUDENTS)
    assert raw.startswith(b"\xef\xbb\xbf")
    old, new = (
        list(csv.reader(io.StringIO(one.removeprefix("\ufeff"))))
        for one in (text, raw.decode())
    )
    assert new[0] == old[0]
    place = old[0].index(title)
    for before, after in zip(old, new, strict=True):
        assert len(before) == len(after)
        changed = [i for i, cell in enumerate(after) if cell != before[i]]
        assert changed in ([], [place])


def test_9_unchanged_starters_are_no_pair(capsys, tmp_path, course):
    """compare50#85, dolos#1328: the starter was flagged; 1,500 are compared by tests/tools/similar_at_scale.py."""
    names = [f"s{number}" for number in range(40)]
    for name in names:
        shutil.copytree(course.starter("signals"), tmp_path / "class" / name)
    with Journal(tmp_path / "run", "signals") as journal:
        journal.enroll(Enrolled(name=name, label=name) for name in names)
    words = (tmp_path / "run", tmp_path / "class", "--format", "json")
    code, out, _ = dockdojo(capsys, "class", "similar", *words)
    assert (code, json.loads(out)["pairs"]) == (0, [])


def test_10_nothing_is_written_into_a_students_folder(graded_class, tmp_path):
    """GHSA-qx2g-vpwq-466c: a link in a submission led the teacher's own files out, or code in."""
    victim = written(tmp_path / "victim", {"authorized_keys": b"mine"})
    source = tmp_path / "class"
    for name in ("feedback", "report.json", "result.json", ".dockdojo.json"):
        place = source / f"s-{name.strip('.')}"
        written(place, {"Dockerfile": f"pass {name}".encode()})
        (place / name).symlink_to(victim)

    def seen(folder: Path):
        return {
            path: (os.lstat(path).st_mtime_ns, os.lstat(path).st_size)
            for path in sorted(folder.rglob("*"))
        }

    before = seen(source), seen(victim)
    graded_class({})
    assert (seen(source), seen(victim)) == before
