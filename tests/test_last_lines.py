"""What the times of a log's lines tell: what came after the goodbye, and what a full buffer gave back."""

from __future__ import annotations

import pytest

from dockdojo.checks.last_lines import came_at_once, said_after
from dockdojo.connection.types import LogLine

BYE = "Gracefully shutting down"


def log(*lines: tuple[float, str, str]) -> list[LogLine]:
    return [
        LogLine(seconds=seconds, stream=stream, text=text)
        for seconds, stream, text in lines
    ]


OUT = ((1.0, "stdout", "round 1"), (1.25, "stdout", "round 2"))


@pytest.mark.parametrize(
    ("lines", "after"),
    [
        (log(*OUT, (1.3, "stdout", BYE)), None),
        (log(*OUT, (1.3, "stdout", BYE), (1.5, "stdout", "round 3")), "round 3"),
        (log(*OUT, (1.3, "stdout", BYE), (1.5, "stdout", "bye")), "bye"),
        # an empty line is no word, and a goodbye is no line of the loop's
        (
            log(
                *OUT,
                (1.3, "stdout", BYE),
                (1.3, "stdout", ""),
                (1.3, "stdout", BYE + "."),
            ),
            None,
        ),
        # the loop goes on, on the other stream
        (log(*OUT, (1.3, "stderr", BYE), (1.6, "stdout", "round 3")), "round 3"),
        # the order of two streams is not known so exactly, and what Python says of its end is not the loop's
        (log(*OUT, (1.3, "stderr", BYE), (1.4, "stdout", "round 3")), None),
        (
            log(
                *OUT,
                (1.3, "stdout", BYE),
                (1.6, "stderr", "Exception ignored in: <thread>"),
            ),
            None,
        ),
        (log(*OUT), None),
        ([], None),
    ],
)
def test_what_was_said_after_the_goodbye(lines, after):
    found = said_after(lines, BYE)
    assert (found.text if found else None) == after


def test_what_a_full_buffer_gives_back():
    full = log(
        *(
            (9.0 + number / 10**4, "stdout", f"round {number} of many rounds")
            for number in range(300)
        )
    )
    assert came_at_once(full) == 300
    assert (
        came_at_once(log(*((one.seconds - 8.9, "stdout", one.text) for one in full)))
        == 0
    )  # a long greeting
    assert (
        came_at_once(
            log(*((9.0 + number / 4, "stdout", "x" * 100) for number in range(300)))
        )
        == 0
    )
    assert came_at_once([]) == 0
