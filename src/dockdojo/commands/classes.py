"""A class is read, planned and graded: what the commands of `dockdojo class` do."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dockdojo.class_ import depends, people, tables
from dockdojo.class_.cluster import expect_extra
from dockdojo.class_.engines import clean_engine, prepare_engine
from dockdojo.class_.journal import Journal
from dockdojo.class_.plan import Plan, Which, make_plan, read_source
from dockdojo.class_.run import ClassRun, Tell, slots_here
from dockdojo.class_.slots import Grades, Slot
from dockdojo.class_.trees import open_tree
from dockdojo.course import Course
from dockdojo.errors import OurFault, UsageError
from dockdojo.events import Doing, Listen


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
    plan: Plan,
    folder: Path,
    *,
    slots: int,
    tell: Tell,
    listen: Listen,
    scheduler: Scheduler | None = None,
) -> bool:
    """Grade what has to be, here or on several machines; return whether it came to its end.

    Ctrl-C and SIGTERM end it early, and it can go on. Raises OurFault where the machines are lost.
    """
    lab = course.lab(slug)
    common = depends.of_course(course, slug)
    stopping = threading.Event()
    with (
        Journal(folder, slug) as journal,
        (
            _machines(scheduler, slug, common, slots, stopping)
            if scheduler
            else _this_machine(course, slug, slots, stopping, listen)
        ) as graders,
    ):
        run = ClassRun(
            course=course,
            lab=lab,
            plan=plan,
            journal=journal,
            tell=tell,
            common=common | {"engine": graders.engine},
            stopping=stopping,
        )
        with _ending(stopping):
            run.carry_out(graders.new_slot, graders.slots)
    return not stopping.is_set()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Graders:
    """Who grades."""

    engine: str
    """The digest of the engine, or of all engines."""
    new_slot: Callable[[], AbstractContextManager[Grades]]
    slots: int


@contextmanager
def _this_machine(
    course: Course, slug: str, slots: int, stopping: threading.Event, listen: Listen
) -> Iterator[_Graders]:
    try:
        yield _Graders(
            engine=prepare_engine(course, slug, lambda text: listen(Doing(what=text))),
            new_slot=lambda: Slot(stopping.is_set),
            slots=slots or slots_here(),
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
            engine=cluster.engine, new_slot=cluster.new_slot, slots=cluster.most
        )
    if cluster.problem:
        raise OurFault(
            cluster.problem,
            hint="What was graded is kept; the same command goes on.",
        )


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
