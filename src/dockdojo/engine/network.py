"""The run's own network: its containers reach each other, and neither the host nor the outside."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from typing import Any

from dockdojo.connection.connect import engine_errors


class RunNetwork:
    """A network that is made when it is first needed; it bears the run's label, and is removed with the rest of it."""

    def __init__(
        self, api: Any, run_id: str, labels: Callable[[], dict[str, str]]
    ) -> None:
        self._api = api
        self._run_id = run_id
        self._labels = labels
        self._lock = threading.Lock()
        self._id = ""

    def id(self) -> str:
        """Return the network's id; make the network if it is not there yet."""
        with self._lock:
            if not self._id:
                with engine_errors("make a network"):
                    # A name of its own: a process of the same run that died has left one. And without an address on the
                    # bridge, the host cannot be reached over it.
                    made = self._api.create_network(
                        f"dockdojo-{self._run_id}-{secrets.token_hex(4)}",
                        driver="bridge",
                        internal=True,
                        labels=self._labels(),
                        options={"com.docker.network.bridge.inhibit_ipv4": "true"},
                    )
                self._id = str(made["Id"])
        return self._id
