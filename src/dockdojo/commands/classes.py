"""A class is read, planned and graded: what the commands of `dockdojo class` do."""

from __future__ import annotations

import functools
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from dockdojo.class_ import depends, people, tables
from dockdojo.class_.journal import Journal
from dockdojo.class_.plan import Plan, Which, make_plan, read_source
from dockdojo.class_.run import ClassRun, Tell, slots_here
from dockdojo.class_.slots import Slot
from dockdojo.class_.trees import open_tree
from dockdojo.course import Course
from dockdojo.engine.client import connect
from dockdojo.errors import UsageError
from dockdojo.events import Doing, Listen
from dockdojo.host.base_images import ready


@contextmanager
def planned(
    sources: tuple[Path, ...],
    rosters: tuple[Path, ...],
    *,
    layout: str = "",
    which: Which = "in-time",
    due: datetime | None = None,
) -> Iterator[Plan]:
    """Who is graded with what; the exports are open as long as it is in use. Raises UsageError, Refused for hostile archives."""
    if not sources:
        raise UsageError(
            "Nothing is named that could be graded.",
            hint="Name the folder or the zip archive that the service gave you.",
        )
    roster = people.read_rosters(tables.read_table(path) for path in rosters)
    with ExitStack() as stack:
        read = [
            read_source(path, stack.enter_context(open_tree(path)), layout)
            for path in sources
        ]
        yield make_plan(read, roster, which=which, due=due)


def grade_class(
    course: Course,
    slug: str,
    plan: Plan,
    folder: Path,
    *,
    slots: int,
    tell: Tell,
    listen: Listen,
) -> bool:
    """Grade what has to be; return whether it came to its end. Ctrl-C and SIGTERM end it early, and it can go on."""
    lab = course.lab(slug)
    with Journal(folder, slug) as journal:
        common = depends.of_course(course, slug) | {
            "engine": _engine(course, slug, listen)
        }
        run = ClassRun(
            course=course,
            lab=lab,
            plan=plan,
            journal=journal,
            tell=tell,
            common=common,
            image_id=functools.cache(_image_id),
        )
        try:
            with _ending(run.stopping):
                run.carry_out(lambda: Slot(run.stopping.is_set), slots or slots_here())
        finally:
            with connect() as engine:
                engine.clean_dead()  # what a slot left that died
        return not run.stopping.is_set()


def _engine(course: Course, slug: str, listen: Listen) -> str:
    """Digest of the engine that grades here, with the images that the lab needs, fetched now. Removes what killed runs left."""
    with connect() as engine:
        engine.clean_dead()
        ready(
            engine,
            course,
            course.lab(slug),
            lambda ref, what: listen(Doing(what=f"{ref}: {what}")),
        )
        info = engine.info()
    told = (
        info.version,
        info.builder,
        info.storage_driver,
        info.cgroup_version,
        info.gpu,
    )
    return depends.digest(str(word).encode() for word in told)


def _image_id(ref: str) -> str:
    with connect() as engine:
        return engine.image(ref).id if engine.has_image(ref) else depends.GONE


@contextmanager
def _ending(stopping: threading.Event) -> Iterator[None]:
    """Ctrl-C and SIGTERM stop the run instead of this process; a second one is what it always is."""

    def stop(number: int, frame: Any) -> None:
        stopping.set()
        for other, handler in before.items():
            signal.signal(other, handler)

    before = {
        number: signal.signal(number, stop)
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
