"""What holds for scheduler, workers and coordinator alike: times, and dask's configuration. Also how an address is written."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from urllib.parse import urlsplit

import dask

from dockdojo.errors import UsageError

SCHEME = "tls"
DEFAULT_PORT = 8786
DEFAULT_ADDRESS = f"{SCHEME}://127.0.0.1:{DEFAULT_PORT}"
ENGINE = "engine"
"""The resource that a grading takes one of; a worker has as many as slots."""


TALKATIVE = ("distributed", "tornado", "asyncio")
"""Who logs lost connections with tracebacks; we say in a line what that means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Times in seconds, and how many deaths of workers are borne."""

    worker_ttl: float = 60
    """Without a sign of life, until a worker counts as dead; dask takes 5 s at least."""
    no_workers_timeout: float = 600
    """Without a worker that can be used, until the run is stopped."""
    death_timeout: float = 60
    """Without a scheduler, until a worker or the run gives up."""
    allowed_failures: int = 1
    """Workers that may die with a grading before that is the grading's fault: one is taken for bad luck."""
    max_faults: int = 3
    """In a row, of different submissions, until a worker is taken out."""


USUAL = Settings()


def configure(settings: Settings) -> None:
    """Set dask's configuration for this whole process, and let it log nothing that is not for people."""
    dask.config.set(
        {
            "distributed.comm.require-encryption": True,
            "distributed.comm.timeouts.connect": "10s",
            "distributed.scheduler.allowed-failures": settings.allowed_failures,
            "distributed.scheduler.no-workers-timeout": f"{settings.no_workers_timeout}s",
            "distributed.scheduler.work-stealing": False,
            "distributed.scheduler.worker-ttl": f"{settings.worker_ttl}s",
            "distributed.scheduler.http.routes": [],
            "distributed.worker.http.routes": [],
            "distributed.worker.profile.enabled": False,
            # A task is a whole submission.
            "distributed.admin.large-graph-warning-threshold": "1GB",
        }
    )
    for name in (*TALKATIVE, *logging.root.manager.loggerDict):
        if name.partition(".")[0] in TALKATIVE:
            logging.getLogger(name).setLevel(logging.CRITICAL)


def host_and_port(address: str) -> tuple[str, int]:
    """Return the two of `tls://HOST[:PORT]`. Raises UsageError for anything else."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    if parts.scheme != SCHEME or not host or parts.path or parts.query:
        raise UsageError(
            f"`{address}` is no address of a scheduler.",
            hint=f"It begins with {SCHEME}://, such as {DEFAULT_ADDRESS}: nothing goes unencrypted.",
        )
    return host, DEFAULT_PORT if port is None else port
