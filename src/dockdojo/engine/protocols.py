"""What a container asks of the engine that it is on. `client.Engine` is one; a container knows no more of it."""

from __future__ import annotations

from typing import Any, Protocol

from dockdojo.connection.metrics import Meter
from dockdojo.engine.disk_watch import DiskWatch


class ContainerHost(Protocol):
    """An engine, as its containers see it."""

    meter: Meter
    api: Any
    """The client of docker-py."""
    disk: DiskWatch
    """Ends containers that write too much."""

    @property
    def labels(self) -> dict[str, str]:
        """What marks everything of this run."""

    def has_image(self, ref: str) -> bool:
        """Return whether the engine has that image already."""

    def state(self, container: str) -> dict[str, Any]:
        """Return the engine's record of a container's state: Running, ExitCode, OOMKilled, Pid."""

    def wait(self, container: str, end: float) -> dict[str, Any]:
        """Return the state of a container after it ended. Raises Deadline when `end` passes first."""

    def remove(self, container: str) -> None:
        """Kill and remove a container with its anonymous volumes."""

    def starts_observers(self) -> bool:
        """Return whether it starts an observer beside a container of ours; then one that it did not start was ended."""
