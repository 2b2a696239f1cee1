"""What a build made anew after a change, told by comparing the layers of two builds, never by reading a build's log."""

from __future__ import annotations

from collections.abc import Callable

from dockerlab.engine.client import Engine
from dockerlab.engine.objects import Image, Layer

SMALL = 1_000_000
"""Bytes; a layer with code only is far below, one with installed packages far above."""


def made_anew(
    engine: Engine, first: Image, second: Image, holds: Callable[[str], bool], layers: list[Layer] | None = None
) -> list[Layer]:
    """The layers of `first` with a path for which `holds` is true that `second` does not share.

    `layers` are those of `first`, if they were read already. Where none has such a path (the packages are somewhere
    unusual), the new layers of `second` with more than 1 MB are returned instead.
    """
    read = layers if layers is not None else engine.layers(first.id)
    holding = [one for one in read if any(holds(entry.path) for entry in one.entries)]
    if holding:
        return [one for one in holding if one.diff_id not in second.layers]
    fresh = set(second.layers) - set(first.layers)
    return [one for one in engine.layers(second.id) if one.diff_id in fresh and one.size > SMALL] if fresh else []
