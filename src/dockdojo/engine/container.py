"""A container that runs: what its processes are, what it says, how it takes signals, what is in it."""

from __future__ import annotations

import io
import re
import tarfile
import time
from collections.abc import Callable
from typing import Any, TypeVar

import docker

from dockdojo.connection.connect import brief, speaking
from dockdojo.connection.streams import Deadline, Frames, collect
from dockdojo.connection.types import (
    ExitCode,
    Finished,
    LogLine,
    Process,
    Program,
    RunSpec,
    Stopped,
    when,
)
from dockdojo.engine.exec_shell import Shell
from dockdojo.engine.observer import IMAGE as OBSERVERS
from dockdojo.engine.observer import Observer, ObserverLost
from dockdojo.engine.protocols import ContainerHost
from dockdojo.errors import EngineGone, LimitReached, SubmissionError
from dockdojo.model import Limits

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
"""A time of the engine: RFC 3339 with nanoseconds, in UTC."""
NO_SUCH_PATH = re.compile(
    r"file name too long|not a directory|too many (?:levels of symbolic )?links",
    re.IGNORECASE,
)
"""How the engine says that a path leads nowhere, beside its 404."""
LOOKS, LOOK_AGAIN_SECONDS = 5, 0.3
"""How often, and after how many seconds again, the processes of a container that may be ending are asked for."""
MAX_FILE_BYTES = 20_000_000
"""Bytes; more of one file is never read out of a container."""
T = TypeVar("T")


class Container:
    """A running container. Seconds are wall time; exit codes know their meaning."""

    def __init__(
        self, engine: ContainerHost, container_id: str, spec: RunSpec, limits: Limits
    ) -> None:
        self.engine = engine
        self.id = container_id
        self.spec = spec
        self.limits = limits
        self.started = time.monotonic()
        self.consumed = False
        """True once it was stopped or signalled: other checks then get a container of their own."""
        self.deadline: float | None = None
        """Until when calls may wait (monotonic); set by the plugin for each check."""
        self._shell: Shell | None = None
        self._observer: Observer | None = None

    # What it is

    def inspect(self) -> dict[str, Any]:
        """The engine's whole record of it."""
        with speaking("inspect a container"):
            return dict(self.engine.api.inspect_container(self.id))

    @property
    def running(self) -> bool:
        """Whether it runs at this moment."""
        return bool(self.engine.state(self.id)["Running"])

    @property
    def address(self) -> str:
        """Its IP address in the run's own network; empty where it has no network or has ended."""
        networks = self.inspect()["NetworkSettings"]["Networks"]
        return next(
            (
                str(network["IPAddress"])
                for network in networks.values()
                if network["IPAddress"]
            ),
            "",
        )

    def processes(self) -> list[Process]:
        """Its processes, by pid as the container sees them; none once it has ended.

        Told by the kernel to a container of ours (see engine.observer), not by anything in the image. What came in by
        exec, such as a health check, has the parent 0.
        """
        if not self._observable():
            return self._top() if self.running else []
        return self._observe(lambda observer: observer.processes(self._until()), [])

    def program(self, pid: int) -> Program:
        """What one of its processes runs, as the kernel knows it. Raises SubmissionError where there is no such process."""
        found = self._observe(
            lambda observer: observer.program(pid, self._until()), None
        )
        if found is None:
            raise self._no_process(pid)
        return found

    def last_pid(self) -> int:
        """The number of its newest process, also of one that is gone: it grows with each that is started. 0: not known."""
        return self._observe(lambda observer: observer.last_pid(self._until()), 0)

    def waited_for_processor(self) -> float:
        """Seconds that its processes were ready to run and had no processor: the machine is busy. 0 where that is not known."""
        return (
            self._observe(lambda observer: observer.waited(self._until()), 0.0)
            if self._observable()
            else 0.0
        )

    def files(self, folder: str) -> list[str]:
        """The files below one of its folders, as its first process sees it: in volumes and in memory (/dev/shm), too."""
        return self._observe(lambda observer: observer.files(folder, self._until()), [])

    def _no_process(self, pid: int) -> SubmissionError:
        return SubmissionError(
            f"There is no process {pid} in the container any more.",
            detail=self.logs()[-600:],
        )

    def _observable(self) -> bool:
        return self._observer is not None or self.engine.has_image(OBSERVERS)

    def _observe(self, ask: Callable[[Observer], T], ended: T) -> T:
        """The answer of an observer, which is kept for the next question; `ended` where the container is no more."""
        reason = ""
        for _ in range(LOOKS):
            try:
                if self._observer is None or not self._observer.alive:
                    self._observer = Observer.beside(self.engine, self.id)
                return ask(self._observer)
            except ObserverLost as lost:
                reason, self._observer = lost.reason, None
            time.sleep(
                LOOK_AGAIN_SECONDS
            )  # perhaps it ended while it was looked at, and its state does not say so yet
            if not self.running:
                return ended
            if time.monotonic() > self._until():
                raise LimitReached(
                    "The processes of the container could not be looked at within the check's time limit."
                )
        if reason and not self.engine.starts_observers():
            raise EngineGone(
                f"The processes of a container could not be looked at: {reason}."
            )
        raise SubmissionError(
            "Something in the container ends whatever looks at its processes.",
            hint="Does a program of yours signal processes that it did not start?",
        )

    def _top(self) -> list[Process]:
        with speaking("list the processes of a container"):
            listed = self.engine.api.top(self.id, ps_args="-o pid,ppid,stat,uid,args")
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

    @property
    def pid1(self) -> Process:
        """The first process. Raises SubmissionError where the container has ended."""
        for process in self.processes():
            if process.pid == 1:
                return process
        raise SubmissionError(
            "The container ended before its first process could be looked at.",
            hint="`docker logs CONTAINER` tells why: read what it said last.",
            detail=self.logs(),
        )

    def changes(self) -> list[str]:
        """The paths that it added, changed or removed since it was made (`docker diff`)."""
        with speaking("compare a container with its image"):
            return [
                str(change["Path"]) for change in self.engine.api.diff(self.id) or []
            ]

    def logs(self) -> str:
        """What it printed so far, stdout and stderr together, bounded by the lab's output limit."""
        with speaking("read the logs of a container"):
            raw = self.engine.api.logs(self.id, stdout=True, stderr=True, tail=10_000)
        return bytes(raw)[-self.limits.output_kib * 1024 :].decode("utf-8", "replace")

    def outputs(self) -> tuple[str, str]:
        """Stdout and stderr so far, apart."""
        with speaking("read the logs of a container"):
            api, most = self.engine.api, self.limits.output_kib * 1024
            both = [
                bytes(api.logs(self.id, stdout=out, stderr=not out, tail=10_000))
                for out in (True, False)
            ]
        return both[0][-most:].decode("utf-8", "replace"), both[1][-most:].decode(
            "utf-8", "replace"
        )

    def log_lines(self) -> list[LogLine]:
        """The lines that it printed so far, both streams in the order of their times; bounded as `logs` is."""
        most = self.limits.output_kib * 1024
        with speaking("read the logs of a container"):
            api = self.engine.api
            began = when(api.inspect_container(self.id)["State"]["StartedAt"])
            raw = {
                name: bytes(
                    api.logs(
                        self.id,
                        stdout=not err,
                        stderr=err,
                        timestamps=True,
                        tail=10_000,
                    )
                )[-most:]
                for name, err in (("stdout", False), ("stderr", True))
            }
        found = [
            LogLine(seconds=when(stamp) - began, stream=name, text=text.rstrip("\r"))
            for name, data in raw.items()
            for stamp, _, text in (
                line.partition(" ")
                for line in data.decode("utf-8", "replace").split("\n")
            )
            if STAMP.fullmatch(stamp)
        ]
        return sorted(found, key=lambda line: line.seconds)

    def wait_for_log(self, text: str, within: float = 10) -> bool:
        """Whether `text` (a regular expression) appears in the logs within so many seconds."""
        end = min(time.monotonic() + within, self._until())
        while True:
            running = (
                self.running
            )  # asked first: what was printed before the end is in the logs afterwards
            if re.search(text, self.logs()):
                return True
            if not running or time.monotonic() >= end:
                return False
            with self.engine.meter.waiting():
                time.sleep(0.05)

    # What is done to it

    def stop(self, grace: float = 10) -> Stopped:
        """`docker stop`: the stop signal, and SIGKILL after `grace` seconds."""
        self._close()
        began = time.monotonic()
        with self.engine.meter.waiting(), speaking("stop a container"):
            self.engine.api.stop(self.id, timeout=int(grace))
        return self._ended(began)

    def kill(self, signal: str = "KILL", within: float = 10) -> Stopped:
        """`docker kill --signal`, and waits for the end. Raises LimitReached where it goes on for `within` seconds."""
        self._close()
        began = time.monotonic()
        self.signal(signal)
        try:
            self.engine.wait(self.id, min(began + within, self._until()))
        except Deadline:
            raise LimitReached(
                f"The container went on for more than {within:.0f} s after SIG{signal.removeprefix('SIG')}."
            ) from None
        return self._ended(began)

    def signal(self, signal: str) -> None:
        """`docker kill --signal`, without waiting for anything."""
        self.consumed = True
        try:
            self.engine.api.kill(self.id, signal)
        except docker.errors.APIError as error:
            if error.status_code == 409:
                raise SubmissionError(
                    "The container had ended already.", detail=self.logs()
                ) from error
            raise EngineGone(
                f"The engine could not signal a container: {brief(error)}."
            ) from error

    def signal_process(self, pid: int, signal: str = "KILL") -> None:
        """Signals one of its processes, by the pid that the container sees; nothing of the image has a part in it.

        Raises SubmissionError where there is no such process.
        """
        self.consumed = True
        if not self._observe(
            lambda observer: observer.signal(pid, signal, self._until()), False
        ):
            raise self._no_process(pid)

    def wait(self, within: float = 10) -> Stopped:
        """Waits for its end. Raises LimitReached where it does not come within so many seconds."""
        began = time.monotonic()
        try:
            self.engine.wait(self.id, min(began + within, self._until()))
        except Deadline:
            raise LimitReached(
                f"The container did not end within {within:.0f} s."
            ) from None
        return self._ended(began)

    def _ended(self, began: float) -> Stopped:
        seconds = time.monotonic() - began
        self.consumed = True
        state = self.engine.state(self.id)
        out, err = self.outputs()
        return Stopped(
            exit_code=ExitCode(state["ExitCode"]),
            seconds=seconds,
            oom_killed=bool(state["OOMKilled"]),
            stdout=out,
            stderr=err,
        )

    def exec(self, *argv: str, user: str = "") -> Finished:
        """Runs a command in it, without a shell. Raises LimitReached at the check's end."""
        until = self._until()
        with speaking("run a command in a container"):
            api = self.engine.api
            try:
                made = api.exec_create(self.id, list(argv), user=user)
            except docker.errors.APIError as error:
                if error.status_code == 409:
                    raise SubmissionError(
                        "The container had ended already.", detail=self.logs()
                    ) from error
                raise
            began = time.monotonic()
            frames = Frames(api.exec_start(made["Id"], socket=True))
        try:
            with self.engine.meter.waiting():
                out, err = collect(frames, until, self.limits.output_kib * 1024)
        except Deadline:
            raise LimitReached(
                f"`{' '.join(argv)[:80]}` did not end within the time limit of the check."
            ) from None
        finally:
            frames.close()
        with speaking("run a command in a container"):
            code = api.exec_inspect(made["Id"])["ExitCode"]
        return Finished(
            exit_code=ExitCode(code if code is not None else 137),
            stdout=out.text(),
            stderr=err.text(),
            seconds=time.monotonic() - began,
        )

    # What is in it

    @property
    def shell(self) -> Shell | None:
        """A shell kept open in it, for many quick commands; None where the image has none."""
        if self._shell is None or not self._shell.alive:
            self._shell = Shell.open(
                self.engine, self.id, self.limits.output_kib * 1024
            )
        return self._shell

    def members(
        self, path: str, most: int = 10_000
    ) -> list[tuple[tarfile.TarInfo, bytes]]:
        """The files at `path`, with their bytes; needs no shell and no running container. Empty where there is none.

        A link is not followed; a folder comes with all that is below it. Raises LimitReached for more than 20 MB. At a path that
        no file can have (a name that is too long, a folder that is a file, links in a circle), there is none.
        """
        with self.engine.meter.waiting():
            try:
                chunks, _ = self.engine.api.get_archive(self.id, path)
                raw = bytearray()
                for chunk in chunks:
                    raw += chunk
                    if len(raw) > MAX_FILE_BYTES:
                        raise LimitReached(
                            f"`{path}` in the container holds more than {MAX_FILE_BYTES // 10**6} MB."
                        )
            except docker.errors.NotFound:
                return []
            except docker.errors.APIError as error:
                if NO_SUCH_PATH.search(str(error)):
                    return []
                raise EngineGone(
                    f"The engine could not read {path}: {brief(error)}."
                ) from error
        found = []
        with tarfile.open(fileobj=io.BytesIO(bytes(raw))) as archive:
            for member in archive:
                data = archive.extractfile(member) if member.isreg() else None
                found.append((member, data.read() if data else b""))
                if len(found) >= most:
                    break
        return found

    def read(self, path: str) -> bytes:
        """The bytes of one file. Raises SubmissionError where it is missing or no file."""
        found = self.members(path)
        if not found or not found[0][0].isreg():
            raise SubmissionError(f"There is no file `{path}` in the container.")
        return found[0][1]

    def write(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Puts a file into it, as root's. Raises SubmissionError where its folder is missing."""
        folder, _, name = path.rpartition("/")
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = len(data), mode, time.time()
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.addfile(info, io.BytesIO(data))
        self.unpack(folder or "/", packed.getvalue())

    def unpack(self, folder: str, archive: bytes) -> None:
        """Unpacks a tar archive in one of its folders, as root. Raises SubmissionError where the folder is missing."""
        try:
            self.engine.api.put_archive(self.id, folder, archive)
        except docker.errors.NotFound as error:
            raise SubmissionError(
                f"There is no folder `{folder}` in the container."
            ) from error
        except docker.errors.APIError as error:
            raise EngineGone(
                f"The engine could not write to {folder}: {brief(error)}."
            ) from error

    def remove(self) -> None:
        """Kills and removes it."""
        self._close()
        self.engine.remove(self.id)

    def _close(self) -> None:
        self.consumed = True
        if self._shell is not None:
            self._shell.close()
            self._shell = None
        if self._observer is not None:
            self._observer.close()
            self._observer = None

    def _until(self) -> float:
        return (
            self.deadline
            if self.deadline is not None
            else time.monotonic() + self.limits.check_seconds
        )

    def _left(self, most: float) -> float:
        return min(time.monotonic() + most, self._until())
