from __future__ import annotations

import os
import subprocess
import sys

import pytest

from dockdojo import processes
from dockdojo.connection import machine
from dockdojo.errors import CannotInstall
from dockdojo.host import daemon
from dockdojo.paths import state_folder


@pytest.fixture(autouse=True)
def _own_state(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKDOJO_STATE", str(tmp_path / "state"))


def test_up_starts_nothing_where_an_engine_answers(real_engine):
    assert daemon.up(install=False, tell=print) == daemon.Up(False, real_engine)
    assert daemon.down() is False


@pytest.mark.parametrize(
    ("platform", "root", "dockerd", "ids", "said"),
    [
        ("darwin", False, None, set(), "Docker Desktop"),
        ("win32", False, None, set(), "Docker Desktop"),
        ("freebsd14", True, None, set(), "DOCKER_HOST"),
        ("linux", True, None, {"debian"}, "dockdojo engine up --install"),
        ("linux", False, None, {"ubuntu", "debian"}, "sudo apt-get install docker.io"),
        ("linux", True, None, {"fedora"}, "docs.docker.com/engine/install"),
        ("linux", True, "/usr/sbin/dockerd", {"debian"}, "dockdojo engine up"),
        ("linux", False, "/usr/sbin/dockerd", {"debian"}, "usermod -aG docker"),
    ],
)
def test_each_platform_gets_the_line_that_helps(
    monkeypatch, platform, root, dockerd, ids, said
):
    monkeypatch.setattr(daemon.sys, "platform", platform)
    monkeypatch.setattr(machine, "is_root", lambda: root)
    monkeypatch.setattr(machine, "dockerd", lambda: dockerd)
    monkeypatch.setattr(machine, "distribution", lambda: ids)
    monkeypatch.setattr(daemon, "answering", lambda: None)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    assert said in machine.advice()
    assert "\n" not in machine.advice()
    if not (root and dockerd):
        with pytest.raises(CannotInstall) as caught:
            daemon.up(install=False, tell=print)
        assert caught.value.exit_code == 3
        assert said in str(caught.value)


def test_a_stale_pid_file_is_forgotten_and_a_live_one_kept(tmp_path, monkeypatch):
    pid_file = tmp_path / "docker.pid"
    monkeypatch.setattr(daemon, "PID_FILE", pid_file)
    for stale in ("4194999", str(os.getpid()), "1"):
        pid_file.write_text(stale)
        daemon._forget_stale_pid()
        assert not pid_file.exists(), stale
    pid_file.write_text("not a number")
    daemon._forget_stale_pid()
    assert pid_file.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_down_ends_only_what_up_started():
    process = subprocess.Popen(["sleep", "60"])
    try:
        state_folder().mkdir(parents=True)
        machine.record_file().write_text(
            f'{{"pid": {process.pid}, "started": "1"}}'
        )  # the number belongs to another now
        assert machine.started_by_us() is None
        assert daemon.down() is False
        assert process.poll() is None
        machine.record_file().write_text(
            f'{{"pid": {process.pid}, "started": "{processes.started(process.pid)}"}}'
        )
        assert machine.started_by_us() == process.pid
        assert daemon.down() is True
        assert process.wait(5) == -15
    finally:
        process.kill()
