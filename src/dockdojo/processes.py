"""Ending processes that were started here, with all that they started themselves."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

GRACE_SECONDS = 2.0
"""Between SIGTERM and SIGKILL."""


def end_group(process: subprocess.Popen[bytes], grace: float = GRACE_SECONDS) -> None:
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
        return int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[3])
    except (OSError, IndexError, ValueError):
        return -1
