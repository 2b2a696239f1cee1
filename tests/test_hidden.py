"""Hidden checks: the student's report tells that there are some, and their points, and nothing more."""

from __future__ import annotations

import base64
import json

import pytest

from dockdojo import check
from dockdojo.commands import student
from dockdojo.grading import grade, list_checks
from dockdojo.model import HIDDEN
from dockdojo.reports import FORMATS
from dockdojo.reports.json import parse
from dockdojo.reports.redaction import for_student
from tests.conftest import FAKE

GRADER = """
    @check(points=40)
    def test_open(submission):
        '''Everybody sees this.'''
        assert submission.has("Dockerfile")


    @check(points=35, hidden=True, hints=("psst",))
    def test_secret_one(submission):
        '''The secret sentence.'''
        assert submission.has("passphrase"), "the secret reason"


    @check(points=25, hidden=True, needs=test_secret_one)
    def test_secret_two():
        '''Another secret sentence.'''
    """


@pytest.fixture(params=["right", "wrong"])
def graded(request, make_course, submission):
    course = make_course(GRADER)
    files = {"Dockerfile": "FROM busybox"} | (
        {"passphrase": "x"} if request.param == "right" else {}
    )
    return grade("sample", submission(files), course=course, connect=FAKE)


def test_the_instructor_sees_all(graded):
    assert [one.check for one in graded.outcomes] == [
        "open",
        "secret_one",
        "secret_two",
    ]
    assert graded.score in (100, 40)
    assert parse(FORMATS["json"](graded)) == graded
    assert for_student(graded) == for_student(parse(FORMATS["json"](graded)))


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_of_the_students_report_tells_more(name, graded):
    rendered = FORMATS[name](for_student(graded))
    if name == "classroom":
        rendered = base64.b64decode(rendered).decode()
    assert "secret" not in rendered
    assert "psst" not in rendered
    assert "60" in rendered


def test_nobody_can_tell_from_it_how_they_ended(make_course, submission):
    course = make_course(GRADER)
    reports = []
    for files in ({"Dockerfile": "x"}, {"Dockerfile": "x", "passphrase": "x"}):
        report = for_student(
            grade(
                "sample",
                submission(files, f"s{len(files)}"),
                course=course,
                connect=FAKE,
            )
        )
        told = json.loads(FORMATS["json"](report))
        for one in (told, *told["checks"]):
            one.pop("seconds")
        told |= {"checksum": "", "seed": "", "started": "", "engine": ""}
        reports.append((told, report.exit_code, report.final, report.score))
    assert reports[0] == reports[1]
    assert reports[0][1:] == (0, True, 40)


def test_a_hidden_check_that_could_not_be_carried_out_is_told_without_its_name(
    make_course, submission
):
    course = make_course(
        GRADER.replace(
            'assert submission.has("passphrase"), "the secret reason"', "1 / 0"
        )
    )
    whole = grade(
        "sample", submission({"Dockerfile": "x"}), course=course, connect=FAKE
    )
    assert [one.status for one in whole.outcomes] == ["passed", "error", "skipped"]
    shown = for_student(whole)
    assert (shown.final, shown.exit_code) == (False, 3)
    for name in ("text", "json", "html", "markdown"):
        rendered = FORMATS[name](shown)
        assert "secret" not in rendered
        assert "ZeroDivisionError" not in rendered
        assert "could be carried out" in rendered


def test_a_report_without_hidden_checks_is_left_as_it_is(make_course, submission):
    course = make_course("@check(points=100)\ndef test_a():\n    '''A.'''\n")
    report = grade(
        "sample", submission({"Dockerfile": "x"}), course=course, connect=FAKE
    )
    assert for_student(report) is report
    assert HIDDEN not in FORMATS["text"](report)


def test_the_student_hears_nothing_of_them(make_course, tmp_path, monkeypatch):
    course = make_course(GRADER)
    folder = student.start(course, "sample", tmp_path / "w")
    monkeypatch.setattr(
        student,
        "grade",
        lambda lab, folder, **options: grade(lab, folder, connect=FAKE, **options),
    )
    heard = []
    report = student.check(course, "sample", folder, heard.append)
    assert "secret" not in repr(heard)
    assert [one.check for one in report.outcomes] == ["open", HIDDEN]
    notes = student.read_notes(folder)
    assert (notes.score, notes.max_score, notes.solved) == (40, 40, True)
    assert "secret" not in (folder / student.NOTES).read_text()
    assert [one.name for one in student.checks_with_hints(course, "sample")] == []
    assert len(list_checks(course, "sample")) == 3


def test_a_check_that_is_seen_needs_none_that_is_hidden():
    @check(points=1, hidden=True)
    def test_a():
        """A."""

    with pytest.raises(ValueError, match="which is hidden"):
        check(points=1, needs=test_a)
