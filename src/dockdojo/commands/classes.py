"""A class is read, planned and graded: what the commands of `dockdojo class` do."""

from __future__ import annotations

import functools
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dockdojo.class_ import depends, people, tables
from dockdojo.class_.asked import Asked
from dockdojo.class_.cluster import expect_extra
from dockdojo.class_.engines import clean_engine, held_network, prepare_engine
from dockdojo.class_.find import find_row
from dockdojo.class_.journal import Journal
from dockdojo.class_.plan import Plan, Row, make_plan, read_source
from dockdojo.class_.rows import read_rows
from dockdojo.class_.run import ClassRun, Control, Tell, names_of, throttle_here
from dockdojo.class_.slots import Grades, Slot
from dockdojo.class_.trees import open_tree
from dockdojo.class_.unpacking import copied
from dockdojo.course import Course
from dockdojo.engine.client import connect
from dockdojo.errors import DockdojoError, OurFault, UsageError
from dockdojo.events import Doing, Listen
from dockdojo.grading.look import look


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


def look_at(course: Course, slug: str, plan: Plan) -> Iterator[tuple[Row, list[str]]]:
    """Yield everybody whose work would be graded, and what is odd about it or was mended on the way; nothing is built."""
    lab, starter = course.lab(slug), course.starter(slug)
    for row in plan.rows:
        if row.chosen is None:
            continue
        try:
            with copied(row.chosen, lab, starter) as (made, _):
                found = look(made.folder, lab, starter)
                yield row, [*made.notes, *map(str, found)]
        except DockdojoError as error:
            yield row, [str(error)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduler:
    """Where several machines are, and what they take us by."""

    address: str
    certificates: Path
    say: Callable[[str], None]
    """Is told of machines that come, go, or are refused."""


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
    scheduler: Scheduler | None = None,
) -> bool:
    """Grade what has to be, here or on several machines; return whether it came to its end.

    Ctrl-C and SIGTERM end it early, and it can go on. `wanted` are rows that are graded again whatever changed, and `only` the
    check that is; see ClassRun. Raises OurFault where the machines are lost.
    """
    lab = course.lab(slug)
    common = depends.of_course(course, slug)
    with (
        Journal(folder, slug) as journal,
        _ending(control.stopping),
        (
            _machines(scheduler, slug, common, slots, control.stopping)
            if scheduler
            else _this_machine(course, slug, slots, control.stopping, listen)
        ) as graders,
    ):
        for warning in journal.warnings:
            listen(Doing(what=warning))
        journal.remember(asked.as_json())
        run = ClassRun(
            course=course,
            lab=lab,
            plan=plan,
            journal=journal,
            tell=tell,
            common=common | {"engine": graders.engine},
            image_id=graders.image_id,
            wanted=wanted,
            only=only,
            control=control,
        )
        run.carry_out(graders.new_slot, graders.slots)
    return not control.stopping.is_set()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Graders:
    """Who grades."""

    engine: str
    """The digest of the engine, or of all engines."""
    image_id: depends.ImageId
    new_slot: Callable[[], AbstractContextManager[Grades]]
    slots: int


@contextmanager
def _this_machine(
    course: Course, slug: str, slots: int, stopping: threading.Event, listen: Listen
) -> Iterator[_Graders]:
    throttle, beginning, held = throttle_here(slots), threading.Lock(), ExitStack()

    @functools.cache
    def hold() -> None:
        held.enter_context(held_network())

    def new_slot() -> Slot:
        with beginning:  # where nothing is graded, there is no container
            hold()
        return Slot(stopping.is_set, throttle=throttle)

    try:
        with held:
            yield _Graders(
                engine=prepare_engine(
                    course, slug, lambda text: listen(Doing(what=text))
                ),
                image_id=functools.cache(_image_id),
                new_slot=new_slot,
                slots=throttle.at_most,
            )
    finally:
        clean_engine()  # what a slot left that died


@contextmanager
def _machines(
    scheduler: Scheduler,
    slug: str,
    common: Mapping[str, str],
    slots: int,
    stopping: threading.Event,
) -> Iterator[_Graders]:
    expect_extra()
    from dockdojo.class_.cluster.remote import Cluster  # needs the extra

    with Cluster(
        scheduler.address,
        scheduler.certificates,
        slug,
        common,
        stopping,
        say=scheduler.say,
        at_most=slots,
    ) as cluster:
        yield _Graders(
            engine=cluster.engine,
            image_id=_nobody,  # they are on the machines, not here
            new_slot=cluster.new_slot,
            slots=cluster.most,
        )
    if cluster.problem:
        raise OurFault(
            cluster.problem,
            hint="What was graded is kept; the same command goes on.",
        )


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


def expect_there(plan: Plan, wanted: frozenset[str]) -> None:
    """Raise UsageError where the exports have nothing any more of a row that is to be graded again."""
    there = {name for name, row in names_of(plan).items() if row.chosen}
    if lost := sorted(wanted - there):
        raise UsageError(
            f"The exports have nothing of {', '.join(lost[:5])} any more.",
            hint="Name who is there, or `dockdojo class grade` with the exports that have them.",
        )


def depends_now(course: Course, slug: str, before: Mapping[str, str]) -> dict[str, str]:
    """Return what a result depends on as it is now, as far as it can be told without the export and with the engine there is.

    What only the export or a run can tell, the submission and the engine, is missing; without an engine, images are as they were.
    """
    ask: depends.ImageId = functools.cache(_image_id)
    try:
        now = depends.now(before, ask)
    except OurFault:
        now = depends.now(before, _nobody)
    return depends.of_course(course, slug) | now


def _nobody(ref: str) -> str:
    return ""


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
