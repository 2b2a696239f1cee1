"""Slots on this machine: each has a process that grades one submission at a time, and is given another when that one dies."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

from dockdojo.class_.throttle import Throttle
from dockdojo.processes import end_session

MAX_ANSWER_BYTES = 8_000_000
"""Of one report."""
LOOK_SECONDS = 0.5
"""Between two looks at whether the run is to stop."""
GRACE_SECONDS = 20
"""In which a process that is told to end has cleaned up what it was at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one submission: a report as JSON, or why there is none, which is our fault."""

    report: bytes = b""
    fault: str = ""
    modules: tuple[str, ...] = ()
    """Of the toolkit, those that grading needed."""
    images: Mapping[str, str] = field(default_factory=dict)
    """The ids of the images that the result stands on, by name."""


def as_line(answer: Answer) -> bytes:
    """Return an answer as `read_answer` takes it."""
    told: dict[str, object] = {"fault": answer.fault}
    if not answer.fault:
        told = {
            "report": answer.report.decode(),
            "modules": answer.modules,
            "images": dict(answer.images),
        }
    return json.dumps(told).encode()


def read_answer(line: bytes) -> Answer:
    """Return the answer that `class_.slot` gave in a line. Raises ValueError, TypeError or KeyError for what is none."""
    answer = json.loads(line)
    if "report" not in answer:
        return Answer(fault=str(answer["fault"]))
    return Answer(
        report=str(answer["report"]).encode(),
        modules=tuple(map(str, answer.get("modules", ()))),
        images={
            str(ref): str(image) for ref, image in answer.get("images", {}).items()
        },
    )


class Grades(Protocol):
    """What grades one submission at a time: a process here, or a task on another machine."""

    def turn(self) -> AbstractContextManager[None]:
        """Wait until there is room for a submission, and hold it; nothing is begun before."""

    def grade(
        self, lab: str, folder: Path, seconds: float, *, only: tuple[str, ...] = ()
    ) -> Answer:
        """Return what came of it, or of some checks and what those need, at the latest after that many seconds."""


class Slot:
    """One slot. Use as a context manager: at its end, nothing of it runs."""

    def __init__(
        self,
        is_stopping: Callable[[], bool],
        command: tuple[str, ...] = (),
        throttle: Throttle | None = None,
    ) -> None:
        """`is_stopping` tells that the run is to end; `command` is another process than `class_.slot`, for tests.

        With a `throttle`, which all slots of the machine share, one begins where there is room.
        """
        self._is_stopping = is_stopping
        self._throttle = throttle
        self._command = command or (sys.executable, "-m", "dockdojo.class_.slot")
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._end()

    def turn(self) -> AbstractContextManager[None]:
        """Wait until the machine has room for one more."""
        if self._throttle is None:
            return contextlib.nullcontext()
        return self._throttle.turn(self._is_stopping)

    def grade(
        self, lab: str, folder: Path, seconds: float, *, only: tuple[str, ...] = ()
    ) -> Answer:
        """Return what came of a submission; a fault where its process dies, takes longer than that, or is told to stop."""
        process = self._running()
        assert process.stdin is not None
        task = json.dumps({"lab": lab, "folder": str(folder), "only": only})
        try:
            process.stdin.write(f"{task}\n".encode())
            process.stdin.flush()
            line = self._line(process, seconds)
        except OSError as error:
            line, reason = b"", error.strerror or "it cannot be written to"
        else:
            reason = "" if line else self._reason(process)
        if line:
            with contextlib.suppress(ValueError, TypeError, KeyError):
                return read_answer(line)
            reason = "its answer cannot be read"
        self._end()
        return Answer(fault=f"The process that graded it came to nothing: {reason}.")

    def _reason(self, process: subprocess.Popen[bytes]) -> str:
        code = process.poll()
        if self._is_stopping():
            return "the run was stopped"
        return "it took too long" if code is None else f"it ended with exit code {code}"

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._rest = b""
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        return self._process

    def _line(self, process: subprocess.Popen[bytes], seconds: float) -> bytes:
        """The next line; none where the process ends, the time is over, or the run is to stop."""
        assert process.stdout is not None
        end, found = time.monotonic() + seconds, self._rest
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while b"\n" not in found and len(found) <= MAX_ANSWER_BYTES:
                if time.monotonic() > end or self._is_stopping():
                    return b""
                if not selector.select(LOOK_SECONDS):
                    continue
                piece = os.read(process.stdout.fileno(), 2**16)
                if not piece:
                    process.wait()
                    return b""
                found += piece
        line, _, self._rest = found.partition(b"\n")
        return line

    def _end(self) -> None:
        """End the process, and all that it started: first as it likes, so that it cleans up."""
        process, self._process = self._process, None
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_SECONDS)
        end_session(process.pid)
        process.wait()
