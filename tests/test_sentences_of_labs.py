"""What the graders of catgif, layers, hogwild, gpu and multi_stage say: no Python in it, and hints that fit what was observed.

The checks are called as they are, with what an engine would have told them; none of them is carried out here.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from dockdojo.checks.page_pictures import (
    LOOK_AT_IT,
    NOT_THERE,
    READ_THE_LOG,
    beginning,
    load,
)
from dockdojo.connection.types import ExitCode, Layer
from tests.test_sentences import done, ended, grader, told

__all__ = ["grader"]


def server(status, body=b"", error=""):
    return SimpleNamespace(get=lambda place: SimpleNamespace(status=status, body=body, error=error))


@pytest.mark.parametrize(
    ("answer", "wrong", "hint"),
    [
        (server(404), "`/cat.gif` answers with status 404", NOT_THERE),
        (server(503), "`/cat.gif` answers with status 503", READ_THE_LOG),
        (server(0, error="connection refused"), "`/cat.gif` has no answer: connection refused", READ_THE_LOG),
        (server(200, b"<html>\0"), '`/cat.gif` is no GIF: it begins with "<html>."', LOOK_AT_IT),
        (server(200), "`/cat.gif` is no GIF: it is empty", LOOK_AT_IT),
        (server(200, b"GIF89a"), "", ""),
    ],
)
def test_a_picture_that_does_not_load_has_its_own_hint(answer, wrong, hint):
    found = load(answer, "/cat.gif")
    assert (found.wrong, found.hint) == (wrong, hint)


def test_bytes_are_shown_without_pythons_signs():
    assert beginning(b'\x89PNG"\xff') == 'it begins with ".PNG"."'


@pytest.mark.parametrize(
    ("said", "words"), [("", "prints nothing on stdout"), ("\n cuda here\nmore", 'prints "cuda here"')]
)
def test_what_a_program_printed_is_shown_as_people_read_it(grader, said, words):
    feedback = told(grader("gpu").expect_device, ended(0, said), "cpu", "`docker run IMAGE`")
    assert words in feedback.observed
    assert "'" not in feedback.observed


def test_several_processes_are_no_list_of_python(grader):
    log = "".join(f"{pid}\tTrain Epoch: 1 Loss: 0.5\n" for pid in (11, 12))
    feedback = told(grader("hogwild").test_processes, done((ended(0, log), {}, 0)))
    assert feedback.observed == "the lines name the processes 11, 12; of those, none was really there, and trained"


@pytest.mark.parametrize(("code", "words"), [(1, "below"), (0, "the words after")])
def test_a_run_that_failed_is_not_asked_for_its_arguments(grader, code, words):
    feedback = told(grader("hogwild").test_arguments, done((ended(code, err="Traceback"), {}, 0)))
    assert (words in feedback.hint) is bool(code)
    assert ("exit code" in feedback.observed) is bool(code)


def test_arguments_ask_for_no_exit_code(grader):
    """Its sentence is about the number of workers."""
    log = "".join(f"{pid}\tTrain Epoch: 1 Loss: 0.5\n" for pid in (11, 12, 13))
    grader("hogwild").test_arguments(done((ended(1, log), {11: 1, 12: 1, 13: 1}, 3)))


@pytest.mark.parametrize(
    ("deaths", "words", "hint"),
    [
        ([(7, 0)], "the first worker, process 7, was killed, and the exit code is 0", ""),
        ([(7, 1), (9, 0)], "the last worker, process 9, was killed, and the exit code is 0", "the others, too"),
        ([(7, None)], "still goes on", "waits for ever"),
    ],
)
def test_which_death_was_not_noticed_is_told(grader, deaths, words, hint):
    seen = [
        SimpleNamespace(chosen=pid, many=2, code=None if code is None else ExitCode(code), said="")
        for pid, code in deaths
    ]
    feedback = told(grader("hogwild").test_worker_dies, done(seen))
    assert words in feedback.observed
    assert hint in feedback.hint


def test_an_instruction_is_shown_as_in_the_dockerfile_and_cut():
    shown = Layer(diff_id="", entries=(), instruction=f"RUN /bin/sh -c echo {'a' * 200} # buildkit").shown
    assert shown.startswith("RUN echo aaa")
    assert len(shown) == 120
    assert shown.endswith("…")
