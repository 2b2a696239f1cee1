"""What a build made anew after a change, told by comparing the layers of two builds, never by reading a build's log."""

from __future__ import annotations

import re
from collections.abc import Callable

from dockerlab.engine.client import Engine
from dockerlab.engine.objects import Image, Layer

SMALL = 500_000
"""Bytes beyond what was copied: useradd's sparse logs have less (292 for each number up to the user's), packages more."""
COPIES = 2
"""How often what was copied may be in the new layers: a `chown` after the COPY writes it once more."""
TRIES = 4
"""Changed builds that are looked at before a layer is judged to be made anew each time."""
LARGE = 50_000_000
"""Bytes of a layer with installed packages, where those are large."""
COMPILED = ".pyc"
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
    large = {place: name for place, (name, size) in enumerate(_sizes(engine, first)) if size >= least}
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


def _sizes(engine: Engine, image: Image) -> list[tuple[str, int]]:
    """Each layer's instruction and bytes, by the history; read from the layers where that cannot be matched with them."""
    steps = [step for step in engine.history(image.id) if step.size or not KEEPS_NO_FILES.match(step.instruction)]
    if len(steps) == len(image.layers):
        return [(step.instruction, step.size) for step in steps]
    return [(layer.instruction, layer.size) for layer in engine.layers(image.id)]


def made_anew(
    engine: Engine,
    first: Image,
    build_changed: Callable[[], Image],
    holds: Callable[[str], bool],
    layers: list[Layer] | None = None,
    *,
    copied: int = 0,
) -> list[Layer]:
    """The layers with a path for which `holds` is true that each change makes anew; empty where they are kept.

    `build_changed` builds once more after another change; `layers` are those of `first`, if they were read already.
    A cache may hold several results of one step (when it was first built twice at the same time) and take any of them:
    so a layer counts as kept as soon as a changed build has one that an earlier build had in its place.

    The packages may be somewhere unusual, whatever else has such a path. So new layers that hold far more than `copied`,
    the bytes of the submission's own files, are returned, too (see SMALL and COPIES); what Python compiled does not count.
    """
    read = layers if layers is not None else engine.layers(first.id)
    holding = [one for one in read if any(holds(entry.path) for entry in one.entries)]
    seen = {first.layers.index(one.diff_id): {one.diff_id} for one in holding}
    known = set(first.layers)
    for _ in range(TRIES):
        changed = build_changed()
        kept = all(place < len(changed.layers) and changed.layers[place] in ids for place, ids in seen.items())
        fresh = set(changed.layers) - known
        if kept and not (more := _more_than_copied(engine, changed, fresh, copied)):
            return []
        for place, ids in seen.items():
            ids.update(changed.layers[place : place + 1])
        known |= fresh
    return more if kept else holding


def _more_than_copied(engine: Engine, image: Image, fresh: set[str], copied: int) -> list[Layer]:
    """Those layers of the image that are fresh, where they hold far more than was copied; empty where they do not."""
    most = COPIES * copied + SMALL
    sizes = [size for diff_id, (_, size) in zip(image.layers, _sizes(engine, image), strict=True) if diff_id in fresh]
    if sum(sizes) <= most:
        return []
    read = [one for one in engine.layers(image.id) if one.diff_id in fresh]
    held = sum(entry.size for one in read for entry in one.entries if not entry.path.endswith(COMPILED))
    return read if held > most else []
