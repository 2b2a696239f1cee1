"""Processes of this machine: whether one still lives, and ending those that were started here with all that they started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import psutil

PACKAGE = __name__.partition(".")[0]
GRACE_SECONDS = 2.0
"""Between SIGTERM and SIGKILL."""


def started(pid: int) -> str:
    """Return when a process began, in the kernel's words; it tells a number that was given again apart. Empty where unknown.

    Ticks since the machine started (proc(5)), and not psutil's `create_time`, which moves when the clock is set.
    """
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    return ""


def loaded_modules() -> list[str]:
    """Return the toolkit's modules that this process has loaded, by their names, in order."""
    return sorted(name for name in sys.modules if name.partition(".")[0] == PACKAGE)


def lives(pid: int, since: str = "") -> bool:
    """Return whether a process of that id (and, where given, of that start) runs on this machine."""
    return psutil.pid_exists(pid) and (not since or started(pid) in ("", since))


def is_zombie(pid: int) -> bool:
    """Return whether a process has ended and nobody has asked how; True where there is none."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class Started(Protocol):
    """A process that was started here: subprocess.Popen, or one like it."""

    @property
    def pid(self) -> int:
        """Return its number."""

    def poll(self) -> int | None:
        """Return its exit code, None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code. Raises subprocess.TimeoutExpired."""

    def kill(self) -> None:
        """End it."""


def end_group(process: Started, grace: float = GRACE_SECONDS) -> None:
    """End a process that leads a group of its own, and the whole group: SIGTERM, `grace` seconds, SIGKILL."""
    if os.name != "posix":
        if process.poll() is None:
            process.kill()
            process.wait()
        return
    _signal_group(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(grace)
    _signal_group(process.pid, signal.SIGKILL)
    process.wait()


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def end_session(leader: int) -> None:
    """End every process of the session that `leader` began by SIGKILL, whatever group it is in; needs /proc."""
    if not Path("/proc/self/stat").exists():
        _signal_group(leader, signal.SIGKILL)
        return
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and _session_of(int(folder.name)) == leader:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(folder.name), signal.SIGKILL)


def _session_of(pid: int) -> int:
    try:
        return int(
            Path(f"/proc/{pid}/stat")
            .read_text(errors="replace")
            .rpartition(")")[2]
            .split()[3]
        )
    except (OSError, IndexError, ValueError):
        return -1
