"""The processes of a running container, as an observer beside it sees them (see observer); `docker top` where there is none."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from dockdojo.connection.connect import engine_errors
from dockdojo.connection.types import Process, Program
from dockdojo.engine.observer import IMAGE as OBSERVERS
from dockdojo.engine.observer import Observer, ObserverLost
from dockdojo.engine.protocols import ContainerHost
from dockdojo.errors import EngineGone, LimitReached, SubmissionError

LOOKS, LOOK_AGAIN_SECONDS = 5, 0.3
"""How often, and after how many seconds again, the processes of a container that may be ending are looked at."""
T = TypeVar("T")


class Observed(Protocol):
    """A container, as a view of its processes needs it."""

    engine: ContainerHost
    id: str

    @property
    def running(self) -> bool:
        """Return whether it runs at this moment."""

    def logs(self) -> str:
        """Return what it printed so far."""

    def until(self) -> float:
        """Return until when a call may wait (monotonic)."""


class ProcessView:
    """What the kernel tells of a container's processes; its observer is started at the first question, and kept."""

    def __init__(self, container: Observed) -> None:
        self._container = container
        self._observer: Observer | None = None

    def listed(self) -> list[Process]:
        """Return the processes, by pid as the container sees them; none once it has ended."""
        if not self._observable():
            return self._top() if self._container.running else []
        return self._observe(
            lambda observer: observer.processes(self._container.until()), []
        )

    def program(self, pid: int) -> Program:
        """Return what a process runs. Raises SubmissionError if there is no such process."""
        found = self._observe(
            lambda observer: observer.program(pid, self._container.until()), None
        )
        if found is None:
            raise self._no_process(pid)
        return found

    def last_pid(self) -> int:
        """Return the pid of the newest process, also of one that is gone; 0 if that is not known."""
        return self._observe(
            lambda observer: observer.last_pid(self._container.until()), 0
        )

    def waited_for_processor(self) -> float:
        """Return the seconds that the processes were ready to run and had no processor; 0 if that is not known."""
        return (
            self._observe(
                lambda observer: observer.waited(self._container.until()), 0.0
            )
            if self._observable()
            else 0.0
        )

    def files(self, folder: str) -> list[str]:
        """Return the files below a folder, as the first process sees it."""
        return self._observe(
            lambda observer: observer.files(folder, self._container.until()), []
        )

    def signal(self, pid: int, signal: str) -> None:
        """Signal a process. Raises SubmissionError if there is no such process."""
        if not self._observe(
            lambda observer: observer.signal(pid, signal, self._container.until()),
            False,
        ):
            raise self._no_process(pid)

    def close(self) -> None:
        """End the observer, if there is one."""
        if self._observer is not None:
            self._observer.close()
            self._observer = None

    def _no_process(self, pid: int) -> SubmissionError:
        return SubmissionError(
            f"There is no process {pid} in the container any more.",
            detail=self._container.logs()[-600:],
        )

    def _observable(self) -> bool:
        return self._observer is not None or self._container.engine.has_image(OBSERVERS)

    def _observe(self, ask: Callable[[Observer], T], ended: T) -> T:
        """Return the answer of an observer, which is kept for the next question; `ended` if the container is no more."""
        container, reason = self._container, ""
        for _ in range(LOOKS):
            try:
                if self._observer is None or not self._observer.alive:
                    self._observer = Observer.beside(container.engine, container.id)
                return ask(self._observer)
            except ObserverLost as lost:
                reason, self._observer = lost.reason, None
            # Perhaps it ended while it was looked at, and its state does not say so yet.
            time.sleep(LOOK_AGAIN_SECONDS)
            if not container.running:
                return ended
            if time.monotonic() > container.until():
                raise LimitReached(
                    "The processes of the container could not be looked at within the check's time limit."
                )
        if reason and not container.engine.starts_observers():
            raise EngineGone(
                f"The processes of a container could not be looked at: {reason}."
            )
        raise SubmissionError(
            "Something in the container ends whatever looks at its processes.",
            hint="Does a program of yours signal processes that it did not start?",
        )

    def _top(self) -> list[Process]:
        with engine_errors("list the processes of a container"):
            listed = self._container.engine.api.top(
                self._container.id, ps_args="-o pid,ppid,stat,uid,args"
            )
        rows = listed["Processes"] or []
        first = rows[0][0] if rows else ""
        local = {row[0]: 1 if row[0] == first else int(row[0]) for row in rows}
        return [
            Process(
                pid=local[row[0]],
                ppid=local.get(row[1], 0),
                state=row[2][0],
                uid=int(row[3]),
                argv=tuple(row[4].split()),
            )
            for row in rows
        ]
