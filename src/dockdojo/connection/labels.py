"""The labels on everything that dockdojo makes, and who made it."""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import uuid
from functools import cache

from dockdojo import processes

RUN = "dockdojo.run"
"""The id of one run of dockdojo."""
OWNER = "dockdojo.owner"
"""machine:pid:start of the process that made it, so that `clean` can tell whether it still lives."""


def new_run_id() -> str:
    """Return an id for one run; it begins with this process's id."""
    return f"{os.getpid()}-{secrets.token_hex(4)}"


@cache
def _machine() -> str:
    seed = f"{socket.gethostname()}-{uuid.getnode()}"
    return hashlib.sha256(seed.encode()).hexdigest()[:12]


def owner() -> str:
    """Return the process, as the label says it. The child that grades passes on its parent's."""
    return (
        os.environ.get("DOCKDOJO_OWNER")
        or f"{_machine()}:{os.getpid()}:{processes.started(os.getpid())}"
    )


def owner_lives(label: str) -> bool:
    """Return whether what bears the label is still in use, or may be: another machine's is never judged dead."""
    machine, _, rest = label.partition(":")
    pid, _, started = rest.partition(":")
    if machine != _machine() or not pid.isdigit():
        return bool(label)
    return processes.lives(int(pid), started)
