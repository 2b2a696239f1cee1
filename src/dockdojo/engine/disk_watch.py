"""Ends containers that write more than the lab allows: all files together, in the container's own layer and its volumes.

The engine bounds one file (ulimit), and neither their number nor their sum. So the sizes of containers that run for longer than
a moment are asked for again and again, and a container that has too much is killed, with a note that names the limit.
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from typing import Any

import docker
import requests

from dockdojo.model import MB

BEGINS_AFTER = 1.0
"""Seconds: what is over by then cannot have written much."""
EVERY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Watched:
    limit_mb: int
    since: float
    volumes: bool


class DiskWatch:
    """Watches the running containers of one engine connection."""

    def __init__(self, api: Any) -> None:
        self._api = api
        self._lock = threading.Lock()
        self._watched: dict[str, _Watched] = {}
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        self.notes: dict[str, str] = {}
        """Why a container was ended, by its id."""

    def add(self, container: str, limit_mb: int, *, volumes: bool) -> None:
        """Watch a container that was started; `volumes` tells whether its image has any."""
        with self._lock:
            self._watched[container] = _Watched(limit_mb, time.monotonic(), volumes)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()

    def remove(self, container: str) -> None:
        """Watch a container no longer."""
        with self._lock:
            self._watched.pop(container, None)

    def close(self) -> None:
        """Watch nothing any more."""
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.wait(EVERY_SECONDS):
            with self._lock:
                now = time.monotonic()
                due = [
                    (name, watched)
                    for name, watched in self._watched.items()
                    if now - watched.since >= BEGINS_AFTER
                ]
            for container, watched in due:
                with contextlib.suppress(
                    docker.errors.DockerException,
                    requests.RequestException,
                    OSError,
                    KeyError,
                ):
                    self._look(container, watched)

    def _look(self, container: str, watched: _Watched) -> None:
        raw = self._api._result(
            self._api._get(
                self._api._url("/containers/{0}/json", container), params={"size": 1}
            ),
            True,
        )
        if not raw["State"]["Running"]:
            self.remove(container)
            return
        written = int(raw.get("SizeRw") or 0)
        if watched.volumes and written <= watched.limit_mb * MB:
            written += self._volumes(raw)
        if written > watched.limit_mb * MB:
            self.notes[container] = (
                f"It was ended at the lab's limit of {watched.limit_mb} MB for what a container writes; it had written "
                f"{written / MB:,.0f} MB."
            )
            self._api.kill(container)
            self.remove(container)

    def _volumes(self, raw: dict[str, Any]) -> int:
        """Bytes in the volumes that the engine made for the image's VOLUMEs: those without a name of ours."""
        names = {
            mount["Name"]
            for mount in raw.get("Mounts") or ()
            if mount.get("Type") == "volume" and len(mount["Name"]) == 64
        }
        if not names:
            return 0
        listed = self._api._result(
            self._api._get(self._api._url("/system/df"), params={"type": "volume"}),
            True,
        )
        return sum(
            max(0, int((volume.get("UsageData") or {}).get("Size") or 0))
            for volume in listed.get("Volumes") or ()
            if volume["Name"] in names
        )
