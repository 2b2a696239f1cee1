"""What a workspace remembers, how it begins anew, and when the solution is shown."""

from __future__ import annotations

import dataclasses

import pytest
from rich.console import Console

from dockdojo.cli import main, show
from dockdojo.commands import student
from dockdojo.errors import UsageError
from dockdojo.model import Feedback, Outcome, Report, Where
from dockdojo.reports import text
from dockdojo.reports.priority import most_useful_first

LAB = "hello_world"


def report(*statuses, **feedback):
    outcomes = tuple(
        Outcome(
            check=f"c{number}",
            title="t",
            status=status,
            points=10,
            feedback=feedback.get(f"c{number}"),
        )
        for number, status in enumerate(statuses)
    )
    return Report(
        lab=LAB,
        title="Hello",
        outcomes=outcomes,
        started=f"2026-01-0{len(statuses)}T00:00:00+00:00",
        seconds=1,
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
    assert notes.passed == {
        "c0": "2026-01-02T00:00:00+00:00",
        "c1": "2026-01-03T00:00:00+00:00",
    }
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
    assert (workspace / "greet.sh").read_text() == (
        course.starter(LAB) / "greet.sh"
    ).read_text()
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
    assert (copy / "Dockerfile").read_text() == (
        course.solution(LAB) / "Dockerfile"
    ).read_text()
    with pytest.raises(UsageError, match="there already"):
        student.solution(course, LAB, workspace)


def test_a_course_without_solutions_says_so(make_course, tmp_path):
    bare = make_course("@check(points=100)\ndef test_a():\n    '''A.'''\n")
    folder = student.start(bare, "sample", tmp_path / "w")
    with pytest.raises(UsageError, match="without its solutions"):
        student.solution(bare, "sample", folder)


def deciding(given, check, decided_by):
    """The report with that check decided by another one."""
    return dataclasses.replace(
        given,
        outcomes=tuple(
            dataclasses.replace(
                outcome, decided_by=decided_by if outcome.check == check else ""
            )
            for outcome in given.outcomes
        ),
    )


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
LATER = deciding(LATER, "c3", "c0")


def shown(*, terminal, width=100):
    out = Console(
        force_terminal=terminal,
        width=width,
        highlight=False,
        soft_wrap=True,
        no_color=True,
        theme=show.THEME,
        record=True,
    )
    show.feedback(out, LATER)
    return out.export_text()


def test_a_terminal_gets_the_most_useful_failure_whole_and_a_line_for_the_others(
    capsys,
):
    told = shown(terminal=True)
    assert (
        told.index("something is wrong")
        < told.index("Then:")
        < told.index("this line is wrong")
        < told.index("gone")
    )
    assert "observed: something is wrong" in " ".join(told.split())
    assert "observed: this line" not in " ".join(told.split())


@pytest.mark.parametrize(
    "why",
    [
        "It needs the check `c1`, which did not pass.",
        "It is the same as at `c1`: see above.",
    ],
)
def test_the_first_that_is_shown_is_what_others_hang_on_in_the_order_of_the_tasks(why):
    given = report(
        "failed",
        "failed",
        "failed",
        "skipped" if "needs" in why else "failed",
        c0=VAGUE,
        c1=VAGUE,
        c2=PLACED,
        c3=Feedback(why=why),
    )
    given = deciding(given, "c3", "c1")
    assert [
        one.check for one in most_useful_first(list(given.outcomes[:3]), given)
    ] == ["c1", "c0", "c2"]
    free = dataclasses.replace(given, outcomes=given.outcomes[:3])
    assert [one.check for one in most_useful_first(list(free.outcomes), free)] == [
        "c0",
        "c1",
        "c2",
    ]


def test_a_pipe_gets_everything_in_order(capsys):
    told = " ".join(shown(terminal=False).split())
    assert "Then:" not in told
    assert (
        told.index("observed: something is wrong")
        < told.index("observed: gone")
        < told.index("observed: this line")
    )


def test_some_checks_alone_give_no_score(workspace):
    notes = student.read_notes(workspace)
    student.remember(notes, report("passed", "failed", "failed"))
    student.remember(notes, report("passed"), whole=False)
    assert (notes.score, notes.max_score, notes.solved) == (10, 30, False)


def test_on_sixty_columns_lines_are_wrapped_or_cut_with_a_sign():
    long = "a sentence that goes on and on, longer than any terminal of sixty columns is wide"
    given = report(
        "failed",
        "failed",
        "passed",
        c0=Feedback(observed=long, detail="x" * 90),
        c1=Feedback(observed=long),
    )
    given = dataclasses.replace(given, notes=(long,), problem="")
    out = Console(
        force_terminal=True,
        width=60,
        highlight=False,
        soft_wrap=True,
        theme=show.THEME,
        record=True,
    )
    show.feedback(out, given)
    lines = out.export_text().splitlines()
    lines += text.headline(
        dataclasses.replace(given.outcomes[0], title=long), 60
    ).splitlines()
    assert max(map(len, lines)) <= 60
    told = " ".join(" ".join(lines).split())
    assert told.count("sixty columns is wide") == 3  # observed, note, headline
    assert "x…" in told
    (other,) = [line for line in lines if line.startswith("  ✗ c1:")]
    assert other.endswith("…")


def test_a_report_of_some_checks_is_one_of_all_where_the_others_are_known(
    course, workspace, monkeypatch
):
    first = report("passed", "failed", "failed")
    again = dataclasses.replace(
        first, outcomes=(dataclasses.replace(first.outcomes[1], status="passed"),)
    )
    graded = iter([first, again])
    monkeypatch.setattr(student, "grade", lambda *words, **named: next(graded))
    before = student.check(course, LAB, workspace)
    merged = student.check(course, LAB, workspace, only=["c1"], before=before)
    assert [one.status for one in merged.outcomes] == ["passed", "passed", "failed"]
    assert (merged.score, merged.max_score) == (20, 30)
    assert student.read_notes(workspace).score == 20  # the course's bar moves with it


def test_parts_that_are_all_green_are_not_yet_full_marks(
    course, workspace, monkeypatch
):
    first = report("passed", "failed")
    green = dataclasses.replace(
        first, outcomes=(dataclasses.replace(first.outcomes[1], status="passed"),)
    )
    graded = iter([first, green])
    monkeypatch.setattr(student, "grade", lambda *words, **named: next(graded))
    before = student.check(course, LAB, workspace)
    assert (
        student.check(course, LAB, workspace, only=["c1"], before=before).exit_code == 0
    )
    assert not student.read_notes(workspace).solved
