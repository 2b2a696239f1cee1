"""What the process that grades says to the one that waits for it: a JSON object a line, and a class for each kind of message.

Texts in them come from submissions, and a process can be killed in the middle of a line: whatever arrives, `decode` gives
an event or raises BrokenEvent.
"""

from __future__ import annotations

import functools
import json
import operator
from collections.abc import Callable
from typing import Any

import msgspec

from dockdojo.errors import DockdojoError
from dockdojo.model import Check, Outcome, Part, Point
from dockdojo.texts import MAX_DETAIL, cut

MAX_EVENT_BYTES = 20_000_000
"""Bytes of one event; a child of ours says nothing longer."""


class BrokenEvent(DockdojoError):
    """A line that is no event."""

    exit_code = 3


class Event(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag=str.lower
):
    """A message of the grading process."""


class Collected(Event, frozen=True, kw_only=True):
    """The grader is loaded."""

    checks: list[Check]


class Broken(Event, frozen=True, kw_only=True):
    """The grader cannot be loaded."""

    reason: str


class CheckStarted(Event, frozen=True, kw_only=True):
    """A check begins."""

    check: str


class Building(Event, frozen=True, kw_only=True):
    """A build begins, which has a time limit of its own."""

    seconds: float
    build: str = ""
    """What tells it from all other builds of the grading; empty: nobody needs to know it again."""


class Waiting(Event, frozen=True, kw_only=True):
    """The check waits for work that was begun beside it, which may build."""

    seconds: float


class Built(Event, frozen=True, kw_only=True):
    """The build or the waiting ended."""

    build: str = ""
    failed: dict[str, Any] | None = None
    """Why the build failed, as SubmissionError.as_record gives it; None where it did not."""


class Doing(Event, frozen=True, kw_only=True):
    """What the check does now, for whoever watches."""

    what: str


class Curve(Event, frozen=True, kw_only=True):
    """How a training went."""

    points: list[Point]


class Picture(Event, frozen=True, kw_only=True):
    """The layers of the graded image."""

    layers: list[Part]


class CheckEnded(Event, frozen=True, kw_only=True):
    """A check ended."""

    outcome: Outcome


class Loaded(Event, frozen=True, kw_only=True):
    """The modules of the toolkit that grading needed: a result depends on them."""

    modules: list[str]


class Costs(Event, frozen=True, kw_only=True):
    """The last word: all checks are carried out."""

    costs: dict[str, float]
    builder: str


EVENTS = (
    Collected,
    Broken,
    CheckStarted,
    Building,
    Waiting,
    Built,
    Doing,
    Curve,
    Picture,
    CheckEnded,
    Loaded,
    Costs,
)
Listen = Callable[[Event], None]
_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(
    functools.reduce(operator.or_, EVENTS)
)


def encode(event: Event) -> bytes:
    """Return the event as one line, without the line's end; texts that are none are made fit to be written."""
    try:
        return _encoder.encode(event)
    except UnicodeEncodeError:  # a name that is no text, somewhere in it
        return json.dumps(_writable(msgspec.to_builtins(event))).encode()


def decode(line: bytes) -> Event:
    """Return the event of a line. Raises BrokenEvent, also where it is longer than MAX_EVENT_BYTES."""
    if len(line) >= MAX_EVENT_BYTES:
        raise BrokenEvent(f"it said more than {MAX_EVENT_BYTES:,} bytes at once")
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BrokenEvent("it broke off in the middle of what it said") from error


def _writable(value: Any) -> Any:
    """The value with every text of it fit to be written as UTF-8."""
    if isinstance(value, str):
        return cut(value, MAX_DETAIL)
    if isinstance(value, dict):
        return {_writable(key): _writable(item) for key, item in value.items()}
    return (
        [_writable(item) for item in value]
        if isinstance(value, list | tuple)
        else value
    )
