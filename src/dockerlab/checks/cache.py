"""What a build made anew after a change, told by comparing the layers of two builds, never by reading a build's log."""

from __future__ import annotations

import re
from collections.abc import Callable

from dockerlab.engine.client import Engine
from dockerlab.engine.objects import Image, Layer

SMALL = 1_000_000
"""Bytes; a layer with code only is far below, one with installed packages far above."""
TRIES = 4
"""Changed builds that are looked at before a layer is judged to be made anew each time."""
LARGE = 50_000_000
"""Bytes of a layer with installed packages, where those are large."""
METADATA = "ARG|CMD|ENTRYPOINT|ENV|EXPOSE|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|SHELL|STOPSIGNAL|USER|VOLUME"
"""Instructions that make no layer."""
KEEPS_NO_FILES = re.compile(rf"(/bin/sh -c #\(nop\)\s+)?({METADATA})\b")


def large_made_anew(
    engine: Engine, first: Image, build_changed: Callable[[], Image], *, least: int = LARGE, tries: int = TRIES
) -> list[str]:
    """The instructions whose layers have `least` bytes or more and that each change makes anew; empty where they are kept.

    As `made_anew`, for images that are too large to be read through: what a layer's size is tells the history. Where that
    cannot be matched with the layers, these are read after all.
    """
    steps = [step for step in engine.history(first.id) if step.size or not KEEPS_NO_FILES.match(step.instruction)]
    if len(steps) == len(first.layers):
        sizes = [(step.instruction, step.size) for step in steps]
    else:
        sizes = [(layer.instruction, layer.size) for layer in engine.layers(first.id)]
    large = {place: name for place, (name, size) in enumerate(sizes) if size >= least}
    seen = {place: {first.layers[place]} for place in large}
    for _ in range(tries):
        changed = build_changed().layers
        for place, known in list(seen.items()):
            if place < len(changed) and changed[place] in known:
                del seen[place]  # kept, by this build at least
            else:
                known.update(changed[place : place + 1])
        if not seen:
            break
    return [large[place] for place in seen]


def made_anew(
    engine: Engine,
    first: Image,
    build_changed: Callable[[], Image],
    holds: Callable[[str], bool],
    layers: list[Layer] | None = None,
) -> list[Layer]:
    """The layers of `first` with a path for which `holds` is true that each change makes anew; empty where they are kept.

    `build_changed` builds once more after another change; `layers` are those of `first`, if they were read already.
    A cache may hold several results of one step (when it was first built twice at the same time) and take any of them:
    so a layer counts as kept as soon as a changed build has one that an earlier build had in its place. Where no layer
    has such a path (the packages are somewhere unusual), new layers with more than 1 MB are returned instead.
    """
    read = layers if layers is not None else engine.layers(first.id)
    holding = [one for one in read if any(holds(entry.path) for entry in one.entries)]
    if not holding:
        second = build_changed()
        fresh = set(second.layers) - set(first.layers)
        return [one for one in engine.layers(second.id) if one.diff_id in fresh and one.size > SMALL] if fresh else []
    seen = {first.layers.index(one.diff_id): {one.diff_id} for one in holding}
    for _ in range(TRIES):
        changed = build_changed().layers
        if all(place < len(changed) and changed[place] in known for place, known in seen.items()):
            return []
        for place, known in seen.items():
            known.update(changed[place : place + 1])
    return holding
