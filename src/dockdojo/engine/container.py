"""A container that runs: what its processes are, what it says, how it takes signals, what is in it."""

from __future__ import annotations

import re
import tarfile
import time
from typing import Any

import docker

from dockdojo.connection.connect import brief, engine_errors
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
from dockdojo.engine import archives
from dockdojo.engine.exec_shell import Shell
from dockdojo.engine.process_view import ProcessView
from dockdojo.engine.protocols import ContainerHost
from dockdojo.errors import EngineGone, LimitReached, SubmissionError
from dockdojo.model import Limits

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
"""A time of the engine: RFC 3339 with nanoseconds, in UTC."""


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
        self._processes = ProcessView(self)

    # What it is

    def inspect(self) -> dict[str, Any]:
        """Return the engine's whole record of it."""
        with engine_errors("inspect a container"):
            return dict(self.engine.api.inspect_container(self.id))

    @property
    def running(self) -> bool:
        """Return whether it runs at this moment."""
        return bool(self.engine.state(self.id)["Running"])

    @property
    def address(self) -> str:
        """Return its IP address in the run's own network; empty if it has no network or has ended."""
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
        """Return its processes, by pid as the container sees them; none once it has ended.

        The kernel lists them for a container of ours (see engine.observer), not anything in the image. What came in by
        exec, such as a health check, has the parent 0.
        """
        return self._processes.listed()

    def program(self, pid: int) -> Program:
        """Return what one of its processes runs, as the kernel knows it. Raises SubmissionError if there is no such process."""
        return self._processes.program(pid)

    def last_pid(self) -> int:
        """Return the number of its newest process, also of one that is gone: it grows with each that is started. 0: not known."""
        return self._processes.last_pid()

    def waited_for_processor(self) -> float:
        """Return the seconds that its processes were ready to run and had no processor: the machine is busy. 0: not known."""
        return self._processes.waited_for_processor()

    def files(self, folder: str) -> list[str]:
        """Return the files below one of its folders, as its first process sees it: in volumes and in memory (/dev/shm), too."""
        return self._processes.files(folder)

    @property
    def pid1(self) -> Process:
        """Return the first process. Raises SubmissionError if the container has ended."""
        for process in self.processes():
            if process.pid == 1:
                return process
        raise SubmissionError(
            "The container ended before its first process could be looked at.",
            hint="`docker logs CONTAINER` tells why: read what it said last.",
            detail=self.logs(),
        )

    def changes(self) -> list[str]:
        """Return the paths that it added, changed or removed since it was made (`docker diff`)."""
        with engine_errors("compare a container with its image"):
            return [
                str(change["Path"]) for change in self.engine.api.diff(self.id) or []
            ]

    def logs(self) -> str:
        """Return what it printed so far, stdout and stderr together, bounded by the lab's output limit."""
        with engine_errors("read the logs of a container"):
            raw = self.engine.api.logs(self.id, stdout=True, stderr=True, tail=10_000)
        return bytes(raw)[-self.limits.output_kib * 1024 :].decode("utf-8", "replace")

    def outputs(self) -> tuple[str, str]:
        """Return stdout and stderr so far, apart."""
        with engine_errors("read the logs of a container"):
            api, most = self.engine.api, self.limits.output_kib * 1024
            both = [
                bytes(api.logs(self.id, stdout=out, stderr=not out, tail=10_000))
                for out in (True, False)
            ]
        return both[0][-most:].decode("utf-8", "replace"), both[1][-most:].decode(
            "utf-8", "replace"
        )

    def log_lines(self) -> list[LogLine]:
        """Return the lines that it printed so far, both streams in the order of their times; bounded as `logs` is."""
        most = self.limits.output_kib * 1024
        with engine_errors("read the logs of a container"):
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
        """Return whether `text` (a regular expression) appears in the logs within so many seconds."""
        end = min(time.monotonic() + within, self.until())
        while True:
            running = (
                self.running
            )  # before the logs: what was printed before the end is in them afterwards
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
        with self.engine.meter.waiting(), engine_errors("stop a container"):
            self.engine.api.stop(self.id, timeout=int(grace))
        return self._ended(began)

    def kill(self, signal: str = "KILL", within: float = 10) -> Stopped:
        """`docker kill --signal`, and waits for the end. Raises LimitReached where it goes on for `within` seconds."""
        self._close()
        began = time.monotonic()
        self.signal(signal)
        try:
            self.engine.wait(self.id, min(began + within, self.until()))
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
        """Signal one of its processes, by the pid that the container sees; nothing of the image has a part in it.

        Raises SubmissionError if there is no such process.
        """
        self.consumed = True
        self._processes.signal(pid, signal)

    def wait(self, within: float = 10) -> Stopped:
        """Wait for its end. Raises LimitReached if it goes on for more than `within` seconds."""
        began = time.monotonic()
        try:
            self.engine.wait(self.id, min(began + within, self.until()))
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
        """Run a command in it, without a shell. Raises LimitReached at the check's end."""
        until = self.until()
        with engine_errors("run a command in a container"):
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
        with engine_errors("run a command in a container"):
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
        """Return a shell kept open in it, for many quick commands, or None if the image has none."""
        if self._shell is None or not self._shell.alive:
            self._shell = Shell.open(
                self.engine, self.id, self.limits.output_kib * 1024
            )
        return self._shell

    def members(
        self, path: str, most: int = 10_000
    ) -> list[tuple[tarfile.TarInfo, bytes]]:
        """Return the files at `path`, with their bytes; needs no shell and no running container. Empty if there is none.

        A link is not followed; a folder comes with all that is below it. Raises LimitReached for more than 20 MB. At a path that
        no file can have (a name that is too long, a folder that is a file, links in a circle), there is none.
        """
        with self.engine.meter.waiting():
            return archives.members(self.engine.api, self.id, path, most)

    def read(self, path: str) -> bytes:
        """Return the bytes of one file. Raises SubmissionError if it is missing or no file."""
        found = self.members(path)
        if not found or not found[0][0].isreg():
            raise SubmissionError(f"There is no file `{path}` in the container.")
        return found[0][1]

    def write(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Put a file into it, as root's. Raises SubmissionError if its folder is missing."""
        folder, _, name = path.rpartition("/")
        self.unpack(folder or "/", archives.packed(name, data, mode))

    def unpack(self, folder: str, archive: bytes) -> None:
        """Unpack a tar archive in one of its folders, as root. Raises SubmissionError if the folder is missing."""
        archives.unpack(self.engine.api, self.id, folder, archive)

    def remove(self) -> None:
        """Kill and remove it."""
        self._close()
        self.engine.remove(self.id)

    def _close(self) -> None:
        self.consumed = True
        if self._shell is not None:
            self._shell.close()
            self._shell = None
        self._processes.close()

    def until(self) -> float:
        """Return until when a call may wait (monotonic): to the check's end, or for its time limit."""
        return (
            self.deadline
            if self.deadline is not None
            else time.monotonic() + self.limits.check_seconds
        )

    def _left(self, most: float) -> float:
        return min(time.monotonic() + most, self.until())
