"""`dockdojo demo`: the whole house in one go, on a machine that may have nothing yet."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

from dockdojo.commands.doctor import is_graded, passes, variant_folder
from dockdojo.course import Course
from dockdojo.events import Event, Listen
from dockdojo.grading import grade
from dockdojo.model import Report

FLAWED = ("catgif", "development_server_on_loopback")
"""The variant that the demo shows the feedback of, where the course has it."""


SIDE_BY_SIDE = 3
"""Gradings that go on at once: they wait more than they work."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One submission of the demo."""

    lab: str
    what: str
    flawed: bool


def scenes(course: Course, *, everything: bool = False) -> list[Scene]:
    """What the demo grades: the solutions (where there are none, the starters), then a flawed submission.

    Labs that train on data take minutes, so they come only with `everything`.
    """
    word = (
        "solution" if any(course.solution(slug) for slug in course.slugs) else "starter"
    )
    found = [
        Scene(slug, word, False)
        for slug in course.slugs
        if everything or not course.lab(slug).data
    ]
    if any(
        variant.name == FLAWED[1]
        for variant in course.variants(FLAWED[0])
        if FLAWED[0] in course.slugs
    ):
        found.append(Scene(FLAWED[0], "flawed submission", True))
    return found


def play_all(
    course: Course, *, everything: bool = False
) -> Iterator[tuple[Scene, Iterator[Event], Callable[[], Report]]]:
    """Begins the scenes a few at a time; yields each in order, with its events as they come and its report after them."""
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        begun = [
            (scene, Queue[Event | None]())
            for scene in scenes(course, everything=everything)
        ]
        futures = [
            pool.submit(_finish, course, scene, events) for scene, events in begun
        ]
        try:
            for (scene, events), future in zip(begun, futures, strict=True):
                yield scene, _until_the_end(events), future.result
        finally:
            pool.shutdown(cancel_futures=True)


def _until_the_end(events: Queue[Event | None]) -> Iterator[Event]:
    while (event := events.get()) is not None:
        yield event


def _finish(course: Course, scene: Scene, events: Queue[Event | None]) -> Report:
    try:
        return play(course, scene, events.put)
    finally:
        events.put(None)


def play(course: Course, scene: Scene, listen: Listen) -> Report:
    """Grades the scene's submission."""
    with _folder(course, scene) as folder:
        return grade(scene.lab, folder, course=course, listen=listen)


def verdict(scene: Scene, report: Report) -> int:
    """The exit code of a scene: a solution must pass all that can be graded here; the others only must be graded."""
    if not is_graded(report):
        return 3
    return 0 if passes(report) or scene.flawed or scene.what != "solution" else 1


@contextmanager
def _folder(course: Course, scene: Scene) -> Iterator[Path]:
    if not scene.flawed:
        yield course.solution(scene.lab) or course.starter(scene.lab)
        return
    variant = next(
        variant for variant in course.variants(scene.lab) if variant.name == FLAWED[1]
    )
    with tempfile.TemporaryDirectory(prefix="dockdojo-demo-") as scratch:
        yield variant_folder(course, variant, Path(scratch, scene.lab))
