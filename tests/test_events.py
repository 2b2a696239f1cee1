from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from random import Random
from typing import ClassVar

import msgspec
import pytest

from dockdojo import events
from dockdojo.errors import CourseError, OurFault
from dockdojo.events import (
    EVENTS,
    Broken,
    BrokenEvent,
    Building,
    Built,
    CheckEnded,
    CheckStarted,
    Collected,
    Costs,
    Curve,
    Doing,
    Loaded,
    Picture,
    Waiting,
    decode,
    encode,
)
from dockdojo.grading.child import Child
from dockdojo.grading.supervisor import Supervisor
from dockdojo.model import Check, Feedback, Limits, Outcome, Part, Point, Report, Where
from dockdojo.reports import FORMATS
from dockdojo.runner.request import GradeRequest
from dockdojo.texts import cut_feedback

FUZZ = int(os.environ.get("DOCKDOJO_FUZZ", "2000"))
"""Mutated inputs for each event; DOCKDOJO_FUZZ=20000 tries as many."""
CHECK = Check(
    name="greets",
    title="It greets.",
    points=10,
    needs=(),
    hints=("Look.",),
    hidden=False,
)
FEEDBACK = Feedback(
    expected="hello",
    observed="bye",
    why="So it is.",
    where=Where(file="Dockerfile", line=3),
    hint="Look.",
    detail="log",
)
OUTCOME = Outcome(
    check="greets",
    title="It greets.",
    status="failed",
    points=10,
    seconds=1.5,
    feedback=FEEDBACK,
)
EXAMPLES = [
    Collected(checks=[CHECK]),
    Broken(reason="no checks"),
    CheckStarted(check="greets"),
    Building(seconds=30.0, build="Dockerfile::ab"),
    Waiting(seconds=30.0),
    Built(
        build="Dockerfile::ab",
        failed={"kind": "BuildFailed", "message": "no", "line": 3},
    ),
    Doing(what="training, epoch 1"),
    Curve(points=[Point(epoch=1, loss=0.5, accuracy=0.9), Point(epoch=2)]),
    Picture(layers=[Part(instruction="RUN true", size=5, wasted=0, in_base=False)]),
    CheckEnded(outcome=OUTCOME),
    Loaded(modules=["dockdojo.checks"]),
    Costs(costs={"engine_seconds": 1.0, "builds": 2}, builder="buildkit"),
]
TEXTS = [
    "\ud800",
    "\0",
    "\x1b[31m",
    "::error::x",
    "##[x]",
    "<script>",
    "=1+1",
    "[bold]",
    "\u202e",
    "é" * 50,
    "9" * 400,
    "\r\n",
    "\ufeff",
    "\udfff\ud800",
    "x" * 20_000,
]
PIECES = [
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b"\\",
    b"\\ud800",
    b"\xff",
    b"\0",
    b"null",
    b"1e999",
    b"9" * 400,
    b",",
    b":",
    b"-1",
    b"[" * 5_000,
]


def test_there_is_an_example_of_each():
    assert [type(one) for one in EXAMPLES] == list(EVENTS)


def with_other_texts(value, random):
    """The same with some texts from a submission in it."""
    if isinstance(value, str):
        place = random.randint(0, len(value))
        return (
            value[:place] + random.choice(TEXTS) + value[place:]
            if random.random() < 0.5
            else value
        )
    if isinstance(value, dict):
        return {
            key: item if key in ("event", "status") else with_other_texts(item, random)
            for key, item in value.items()
        }
    return (
        [with_other_texts(item, random) for item in value]
        if isinstance(value, list | tuple)
        else value
    )


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda one: type(one).__name__)
def test_whatever_texts_an_event_holds_it_arrives(event):
    random = Random(type(event).__name__)
    raw = msgspec.to_builtins(event)
    for _ in range(FUZZ // 2):
        sent = msgspec.convert(with_other_texts(raw, random), type(event))
        if isinstance(sent, CheckEnded):  # as the child does
            cut = cut_feedback(sent.outcome.feedback)
            sent = CheckEnded(outcome=dataclasses.replace(sent.outcome, feedback=cut))
        line = encode(sent)
        assert b"\n" not in line
        got = decode(line)
        assert type(got) is type(event)
        assert decode(encode(got)) == got  # what arrived once is fit to be written


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda one: type(one).__name__)
def test_a_line_that_was_cut_or_spoilt_is_an_event_or_told(event):
    random = Random(type(event).__name__)
    whole = encode(event)
    for _ in range(FUZZ // 2):
        line = bytearray(whole)
        for _ in range(random.randint(1, 4)):
            place = random.randint(0, len(line))
            line[place : place + random.randint(0, 6)] = random.choice(
                [random.choice(PIECES), random.randbytes(2)]
            )
        spoilt = bytes(
            line[: random.randint(0, len(line))] if random.random() < 0.3 else line
        )
        try:
            got = decode(spoilt)
        except BrokenEvent:
            continue
        assert decode(encode(got))


@pytest.mark.parametrize(
    "raw",
    [
        b"null",
        b"1",
        b"[]",
        b"{}",
        b'{"event": "nothing"}',
        b"",
        b"[" * 200_000,
        b"\xff",
    ],
)
def test_what_is_no_event(raw):
    with pytest.raises(BrokenEvent):
        decode(raw)


def test_a_line_has_a_bound(monkeypatch):
    monkeypatch.setattr(events, "MAX_EVENT_BYTES", 100)
    with pytest.raises(BrokenEvent, match="100 bytes"):
        decode(encode(Doing(what="x" * 100)))


class Scripted(Child):
    """A child that says what it is told to."""

    scripts: ClassVar[list[list[bytes]]] = []

    def send(self, request):
        del request
        self._process.stdin.close()
        while self.lines.get(timeout=60):  # it ends, having had no order
            pass
        for line in self.scripts.pop(0):
            self.lines.put(line)
        self.lines.put(b"")


def worked(monkeypatch, home: Path, scripts: list[list[bytes]]) -> Supervisor:
    monkeypatch.setattr("dockdojo.grading.supervisor.Child", Scripted)
    monkeypatch.setattr(Scripted, "scripts", scripts)
    request = GradeRequest(
        grader="grader.py",
        submission="",
        home=str(home),
        run_id="",
        limits=Limits(),
        connect="",
    )
    supervisor = Supervisor(request, "owner", lambda event: None)
    supervisor.work()
    return supervisor


def test_the_parent_goes_on_with_the_next_check_after_a_line_that_broke_off(
    monkeypatch, tmp_path
):
    """The child was killed while it spoke: the check that it was at is lost for our fault, and no other one."""
    second = Check(
        name="waves", title="It waves.", points=5, needs=(), hints=(), hidden=False
    )
    opening = [
        encode(Collected(checks=[CHECK, second])),
        encode(CheckStarted(check="greets")),
    ]
    passed = Outcome(check="waves", title="It waves.", status="passed", points=5)
    closing = [
        encode(CheckStarted(check="waves")),
        encode(CheckEnded(outcome=passed)),
        encode(Costs(costs={}, builder="cli")),
    ]
    supervisor = worked(
        monkeypatch,
        tmp_path,
        [[*opening, encode(CheckEnded(outcome=OUTCOME))[:40]], [opening[0], *closing]],
    )
    assert [(one.check, one.status) for one in supervisor.outcomes.values()] == [
        ("greets", "error"),
        ("waves", "passed"),
    ]
    report = Report(
        lab="a",
        title="A",
        outcomes=tuple(supervisor.outcomes.values()),
        started="",
        seconds=1,
    )
    assert report.exit_code == 3
    assert "broke off" in FORMATS["json"](report)


def test_a_child_that_ends_between_two_checks_costs_none_of_them(monkeypatch, tmp_path):
    second = Check(
        name="waves", title="It waves.", points=5, needs=(), hints=(), hidden=False
    )
    opening = encode(Collected(checks=[CHECK, second]))
    waves = Outcome(check="waves", title="It waves.", status="passed", points=5)
    first = [
        opening,
        encode(CheckStarted(check="greets")),
        encode(CheckEnded(outcome=OUTCOME)),
    ]
    last = [
        opening,
        encode(CheckStarted(check="waves")),
        encode(CheckEnded(outcome=waves)),
        b"{",
    ]
    supervisor = worked(monkeypatch, tmp_path, [first, last])
    assert [(one.check, one.status) for one in supervisor.outcomes.values()] == [
        ("greets", "failed"),
        ("waves", "passed"),
    ]


def test_a_child_that_ends_before_it_did_anything_is_not_tried_for_ever(
    monkeypatch, tmp_path
):
    with pytest.raises(OurFault, match="before its first check"):
        worked(monkeypatch, tmp_path, [[encode(Collected(checks=[CHECK]))]])


def test_a_grader_that_cannot_be_loaded_is_its_authors_fault(monkeypatch, tmp_path):
    with pytest.raises(CourseError, match="no checks"):
        worked(monkeypatch, tmp_path, [[encode(Broken(reason="it has no checks"))]])
