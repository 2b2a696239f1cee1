"""What holds on an engine that dockdojo started."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess

import pytest

from dockdojo.build.policy import BuildRules
from dockdojo.connection import machine
from dockdojo.connection.types import RunSpec
from dockdojo.errors import BuildFailed
from dockdojo.host import own_engine
from dockdojo.model import Limits

RULES = BuildRules(images=frozenset({"busybox:latest"}))


def test_the_machines_own_settings_are_kept_and_the_cache_is_bounded(tmp_path):
    written = json.loads(own_engine._settings(tmp_path).read_text())
    assert written["builder"]["gc"] == {"enabled": True, "defaultKeepStorage": "30GB"}
    assert not {"icc", "cgroup-parent", "exec-opts"} & written.keys()


@pytest.mark.skipif(os.name != "posix", reason="a shell script")
def test_the_wrapper_of_runc_changes_builds_and_nothing_else(tmp_path):
    """It takes NET_RAW out of a build's bundle, and hands on every word as it was."""
    real = tmp_path / "real"
    real.write_text('#!/bin/sh\nfor word in "$@"; do echo "<$word>"; done\n')
    real.chmod(0o755)
    wrapper = tmp_path / "runc"
    wrapper.write_text(own_engine.RUNC.replace("REAL", str(real)))
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    capabilities = '{"bounding":["CAP_CHOWN","CAP_NET_RAW","CAP_KILL"],"effective":["CAP_NET_RAW"],"permitted":["CAP_KILL","CAP_NET_RAW"]}'
    bundles = {
        name: tmp_path / name / "one" for name in ("buildkit/executor", "containers")
    }
    for bundle in bundles.values():
        bundle.mkdir(parents=True)
        (bundle / "config.json").write_text(capabilities)
        words = ["--log", "two words", "run", "--bundle", str(bundle), "id"]
        said = subprocess.run(
            [str(wrapper), *words], capture_output=True, text=True, check=True
        ).stdout
        assert said.splitlines() == [f"<{word}>" for word in words]
    changed = json.loads((bundles["buildkit/executor"] / "config.json").read_text())
    assert changed == {
        "bounding": ["CAP_CHOWN", "CAP_KILL"],
        "effective": [],
        "permitted": ["CAP_KILL"],
    }
    assert (bundles["containers"] / "config.json").read_text() == capabilities


def test_a_build_reaches_neither_the_host_nor_a_private_network(engine, submission):
    if own_engine.FIREWALL not in machine.limits_of_builds():
        pytest.skip("this engine was not started by dockdojo, or has no firewall")
    bridge = engine.api.inspect_network("bridge")["IPAM"]["Config"][0].get(
        "Gateway", "172.17.0.1"
    )
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        reach = f"RUN echo {os.urandom(4).hex()}; timeout 5 nc -w 3 {bridge} {port} </dev/null\n"
        with pytest.raises(BuildFailed, match="timeout 5 nc"):
            engine.build(
                submission({"Dockerfile": f"FROM busybox\n{reach}"}),
                limits=Limits(),
                rules=RULES,
            )


def test_a_build_has_no_net_raw(engine, submission):
    if "no NET_RAW" not in machine.limits_of_builds():
        pytest.skip("this engine was not started by dockdojo")
    text = f"FROM busybox\nRUN echo {os.urandom(4).hex()}; grep CapBnd /proc/self/status > /caps\nCMD cat /caps\n"
    image = engine.build(submission({"Dockerfile": text}), limits=Limits(), rules=RULES)
    bits = int(engine.run(RunSpec(image=image.id), Limits()).stdout.split()[1], 16)
    assert bits
    assert not bits & (1 << 13)


def test_the_engine_does_not_work_in_the_folder_that_it_was_started_in(real_engine):
    """That folder may go away: each RUN would be told so."""
    pid = machine.started_by_us()
    if pid is None or not os.path.isdir("/proc/self"):
        pytest.skip(
            "this engine was not started by dockdojo, or nobody tells where it works"
        )
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
