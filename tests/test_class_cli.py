"""`dockdojo class` at a terminal: what is shown before anything runs, and bad input, each in a line and with its exit code."""

from __future__ import annotations

import json
import shutil

import pytest

from dockdojo.class_.journal import Enrolled, Journal
from dockdojo.class_.records import read_records
from dockdojo.cli import main
from dockdojo.model import Outcome, Report
from dockdojo.reports import json as json_report
from tests.class_exports import FILES, canvas_gradebook, canvas_zip, written, zipped


@pytest.fixture
def canvas(tmp_path):
    (tmp_path / "grades.csv").write_text(canvas_gradebook(), encoding="utf-8-sig")
    files = {"Dockerfile": b"FROM busybox\n"}
    return canvas_zip(
        tmp_path / "submissions.zip", {"ada": files, "grace": files}, late="grace"
    )


def run(capsys, *words):
    code = main(["class", *map(str, words)])
    shown = capsys.readouterr()
    assert "Traceback" not in shown.out + shown.err
    return code, shown.out, shown.err


def test_a_dry_run_tells_who_would_be_graded_with_what(capsys, canvas, tmp_path):
    code, out, _ = run(
        capsys,
        "grade",
        "signals",
        canvas,
        "--roster",
        tmp_path / "grades.csv",
        "--dry-run",
    )
    assert code == 0
    assert (
        "Lovelace, Ada (101)  ←  lovelaceada_101  (Canvas, Download Submissions)" in out
    )
    assert (
        "Hopper, Grace (103)  ←  hoppergrace_103  (Canvas, Download Submissions, late)"
        in out
    )
    assert "Nothing handed in (1): Turing, Alan (102)" in out


def test_a_dry_run_says_what_is_odd_about_a_folder(capsys, tmp_path, course):
    starter = course.starter("hello_world")
    script = (starter / "greet.sh").read_bytes()
    files = {
        "greet-1.sh": script.replace(b"\n", b"\r\n"),
        "dockerfile.txt": b"FROM busybox\n",
    }
    export = canvas_zip(tmp_path / "submissions.zip", {"ada": files})
    code, out, _ = run(capsys, "grade", "hello_world", export, "--dry-run")
    first, *notes = out.splitlines()
    assert (code, "lovelaceada_101" in first) == (0, True)
    told = "\n".join(notes)
    for words in (
        "`greet-1.sh` is `greet.sh` again",
        "dockerfile.txt",
        "CR and LF",
    ):
        assert words in told, told


def test_whoever_is_on_no_roster_is_named(capsys, canvas, tmp_path):
    (tmp_path / "r.csv").write_text("id,Email\nada,ada@example.org\n")
    code, out, _ = run(
        capsys, "grade", "signals", canvas, "--roster", tmp_path / "r.csv", "--dry-run"
    )
    assert code == 1
    assert (
        "Nobody's: `lovelaceada_101`, nobody on the roster has the Canvas user id `101`."
        in out
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("nothing", "x", "--dry-run"), 2, "no lab `nothing`"),
        (("signals", "--dry-run"), 2, "Nothing is named"),
        (("signals", "x", "--dry-run"), 2, "There is no x"),
        (("signals", "x"), 2, "Where shall the results go?"),
        (("signals", "odd.zip", "--dry-run"), 2, "no service"),
        (("signals", "bad.zip", "--dry-run"), 1, "outside of itself"),
        (("signals", "none.zip", "--dry-run"), 1, "no zip archive"),
        (
            ("signals", "class", "--roster", "none.csv", "--dry-run"),
            2,
            "cannot be read",
        ),
        (
            ("signals", "class", "--roster", "odd.csv", "--dry-run"),
            2,
            "no column tells who",
        ),
        (("signals", "class", "--layout", "canvas2", "--dry-run"), 2, "canvas2"),
    ],
)
def test_bad_input_is_a_line(capsys, tmp_path, monkeypatch, words, code, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd.zip").write_bytes(zipped({"a/b": b"", "c": b""}))
    (tmp_path / "bad.zip").write_bytes(zipped({"../x": b""}))
    (tmp_path / "none.zip").write_bytes(b"PK")
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n")
    written(tmp_path / "class" / "ada", FILES)
    found, out, err = run(capsys, "grade", *words)
    assert (found, said in out + err) == (code, True), out + err
    assert not out
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "bad.zip",
        "class",
        "none.zip",
        "odd.csv",
        "odd.zip",
    ]


def test_where_a_run_is(capsys, tmp_path):
    assert run(capsys, "status", tmp_path)[0] == 2
    with Journal(tmp_path, "signals") as journal:
        journal.enroll(
            [
                Enrolled(name="ada", people=({"name": "Ada"},), label="x"),
                Enrolled(name="bo", people=({"name": "Bo"},)),
            ]
        )
        for _ in range(3):
            journal.fault("ada", journal.begin("ada"), "no space left")
        code, out, _ = run(capsys, "status", tmp_path)  # while it goes on
    assert code == 0
    assert "not final      1  ada" in out
    assert "missing        1  bo" in out
    assert "ada: no space left" in out
    assert '"reason": "no space left"' in run(capsys, "status", tmp_path, "--json")[1]


def graded(folder):
    """A run in which ada has 3 of 10, bo is not final, cy handed nothing in, and di may not be graded."""
    outcomes = tuple(
        Outcome(check=name, title=name, status=status, points=points)
        for name, status, points in (("a", "passed", 3), ("b", "failed", 7))
    )
    report = Report(
        lab="signals", title="x", outcomes=outcomes, started="", seconds=0.0
    )
    with Journal(folder, "signals") as journal:
        rows = [
            Enrolled(
                name=name, people=({"name": name.title(), "login": name},), label=name
            )
            for name in ("ada", "bo", "di")
        ]
        cy = Enrolled(name="cy", people=({"name": "=Cy", "login": "cy"},))
        journal.enroll([*rows, cy])
        journal.finish(
            "ada", journal.begin("ada"), json_report.render(report).encode(), {}
        )
        for _ in range(3):
            journal.fault("bo", journal.begin("bo"), "no space left")
        journal.finish("di", journal.begin("di"), b"", {}, refused="a named pipe")


def test_the_marks_as_a_table(capsys, tmp_path):
    graded(tmp_path)
    code, out, err = run(capsys, "report", tmp_path)
    assert out.splitlines() == [
        "row,name,login,state,score,max_score,reason",
        "ada,Ada,ada,done,3,10,",
        "bo,Bo,bo,not final,,,no space left",
        "di,Di,di,refused,0,,a named pipe",
        "cy,'=Cy,cy,missing,,,",
    ]
    assert (code, err) == (1, "Not final (1): bo\n")


def test_the_gradebook_comes_back_filled_in(capsys, tmp_path):
    graded(tmp_path)
    (tmp_path / "g.csv").write_text("Username;Lab (7)\r\nada;\r\ndi;\r\ncy;\r\n")
    words = (
        "--gradebook",
        tmp_path / "g.csv",
        "--column",
        "7",
        "-o",
        tmp_path / "out.csv",
    )
    code, _, err = run(capsys, "report", tmp_path, *words)
    assert (
        tmp_path / "out.csv"
    ).read_bytes() == b"Username;Lab (7)\r\nada;3\r\ndi;0\r\ncy;\r\n"
    assert code == 1
    assert "Not in the gradebook (1): Bo" in err
    assert run(capsys, "report", tmp_path, "--gradebook", tmp_path / "g.csv")[0] == 2


def report(**statuses):
    outcomes = tuple(
        Outcome(check=name, title=name, status=status, points=5)
        for name, status in statuses.items()
    )
    raw = json_report.render(
        Report(lab="signals", title="x", outcomes=outcomes, started="", seconds=0.0)
    )
    return raw.encode()


@pytest.fixture
def regraded(tmp_path):
    """A run in which ada's mark changed with the grader, bo's did not, and cy was refused at first."""
    with Journal(tmp_path, "signals") as journal:
        ids = [("ada", "Ada Lovelace"), ("bo", "Bo"), ("cy", "Bo")]
        journal.enroll(
            Enrolled(name=name, people=({"name": full},), label=name)
            for name, full in ids
        )
        once = report(kill="passed", stop="failed")
        again = report(kill="passed", stop="passed")
        for name, first, second in (
            ("ada", once, again),
            ("bo", once, once),
            ("cy", b"", again),
        ):
            refused = "" if first else "a named pipe"
            before, now = ({"submission": "1", "grader": grader} for grader in "12")
            journal.finish(name, journal.begin(name), first, before, refused=refused)
            journal.wait(name)
            journal.finish(name, journal.begin(name), second, now)
    return tmp_path


def test_what_a_regrade_changed_and_both_reports_stay(capsys, regraded):
    code, out, _ = run(capsys, "diff", regraded)
    assert code == 1
    assert out.splitlines() == [
        "ada  (what had changed: the grader)",
        "  mark  5/10  →  10/10",
        "  stop  failed 0/5  →  passed 5/5",
        "cy  (what had changed: the grader)",
        "  mark  refused  →  10/10",
        "  kill  –  →  passed 5/5",
        "  stop  –  →  passed 5/5",
        "As before (1): bo",
    ]
    told = json.loads(run(capsys, "diff", regraded, "--json")[1])
    assert [one["name"] for one in told] == ["ada", "bo", "cy"]
    assert told[0]["changes"][0] == {"check": None, "old": "5/10", "new": "10/10"}
    assert len(list((regraded / "reports").iterdir())) == 3


def test_why_it_was_graded_again(capsys, regraded):
    code, out, _ = run(capsys, "why", regraded, "Ada Lovelace")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "ada: done"
    assert lines[1].startswith("  attempt 1, ")
    assert lines[1].endswith(" UTC, 5/10")
    assert lines[2].endswith(" UTC, 10/10; what had changed: the grader")
    assert lines[3].startswith("Graded now, it would be because of the lab's lab.toml,")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("why", "eve"), "Nobody of the class is called `eve`"),
        (("why", "Bo"), "`Bo` may be bo or cy"),
        (("regrade", "ada"), "does not say what was graded"),
    ],
)
def test_who_is_not_meant_is_a_line(capsys, regraded, words, said):
    command, *rest = words
    code, out, err = run(capsys, command, regraded, *rest)
    assert (code, out) == (2, "")
    assert said in err


def test_one_check_is_graded_again_and_the_rest_stays(
    capsys, real_engine, tmp_path, course
):
    for name in ("ada", "bo"):
        shutil.copytree(course.solution("hello_world"), tmp_path / "class" / name)
    (tmp_path / "class" / "bo" / "Dockerfile").write_text("FROM busybox\n")
    folder = tmp_path / "run"
    assert (
        run(capsys, "grade", "hello_world", tmp_path / "class", "--to", folder)[0] == 0
    )
    first = {record.row.name: record for record in read_records(folder)}
    code, out, _ = run(capsys, "regrade", folder, "ada", "--check", "greets")
    assert (code, out) == (0, "✓ 1/1    100/100  ada\n")
    again = {record.row.name: record for record in read_records(folder)}
    assert again["bo"] == first["bo"]
    assert again["ada"].row.depends == first["ada"].row.depends
    assert (
        "`greets`, with what hangs on it, was graded again"
        in again["ada"].report.notes[-1]
    )
    assert run(capsys, "diff", folder)[1] == "As before (1): ada\n"
    code, _, err = run(capsys, "regrade", folder, "--check", "greet")
    assert (code, "Did you mean `greets`?" in err) == (2, True)
    code, out, _ = run(
        capsys, "grade", "hello_world", tmp_path / "class", "--to", folder
    )
    assert [line[0] for line in out.splitlines()] == ["=", "="]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--format", "canvas"), "fills in a Canvas gradebook"),
        (("--format", "canvas", "--gradebook", "g.csv", "-o", "o"), "is not a Canvas"),
        (("--format", "json", "--gradebook", "g.csv"), "goes without --gradebook"),
        (("--gradebook", "g.csv"), "needs -o"),
        (("--gradebook", "g.csv", "-o", "o"), "Which column of g.csv"),
        (
            (
                "--gradebook",
                "g.csv",
                "-o",
                "o",
                "--column",
                "Lab",
                "--feedback-column",
                "x",
            ),
            "no column `x`",
        ),
        (("--gradebook", "none.csv", "-o", "o"), "cannot be read"),
        (
            ("--gradebook", "g.csv", "--column", "Lab", "-o", "no/o"),
            "cannot be written",
        ),
        (("--rules", "none.toml"), "cannot be read"),
    ],
)
def test_what_cannot_be_filled_in_is_a_line(capsys, tmp_path, monkeypatch, words, said):
    graded(tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "g.csv").write_text("Username,Lab\nada,\n")
    code, out, err = run(capsys, "report", tmp_path / "run", *words)
    assert (code, out, said in err) == (2, "", True), err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "o").exists()
