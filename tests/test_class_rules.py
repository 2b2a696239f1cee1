"""Rules for marks: applied when marks are written, for one student or all, in any time zone; and nothing is graded for them."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockdojo.class_ import rules
from dockdojo.class_.journal import Enrolled, Journal
from dockdojo.class_.records import read_records
from dockdojo.cli import main
from dockdojo.errors import UsageError
from dockdojo.reports import policy
from dockdojo.reports.due_dates import days_late, earliest, latest, zone_of
from tests.class_runs import LAB, report_of, run_of

PARIS = zone_of("Europe/Paris")
HANDED_IN = dt.datetime(2026, 12, 2, 8, 0, tzinfo=dt.UTC)
LATE = "[late]\npercent_per_day = 10\n"


def person(name, *words, submitted=HANDED_IN, label="x"):
    ids = {"name": words[0] if words else name.title(), "login": name}
    ids |= {"email": f"{name}@example.org"}
    return Enrolled(name=name, people=(ids,), label=label, submitted=submitted)


@pytest.fixture
def run(tmp_path):
    return run_of(
        tmp_path / "run",
        [
            (person("ada", "Ada Lovelace"), report_of(80)),
            (person("bo", "Bo Lee"), report_of(60)),
            (person("cy", "Bo Lee"), "a named pipe"),
            (person("di", label=""), None),
        ],
    )


def due(when, more=""):
    return f"[labs.{LAB}]\ndue = {when}\n{more}{LATE}"


def marks(capsys, run, text, *, code=0, style="json"):
    (run.parent / "rules.toml").write_text(text)
    words = ["class", "report", str(run), "--format", style]
    found = main([*words, "--rules", str(run.parent / "rules.toml")])
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err
    assert found == code, shown.err
    if code == 2:
        return shown.err
    rows = {row["name"]: row.get("score") for row in json.loads(shown.out)}
    return rows, shown.err


def everything(run):
    """All that is kept of a run, but for the database's own bookkeeping."""
    with Journal(run, LAB) as journal:
        attempts = [(row.name, row.attempt) for row in journal.submissions()]
        results = [journal.results(name) for name, _ in attempts]
    files = {path.name: path.read_bytes() for path in (run / "reports").iterdir()}
    return attempts, results, files, (run / "log.jsonl").read_bytes()


def test_a_due_date_that_moved_changes_marks_and_grades_nothing(capsys, run):
    before = everything(run)
    assert marks(capsys, run, due("2026-12-02T23:59:00Z"))[0]["ada"] == 80
    assert marks(capsys, run, due("2026-12-01T23:59:00Z"))[0]["ada"] == 72
    assert marks(capsys, run, due("2026-11-30T23:59:00Z"))[0]["ada"] == 64
    assert marks(capsys, run, due("2026-12-02T23:59:00Z"))[0]["ada"] == 80
    assert everything(run) == before


@pytest.mark.parametrize("student", ["ada", "ADA@example.org", "Ada Lovelace"])
def test_an_extension_for_one_student(capsys, run, student):
    extension = (
        f'[[extension]]\nstudent = "{student}"\nlab = "{LAB}"\n'
        'due = 2026-12-02T00:00:00Z\nreason = "Ill."\n'
    )
    text = due("2026-11-29T00:00:00Z") + extension
    rows, _ = marks(capsys, run, text)
    assert (rows["ada"], rows["bo"]) == (72, 36)
    assert (
        main(["class", "feedback", str(run), "--rules", f"{run.parent}/rules.toml"])
        == 0
    )
    page = (run / "feedback" / "ada" / "report.md").read_text()
    assert "1 day(s) after the extended due date (Ill)" in page.replace("&#46;", ".")
    assert "extended" not in (run / "feedback" / "bo" / "report.md").read_text()


def test_whoever_cannot_be_told_is_named(capsys, run):
    adjust = '[[adjust]]\nstudent = "{}"\nlab = "signals"\npoints = 5\nreason = "x"\n'
    rows, err = marks(capsys, run, adjust.format("eve"), code=1)
    assert "Named in the rules without effect (1): eve" in err
    assert rows["ada"] == 80
    for name, state in (("cy", "refused"), ("di", "missing")):
        _, err = marks(capsys, run, adjust.format(name), code=1)
        assert f"without effect (1): {name} ({state})" in err
    said = marks(capsys, run, adjust.format("Bo Lee"), code=2)
    assert "`Bo Lee`, which may be bo or cy" in said


def test_rules_of_another_lab_change_nothing(capsys, run):
    text = (
        "[labs.gpu]\ndue = 2020-01-01T00:00:00Z\n[[adjust]]\n"
        'student = "ada"\nlab = "gpu"\npoints = -9\nreason = "x"\n'
    )
    assert marks(capsys, run, text) == (
        {"ada": 80, "bo": 60, "cy": 0, "di": None},
        "",
    )


def test_a_time_without_a_zone_is_in_the_labs(capsys, tmp_path):
    local = dt.datetime(2026, 12, 1, 23, 30)
    run = run_of(tmp_path / "run", [(person("ada", submitted=local), report_of())])
    said = marks(capsys, run, due("2026-12-01T23:00:00Z"), code=2)
    assert "ada: It was submitted at 2026-12-01 23:30, which has no time zone." in said
    assert 'timezone = "Europe/Paris" in [labs.signals]' in said
    zone = 'timezone = "Europe/Paris"\n'  # 22:30 UTC
    assert marks(capsys, run, due("2026-12-01T23:00:00Z", zone))[0]["ada"] == 80
    assert marks(capsys, run, due("2026-12-01T23:00:00", zone))[0]["ada"] == 72
    zone = 'timezone = "America/New_York"\n'
    assert marks(capsys, run, due("2026-12-01T23:00:00Z", zone))[0]["ada"] == 72


def test_who_has_no_time_is_named_and_can_be_given_one(capsys, tmp_path):
    rows = [(person(name, submitted=None), report_of()) for name in ("ada", "bo", "cy")]
    run = run_of(tmp_path / "run", [*rows, (person("di", submitted=None), "a pipe")])
    text = due("2026-12-01T00:00:00Z")
    said = marks(capsys, run, text, code=2)
    assert (
        "ada: signals has a due date: when was it submitted? So it is with 2 more."
        in said
    )
    assert "[[submitted]] in the rules" in said
    told = '[[submitted]]\nstudent = "{}"\nlab = "signals"\nat = {}\n'
    text += told.format("ada", "2026-11-30T00:00:00Z")
    text += told.format("Bo", "2026-12-01T01:00:00Z")
    text += told.format("cy@example.org", "2026-12-02T01:00:00Z")
    rows, _ = marks(capsys, run, text)
    assert [rows[name] for name in ("ada", "bo", "cy", "di")] == [80, 72, 64, 0]


def test_members_of_a_group_have_marks_of_their_own(capsys, tmp_path):
    people = tuple({"name": name.title(), "login": name} for name in ("ada", "bo"))
    group = Enrolled(name="ada+bo", people=people, label="x", submitted=HANDED_IN)
    run = run_of(tmp_path / "run", [(group, report_of())])
    text = '[[adjust]]\nstudent = "bo"\nlab = "signals"\npoints = -30\nreason = "Was away"\n'
    assert marks(capsys, run, text)[0] == {"ada+bo.1": 80, "ada+bo.2": 50}
    (tmp_path / "g.csv").write_text("Username,Lab\nada,\nbo,\n")
    rules = str(tmp_path / "rules.toml")
    words = ["--gradebook", str(tmp_path / "g.csv"), "--column", "Lab"]
    words += ["-o", str(tmp_path / "out.csv"), "--rules", rules]
    assert main(["class", "report", str(run), *words]) == 0
    assert (tmp_path / "out.csv").read_text() == "Username,Lab\nada,80\nbo,50\n"
    assert main(["class", "feedback", str(run), "--rules", rules]) == 0
    for file in (run / "feedback" / "ada+bo.1").iterdir():
        assert "away" not in file.read_text()
    assert "away" in (run / "feedback" / "ada+bo.2" / "report.html").read_text()
    assert main(["class", "feedback", str(run)]) == 0
    assert [path.name for path in (run / "feedback").iterdir()] == ["ada+bo"]
    whole = text.replace('"bo"', '"ada+bo"')
    assert marks(capsys, run, whole)[0] == {"ada+bo": 50}


def test_the_gradebook_is_held_against_the_scale(capsys, run):
    (run.parent / "rules.toml").write_text("[points]\nscale_to = 20\n")
    (run.parent / "g.csv").write_text(
        "Student,ID,SIS Login ID,Section,Lab (7)\n    Points Possible,,,,20\nAda,1,ada,A,\nBo,2,bo,A,\n"
    )
    words = [
        "--gradebook",
        f"{run.parent}/g.csv",
        "--column",
        "Lab",
        "-o",
        f"{run.parent}/o.csv",
    ]
    code = main(
        ["class", "report", str(run), *words, "--rules", f"{run.parent}/rules.toml"]
    )
    assert code == 1, "cy and di are not in it"
    lines = (run.parent / "o.csv").read_text().splitlines()
    assert [line.rpartition(",")[2] for line in lines[2:]] == ["16", "12"]
    assert main(["class", "report", str(run), *words]) == 2
    assert "20 points are possible, and the lab has 100" in capsys.readouterr().err


# Time zones and summer time


@pytest.mark.parametrize(
    ("submitted", "deadline", "days"),
    [
        # Winter time, an hour east of UTC, since the morning of 25 October.
        ("2026-10-26T12:00:00", "2026-10-26T11:00:00Z", 0),
        ("2026-10-26T12:00:01", "2026-10-26T11:00:00Z", 1),
        # From 24 to 25 October at noon are 25 hours, and from 28 to 29 March 23: a day each.
        ("2026-10-25T12:00:00", "2026-10-24T12:00:00", 1),
        ("2026-10-25T12:00:01", "2026-10-24T12:00:00", 2),
        ("2026-03-29T12:00:00", "2026-03-28T12:00:00", 1),
        ("2026-03-29T12:00:01", "2026-03-28T12:00:00", 2),
        # 02:30 is there twice: the earlier one was submitted, the later one is due.
        ("2026-10-25T02:30:00", "2026-10-25T00:30:00Z", 0),
        ("2026-10-25T01:29:00Z", "2026-10-25T02:30:00", 0),
        ("2026-10-25T01:31:00Z", "2026-10-25T02:30:00", 1),
        ("2026-10-25T02:59:00", "2026-10-25T02:01:00", 0),
        # 02:30 is not there on 29 March.
        ("2026-03-29T02:30:00", "2026-03-29T00:30:00Z", 0),
        ("2026-03-29T01:30:00Z", "2026-03-29T02:30:00", 0),
    ],
)
def test_what_is_doubtful_is_taken_for_the_student(submitted, deadline, days):
    moments = [dt.datetime.fromisoformat(text) for text in (submitted, deadline)]
    found = days_late(earliest(moments[0], PARIS), latest(moments[1], PARIS), PARIS)
    assert found == days
    rules = policy.parse(
        f'[labs.{LAB}]\ndue = {deadline}\ntimezone = "Europe/Paris"\n{LATE}', "x"
    )
    marked = policy.apply(report_of(80), rules, submitted=moments[0])
    assert marked.score == 80 - 8 * days


ZONES = st.sampled_from(["UTC", "Europe/Paris", "America/New_York", "Asia/Kathmandu"])
TIMES = st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2030, 1, 1))


@given(TIMES, ZONES)
def test_what_a_local_time_can_mean(at, zone):
    first, last = earliest(at, zone_of(zone)), latest(at, zone_of(zone))
    assert dt.timedelta(0) <= last - first <= dt.timedelta(hours=1)
    # In UTC: a time that clocks skip is equal to none of another zone (PEP 495).
    known = at.replace(tzinfo=zone_of(zone)).astimezone(dt.UTC)
    assert first <= known <= last
    assert earliest(known, PARIS) == latest(known, None) == known
    assert earliest(at, None) is None


@given(TIMES, ZONES, st.integers(0, 400), st.integers(0, 86_399))
def test_days_by_the_clock_are_those_of_24_hours_but_for_one(at, zone, days, seconds):
    due = latest(at, zone_of(zone))
    submitted = due + dt.timedelta(days, seconds)
    found = days_late(submitted, due, zone_of(zone))
    assert abs(found - days_late(submitted, due)) <= 1
    assert days_late(due, due, zone_of(zone)) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("due = 2026-12-01T00:00:00\n", "has a time zone"),
        ('due = 2026-12-01T00:00:00\ntimezone = "Paris"\n', "no time zone `Paris`"),
        ('due = 2026-12-01T00:00:00\ntimezone = "../x"\n', "no time zone"),
        (
            'due = 2026-12-01T00:00:00Z\n[[extension]]\nstudent = "a"\nlab = "gpu"\ndue = 2026-12-01T00:00:00Z\nreason = "x"\n',
            "a lab that has a due date",
        ),
        (
            'due = 2026-12-01T00:00:00Z\n[[extension]]\nstudent = "a"\nlab = "signals"\ndue = 2026-12-01T00:00:00Z\nreason = ""\n',
            "has a reason",
        ),
    ],
)
def test_rules_that_make_no_sense(text, said):
    with pytest.raises(UsageError, match=said):
        policy.parse(f"[labs.{LAB}]\n{text}", "rules.toml")


def test_a_member_of_a_group_is_not_taken_for_somebody_who_is_called_so(tmp_path):
    people = ({"name": "Bo", "login": "bo"}, {"name": "Cy", "login": "cy"})
    rows = [
        (Enrolled(name="g", people=people, label="x"), report_of(80)),
        (Enrolled(name="g.1", people=({"name": "G"},), label="y"), report_of(60)),
    ]
    run = run_of(tmp_path / "run", rows)
    found = policy.parse(
        f'[[adjust]]\nstudent = "bo"\nlab = "{LAB}"\npoints = 1\nreason = "x"\n', "r"
    )
    applied = rules.apply(read_records(run), found, LAB)
    assert [record.row.name for record in applied.records] == ["g.1-", "g.2", "g.1"]
    assert [record.score for record in applied.records] == [81, 80, 60]
