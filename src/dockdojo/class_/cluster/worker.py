"""A worker beside a machine's engine: takes packed submissions, and grades each in a slot's own process."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from distributed import Worker, WorkerPlugin, get_worker

from dockdojo.class_.cluster.packing import unpack
from dockdojo.class_.depends import of_course, toolkit
from dockdojo.class_.engines import prepare_engine
from dockdojo.class_.slots import Answer, Slot, as_line
from dockdojo.course import Course, open_course
from dockdojo.errors import DockdojoError, reason_of

PROTOCOL = "1"
"""Of tasks and answers; another one is not given work."""
PLUGIN = "dockdojo"
MAX_RESULT_BYTES = 1_000_000
READY_SECONDS = 1_800
"""In which base images are fetched."""
SCRATCH = "dockdojo-worker-"
Prepare = Callable[[Course, str, Callable[[str], None]], str]


def _prepare(course: Course, slug: str, tell: Callable[[str], None]) -> str:
    return prepare_engine(course, slug, tell, images=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a worker grades with."""

    slots: int
    command: tuple[str, ...] = ()
    """Of a slot's process, where it is another one than usual."""
    prepare: Prepare = _prepare
    """Makes the engine ready for a lab, and returns its digest."""


class _WorkersSlot:
    """A slot, and the task that is in it."""

    def __init__(self, command: tuple[str, ...], is_over: Callable[[str], bool]):
        self.key = ""
        self.slot = Slot(lambda: is_over(self.key), command)


class Grading(WorkerPlugin):  # type: ignore[misc]
    """What a worker has beside dask: its slots."""

    name = PLUGIN

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._worker: Worker | None = None
        self._ending = threading.Event()
        self._free = SimpleQueue[_WorkersSlot]()
        self._all = [
            _WorkersSlot(machine.command, self._is_over) for _ in range(machine.slots)
        ]
        for slot in self._all:
            self._free.put(slot)

    def setup(self, worker: Worker) -> None:
        """Take note of whose this is."""
        self._worker = worker

    def teardown(self, worker: Worker) -> None:
        """End what is being graded: the worker ends."""
        self._ending.set()

    def close(self) -> None:
        """End the processes."""
        for slot in self._all:
            slot.slot.__exit__()

    def _is_over(self, key: str) -> bool:
        """Whether nobody waits for a task any more."""
        if self._ending.is_set() or self._worker is None:
            return True
        task = self._worker.state.tasks.get(key)
        return task is None or task.state == "cancelled"

    @contextmanager
    def _slot(self, key: str) -> Iterator[Slot]:
        # As many threads as slots, but one whose task was cancelled may still be on its way out.
        slot = self._free.get()
        slot.key = key
        try:
            yield slot.slot
        finally:
            self._free.put(slot)

    def grade(
        self, key: str, lab: str, task: bytes, seconds: float, only: tuple[str, ...]
    ) -> Answer:
        """Return what came of a packed submission; any fault is in the answer."""
        try:
            with (
                self._slot(key) as slot,
                tempfile.TemporaryDirectory(prefix=SCRATCH) as scratch,
            ):
                folder = Path(scratch, "submission")
                unpack(task, folder)
                return slot.grade(lab, folder, seconds, only=only)
        except DockdojoError as error:
            return Answer(fault=str(error))
        except OSError as error:
            return Answer(fault=f"The worker cannot grade: {reason_of(error)}.")


def grade_one(
    lab: str, task: bytes, seconds: float, only: tuple[str, ...]
) -> tuple[str, bytes]:
    """Return which worker it was, and what came of a packed submission, as `slots.read_answer` takes it."""
    worker = get_worker()
    grading = worker.plugins[PLUGIN]
    raw = as_line(grading.grade(worker.get_current_task(), lab, task, seconds, only))
    if len(raw) > MAX_RESULT_BYTES:
        fault = f"Its report has more than {MAX_RESULT_BYTES:,} bytes."
        raw = as_line(Answer(fault=fault))
    return worker.address, raw


async def describe(slug: str, dask_worker: Any = None) -> dict[str, str]:
    """Return what results of this worker depend on, by name, and its `name`; with `fault` where it cannot grade."""
    machine = dask_worker.plugins[PLUGIN].machine

    def look() -> dict[str, str]:
        course = open_course()
        return {
            **of_course(course, slug),
            "toolkit": toolkit(),
            "engine": machine.prepare(course, slug, lambda text: None),
        }

    known = {"protocol": PROTOCOL, "name": str(dask_worker.name)}
    try:
        # In a thread: meanwhile, the worker gives signs of life.
        found = await asyncio.wait_for(asyncio.to_thread(look), READY_SECONDS)
        return {**known, **found}
    except TimeoutError:
        return {**known, "fault": f"it was not ready within {READY_SECONDS} s"}
    except DockdojoError as error:
        return {**known, "fault": str(error)}


def worker_name() -> str:
    """Return a name for people that no other worker has."""
    return f"{socket.gethostname()}-{os.getpid()}"
