"""The coordinator's side: each submission is one task, and whatever happens to it on the way is an answer, never an error."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import hashlib
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self, cast

from distributed import Client, Future
from distributed.scheduler import KilledWorker

from dockdojo.class_.cluster.crew import Crew
from dockdojo.class_.cluster.identity import expect_scheduler, security_of
from dockdojo.class_.cluster.packing import pack
from dockdojo.class_.cluster.seats import LOOK_SECONDS, Seats
from dockdojo.class_.cluster.settings import ENGINE, USUAL, Settings, configure
from dockdojo.class_.cluster.worker import describe, grade_one
from dockdojo.class_.depends import toolkit
from dockdojo.class_.run import fault_of
from dockdojo.class_.slots import Answer, read_answer
from dockdojo.errors import OurFault

MAX_IN_FLIGHT = 512
"""Submissions at a time, whatever workers there are: each is a thread here, and a copy on the disk."""
MAX_LOST = 5
"""Times that a task may be lost with scheduler or workers before that is told as a fault."""
GATHER_SECONDS = 60
CLOSE_SECONDS = 5
LOST_SCHEDULER = (
    OSError,
    RuntimeError,
    asyncio.CancelledError,
    concurrent.futures.CancelledError,
)
"""What dask raises while there is no connection, or because it was lost."""


class Cluster:
    """A connection to a scheduler and its workers. Use as a context manager."""

    def __init__(
        self,
        address: str,
        certificates: Path,
        lab: str,
        common: Mapping[str, str],
        stopping: threading.Event,
        *,
        say: Callable[[str], None],
        at_most: int = 0,
        settings: Settings = USUAL,
    ) -> None:
        """`common` is what results depend on here; `say` is told of workers; `stopping` is set where nothing can go on."""
        self.stopping = stopping
        self.settings = settings
        self.problem = ""
        """Why the run was stopped from here."""
        self._address = address
        self._certificates = certificates
        self._lab = lab
        self._crew = Crew({**common, "toolkit": toolkit()}, settings.max_faults, say)
        self._seats = Seats(at_most or MAX_IN_FLIGHT)
        self._closing = threading.Event()
        self._has_worker = threading.Event()
        self._meeting: set[str] = set()

    def __enter__(self) -> Self:
        """Connect. Raises NothingListens, UsageError where the scheduler and we do not fit, OurFault without workers."""
        expect_scheduler(self._address, self._certificates, "client")
        configure(self.settings)
        try:
            self._client = Client(
                self._address,
                security=security_of(self._certificates, "client"),
                timeout=self.settings.death_timeout,
                set_as_default=False,
            )
        except LOST_SCHEDULER as error:
            raise OurFault(
                f"The scheduler at {self._address} does not answer: {error}."
            ) from error
        self._watching = threading.Thread(target=self._watch, daemon=True)
        self._watching.start()
        try:
            while not self._has_worker.wait(LOOK_SECONDS):
                if self.stopping.is_set():
                    raise OurFault(self.problem or "The run was stopped.")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._closing.set()
        with contextlib.suppress(*LOST_SCHEDULER):
            self._client.close(timeout=CLOSE_SECONDS)
        self._watching.join(CLOSE_SECONDS)

    @property
    def engine(self) -> str:
        """Return the digest of the engines that grade."""
        return self._crew.engine

    @property
    def slots(self) -> int:
        """Return how many submissions its workers grade at a time now."""
        return self._crew.slots

    @property
    def most(self) -> int:
        """Return how many submissions may be under way, if enough workers come."""
        return self._seats.at_most

    def new_slot(self) -> RemoteSlot:
        """Return what grades one submission at a time."""
        return RemoteSlot(self)

    def turn(self) -> AbstractContextManager[None]:
        """Wait until a worker has room."""
        return self._seats.turn(self.stopping.is_set)

    # Who is there

    def _watch(self) -> None:
        """Follow workers as they come and go, until the run ends."""
        since = time.monotonic()
        while not self._closing.wait(LOOK_SECONDS):
            if self._client.status == "closed":
                self._stop(f"The scheduler at {self._address} is gone.")
                return
            with contextlib.suppress(*LOST_SCHEDULER):
                self._look()
            if self._crew.fit:
                since = time.monotonic()
                self._has_worker.set()
            elif time.monotonic() - since > self.settings.no_workers_timeout:
                self._stop(
                    f"The scheduler at {self._address} has no worker that can be used."
                )
                return

    def _look(self) -> None:
        if self._client.status != "running":
            return
        there = set(self._client.nthreads())
        known = self._crew.addresses
        self._crew.leave(known - there)
        self._seats.resize(self._crew.slots)
        if new := there - known - self._meeting:
            self._meeting |= new
            threading.Thread(target=self._meet, args=(new,), daemon=True).start()

    def _meet(self, new: set[str]) -> None:
        """Ask newcomers what they grade with; that may take long, where base images are fetched."""
        try:
            with contextlib.suppress(*LOST_SCHEDULER):
                told = self._client.run(
                    describe, self._lab, workers=sorted(new), on_error="return"
                )
                # Who is gone again, or cannot be reached now, has told nothing; whoever stays is asked once more.
                answers = {
                    address: words
                    for address, words in told.items()
                    if not isinstance(words, OSError)
                }
                self._crew.join(answers, self._client.nthreads())
        finally:
            self._meeting -= new

    def _stop(self, problem: str) -> None:
        self.problem = problem
        self.stopping.set()

    # One submission

    def grade(
        self, task: bytes, seconds: float, only: tuple[str, ...], tried: set[str]
    ) -> Answer:
        """Return what came of a packed submission; workers that were `tried` are asked again only where there is no other."""
        digest = hashlib.sha256(task).hexdigest()
        lost = 0
        while lost < MAX_LOST:
            fit = self._crew.fit
            if self._client.status != "running" or not fit:
                if self.stopping.wait(LOOK_SECONDS):
                    return Answer(fault=self.problem or "The run was stopped.")
                continue
            answer = self._carried_out(
                task, digest, seconds, only, fit - tried or fit, tried
            )
            if answer is not None:
                return answer
            lost += 1
        return Answer(fault=f"It was lost on its way {MAX_LOST} times.")

    def _carried_out(
        self,
        task: bytes,
        digest: str,
        seconds: float,
        only: tuple[str, ...],
        workers: set[str],
        tried: set[str],
    ) -> Answer | None:
        """What came of one task; None where it was lost, and nobody is to blame."""
        try:
            future = self._client.submit(
                grade_one,
                self._lab,
                task,
                seconds,
                only,
                # Each call its own; the journal's attempt is the fence.
                key=f"grade-{uuid.uuid4().hex}",
                pure=False,
                retries=0,
                resources={ENGINE: 1},
                workers=sorted(workers),
            )
        except LOST_SCHEDULER:
            return None
        try:
            return self._awaited(future, digest, seconds, workers, tried)
        finally:
            future.release()

    def _awaited(
        self,
        future: Future,
        digest: str,
        seconds: float,
        workers: set[str],
        tried: set[str],
    ) -> Answer | None:
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        tries = self.settings.allowed_failures + 1
        end = time.monotonic() + tries * (seconds + self.settings.worker_ttl)
        while not done.wait(LOOK_SECONDS):
            if self.stopping.is_set():
                return Answer(fault=self.problem or "The run was stopped.")
            if time.monotonic() > end:
                return Answer(fault="No worker answered in time.")
            if future.status == "pending" and not workers & self._crew.addresses:
                return None
        try:
            if future.status == "error":
                return self._failed(future.exception(GATHER_SECONDS))
            if future.status != "finished":
                return None
            told = future.result(GATHER_SECONDS)
        except LOST_SCHEDULER:
            return None
        except Exception as error:  # whatever a task raises is that task's
            return self._failed(error)
        return self._read(told, digest, tried)

    def _failed(self, error: BaseException | None) -> Answer:
        if isinstance(error, KilledWorker):
            count = self.settings.allowed_failures + 1
            return Answer(fault=f"{count} workers died while they graded it.")
        return Answer(fault=f"The worker failed: {str(error)[:300]}")

    def _read(self, told: object, digest: str, tried: set[str]) -> Answer:
        try:
            worker, raw = cast(tuple[str, bytes], told)
            answer = read_answer(raw)
        except (ValueError, KeyError, TypeError):
            return Answer(fault="The worker's answer cannot be read.")
        reason = answer.fault or fault_of(answer.report)
        if reason:
            tried.add(worker)
            self._crew.bad(worker, digest, reason)
        else:
            self._crew.good(worker)
        return answer


class RemoteSlot:
    """One submission at a time, on whatever worker has room. Use as a context manager."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._last = ""
        self._tried: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def turn(self) -> AbstractContextManager[None]:
        """Wait until a worker has room, or the run is to stop."""
        return self._cluster.turn()

    def grade(
        self, lab: str, folder: Path, seconds: float, *, only: tuple[str, ...] = ()
    ) -> Answer:
        """Return what came of a submission; a fault where its workers died, took too long, or the run is to stop."""
        try:
            task = pack(folder)
        except OurFault as error:
            return Answer(fault=str(error))
        digest = hashlib.sha256(task).hexdigest()
        if digest != self._last:
            self._last, self._tried = digest, set()
        return self._cluster.grade(task, seconds, only, self._tried)
