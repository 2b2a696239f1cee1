"""Which image a built one stands on: found by its layers among those that the Dockerfile names."""

from __future__ import annotations

import threading
from collections.abc import Callable

from dockdojo.build.dockerfile import Dockerfile
from dockdojo.connection.types import Image
from dockdojo.engine.client import Engine
from dockdojo.errors import ImageUnavailable, OurFault


class Bases:
    """The base images of one grading's builds. One that only the builder has pulled is pulled by its name, once."""

    def __init__(self, engine: Callable[[], Engine]) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._pulled: dict[str, OurFault | None] = {}
        """Those that were not on the engine before, and why they could not be had."""

    def base_of(self, image: Image, dockerfile: Dockerfile) -> Image | None:
        """The outside image that the image's last stage goes back to; None where it began from scratch.

        Raises ImageUnavailable where the engine has none of that name and does not get it, either: then nobody knows what the
        submission adds to it.
        """
        refs = {ref for ref, _ in dockerfile.bases()}
        unavailable = {ref: why for ref in refs if (why := self._missing(ref))}
        found = [self._engine().image(ref) for ref in refs - set(unavailable)]
        fitting = [
            base for base in found if image.layers[: len(base.layers)] == base.layers
        ]
        last = dockerfile.final_base
        if not fitting and last in unavailable:
            why = unavailable[last]
            raise ImageUnavailable(
                f"What the image adds to {last} cannot be told: the engine does not have that image by its name. "
                f"{why.message}",
                hint=why.hint or f"Does `docker pull {last}` work on this machine?",
            ) from why
        return max(fitting, key=lambda base: len(base.layers), default=None)

    def _missing(self, ref: str) -> OurFault | None:
        """Why the engine has no image of that name; None where it has one, if need be after pulling it."""
        with self._lock:
            if ref not in self._pulled:
                if self._engine().has_image(ref):
                    return None
                try:
                    self._engine().pull(ref, as_guest=True)
                    self._pulled[ref] = None
                except OurFault as error:
                    self._pulled[ref] = error
            return self._pulled[ref]

    def forget(self) -> None:
        """Takes the names away again that came with it: the engine ends up as it was."""
        for ref, why in self._pulled.items():
            if why is None:
                self._engine().forget(ref)
