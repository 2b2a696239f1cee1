"""The labels on everything that dockdojo makes, and who made it."""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import sys
import uuid
from functools import cache
from pathlib import Path

RUN = "dockdojo.run"
"""The id of one run of dockdojo."""
OWNER = "dockdojo.owner"
"""machine:pid:start of the process that made it, so that `clean` can tell whether it still lives."""


def new_run_id() -> str:
    """An id for one run; it begins with this process's id."""
    return f"{os.getpid()}-{secrets.token_hex(4)}"


@cache
def _machine() -> str:
    seed = f"{socket.gethostname()}-{uuid.getnode()}"
    return hashlib.sha256(seed.encode()).hexdigest()[:12]


def _started(pid: int) -> str:
    """When the process began, in the kernel's words; tells a reused pid apart. Empty where unknown."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return ""


def owner() -> str:
    """The process, as the label says it. The child that grades passes on its parent's."""
    return os.environ.get("DOCKDOJO_OWNER") or f"{_machine()}:{os.getpid()}:{_started(os.getpid())}"


def owner_lives(label: str) -> bool:
    """Whether what bears the label is still in use, or may be: another machine's is never judged dead."""
    machine, _, rest = label.partition(":")
    pid, _, started = rest.partition(":")
    if machine != _machine() or not pid.isdigit():
        return bool(label)
    return process_lives(int(pid), started)


def process_lives(pid: int, started: str = "") -> bool:
    """Whether a process of that id (and, where given, of that start) runs on this machine."""
    if sys.platform == "win32":
        return _alive_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return not started or _started(pid) in ("", started)


def _alive_on_windows(pid: int) -> bool:
    import subprocess

    listed = subprocess.run(["tasklist", "/FI", f"PID eq {pid}", "/NH"], capture_output=True, text=True, check=False)
    return str(pid) in listed.stdout
