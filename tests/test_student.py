"""What a workspace remembers, how it begins anew, and when the solution is shown."""

from __future__ import annotations

import pytest
from rich.console import Console

from dockerlab import student
from dockerlab.cli import main, show
from dockerlab.errors import UsageError
from dockerlab.model import Feedback, Outcome, Report, Where

LAB = "hello_world"


def report(*statuses, **feedback):
    outcomes = tuple(
        Outcome(check=f"c{number}", title="t", status=status, points=10, feedback=feedback.get(f"c{number}"))
        for number, status in enumerate(statuses)
    )
    return Report(
        lab=LAB, title="Hello", outcomes=outcomes, started=f"2026-01-0{len(statuses)}T00:00:00+00:00", seconds=1
    )


@pytest.fixture
def workspace(course, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return student.start(course, LAB, tmp_path / LAB)


def test_what_passed_is_kept_with_its_first_time(workspace):
    notes = student.read_notes(workspace)
    student.remember(notes, report("passed", "failed"))
    student.remember(notes, report("failed", "passed", "failed"))
    assert (notes.score, notes.max_score, notes.solved) == (10, 30, False)
    assert notes.passed == {"c0": "2026-01-02T00:00:00+00:00", "c1": "2026-01-03T00:00:00+00:00"}
    student.remember(notes, report("passed", "passed", "passed"))
    assert notes.solved
    student.remember(notes, report("passed", "failed", "failed"))
    assert notes.score == 30, "the best is kept"
    student.write_notes(workspace, notes)
    assert student.read_notes(workspace).passed == notes.passed


def test_list_shows_it(workspace, capsys):
    assert main(["list"]) == 0
    assert "begun" in capsys.readouterr().out
    notes = student.read_notes(workspace)
    student.remember(notes, report("passed", "failed"))
    notes.hints["c1"] = 2
    student.write_notes(workspace, notes)
    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    assert "10 of 20 points, 2 hint(s)" in shown
    assert shown.count("█") == 10


def test_reset_brings_the_starter_back_and_loses_nothing(course, workspace, capsys):
    (workspace / "greet.sh").write_text("mine")
    (workspace / "extra").mkdir()
    (workspace / "extra" / "file").write_text("mine, too")
    for number in (1, 2):
        assert main(["reset", LAB, str(workspace)]) == 0
        aside = workspace.with_name(f"{LAB}.old-{number}")
        assert str(aside) in capsys.readouterr().out
    first = workspace.with_name(f"{LAB}.old-1")
    assert (first / "greet.sh").read_text() == "mine"
    assert (first / "extra" / "file").read_text() == "mine, too"
    assert (workspace / "greet.sh").read_text() == (course.starter(LAB) / "greet.sh").read_text()
    assert not (workspace / "extra").exists()
    assert student.read_notes(workspace).lab == LAB


def test_reset_touches_no_other_folder(tmp_path, capsys):
    (tmp_path / "precious").write_text("x")
    assert main(["reset", LAB, str(tmp_path)]) == 2
    assert (tmp_path / "precious").read_text() == "x"


def test_the_solution_is_shown_after_full_marks_only(course, workspace, capsys):
    assert main(["solution", LAB, str(workspace)]) == 2
    notes = student.read_notes(workspace)
    student.remember(notes, report("passed", "failed"))
    student.write_notes(workspace, notes)
    assert main(["solution", LAB, str(workspace)]) == 2
    assert "10 of 20 points" in capsys.readouterr().err
    student.remember(notes, report("passed", "passed"))
    student.write_notes(workspace, notes)
    assert main(["solution", LAB, str(workspace)]) == 0
    copy = workspace.with_name(f"{LAB}.solution")
    assert (copy / "Dockerfile").read_text() == (course.solution(LAB) / "Dockerfile").read_text()
    with pytest.raises(UsageError, match="there already"):
        student.solution(course, LAB, workspace)


def test_a_course_without_solutions_says_so(make_course, tmp_path):
    bare = make_course("@check(points=100)\ndef test_a():\n    '''A.'''\n")
    folder = student.start(bare, "sample", tmp_path / "w")
    with pytest.raises(UsageError, match="without its solutions"):
        student.solution(bare, "sample", folder)


VAGUE, PLACED = Feedback(observed="something is wrong"), Feedback(
    observed="this line is wrong", where=Where(file="Dockerfile", line=3)
)
LATER = report(
    "failed",
    "error",
    "failed",
    "skipped",
    c0=VAGUE,
    c1=Feedback(observed="gone"),
    c2=PLACED,
    c3=Feedback(why="It needs the check `c0`"),
)


def shown(*, terminal):
    out = Console(
        force_terminal=terminal,
        width=100,
        highlight=False,
        soft_wrap=True,
        no_color=True,
        theme=show.THEME,
        record=True,
    )
    show.feedback(out, LATER)
    return out.export_text()


def test_a_terminal_gets_the_most_useful_failure_whole_and_a_line_for_the_others(capsys):
    text = shown(terminal=True)
    assert (
        text.index("this line is wrong") < text.index("Then:") < text.index("something is wrong") < text.index("gone")
    )
    assert "observed: this line is wrong" in " ".join(text.split())
    assert "observed: something" not in " ".join(text.split())


def test_a_pipe_gets_everything_in_order(capsys):
    text = " ".join(shown(terminal=False).split())
    assert "Then:" not in text
    assert text.index("observed: something is wrong") < text.index("observed: gone") < text.index("observed: this line")


def test_some_checks_alone_give_no_score(workspace):
    notes = student.read_notes(workspace)
    student.remember(notes, report("passed", "failed", "failed"))
    student.remember(notes, report("passed"), whole=False)
    assert (notes.score, notes.max_score, notes.solved) == (10, 30, False)
