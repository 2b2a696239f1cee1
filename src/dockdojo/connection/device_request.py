"""What a run asks of an engine's GPUs."""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from typing import Any

NONE_TO_GRANT = (
    "could not select device driver",
    "failed to discover GPU vendor",
    "nvidia-container-cli: initialization error",
    "no NVIDIA GPU device is present",
)
"""What engines say that can grant no GPU."""
EVERY = -1
"""The count that means all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRequest:
    """What `--gpus` asks of the engine: HostConfig.DeviceRequests of the Engine API, one of them."""

    count: int = 0
    """How many; -1 for all; 0 where devices are named."""
    ids: tuple[str, ...] = ()
    """Indices or UUIDs."""
    capabilities: tuple[tuple[str, ...], ...] = (("gpu",),)
    """Any of these sets, each a set of which all are needed."""
    driver: str = ""

    @property
    def is_gpu(self) -> bool:
        """Whether it is GPUs that it asks for."""
        return self.driver in ("nvidia", "cdi") or any(
            "gpu" in wanted for wanted in self.capabilities
        )

    @property
    def is_every_gpu(self) -> bool:
        """Whether it asks for all GPUs that there are."""
        return self.is_gpu and (
            self.count == EVERY or self.ids in (("all",), ("nvidia.com/gpu=all",))
        )

    def __str__(self) -> str:
        what = (
            "all GPUs"
            if self.is_every_gpu
            else f"device {', '.join(self.ids)}" if self.ids else f"{self.count} GPU(s)"
        )
        extra = sorted(
            {capability for wanted in self.capabilities for capability in wanted}
            - {"gpu"}
        )
        return f"{what} with {', '.join(extra)}" if extra else what

    def as_api(self) -> dict[str, Any]:
        """Return it as the Engine API has it."""
        return {
            "Driver": self.driver,
            "Count": self.count,
            "DeviceIDs": list(self.ids) or None,
            "Capabilities": [list(wanted) for wanted in self.capabilities],
            "Options": {},
        }

    @classmethod
    def from_api(cls, raw: dict[str, Any]) -> DeviceRequest:
        """Read it as the Engine API has it. Raises ValueError or TypeError for what is no such request."""
        return cls(
            count=int(raw.get("Count") or 0),
            ids=tuple(str(device) for device in raw.get("DeviceIDs") or ()),
            capabilities=tuple(
                tuple(str(capability) for capability in wanted)
                for wanted in raw.get("Capabilities") or ()
            ),
            driver=str(raw.get("Driver") or ""),
        )


def asking(words: str) -> DeviceRequest:
    """Parse the words of `docker run --gpus`: `all`, `2`, `device=1`, `"device=0,1"`, `all,capabilities=utility`.

    As there, it is a line of CSV: quotes keep a comma inside a field. Raises ValueError.
    """
    count, driver = 0, ""
    ids: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ("gpu",)
    for field in next(csv.reader([words])):
        key, equals, value = field.partition("=")
        if not equals:
            key, value = "count", field
        if key == "count":
            count = EVERY if value == "all" else int(value)
        elif key == "device":
            ids = tuple(value.split(","))
        elif key == "capabilities":
            capabilities = (*value.split(","), "gpu")
        elif key == "driver":
            driver = value
        else:
            raise ValueError(f"--gpus does not know `{key}`")
    return DeviceRequest(
        count=count, ids=ids, capabilities=(capabilities,), driver=driver
    )


def none_to_grant(text: str) -> bool:
    """Return whether the engine's reason for not starting a container is that it has no GPU to grant."""
    return any(sign in text for sign in NONE_TO_GRANT)


def advice() -> str:
    """Return what helps if no GPU is granted."""
    if sys.platform.startswith("linux"):
        return "`dockdojo engine up --simulate-gpu`, as root, starts an engine that has simulated ones."
    return "Grade it on a machine with a GPU, or on Linux, where `dockdojo engine up --simulate-gpu` has simulated ones."
