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

from dockdojo import processes
from dockdojo.connection import machine
from dockdojo.connection.connect import DEFAULT_SOCKET, Address, addresses, open_client
from dockdojo.connection.metrics import Meter
from dockdojo.errors import CannotInstall, EngineNotFound
from dockdojo.host import gpu_simulator, own_engine
from dockdojo.paths import state_folder

START_SECONDS = 60
STOP_SECONDS = 30
PID_FILE = Path("/var/run/docker.pid")
PACKAGES = ("docker.io", "iptables")
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Up:
    """What `up` did: whether it started the engine, and where its log is."""

    started: bool
    where: str
    log: str = ""
    simulated_gpus: int = 0


def answering() -> Address | None:
    """Return where an engine answers, or None."""
    for address in addresses():
        with contextlib.suppress(EngineNotFound):
            open_client(address, Meter()).close()
            return address
    return None


def up(*, install: bool, tell: Tell, simulate_gpus: int = 0) -> Up:
    """Make sure that an engine answers. Raises CannotInstall with the one line that helps.

    With `simulate_gpus` it is one of ours that grants so many simulated GPUs: one that we started without them is started
    anew, and one that somebody else started is left alone.
    """
    if found := answering():
        if not simulate_gpus or simulate_gpus == machine.simulated_gpus():
            return Up(False, found.url, simulated_gpus=machine.simulated_gpus())
        if machine.started_by_us() is None:
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
    if not sys.platform.startswith("linux") or not machine.is_root():
        raise CannotInstall(
            "No Docker Engine answers, and none can be started from here.",
            hint=machine.advice(),
        )
    dockerd = machine.dockerd()
    if dockerd is None:
        if not install:
            raise CannotInstall("No Docker Engine is installed.", hint=machine.advice())
        apt_install(PACKAGES, tell)
        dockerd = machine.dockerd()
        if dockerd is None:
            raise CannotInstall(
                "The package docker.io brought no dockerd.", hint=machine.advice()
            )
        if answering():  # the package's own service started it
            return up(install=False, tell=tell, simulate_gpus=simulate_gpus)
    return _start(dockerd, tell, simulate_gpus)


def up_for_course(tell: Tell) -> Up:
    """Make sure of an engine on which all of a course can be graded: with simulated GPUs, if it is ours to start.

    Raises CannotInstall where none answers and none can be brought up.
    """
    found = answering()
    ours = found is None or (
        machine.started_by_us() is not None and not machine.simulated_gpus()
    )
    return up(
        install=True,
        tell=tell,
        simulate_gpus=gpu_simulator.SIMULATED if ours and not _has_nvidia() else 0,
    )


def _has_nvidia() -> bool:
    """Whether this machine has the real runtime's hook: then nothing is simulated."""
    return shutil.which(gpu_simulator.HOOK, path=machine.search_path()) is not None


def apt_install(packages: tuple[str, ...], tell: Tell) -> None:
    """Install Debian packages, as root on Debian or Ubuntu. Raises CannotInstall."""
    if (
        not machine.is_root()
        or not machine.distribution() & {"debian", "ubuntu"}
        or not shutil.which("apt-get")
    ):
        raise CannotInstall(
            f"{' and '.join(packages)} would have to be installed.",
            hint=machine.advice(),
        )
    tell(f"Installing {', '.join(packages)} from the distribution")
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages],
    ):
        done = subprocess.run(
            command,
            env=env,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode and "install" in command:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise CannotInstall(f"`{' '.join(command)}` failed: {' '.join(last)}")


def _start(dockerd: str, tell: Tell, simulate_gpus: int) -> Up:
    _forget_stale_pid()
    folder = state_folder()
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "dockerd.log"
    tell(
        f"Starting the Docker Engine{f' with {simulate_gpus} SIMULATED GPUs' if simulate_gpus else ''}"
    )
    env = os.environ | {"PATH": machine.search_path()}
    if simulate_gpus:
        env["PATH"] = os.pathsep.join(
            [str(gpu_simulator.install_hook(folder, simulate_gpus)), env["PATH"]]
        )
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
        "started": processes.started(process.pid),
        "simulated_gpus": simulate_gpus,
        "limits": guarded.limits,
    }
    machine.record_file().write_text(json.dumps(record))
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            machine.record_file().unlink(missing_ok=True)
            last = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise CannotInstall(
                f"dockerd ended at once: {' '.join(last)[:300]}",
                hint=f"Its log is {log}.",
            )
        with contextlib.suppress(EngineNotFound):
            open_client(Address(DEFAULT_SOCKET, "the default socket"), Meter()).close()
            if own_engine.raise_firewall():
                record["limits"] = [*guarded.limits, own_engine.FIREWALL]
                machine.record_file().write_text(json.dumps(record))
            return Up(True, DEFAULT_SOCKET, str(log), simulate_gpus)
        time.sleep(0.1)
    process.terminate()
    raise CannotInstall(
        f"dockerd did not answer within {START_SECONDS} s.", hint=f"Its log is {log}."
    )


def _forget_stale_pid() -> None:
    """A pid file of a dead process, or of another program that has its number now, keeps dockerd from starting."""
    with contextlib.suppress(OSError, ValueError):
        pid = int(PID_FILE.read_text())
        with contextlib.suppress(OSError):
            if "dockerd" in Path(f"/proc/{pid}/comm").read_text():
                return
        PID_FILE.unlink()


def down() -> bool:
    """End the engine that `up` started, its containers with it; return whether there was one."""
    pid = machine.started_by_us()
    if pid is None:
        machine.record_file().unlink(missing_ok=True)
        return False
    born, behind_firewall = (
        processes.started(pid),
        own_engine.FIREWALL in machine.limits_of_builds(),
    )
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + STOP_SECONDS
    while processes.started(pid) == born and not processes.is_zombie(pid):
        if time.monotonic() > end:
            raise CannotInstall(
                f"dockerd (pid {pid}) did not end within {STOP_SECONDS} s of SIGTERM."
            )
        time.sleep(0.1)
    if behind_firewall:
        own_engine.lower_firewall()
    machine.record_file().unlink(missing_ok=True)
    return True
