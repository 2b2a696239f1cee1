"""Bringing up an engine of our own where none answers, and ending just that one."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dockdojo.engine import gpus, own_engine
from dockdojo.engine.connect import DEFAULT_SOCKET, Address, addresses, open_client
from dockdojo.engine.meter import Meter
from dockdojo.errors import CannotInstall, EngineNotFound
from dockdojo.paths import state_folder

START_SECONDS = 60
STOP_SECONDS = 30
PID_FILE = Path("/var/run/docker.pid")
SBIN = ("/usr/sbin", "/sbin", "/usr/local/sbin")
PACKAGES = ("docker.io", "iptables")
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Up:
    """What `up` did: whether it started the engine, and where its log is."""

    started: bool
    where: str
    log: str = ""
    simulated_gpus: int = 0


def _record() -> Path:
    return state_folder() / "engine.json"


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _distribution() -> set[str]:
    """The names that /etc/os-release gives itself: {"debian"}, {"ubuntu", "debian"}."""
    found: set[str] = set()
    with contextlib.suppress(OSError):
        for line in Path("/etc/os-release").read_text().splitlines():
            key, _, value = line.partition("=")
            if key in ("ID", "ID_LIKE"):
                found.update(value.strip('"').split())
    return found


def advice() -> str:
    """The one line that helps where no engine answers, on this platform."""
    if sys.platform in ("darwin", "win32"):
        return "Start Docker Desktop (or install it from https://docs.docker.com/desktop/), then try again."
    if not sys.platform.startswith("linux"):
        return "dockdojo knows no engine for this platform; set DOCKER_HOST to one elsewhere."
    debian = _distribution() & {"debian", "ubuntu"}
    if _dockerd() is None:
        if debian:
            install = "`dockdojo engine up --install`" if _is_root() else "`sudo apt-get install docker.io`"
            return f"Install one: {install}."
        return "Install Docker Engine: https://docs.docker.com/engine/install/."
    if _is_root():
        return "Start one: `dockdojo engine up`."
    return (
        "Start it as root: `sudo systemctl start docker`; and be a member of the group `docker`: "
        "`sudo usermod -aG docker $USER`."
    )


def _dockerd() -> str | None:
    return shutil.which("dockerd", path=_search_path())


def _search_path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), *SBIN])


def answering() -> Address | None:
    """Where an engine answers; None where none does."""
    for address in addresses():
        with contextlib.suppress(EngineNotFound):
            open_client(address, Meter()).close()
            return address
    return None


def up(*, install: bool, tell: Tell, simulate_gpus: int = 0) -> Up:
    """Makes sure that an engine answers. Raises CannotInstall with the one line that helps.

    With `simulate_gpus` it is one of ours that grants so many simulated GPUs: one that we started without them is started
    anew, and one that somebody else started is left alone.
    """
    if found := answering():
        if not simulate_gpus or simulate_gpus == simulated_gpus():
            return Up(False, found.url, simulated_gpus=simulated_gpus())
        if started_by_us() is None:
            raise CannotInstall(
                f"The engine at {found.url} was not started by dockdojo, so no GPU can be simulated in it.",
                hint="Stop it (`sudo systemctl stop docker docker.socket`, where systemd runs it), then try again as root.",
            )
        tell("Ending the engine that simulates no such GPUs")
        down()
    if os.environ.get("DOCKER_HOST"):
        raise CannotInstall(
            f"No engine answers at DOCKER_HOST={os.environ['DOCKER_HOST']}.",
            hint="Start that engine, or unset DOCKER_HOST to use one on this machine.",
        )
    if not sys.platform.startswith("linux") or not _is_root():
        raise CannotInstall("No Docker Engine answers, and none can be started from here.", hint=advice())
    dockerd = _dockerd()
    if dockerd is None:
        if not install:
            raise CannotInstall("No Docker Engine is installed.", hint=advice())
        apt_install(PACKAGES, tell)
        dockerd = _dockerd()
        if dockerd is None:
            raise CannotInstall("The package docker.io brought no dockerd.", hint=advice())
        if answering():  # the package's own service started it
            return up(install=False, tell=tell, simulate_gpus=simulate_gpus)
    return _start(dockerd, tell, simulate_gpus)


def up_for_course(tell: Tell) -> Up:
    """An engine on which all of a course can be graded: simulated GPUs, wherever the engine is ours to start.

    Raises CannotInstall where none answers and none can be brought up.
    """
    found = answering()
    ours = found is None or (started_by_us() is not None and not simulated_gpus())
    return up(install=True, tell=tell, simulate_gpus=gpus.SIMULATED if ours and not _has_nvidia() else 0)


def _has_nvidia() -> bool:
    """Whether this machine has the real runtime's hook: then nothing is simulated."""
    return shutil.which(gpus.HOOK, path=_search_path()) is not None


def apt_install(packages: tuple[str, ...], tell: Tell) -> None:
    """Installs Debian packages, as root on Debian or Ubuntu. Raises CannotInstall."""
    if not _is_root() or not _distribution() & {"debian", "ubuntu"} or not shutil.which("apt-get"):
        raise CannotInstall(f"{' and '.join(packages)} would have to be installed.", hint=advice())
    tell(f"Installing {', '.join(packages)} from the distribution")
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages],
    ):
        done = subprocess.run(command, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode and "install" in command:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise CannotInstall(f"`{' '.join(command)}` failed: {' '.join(last)}")


def _start(dockerd: str, tell: Tell, simulate_gpus: int) -> Up:
    _forget_stale_pid()
    folder = state_folder()
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "dockerd.log"
    tell(f"Starting the Docker Engine{f' with {simulate_gpus} SIMULATED GPUs' if simulate_gpus else ''}")
    env = os.environ | {"PATH": _search_path()}
    if simulate_gpus:
        env["PATH"] = os.pathsep.join([str(gpus.install_hook(folder, simulate_gpus)), env["PATH"]])
    guarded = own_engine.prepare(folder)
    if guarded.path:
        env["PATH"] = os.pathsep.join([guarded.path, env["PATH"]])
    with log.open("ab") as out:
        process = subprocess.Popen(
            [dockerd, *guarded.arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=env,
            cwd="/",  # the folder that it was started in may go away, and builds would be told so
            start_new_session=True,
        )
    own_engine.bound_files(process.pid)
    record = {
        "pid": process.pid,
        "started": _birth(process.pid),
        "simulated_gpus": simulate_gpus,
        "limits": guarded.limits,
    }
    _record().write_text(json.dumps(record))
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            _record().unlink(missing_ok=True)
            last = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise CannotInstall(f"dockerd ended at once: {' '.join(last)[:300]}", hint=f"Its log is {log}.")
        with contextlib.suppress(EngineNotFound):
            open_client(Address(DEFAULT_SOCKET, "the default socket"), Meter()).close()
            if own_engine.raise_firewall():
                record["limits"] = [*guarded.limits, own_engine.FIREWALL]
                _record().write_text(json.dumps(record))
            return Up(True, DEFAULT_SOCKET, str(log), simulate_gpus)
        time.sleep(0.1)
    process.terminate()
    raise CannotInstall(f"dockerd did not answer within {START_SECONDS} s.", hint=f"Its log is {log}.")


def _forget_stale_pid() -> None:
    """A pid file of a dead process, or of another program that has its number now, keeps dockerd from starting."""
    with contextlib.suppress(OSError, ValueError):
        pid = int(PID_FILE.read_text())
        with contextlib.suppress(OSError):
            if "dockerd" in Path(f"/proc/{pid}/comm").read_text():
                return
        PID_FILE.unlink()


def _birth(pid: int) -> str:
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    return ""


def started_by_us() -> int | None:
    """The pid of the engine that `up` started, while it lives."""
    found = _ours()
    return int(found["pid"]) if found else None


def simulated_gpus() -> int:
    """How many GPUs the engine simulates that `up` started; 0 where it started none that lives."""
    return int(_ours().get("simulated_gpus", 0))


def limits_of_builds() -> tuple[str, ...]:
    """What holds for all builds together on the engine that `up` started, in words; empty where it started none that lives."""
    return tuple(str(limit) for limit in _ours().get("limits", ()))


def _ours() -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError, KeyError):
        record = json.loads(_record().read_text())
        if record["started"] and _birth(record["pid"]) == record["started"]:
            return dict(record)
    return {}


def down() -> bool:
    """Ends the engine that `up` started, its containers with it; False where it started none that still runs."""
    pid = started_by_us()
    if pid is None:
        _record().unlink(missing_ok=True)
        return False
    born, behind_firewall = _birth(pid), own_engine.FIREWALL in limits_of_builds()
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + STOP_SECONDS
    while _birth(pid) == born and not _zombie(pid):
        if time.monotonic() > end:
            raise CannotInstall(f"dockerd (pid {pid}) did not end within {STOP_SECONDS} s of SIGTERM.")
        time.sleep(0.1)
    if behind_firewall:
        own_engine.lower_firewall()
    _record().unlink(missing_ok=True)
    return True


def _zombie(pid: int) -> bool:
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    return True
