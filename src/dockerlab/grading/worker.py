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

from dockerlab.errors import CourseError, OurFault
from dockerlab.model import Check, Feedback, Limits, Outcome, Part, Point
from dockerlab.plugin.child import UNEARNABLE, Order

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
        self.builder = ""
        """How the child built images; looking for that once is enough."""

    def work(self) -> None:
        """Fills `checks` and `outcomes`. Raises CourseError where the grader cannot be loaded."""
        while True:
            running, why = self._child()
            if not running and not why:
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

    def _bring(self, outcome: Outcome) -> None:
        self.outcomes[outcome.check] = outcome
        self._listen({"event": "outcome", "outcome": outcome})

    def _child(self) -> tuple[str, str]:
        """One child, to its end: the check that it died in ("" for none), and why it died ("" where it did not)."""
        home = Path(self._order.home)
        scratch = home / "tmp"
        scratch.mkdir(exist_ok=True)
        done = {name: UNEARNABLE if outcome.unearnable else outcome.status for name, outcome in self.outcomes.items()}
        order = msgspec.structs.replace(self._order, done=done)
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
            if why == DIED:
                why = f"its process died ({_death(process.returncode)}){_last_words(said)}"
            return running, why

    def _follow(self, lines: queue.Queue[bytes], limits: Limits) -> tuple[str, str]:
        running, patience, finished = "", START_SECONDS, False
        since = time.monotonic()
        while True:
            try:
                line = lines.get(timeout=max(0.05, since + patience - time.monotonic()))
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
                    patience, since = event["seconds"] + SLACK, time.monotonic()
                case "built":
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
MOST_POINTS = 1_000
"""Epochs of a learning curve that are kept."""


def _read(pipe: Any, lines: queue.Queue[bytes]) -> None:
    with contextlib.suppress(ValueError, OSError):
        while line := pipe.readline():
            lines.put(line)
    lines.put(b"")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the child and what it started (a docker CLI in the middle of a build)."""
    if process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
    for send in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        if os.name == "posix":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, send)
        elif process.poll() is None:
            process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(3)
            break


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
