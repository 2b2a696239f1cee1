"""What a container of a submission may do, and how it shows that it met a limit."""

from __future__ import annotations

from typing import Any

from docker.types import LogConfig, Mount, Ulimit

from dockdojo.connection.types import RunSpec
from dockdojo.model import MB, Limits

CAPABILITIES = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "KILL",
    "NET_BIND_SERVICE",
    "SETGID",
    "SETUID",
]
"""What a container of a submission keeps: enough to change its user, own its files and signal its children."""
FILE_BYTES = 1_000_000_000
"""The largest file that a container of a submission can write."""
LOG_BYTES = "2m"
HEALTH_NANOSECONDS = 10**9
"""The least time between two runs of an image's HEALTHCHECK."""
UNREACHABLE = (
    "temporary failure in name resolution",
    "network is unreachable",
    "could not resolve host",
    "bad address",
    "name or service not known",
    "no route to host",
)
"""What programs say that have no network, in lower case."""


def host_options(spec: RunSpec, limits: Limits, network: str) -> dict[str, Any]:
    """Return the engine's HostConfig: every limit, few capabilities, and no way out."""
    inside = spec.network == "inside"
    return {
        "mem_limit": limits.memory_mb * MB,
        "memswap_limit": limits.memory_mb * MB,
        "nano_cpus": int(limits.cpus * 1e9),
        "pids_limit": limits.pids,
        "network_mode": network,
        "cap_drop": ["ALL"],
        "cap_add": CAPABILITIES,
        "security_opt": ["no-new-privileges:true"],
        "ulimits": [
            Ulimit(name="fsize", soft=FILE_BYTES, hard=FILE_BYTES),
            Ulimit(name="core", soft=0, hard=0),
        ],
        "log_config": LogConfig(
            type="json-file", config={"max-size": LOG_BYTES, "max-file": "1"}
        ),
        # An inside container must not ask the host's resolver: names are a way out, too.
        "dns": ["127.0.0.1"] if inside else None,
        "dns_opt": ["timeout:1", "attempts:1"] if inside else None,
        "device_requests": [spec.gpus.as_api()] if spec.gpus else None,
        "mounts": [
            Mount(
                mount.target,
                mount.source,
                type="volume" if mount.volume else "bind",
                read_only=mount.read_only,
            )
            for mount in spec.mounts
        ],
    }


def healthcheck(config: dict[str, Any]) -> dict[str, int] | None:
    """Return what replaces an image's HEALTHCHECK that runs more often than every second, or None.

    Each run of it is an exec of the engine: one every millisecond keeps the engine busy.
    """
    set_to = config.get("Healthcheck") or {}
    if set_to.get("Test") and 0 < int(set_to.get("Interval") or 0) < HEALTH_NANOSECONDS:
        return {"interval": HEALTH_NANOSECONDS}
    return None


def notes(
    state: dict[str, Any], cut: bool, output: str, limits: Limits, *, offline: bool
) -> tuple[str, ...]:
    """Return the limits that a finished container met, a sentence each."""
    found = []
    if state["OOMKilled"]:
        found.append(
            f"It was killed at the lab's memory limit of {limits.memory_mb} MB."
        )
    if cut:
        found.append(
            f"Its output was cut at the lab's limit of {limits.output_kib} KiB."
        )
    tail = output[-20_000:].lower()
    if any(
        sign in tail
        for sign in (
            "can't fork",
            "cannot fork",
            "can't start new thread",
            "resource temporarily unavailable",
        )
    ):
        found.append(
            f"It may have met the lab's limit of {limits.pids} processes and threads."
        )
    if "file too large" in tail or state["ExitCode"] == 153:
        found.append(
            f"It met the lab's limit of {FILE_BYTES // 10**9} GB for one file."
        )
    if offline and any(sign in tail for sign in UNREACHABLE):
        found.append("It has no network while it is graded, by the lab's limit.")
    return tuple(found)


def excerpt(out: str, err: str, length: int = 1_500) -> str:
    """Return the ends of both outputs, for showing."""
    parts = [
        f"{name}:\n{text[-length:]}"
        for name, text in (("stdout", out), ("stderr", err))
        if text.strip()
    ]
    return "\n".join(parts)
