"""Feedback: everybody's own report and nothing of another one's; comments by hand; archives that services take back."""

from __future__ import annotations

import json
import re
import stat
import zipfile
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from dockdojo.class_.journal import Enrolled, Journal
from dockdojo.cli import main
from dockdojo.model import Advice, Feedback, Outcome
from dockdojo.reports import json as json_report
from tests.class_exports import canvas_zip
from tests.class_runs import LAB, report_of, run_of

HIDDEN = Outcome(
    check="secret_check",
    title="A hidden sentence",
    status="failed",
    points=20,
    hidden=True,
    feedback=Feedback(observed="hidden words"),
)
SCHEMA = json.loads(json_report.SCHEMA_FILE.read_text())
PEOPLE = {
    "ada": {
        "name": "Lovelace, Ada",
        "canvas": "101",
        "login": "ada",
        "participant": "70",
    },
    "bo": {"name": "Bo Lee", "canvas": "102", "login": "bo", "participant": "71"},
    "cy": {"name": "Cy Day", "canvas": "103", "login": "cy", "participant": "72"},
    "di": {"name": "Di Moe", "canvas": "104", "login": "di", "participant": "73"},
}
LABELS = {"ada": "Ada Lovelace_70", "bo": "Bo Lee_71", "cy": "Cy Day_72", "di": ""}


def enrolled(name):
    return Enrolled(name=name, people=(PEOPLE[name],), label=LABELS[name])


@pytest.fixture
def run(tmp_path):
    """ada has a report with a hidden check, bo's is not final, cy's may not be graded, di handed nothing in."""
    whole = report_of(60)
    graded = replace(whole, outcomes=(*whole.outcomes, HIDDEN))
    found = {"ada": graded, "bo": None, "cy": "`pipe` is a named pipe.", "di": None}
    return run_of(tmp_path / "run", [(enrolled(name), found[name]) for name in PEOPLE])


def call(capsys, *words):
    code = main(["class", *map(str, words)])
    shown = capsys.readouterr()
    assert "Traceback" not in shown.out + shown.err
    return code, shown.out, shown.err


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def plain(text):
    return re.sub(r"&#(\d+);", lambda match: chr(int(match[1])), text)


def test_everybody_has_their_own_report_without_hidden_checks(capsys, run):
    code, _, err = call(capsys, "feedback", run)
    assert code == 1
    assert "9 files written, 0 as they were." in err
    assert "Not final (1): bo" in err
    found = files(run / "feedback")
    assert list(found) == [
        f"{name}/report.{ending}"
        for name in ("ada", "bo", "cy")
        for ending in ("html", "json", "md")
    ]
    for path, text in found.items():
        assert "secret_check" not in text
        assert "hidden words" not in text
        others = [other for name, other in LABELS.items() if path[:2] != name[:2]]
        assert not any(other and other[:-3] in text for other in others)
    document = json.loads(found["ada/report.json"])
    jsonschema.validate(document, SCHEMA)
    assert json_report.parse(found["ada/report.json"]).score == 60
    for ending in ("html", "md"):
        assert "1 hidden check counts" in plain(found[f"ada/report.{ending}"])
        assert "no fault of yours" in plain(found[f"bo/report.{ending}"])
        assert "no space left" not in found[f"bo/report.{ending}"]
        assert not re.search(r"\d points", found[f"bo/report.{ending}"])
        assert "named pipe" in plain(found[f"cy/report.{ending}"])
    assert json.loads(found["bo/report.json"])["score"] is None
    assert json.loads(found["cy/report.json"])["score"] == 0


def test_only_what_changed_is_written_and_what_is_gone_is_removed(capsys, run):
    call(capsys, "feedback", run)
    place = run / "feedback"
    times = {path: path.stat().st_mtime_ns for path in place.rglob("report.*")}
    inodes = {path: path.stat().st_ino for path in times}
    (place / "ada" / "mine.txt").write_text("kept")
    (place / "ada" / "report.md").write_text("changed by somebody")
    assert "1 files written, 8 as they were." in call(capsys, "feedback", run)[2]
    again = {path: path.stat().st_ino for path in times}
    assert [path.name for path in times if again[path] != inodes[path]] == ["report.md"]
    with Journal(run, LAB) as journal:
        journal.enroll([replace(enrolled(name), label="") for name in PEOPLE])
    # Who was graded keeps it, also where an export has nothing of them; of who was not, nothing is left.
    assert "6 as they were, 3 removed" in call(capsys, "feedback", run)[2]
    assert {path.partition("/")[0] for path in files(place)} == {"ada", "cy"}
    assert "ada/mine.txt" in files(place)


def test_a_place_that_cannot_be_written_is_a_line(capsys, run):
    (run / "feedback").write_text("in the way")
    code, _, err = call(capsys, "feedback", run)
    assert (code, "cannot be written: file exists" in err) == (3, True)


# Comments by hand


def test_comments_stay_when_something_is_graded_again(capsys, run):
    assert call(capsys, "comment", run, "101", "Well done,\n<b>Ada</b>")[0] == 0
    assert call(capsys, "comment", run, "Bo Lee", "We look at it")[0] == 0
    with Journal(run, LAB) as journal:
        journal.enroll([enrolled(name) for name in PEOPLE])
        journal.wait("ada")
        raw = json_report.render(report_of(90)).encode()
        journal.finish("ada", journal.begin("ada"), raw, {})
    call(capsys, "feedback", run)
    found = files(run / "feedback")
    assert json.loads(found["ada/report.json"])["comments"] == [
        "Well done,\n<b>Ada</b>"
    ]
    assert json.loads(found["ada/report.json"])["score"] == 90
    assert "&lt;b&gt;Ada&lt;/b&gt;" in found["ada/report.html"]
    assert "<b>" not in found["ada/report.html"] + found["ada/report.md"]
    for ending in ("html", "md", "json"):
        assert "We look at it" in found[f"bo/report.{ending}"]
        assert "We look" not in found[f"ada/report.{ending}"]
    _, out, _ = call(capsys, "comment", run)
    assert re.findall(r"^ +(\d+)  .{16}  (\w+): (.+)", out, re.MULTILINE) == [
        ("1", "ada", "Well done, <b>Ada</b>"),
        ("2", "bo", "We look at it"),
    ]
    assert "ada" not in call(capsys, "comment", run, "bo")[1]


def test_comments_are_removed_by_their_number(capsys, run):
    for text in ("one", "two"):
        call(capsys, "comment", run, "ada", text)
    assert call(capsys, "comment", run, "bo", "--remove", 1)[0] == 2
    assert call(capsys, "comment", run, "ada", "--remove", 1)[0] == 0
    call(capsys, "comment", run, "ada", "three")
    assert re.findall(r"^ +(\d+)", call(capsys, "comment", run)[1], re.MULTILINE) == [
        "2",
        "3",
    ]
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["what"] for line in log[-4:]] == [
        "comment",
        "comment",
        "comment removed",
        "comment",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("eve", "x"), "Nobody of the class is called `eve`"),
        (("ada", " "), "is empty"),
        (("ada", "x" * 10_001), "10,001 characters"),
        (("ada", "x", "--remove", "1"), "either written or removed"),
    ],
)
def test_comments_that_make_no_sense(capsys, run, words, said):
    code, out, err = call(capsys, "comment", run, *words)
    assert (code, out, said in err) == (2, "", True), err


def test_two_of_one_name_are_named(capsys, tmp_path):
    rows = [
        (Enrolled(name=name, people=({"name": "Bo", "login": name},), label="x"), "no")
        for name in ("b1", "b2")
    ]
    run = run_of(tmp_path / "run", rows)
    code, _, err = call(capsys, "comment", run, "bo", "x")
    assert (code, "`bo` may be b1 or b2." in err) == (2, True)


def test_a_run_in_use_and_one_without_comments(capsys, run):
    with Journal(run, LAB) as journal:
        code, _, err = call(capsys, "comment", run, "ada", "x")
        assert (code, "Another process works on" in err) == (2, True)
        assert call(capsys, "comment", run)[:2] == (0, "")  # can be read meanwhile
        with journal.transaction() as database:
            database.execute("DROP TABLE comments")  # as in a run of before
    assert call(capsys, "comment", run)[:2] == (0, "")
    assert call(capsys, "comment", run, "ada", "x")[0] == 0
    assert call(capsys, "comment", run / "reports", "ada", "x")[0] == 2


def test_moodles_worksheet_has_comments_and_nothing_hidden(capsys, run):
    call(capsys, "comment", run, "ada", "Well done")
    (run.parent / "w.csv").write_text(
        "Identifier,Full name,Email address,Status,Grade,Feedback comments\n"
        + "".join(
            f"Participant {ids['participant']},{login},{login}@example.org,Submitted,,\n"
            for login, ids in PEOPLE.items()
        )
    )
    out = run.parent / "out.csv"
    words = ("--format", "moodle", "--gradebook", run.parent / "w.csv", "-o", out)
    assert call(capsys, "report", run, *words)[0] == 1
    assert out.read_text().splitlines()[1:] == [
        "Participant 70,ada,ada@example.org,Submitted,60,Not passed: reaps. Well done",
        "Participant 71,bo,bo@example.org,Submitted,,",
        "Participant 72,cy,cy@example.org,Submitted,0,"
        '"It may not be graded as it is, and has 0 points. `pipe` is a named pipe."',
        "Participant 73,di,di@example.org,Submitted,,",
    ]


# For whoever grades by hand


@pytest.fixture
def telling(tmp_path):
    """Reports in which students say who they are, in every place that a submission has a say in."""
    rows = []
    for login in ("ada", "bo"):
        ids = PEOPLE[login] | {"email": f"{login}.x@example.org"}
        row = Enrolled(name=login, people=(ids,), label=LABELS[login])
        name = ids["name"]
        says = Feedback(
            observed=f"Hello, I am {name.upper()}.",
            detail=f"/home/{login}/app by {login}.x@example.org\n{name.split()[-1]}",
            why=f"user {ids['canvas']}",
        )
        whole = report_of()
        outcomes = (
            *whole.outcomes,
            Outcome(
                check="says", title="It says", status="failed", points=5, feedback=says
            ),
        )
        advice = Advice(
            file=f"{name}.txt",
            line=1,
            code="X",
            level="info",
            text=f"MAINTAINER {name}",
        )
        found = replace(
            whole,
            outcomes=outcomes,
            notes=(f"A note on {name}",),
            advice=(advice,),
            sources={f"{name}.txt": f"MAINTAINER {name} <{login}.x@example.org>\n"},
            checksum="ab" * 32,
            seed="77",
        )
        rows.append((row, found))
    rows.append((enrolled("cy"), "`Cy Day.pipe` is a named pipe."))
    return run_of(tmp_path / "run", rows)


def test_anonymous_reports_tell_nobodys_name(capsys, telling):
    call(capsys, "comment", telling, "ada", "Ask Lovelace about it")
    key = telling.parent / "key.csv"
    assert call(capsys, "feedback", telling, "--anonymous", "--key", key)[0] == 0
    found = files(telling / "feedback-anonymous")
    assert len(found) == 9
    assert not (telling / "feedback").exists()
    for path, text in found.items():
        assert re.match(r"\d{8}/", path)
        bare = plain(re.sub("<style>.*</style>", "", text, flags=re.DOTALL))
        for word in (
            "lovelace",
            "ada",
            "bo lee",
            "cy day",
            "example.org",
            "101",
            "10:11",
        ):
            assert not re.search(rf"(?<!\w){word}(?!\w)", bare, re.IGNORECASE), path
        assert "ab" * 32 not in bare
    assert sum("Ask […] about it" in plain(text) for text in found.values()) == 2 + 1
    rows = [line.split(",") for line in key.read_text().splitlines()]
    assert sorted(row[1] for row in rows[1:]) == ["ada", "bo", "cy"]
    assert {row[0] for row in rows[1:]} == {path.split("/")[0] for path in found}
    for path in (key, telling / "anonymous.secret"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_numbers_stay_and_are_drawn_by_each_runs_own_secret(capsys, telling):
    place = telling / "feedback-anonymous"
    call(capsys, "feedback", telling, "--anonymous")
    before = sorted(path.name for path in place.iterdir())
    with Journal(telling, LAB) as journal:
        journal.enroll([replace(enrolled("di"), label="x")])
    call(capsys, "feedback", telling, "--anonymous")
    after = sorted(path.name for path in place.iterdir())
    assert len(after) == 4
    assert set(before) < set(after)
    (telling / "anonymous.secret").unlink()
    call(capsys, "feedback", telling, "--anonymous")
    assert not set(before) & {path.name for path in place.iterdir()}
    (telling / "anonymous.secret").write_bytes(b"x")
    assert call(capsys, "feedback", telling, "--anonymous")[0] == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--anonymous", "--rules", "x"), "without --rules"),
        (("--anonymous", "--zip", "moodle", "-o", "x"), "without --zip"),
        (("--key", "x"), "--key goes with --anonymous"),
        (("--zip", "moodle"), "-o, the archive to write, go together"),
        (("-o", "x"), "go together"),
        (("--zip", "canvas", "-o", "x"), "--export, the archive that Canvas gave"),
        (("--zip", "moodle", "-o", "x", "--export", "x"), "go together"),
    ],
)
def test_options_that_do_not_go_together(capsys, run, words, said):
    code, _, err = call(capsys, "feedback", run, *words)
    assert (code, said in err) == (2, True), err


# Archives that services take back


def test_an_archive_for_moodle(capsys, run):
    out = run.parent / "feedback.zip"
    code, _, err = call(capsys, "feedback", run, "--zip", "moodle", "-o", out)
    assert (code, f"3 reports are in {out}." in err) == (1, True)
    with zipfile.ZipFile(out) as archive:
        names = archive.namelist()
        assert "1 hidden check counts" in archive.read(names[0]).decode()
    assert names == [
        "Ada Lovelace_70_assignsubmission_file_report.html",
        "Bo Lee_71_assignsubmission_file_report.html",
        "Cy Day_72_assignsubmission_file_report.html",
    ]
    for name in names:  # as Moodle's importer cuts them
        _, participant, kind, plugin, file = name.split("_", 4)
        assert participant.isdigit()
        assert (kind, plugin, file) == ("assignsubmission", "file", "report.html")
    first = out.read_bytes()
    call(capsys, "feedback", run, "--zip", "moodle", "-o", out)
    assert out.read_bytes() == first


def test_who_has_no_place_in_an_archive_is_named(capsys, tmp_path):
    rows = [(Enrolled(name="ada", people=({"login": "ada"},), label="ada"), "no")]
    run = run_of(tmp_path / "run", rows)
    words = ("--zip", "moodle", "-o", tmp_path / "out.zip")
    code, _, err = call(capsys, "feedback", run, *words)
    assert (code, "No place in the archive (1): ada" in err) == (1, True)


def test_an_archive_for_canvas(capsys, tmp_path):
    people = {"ada": "101", "grace": "103", "eve": "666"}
    rows = [
        (Enrolled(name=name, people=({"canvas": number},), label=name), report_of())
        for name, number in people.items()
    ]
    run = run_of(tmp_path / "run", rows)
    given = {"Dockerfile": b"FROM busybox\n", "app.sh": b"echo hi\n"}
    export = canvas_zip(
        tmp_path / "submissions.zip", {"ada": given, "grace": given}, late="grace"
    )
    out = tmp_path / "out.zip"
    words = ("--zip", "canvas", "--export", export, "-o", out)
    code, _, err = call(capsys, "feedback", run, *words)
    assert (code, "No place in the archive (1): eve" in err) == (1, True)
    with zipfile.ZipFile(out) as archive:
        names = archive.namelist()
        assert all("80 of 100 points" in archive.read(name).decode() for name in names)
    with zipfile.ZipFile(export) as archive:
        assert set(names) < set(archive.namelist())
    assert [name.split("_")[0] for name in names] == ["hoppergrace", "lovelaceada"]
    (tmp_path / "other").mkdir()
    Path(tmp_path / "other" / "x.txt").write_text("x")
    words = ("--zip", "canvas", "--export", tmp_path / "other", "-o", out)
    assert call(capsys, "feedback", run, *words)[0] == 2


def test_json_of_rules_comments_and_hidden_checks_is_what_the_schema_says(capsys, run):
    call(capsys, "comment", run, "ada", "Well done")
    (run.parent / "rules.toml").write_text(
        "[points]\nmost = 50\nscale_to = 10\n[[adjust]]\n"
        'student = "ada"\nlab = "signals"\npoints = -5\nreason = "x"\n'
    )
    call(capsys, "feedback", run, "--rules", run.parent / "rules.toml")
    document = json.loads((run / "feedback" / "ada" / "report.json").read_text())
    jsonschema.validate(document, SCHEMA)
    names = [check["name"] for check in document["checks"]]
    assert names[2:] == ["(hidden)", "(by hand)", "(scaled)"]
