"""A class is read, planned and graded: what the commands of `dockdojo class` do."""

from __future__ import annotations

import functools
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from dockdojo.class_ import depends, people, tables
from dockdojo.class_.asked import Asked
from dockdojo.class_.find import find_row
from dockdojo.class_.journal import Journal
from dockdojo.class_.plan import Plan, make_plan, read_source
from dockdojo.class_.rows import read_rows
from dockdojo.class_.run import ClassRun, Control, Tell, slots_here
from dockdojo.class_.slots import Slot
from dockdojo.class_.trees import open_tree
from dockdojo.course import Course
from dockdojo.engine.client import connect
from dockdojo.errors import OurFault, UsageError
from dockdojo.events import Doing, Listen
from dockdojo.host.base_images import ready


@contextmanager
def planned(asked: Asked) -> Iterator[Plan]:
    """Who is graded with what; the exports are open as long as it is in use. Raises UsageError, Refused for hostile archives."""
    if not asked.sources:
        raise UsageError(
            "Nothing is named that could be graded.",
            hint="Name the folder or the zip archive that the service gave you.",
        )
    roster = people.read_rosters(tables.read_table(path) for path in asked.rosters)
    with ExitStack() as stack:
        read = [
            read_source(path, stack.enter_context(open_tree(path)), asked.layout)
            for path in asked.sources
        ]
        yield make_plan(read, roster, which=asked.which, due=asked.due)


def grade_class(
    course: Course,
    slug: str,
    asked: Asked,
    plan: Plan,
    folder: Path,
    *,
    slots: int,
    tell: Tell,
    listen: Listen,
    control: Control,
    wanted: frozenset[str] | None = None,
    only: str = "",
) -> bool:
    """Grade what has to be; return whether it came to its end. Ctrl-C and SIGTERM end it early, and it can go on.

    `wanted` are rows that are graded again whatever changed, and `only` the check that is; see ClassRun.
    """
    lab = course.lab(slug)
    with Journal(folder, slug) as journal, _ending(control.stopping):
        journal.remember(asked.as_json())
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
            wanted=wanted,
            only=only,
            control=control,
        )
        try:
            run.carry_out(lambda: Slot(control.stopping.is_set), slots or slots_here())
        finally:
            with connect() as engine:
                engine.clean_dead()  # what a slot left that died
        return not control.stopping.is_set()


def find_wanted(folder: Path, students: tuple[str, ...]) -> frozenset[str]:
    """Return the rows of a run that are meant, all where something was handed in if nobody is named.

    Raises UsageError for a student who is not in the run, and for one who handed nothing in.
    """
    rows = read_rows(folder)
    wanted = [find_row(rows, student) for student in students]
    for row in wanted:
        if not row.label:
            raise UsageError(f"{row.name} handed nothing in.")
    return frozenset(row.name for row in wanted or rows if row.label)


def depends_now(course: Course, slug: str, before: Mapping[str, str]) -> dict[str, str]:
    """Return what a result depends on as it is now, as far as it can be told without the export and with the engine there is.

    What only the export or a run can tell, the submission and the engine, is missing; without an engine, images are as they were.
    """
    try:
        with connect():
            ask: depends.ImageId = functools.cache(_image_id)
    except OurFault:
        ask = _nobody
    return depends.of_course(course, slug) | depends.now(before, ask)


def _nobody(ref: str) -> str:
    return ""


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
