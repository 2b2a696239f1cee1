"""An instructor's rules: late days, the most that counts, another scale, changes by hand."""

from __future__ import annotations

import base64
import datetime as dt
import json

import pytest

from dockdojo.cli import main
from dockdojo.errors import UsageError
from dockdojo.model import Outcome, Report
from dockdojo.reports import FORMATS
from dockdojo.reports.json import parse, render
from dockdojo.reports.policy import apply
from dockdojo.reports.policy import parse as rules

DUE = dt.datetime(2026, 1, 10, 23, 59, tzinfo=dt.UTC)
TOML = """
[labs.sample]
due = 2026-01-10T23:59:00+00:00

[late]
percent_per_day = 10
free_days = 1
last_day = 5
"""


def report(*scores: tuple[int, bool]) -> Report:
    outcomes = tuple(
        Outcome(
            check=f"c{number}",
            title="It works",
            status="passed" if passed else "failed",
            points=points,
        )
        for number, (points, passed) in enumerate(scores)
    )
    return Report(
        lab="sample",
        title="Sample",
        outcomes=outcomes,
        started="2026-01-01T00:00:00+00:00",
        seconds=1,
    )


GOOD = report((60, True), (20, True), (20, False))  # 80 of 100


@pytest.mark.parametrize(
    ("late", "score"),
    [
        (dt.timedelta(0), 80),
        (-dt.timedelta(days=3), 80),
        (dt.timedelta(seconds=1), 80),  # a day was begun; it is free
        (dt.timedelta(days=1, seconds=1), 72),
        (dt.timedelta(days=4), 56),
        (dt.timedelta(days=5, seconds=1), 0),
    ],
)
def test_late_days(late, score):
    marked = apply(GOOD, rules(TOML, "x"), submitted=DUE + late)
    assert (marked.score, marked.max_score) == (score, 100)
    assert any(one.check == "(late)" for one in marked.outcomes) == (
        late > dt.timedelta(0)
    )


def test_by_hand_for_one_student_and_never_beyond_what_can_be_had():
    text = (
        '[[adjust]]\nstudent = "7"\nlab = "sample"\npoints = 50\nreason = "The network was down"\n'
        '[[adjust]]\nstudent = "8"\nlab = "sample"\npoints = -90\nreason = "Copied"\n'
    )
    for student, score in (("7", 100), ("8", 0), ("9", 80)):
        assert apply(GOOD, rules(text, "x"), student=student).score == score
    assert "The network was down" in FORMATS["text"](
        apply(GOOD, rules(text, "x"), student="7")
    )


def test_most_and_scale():
    marked = apply(GOOD, rules("[points]\nmost = 70\nscale_to = 20\n", "x"))
    assert (marked.score, marked.max_score) == (14, 20)
    assert [one.check for one in marked.outcomes[3:]] == ["(most)", "(scaled)"]


def test_every_format_adds_up_to_the_mark():
    marked = apply(
        GOOD,
        rules(TOML + "[points]\nscale_to = 50\n", "x"),
        submitted=DUE + dt.timedelta(days=2),
    )
    assert (marked.score, marked.max_score) == (36, 50)
    sent = json.loads(base64.b64decode(FORMATS["classroom"](marked)))
    assert sum(one["score"] for one in sent["tests"] if one["status"] == "pass") == 36
    assert sum(one["max_score"] for one in sent["tests"]) == 50
    for name in ("classroom50", "gradescope"):
        found = json.loads(FORMATS[name](marked))
        assert found["score"] == sum(one["score"] for one in found["tests"]) == 36
    for name in ("text", "markdown", "html", "github"):
        assert "36 of 50 points" in FORMATS[name](marked)
    for name in ("text", "markdown", "html", "gradescope", "junit"):
        assert "after the due date" in FORMATS[name](marked), name
    assert parse(render(marked)) == marked


@pytest.mark.parametrize(
    "text",
    [
        "[late]\npercent_per_day = 200\n",
        "[points]\nmost = 0\n",
        "[points]\nscale_to = -1\n",
        "[other]\n",
        "[late",
        '[[adjust]]\nstudent = "1"\nlab = "x"\npoints = 1\nreason = " "\n',
        "[labs.a]\ndue = 2026-01-01T00:00:00\n",
    ],
)
def test_broken_rules_are_refused(text):
    with pytest.raises(UsageError):
        rules(text, "marks.toml")


def test_rules_are_applied_once_and_want_to_know_when(tmp_path):
    with pytest.raises(UsageError):
        apply(GOOD, rules(TOML, "x"))
    once = apply(GOOD, rules("[points]\nscale_to = 20\n", "x"))
    with pytest.raises(UsageError):
        apply(once, rules("[points]\nscale_to = 20\n", "x"))


def test_on_the_command_line(tmp_path, capsys):
    (tmp_path / "report.json").write_text(render(GOOD))
    (tmp_path / "marks.toml").write_text(TOML)
    words = [
        "convert",
        str(tmp_path / "report.json"),
        "--format",
        "text",
        "--marks",
        str(tmp_path / "marks.toml"),
    ]
    assert main([*words, "--submitted", "2026-01-12T23:00:00+00:00"]) == 0
    assert "72 of 100 points" in capsys.readouterr().out
    assert main([*words, "--submitted", "yesterday"]) == 2
