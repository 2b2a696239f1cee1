"""The child process from the parent's side: started, listened to, watched, and ended."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from dockerlab.errors import CourseError, LimitReached, OurFault
from dockerlab.model import Check, Feedback, Limits, Outcome, Part, Point
from dockerlab.plugin.child import UNEARNABLE, Order
from dockerlab.processes import end_group, end_session

SLACK = 15.0
"""Seconds beyond a limit of the lab after which the child is judged to hang: what it waits for has limits of its own."""
START_SECONDS = 60.0
_KEPT = ("PATH", "HOME", "USERPROFILE", "SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "LANG", "LC_ALL", "TMPDIR", "TEMP", "TMP",
         "XDG_RUNTIME_DIR", "LOCALAPPDATA", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")  # fmt: skip
Listen = Callable[[dict[str, Any]], None]


def environment(owner: str, scratch: Path) -> dict[str, str]:
    """What the child sees of the caller's environment: how to find the engine, and nothing that steers Python or pytest.

    Its temporary files go to `scratch`, so that they are removed with the rest of the run, whatever becomes of it.
    """
    kept = {key: value for key, value in os.environ.items() if key in _KEPT or key.startswith("DOCKER_")}
    places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))
    return kept | places | {"DOCKERLAB_OWNER": owner, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


class Worker:
    """Runs one grader to its end, with as many child processes as it takes."""

    def __init__(self, order: Order, owner: str, listen: Listen) -> None:
        self._order = order
        self._owner = owner
        self._listen = listen
        self.checks: list[Check] = []
        self.outcomes: dict[str, Outcome] = {}
        self.costs: dict[str, float] = {}
        self.layers: tuple[Part, ...] = ()
        self.curve: tuple[Point, ...] = ()
        self.ends = time.monotonic() + order.limits.deadline
        """When the whole grading is over (monotonic)."""
        self._failed_builds: dict[str, dict[str, Any]] = {}
        self._building: dict[str, float] = {}
        """Builds that go on, by name, with the seconds that each may take."""
        self.builder = ""
        """How the child built images; looking for that once is enough."""

    def work(self) -> None:
        """Fills `checks` and `outcomes`. Raises CourseError where the grader cannot be loaded."""
        while True:
            running, why = self._child()
            if not running and not why:
                return
            if self.is_late:
                self._out_of_time()
                return
            if not running:
                raise OurFault(f"The process that grades ended before its first check: {why}")
            check = next(one for one in self.checks if one.name == running)
            lost = Outcome(
                check=check.name, title=check.title, status="error", points=check.points, hidden=check.hidden,
                feedback=Feedback(observed=why, why="This is not the submission's fault: the grader could not finish the check."),
            )  # fmt: skip
            self._bring(lost)
            if self._order.only is None and len(self.outcomes) == len(self.checks):
                return

    @property
    def is_late(self) -> bool:
        """Whether the whole grading's time is over."""
        return time.monotonic() >= self.ends

    def _out_of_time(self) -> None:
        """What was not carried out when the submission had used up the time is failed."""
        seconds = self._order.limits.deadline
        feedback = Feedback(
            observed=f"The whole grading reached its limit of {seconds:.0f} s before this could be carried out.",
            why="What took so long? Each build and each run counts.",
        )
        for check in self.checks:
            if check.name not in self.outcomes and (self._order.only is None or check.name in self._order.only):
                late = Outcome(
                    check=check.name, title=check.title, status="failed", points=check.points, hidden=check.hidden,
                    feedback=feedback,
                )  # fmt: skip
                self._bring(late)

    def _note_build(self, event: dict[str, Any]) -> None:
        """Keep what failed: neither the next check nor the next child builds it again."""
        name = str(event.get("build") or "")
        if not name:
            return
        if event["event"] == "building":
            self._building[name] = float(event["seconds"])
        else:
            self._building.pop(name, None)
            if event.get("failed"):
                self._failed_builds[name] = event["failed"]

    def _give_up_builds(self) -> None:
        """A build in which a child came to its end is not tried again."""
        for name, seconds in self._building.items():
            error = LimitReached(f"The build did not come to an end within {seconds:.0f} s.")
            self._failed_builds[name] = dict(error.as_record())
        self._building.clear()

    def _bring(self, outcome: Outcome) -> None:
        self.outcomes[outcome.check] = outcome
        self._listen({"event": "outcome", "outcome": outcome})

    def _child(self) -> tuple[str, str]:
        """One child, to its end: the check that it died in ("" for none), and why it died ("" where it did not)."""
        home = Path(self._order.home)
        scratch = home / "tmp"
        scratch.mkdir(exist_ok=True)
        done = {name: UNEARNABLE if outcome.unearnable else outcome.status for name, outcome in self.outcomes.items()}
        left = max(0.1, self.ends - time.monotonic())
        order = msgspec.structs.replace(self._order, done=done, seconds_left=left, failed_builds=self._failed_builds)
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                [sys.executable, "-I", "-B", "-m", "dockerlab.plugin.child"], cwd=home, env=environment(self._owner, scratch),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, start_new_session=os.name == "posix",
            )  # fmt: skip
            assert process.stdin is not None
            assert process.stdout is not None
            lines: queue.Queue[bytes] = queue.Queue()
            reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
            reader.start()
            try:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.write(msgspec.json.encode(order) + b"\n")
                    process.stdin.close()
                running, why = self._follow(lines, order.limits)
            finally:
                _end(process)
                process.stdout.close()
                self._give_up_builds()
            if why == DIED:
                why = f"its process died ({_death(process.returncode)}){_last_words(said)}"
            return running, why

    def _follow(self, lines: queue.Queue[bytes], limits: Limits) -> tuple[str, str]:
        running, patience, finished = "", START_SECONDS, False
        since = time.monotonic()
        while True:
            until = min(since + patience, self.ends + LATE_SECONDS)
            try:
                line = lines.get(timeout=max(0.05, until - time.monotonic()))
            except queue.Empty:
                return running, f"it did not come to an end within {patience:.0f} s"
            if not line:
                return (running, DIED) if running or not finished else ("", "")
            event = msgspec.json.decode(line)
            match event["event"]:
                case "collected":
                    self.checks = msgspec.convert(event["checks"], list[Check])
                    event["checks"] = self.checks
                case "broken":
                    raise CourseError(f"{self._order.grader}: {event['reason']}")
                case "start":
                    running, patience, since = (
                        event["check"],
                        limits.check_seconds + SLACK,
                        time.monotonic(),
                    )
                case "building" | "waiting":
                    self._note_build(event)
                    patience, since = event["seconds"] + SLACK, time.monotonic()
                case "built":
                    self._note_build(event)
                    patience, since = limits.check_seconds + SLACK, time.monotonic()
                case "outcome":
                    running, patience, since = "", START_SECONDS, time.monotonic()
                    self._bring(msgspec.convert(event["outcome"], Outcome))
                    continue
                case "curve":
                    self.curve = tuple(msgspec.convert(event["points"], list[Point])[:MOST_POINTS])
                case "picture":
                    self.layers = tuple(msgspec.convert(event["layers"], list[Part]))
                case "costs":
                    finished, self.builder = True, event["builder"]
                    for key, value in event["costs"].items():
                        self.costs[key] = self.costs.get(key, 0) + value
            self._listen(event)


DIED = "died"
LATE_SECONDS = 8.0
"""After the deadline, for the child to come to its end by itself."""
MAX_EVENT_BYTES = 20_000_000
"""Bytes of one event; a child of ours says nothing longer."""
MOST_POINTS = 1_000
"""Epochs of a learning curve that are kept."""


def _read(pipe: Any, lines: queue.Queue[bytes]) -> None:
    with contextlib.suppress(ValueError, OSError):
        while line := pipe.readline(MAX_EVENT_BYTES):
            lines.put(line)
    lines.put(b"")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the child and all that it started: also a docker CLI in a group of its own, in the middle of a build."""
    if process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
    try:
        end_group(process)
    finally:
        if os.name == "posix":
            end_session(process.pid)


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"


def _last_words(said: Any) -> str:
    said.seek(0, os.SEEK_END)
    said.seek(max(0, said.tell() - 2_000))
    last = said.read().decode("utf-8", "replace").strip().splitlines()[-1:]
    return f": {last[0][:200]}" if last else ""
