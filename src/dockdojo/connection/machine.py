"""What this machine has for an engine: a dockerd, how to come by one, and the engine that dockdojo started here."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from dockdojo import processes
from dockdojo.paths import state_folder

SBIN = ("/usr/sbin", "/sbin", "/usr/local/sbin")


def record_file() -> Path:
    """Return where it is noted which engine dockdojo started."""
    return state_folder() / "engine.json"


def is_root() -> bool:
    """Return whether this process may do whatever it likes."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def distribution() -> set[str]:
    """Return the names that /etc/os-release gives itself: {"debian"}, {"ubuntu", "debian"}."""
    found: set[str] = set()
    with contextlib.suppress(OSError):
        for line in Path("/etc/os-release").read_text().splitlines():
            key, _, value = line.partition("=")
            if key in ("ID", "ID_LIKE"):
                found.update(value.strip('"').split())
    return found


def advice() -> str:
    """Return the one line that helps where no engine answers, on this platform."""
    if sys.platform in ("darwin", "win32"):
        return "Start Docker Desktop (or install it from https://docs.docker.com/desktop/), then try again."
    if not sys.platform.startswith("linux"):
        return "dockdojo knows no engine for this platform; set DOCKER_HOST to one elsewhere."
    debian = distribution() & {"debian", "ubuntu"}
    if dockerd() is None:
        if debian:
            install = (
                "`dockdojo engine up --install`"
                if is_root()
                else "`sudo apt-get install docker.io`"
            )
            return f"Install one: {install}."
        return "Install Docker Engine: https://docs.docker.com/engine/install/."
    if is_root():
        return "Start one: `dockdojo engine up`."
    return (
        "Start it as root: `sudo systemctl start docker`; and be a member of the group `docker`: "
        "`sudo usermod -aG docker $USER`."
    )


def dockerd() -> str | None:
    """Return the engine's program; None where it is not installed."""
    return shutil.which("dockerd", path=search_path())


def search_path() -> str:
    """Return PATH, with the folders that programs of root are in."""
    return os.pathsep.join([os.environ.get("PATH", ""), *SBIN])


def started_by_us() -> int | None:
    """Return the pid of the engine that `up` started, while it lives."""
    found = _ours()
    return int(found["pid"]) if found else None


def simulated_gpus() -> int:
    """Return how many GPUs the engine simulates that `up` started; 0 where it started none that lives."""
    return int(_ours().get("simulated_gpus", 0))


def limits_of_builds() -> tuple[str, ...]:
    """Return what holds for all builds together on the engine that `up` started, in words; else nothing."""
    return tuple(str(limit) for limit in _ours().get("limits", ()))


def _ours() -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError, KeyError):
        record = json.loads(record_file().read_text())
        if record["started"] and processes.started(record["pid"]) == record["started"]:
            return dict(record)
    return {}
