"""What the engine tells of its images: settings, history, layers and sizes, the same on every store.

The engine's own store counts what a layer's files hold. The containerd store (Docker Desktop, and Engine 29's default) counts
compressed bytes and blocks of its disk, so there the layers are read, once for each image.
"""

from __future__ import annotations

import contextlib
import re
import threading
from functools import cached_property, partial
from typing import Any

import docker

from dockdojo.connection.blame import find_trouble, in_one_line
from dockdojo.connection.connect import engine_errors, is_podmans
from dockdojo.connection.metrics import Meter
from dockdojo.connection.types import Image, Layer, Step
from dockdojo.errors import EngineGone, ImageUnavailable
from dockdojo.image.layers import read_layers

CONTAINERD = "io.containerd.snapshotter"
"""How the type of driver begins that the containerd store names in the engine's description of itself."""

NO_LOGIN = re.compile(r"redential")
"""In docker-py's words where it cannot look for a login."""


class Images:
    """The images of one engine."""

    def __init__(self, api: Any, meter: Meter) -> None:
        self._api = api
        self._meter = meter
        self._lock = threading.Lock()
        self._sizes: dict[str, list[int]] = {}
        """Bytes of each layer, the base's first, by the image's id; where the engine does not tell them."""

    @cached_property
    def in_containerd(self) -> bool:
        """Whether the engine keeps its images in the containerd store. A driver's name alone does not tell the stores apart."""
        with engine_errors("describe itself"):
            status = self._api.info().get("DriverStatus") or ()
        return any(str(word).startswith(CONTAINERD) for pair in status for word in pair)

    @cached_property
    def tells_sizes(self) -> bool:
        """Whether an image's size, as the engine tells it, is that of its layers, uncompressed.

        In the containerd store it is of compressed bytes, and Podman adds what its own store keeps beside them.
        """
        with engine_errors("describe itself"):
            return not (self.in_containerd or is_podmans(self._api.version()))

    def has(self, ref: str) -> bool:
        """Return whether the engine has that image already."""
        with engine_errors(f"look for the image {ref}"):
            try:
                self._api.inspect_image(ref)
            except docker.errors.NotFound:
                return False
        return True

    def get(self, ref: str) -> Image:
        """Return the image of that name or id."""
        with engine_errors(f"inspect the image {ref}"):
            raw = self._api.inspect_image(ref)
        config = raw.get("Config") or {}
        return Image(
            id=raw["Id"],
            measure=partial(self._size, raw),
            cmd=_tuple(config.get("Cmd")),
            entrypoint=_tuple(config.get("Entrypoint")),
            env=dict(line.partition("=")[::2] for line in config.get("Env") or []),
            labels=config.get("Labels") or {},
            user=config.get("User") or "",
            workdir=config.get("WorkingDir") or "/",
            ports=tuple(sorted(config.get("ExposedPorts") or ())),
            volumes=tuple(sorted(config.get("Volumes") or ())),
            stop_signal=config.get("StopSignal") or "",
            layers=tuple(raw["RootFS"].get("Layers") or ()),
            tags=tuple(raw.get("RepoTags") or ()),
        )

    def history(self, ref: str) -> list[Step]:
        """Return the steps that made the image, the first one first."""
        with engine_errors(f"read the history of {ref}"):
            raw = self._api.history(ref)[::-1]
        sizes = [int(step["Size"]) for step in raw]
        if not self.tells_sizes:
            made = [
                number for number, size in enumerate(sizes) if size
            ]  # the steps that made a layer: blocks of a disk
            exact = self._layer_sizes(ref)
            if len(made) == len(exact):
                for number, size in zip(made, exact, strict=True):
                    sizes[number] = size
        return [
            Step(instruction=step["CreatedBy"], size=size, empty=size == 0)
            for step, size in zip(raw, sizes, strict=True)
        ]

    def layers(
        self, ref: str, needles: tuple[bytes, ...] = (), *, thorough: bool = False
    ) -> list[Layer]:
        """Return what each layer holds, the base's first; `needles` are looked for in every file, `thorough`ly or as they are."""
        with self._meter.waiting(), engine_errors(f"read the layers of {ref}"):
            stream = self._api.get_image(ref, chunk_size=2**20)
            return read_layers(stream, needles, thorough=thorough)

    def pull(self, ref: str, *, as_guest: bool = False) -> None:
        """Fetch the image, with the user's logins or `as_guest`. Raises ImageUnavailable with what the registry said."""
        repository, tag = docker.utils.parse_repository_tag(ref)
        ask = partial(
            self._api.pull, repository, tag=tag or "latest", stream=True, decode=True
        )
        with self._meter.waiting(), engine_errors(f"pull {ref}"):
            try:
                said = ask(
                    auth_config={} if as_guest else None
                )  # None: docker-py looks for a login
            except docker.errors.DockerException as error:
                if as_guest or not NO_LOGIN.search(str(error)):
                    raise
                said = ask(
                    auth_config={}
                )  # a credential helper that cannot be run: what is public needs none
            for record in said:
                if "error" in record:
                    words = str(record["error"])
                    trouble = find_trouble(words)
                    raise ImageUnavailable(
                        f"{ref} could not be pulled: {in_one_line(words).rstrip('.')}.",
                        hint=trouble.hint if trouble else "",
                    )

    def forget(self, ref: str) -> None:
        """Take a name from an image; remove the image if it has no other and nothing uses it."""
        with (
            contextlib.suppress(docker.errors.APIError, EngineGone),
            engine_errors(f"remove the name {ref}"),
        ):
            self._api.remove_image(ref)

    def _size(self, raw: dict[str, Any]) -> int:
        return (
            int(raw["Size"]) if self.tells_sizes else sum(self._layer_sizes(raw["Id"]))
        )

    def _layer_sizes(self, ref: str) -> list[int]:
        with self._lock:
            if ref not in self._sizes:
                self._sizes[ref] = [layer.size for layer in self.layers(ref)]
            return self._sizes[ref]


def _tuple(value: list[str] | None) -> tuple[str, ...] | None:
    return tuple(value) if value else None
