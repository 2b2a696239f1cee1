"""A file of answers: what is wrong with one line costs one question, and what no question asks costs nothing."""

from __future__ import annotations

import pytest

from dockdojo.checks import CheckFailed
from dockdojo.checks.answers import expect_answer, of_no_question, read_answers
from dockdojo.course import open_course
from dockdojo.grading.look import look
from dockdojo.submission.folder import Submission

KEYS = {"state": "exited", "shows": "running", "removes": "docker rm"}
STARTER = "".join(f'{key} = ""\n' for key in KEYS)


@pytest.fixture
def judged(submission):
    """What is observed, and why, at each question that is not answered rightly."""

    def judge(text):
        sub = Submission(submission({"answers.toml": text}))
        answers, found = read_answers(sub, KEYS), {}
        for key, right in KEYS.items():
            try:
                expect_answer(sub, answers, key, right, {"paused": "Nobody paused it."})
            except CheckFailed as error:
                found[key] = error.feedback
        return found

    return judge


GOOD = ('state = "exited"', 'shows = "running"', 'removes = "docker rm"')


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("shows = running", "missing"),
        ("shows = running # what runs", "missing"),
        ("shows = “running”", "curly"),
        ('shows = "running', "pair"),
        ("shows = 'running\"", "pair"),
        ('shows: "running"', "equals"),
        ("shows = ", "missing"),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_line_that_is_not_toml_costs_its_own_question(judged, line, word, place):
    lines = [one for one in GOOD if not one.startswith("shows")]
    lines.insert(place, line)
    found = judged("# My answers\n" + "\n".join(lines) + "\n")
    assert set(found) == {"shows"}
    told = found["shows"]
    assert (told.where.line, f"line {place + 2} of answers.toml") == (
        place + 2,
        told.observed[:22],
    )
    assert word in told.why


@pytest.mark.parametrize(
    "text",
    [
        "mine = some words\n" + "\n".join(GOOD),
        "\n".join(GOOD) + "\nI hope that this is right\n",
        "notes\n\n" + "\n".join(GOOD) + "\nmine = 5\n[more]\nx = y\n",
        'removes = """\ndocker rm"""\nx = y\nstate = """\nexited"""\nshows = \'running\'',
        '"state" = "exited"\r\nshows = " Running "\r\nremoves = "docker rm" # yes\r\nx = y\r\n',
        "\n".join(GOOD) + '\nshows = "running"\n',
    ],
)
def test_what_is_no_question_costs_nothing(judged, text):
    assert judged(text) == {}


def test_a_comment_in_another_encoding_costs_nothing(judged):
    assert judged(b"# meine Antworten, gepr\xfcft\n" + "\n".join(GOOD).encode()) == {}


def test_two_answers_to_one_question_cost_that_one(judged):
    found = judged("\n".join(GOOD) + '\nshows = "all"\n')
    assert set(found) == {"shows"}
    assert "answered twice" in found["shows"].observed
    assert found["shows"].where.line == 4


def test_keys_below_a_heading_are_the_headings(judged):
    assert set(
        judged("x = y\n" + GOOD[0] + "\n[more]\n" + GOOD[1] + "\n" + GOOD[2])
    ) == {"shows", "removes"}


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 40_000,
        "a = b\n" * 8_000,
        "=\n" * 20_000,
        " " * 49_000,
        "\0" * 40_000,
    ],
)
def test_whatever_it_holds_it_is_read_soon(judged, text):
    assert set(judged(text)) == set(KEYS)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (STARTER, []),
        ("\n".join(GOOD) + '\nextra = "x"\n', [("the key `extra`", 4)]),
        ("shows = running\nhm\n" + GOOD[0], [("what cannot be read", 2)]),
        (
            "stat = 'exited'\nx = y\n",
            [("the key `stat`", 1), ("what cannot be read", 2)],
        ),
        ("shows = running\n", []),  # its question tells
    ],
)
def test_what_answers_no_question(text, told):
    assert of_no_question(text, STARTER) == told


def test_it_is_a_note_of_the_report(submission):
    course = open_course()
    text = (
        course.starter("hello_world").joinpath("answers.toml").read_text()
        + 'mine = "x"\nyours = "y"\n'
    )
    found = look(
        submission({"answers.toml": text}),
        course.lab("hello_world"),
        course.starter("hello_world"),
    )
    notes = [str(one) for one in found if one.kind == "answers"]
    assert len(notes) == 1
    assert "`mine`" in notes[0]
    assert "costs no points" in notes[0]
