"""What holds on an engine that dockdojo started, and on no other: limits for all builds together, and no way to the host.

BuildKit knows no limits of memory or processes for a build, and its containers reach whatever the machine reaches. So the engine
is started below a control group that has limits, its containers do not reach each other, its builds have no NET_RAW, and its
cache is bounded. Firewall rules keep what runs on the default bridge away from the host (save the package index that dockdojo
serves there) and from private networks (save the name servers and proxies that the machine itself uses).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dockdojo.model import MB

GROUP = "dockdojo"
"""The control group below which everything of the engine runs."""
CGROUPS = Path("/sys/fs/cgroup")
SHARE_OF_MEMORY = 0.85
"""Of the machine's memory, for all builds and containers together."""
MAX_PROCESSES = 4_096
CACHE_BYTES = 30_000 * MB
"""What the build cache may keep."""
MAX_FILE_BYTES = 20_000 * MB
"""The largest file that anything below the engine can make, also a sparse one; the engine itself makes none that large."""
BRIDGE = "docker0"
INDEX_PORT = 3141
"""Of the package index on the bridge's own address (see dockdojo.host.package_index)."""
TO_HOST, TO_OTHERS = "DOCKDOJO-HOST", "DOCKDOJO-OUT"
"""Chains of ours: from the bridge to the host, and through it."""
FIREWALL = "no way to the host or to private networks"
"""What holds where the rules could be set up, in words."""
PRIVATE = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "0.0.0.0/8",
)
SBIN = "/usr/sbin:/sbin:/usr/local/sbin"
RUNC = """#!/bin/sh
# Builds have no NET_RAW: with it, one could answer for another's address on the bridge.
real=REAL
previous= bundle=
for word in "$@"; do
    [ "$previous" = --bundle ] && bundle=$word
    previous=$word
done
case $bundle in
*/buildkit/executor/*) sed -i 's/"CAP_NET_RAW",//g; s/,"CAP_NET_RAW"//g; s/"CAP_NET_RAW"//g' "$bundle/config.json" ;;
esac
exec "$real" "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """What was set up before the engine started."""

    arguments: tuple[str, ...] = ()
    """For dockerd."""
    path: str = ""
    """A folder to be first on dockerd's PATH; empty: none."""
    limits: tuple[str, ...] = ()
    """What holds for all builds together, in words."""


def prepare(folder: Path) -> Guarded:
    """Set up the control group, the settings and the wrapper of runc; `folder` keeps them. What cannot be had is left out."""
    arguments = ["--icc=false", "--config-file", str(_settings(folder))]
    limits = ["no NET_RAW", f"build cache at most {CACHE_BYTES // 10**9} GB"]
    memory = _memory_bytes()
    if memory and _make_group(memory):
        arguments += [
            f"--cgroup-parent=/{GROUP}",
            "--exec-opt",
            "native.cgroupdriver=cgroupfs",
        ]
        limits = [
            f"memory {memory / 10**9:.1f} GB and {MAX_PROCESSES:,} processes together",
            *limits,
        ]
    path = _wrap_runc(folder)
    return Guarded(
        arguments=tuple(arguments),
        path=path,
        limits=tuple(limits if path else limits[:-2] + limits[-1:]),
    )


def bound_files(pid: int) -> None:
    """Bound the files of the engine that was just started, and of all that it starts."""
    with contextlib.suppress(OSError, ValueError, ImportError, AttributeError):
        import resource

        resource.prlimit(pid, resource.RLIMIT_FSIZE, (MAX_FILE_BYTES, MAX_FILE_BYTES))


def _settings(folder: Path) -> Path:
    """The machine's own settings of dockerd, with a bound for the build cache, and without what the arguments say."""
    settings: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        settings = dict(
            json.loads(Path("/etc/docker/daemon.json").read_text(encoding="utf-8"))
        )
    for key in ("icc", "cgroup-parent", "exec-opts"):
        settings.pop(key, None)
    settings["builder"] = {
        "gc": {"enabled": True, "defaultKeepStorage": f"{CACHE_BYTES // 10**9}GB"}
    }
    path = folder / "daemon.json"
    path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    return path


def _memory_bytes() -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemTotal:"):
                return int(int(line.split()[1]) * 1024 * SHARE_OF_MEMORY)
    return 0


def _make_group(memory: int) -> bool:
    """Make the control group with its limits; False where that is not to be had here."""
    try:
        if (CGROUPS / "cgroup.controllers").exists():  # version 2
            (CGROUPS / "cgroup.subtree_control").write_text("+memory +pids")
            files = {CGROUPS / GROUP: {"memory.max": memory, "pids.max": MAX_PROCESSES}}
        else:
            files = {
                CGROUPS / "memory" / GROUP: {"memory.limit_in_bytes": memory},
                CGROUPS / "pids" / GROUP: {"pids.max": MAX_PROCESSES},
            }
        for folder, limits in files.items():
            folder.mkdir(exist_ok=True)
            if folder.parent.name == "memory":
                with contextlib.suppress(
                    OSError
                ):  # what a group below is charged with counts here, too
                    (folder / "memory.use_hierarchy").write_text("1")
            for name, value in limits.items():
                (folder / name).write_text(str(value))
    except OSError:
        return False
    return True


def _wrap_runc(folder: Path) -> str:
    real = shutil.which(
        "runc", path=os.pathsep.join([os.environ.get("PATH", ""), SBIN])
    )
    if real is None:
        return ""
    home = folder / "bin"
    home.mkdir(parents=True, exist_ok=True)
    if Path(real).parent == home:
        return str(home)
    (home / "runc").write_text(RUNC.replace("REAL", real), encoding="utf-8")
    (home / "runc").chmod(0o755)
    return str(home)


# The firewall


def raise_firewall() -> bool:
    """Set up the rules, in place of earlier ones of ours; False where there is no iptables, or it refuses."""
    lower_firewall()
    rules = [["-N", TO_HOST], ["-N", TO_OTHERS]]
    rules += [
        [
            "-A",
            TO_HOST,
            "-m",
            "conntrack",
            "--ctstate",
            "ESTABLISHED,RELATED",
            "-j",
            "RETURN",
        ]
    ]
    rules += [["-A", TO_HOST, "-p", "tcp", "--dport", str(INDEX_PORT), "-j", "RETURN"]]
    rules += [
        [
            "-A",
            TO_OTHERS,
            "-m",
            "conntrack",
            "--ctstate",
            "ESTABLISHED,RELATED",
            "-j",
            "RETURN",
        ]
    ]
    for address in _name_servers():
        for protocol in ("udp", "tcp"):
            for chain in (TO_HOST, TO_OTHERS):
                rules += [
                    [
                        "-A",
                        chain,
                        "-d",
                        address,
                        "-p",
                        protocol,
                        "--dport",
                        "53",
                        "-j",
                        "RETURN",
                    ]
                ]
    for address, port in _proxies():
        for chain in (TO_HOST, TO_OTHERS):
            rules += [
                [
                    "-A",
                    chain,
                    "-d",
                    address,
                    "-p",
                    "tcp",
                    "--dport",
                    str(port),
                    "-j",
                    "RETURN",
                ]
            ]
    rules += [["-A", TO_HOST, "-j", "REJECT"]]
    rules += [["-A", TO_OTHERS, "-d", network, "-j", "REJECT"] for network in PRIVATE]
    rules += [
        ["-I", "INPUT", "-i", BRIDGE, "-j", TO_HOST],
        ["-I", "DOCKER-USER", "-i", BRIDGE, "-j", TO_OTHERS],
    ]
    if all(_iptables(*rule) for rule in rules):
        return True
    lower_firewall()
    return False


def lower_firewall() -> None:
    """Take the rules away; fine where there are none."""
    for chain, ours in (("INPUT", TO_HOST), ("DOCKER-USER", TO_OTHERS)):
        while _iptables("-D", chain, "-i", BRIDGE, "-j", ours):
            pass
        _iptables("-F", ours)
        _iptables("-X", ours)


def _iptables(*words: str) -> bool:
    program = shutil.which(
        "iptables", path=os.pathsep.join([os.environ.get("PATH", ""), SBIN])
    )
    if program is None:
        return False
    try:
        done = subprocess.run(
            [program, "-w", "10", *words],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _name_servers() -> list[str]:
    """The machine's name servers, as its containers have them: IPv4 only, as the bridge is."""
    found = []
    for place in ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"):
        with contextlib.suppress(OSError):
            for line in (
                Path(place).read_text(encoding="utf-8", errors="replace").splitlines()
            ):
                words = line.split()
                if (
                    words[:1] == ["nameserver"]
                    and len(words) > 1
                    and words[1].replace(".", "").isdigit()
                ):
                    found.append(words[1])
    return sorted(set(found))


def _proxies() -> list[tuple[str, int]]:
    """The addresses of the proxies that the machine's environment names."""
    found = set()
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        with contextlib.suppress(ValueError, OSError):
            place = urlsplit(os.environ.get(name, ""))
            if place.hostname:
                found.add((socket.gethostbyname(place.hostname), place.port or 3128))
    return sorted(found)
