"""What a build made anew after a change: found by comparing the layers of two builds, never by reading a build's log."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from dockdojo.checks.requirement_files import normalized
from dockdojo.connection.types import Entry, Image, Layer
from dockdojo.engine.client import Engine
from dockdojo.instructions import shown

MAX_INCIDENTAL_BYTES = 500_000
"""Bytes beyond what was copied: useradd's sparse logs have less (292 for each number up to the user's), packages more."""
MAX_COPIES = 2
"""How often what was copied may be in the new layers: a `chown` after the COPY writes it once more."""
ENOUGH_TRIES = 4
"""Changed builds after which a layer counts as rebuilt every time."""
MAX_TRIES = 16
"""The same, with builds whose packages are older than those of an earlier build: their layers came from the cache."""
LARGE_LAYER_BYTES = 50_000_000
"""Bytes of a layer with installed packages, where those are large."""
BY_PRODUCTS = re.compile(r"\.pyc$|(?:^|/)\.cache/")
"""Files that Python compiled, and pip's cache, such as the tools with which it built the project's wheel."""
CODE = re.compile(r"\.(?:py|so)$|(?:^|/)(?:site-packages|dist-packages|node_modules)/")
"""Files of packages, wherever they are."""
INSTRUCTIONS_WITHOUT_FILES = "ARG|CMD|ENTRYPOINT|ENV|EXPOSE|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|SHELL|STOPSIGNAL|USER|VOLUME"
"""Instructions that make no layer."""
COPIES_FILES = re.compile(r"(/bin/sh -c #\(nop\)\s+)?(COPY|ADD|WORKDIR)\b")
"""Instructions that copy; the history does not say whether from the build context or from another stage."""
METADATA_FOLDERS = (".dist-info", ".egg-info")
"""How the names of folders with a package's metadata end (PEP 376)."""
DPKG_LIST = re.compile(r"(?:^|/)var/lib/dpkg/info/[^/]+\.list$")
"""Where dpkg writes what a package has: when it is installed, and when it is removed and leaves its settings behind."""
LIST, SUMS = ".list", ".md5sums"
"""The sums beside such a list are there as long as the package is, and have the time at which the package was made."""
APK_OR_CONDA = re.compile(r"(?:^|/)(?:lib/apk/db/installed|conda-meta/[^/]+\.json)$")
"""Where apk and conda write what they installed."""
KEEPS_NO_FILES = re.compile(
    rf"(/bin/sh -c #\(nop\)\s+)?({INSTRUCTIONS_WITHOUT_FILES})\b"
)


def rebuilt_large_layers(
    engine: Engine,
    first: Image,
    build_changed: Callable[[], Image],
    holds: Callable[[str], bool],
    *,
    copied: int,
    tries: int = ENOUGH_TRIES,
) -> list[str]:
    """Return the instructions that install packages again after every change; empty where installed packages stay cached.

    As `rebuilt_layers`, for images that are large: copies, and layers of LARGE_LAYER_BYTES or more, are known from the history.
    What the history does not say is read after all.
    """
    changed = build_changed()
    if _only_copies(engine, changed, set(changed.layers) - set(first.layers), copied):
        return []
    large = {
        place: step
        for place, step in enumerate(_steps(engine, first))
        if step[1] >= LARGE_LAYER_BYTES
    }
    seen = {place: {first.layers[place]} for place in large}
    for number in range(tries):
        layers = (build_changed() if number else changed).layers
        for place, known in list(seen.items()):
            if place < len(layers) and layers[place] in known:
                del seen[place]  # kept, by this build at least
            else:
                known.update(layers[place : place + 1])
        if not seen:
            break
    installed = [
        large[place][0] for place in seen if not COPIES_FILES.match(large[place][0])
    ]
    if installed:
        return [shown(instruction) for instruction in installed]
    # What is copied from another stage may be the same files in a new layer: only they tell.
    return [
        layer.shown
        for layer in rebuilt_layers(
            engine, first, build_changed, holds, copied=copied, tries=tries
        )
    ]


def _steps(engine: Engine, image: Image) -> list[tuple[str, int]]:
    """Each layer's instruction and bytes, by the history; read from the layers where that cannot be matched with them."""
    steps = [
        step
        for step in engine.history(image.id)
        if step.size or not KEEPS_NO_FILES.match(step.instruction)
    ]
    if len(steps) == len(image.layers):
        return [(step.instruction, step.size) for step in steps]
    return [(layer.instruction, layer.size) for layer in engine.layers(image.id)]


def rebuilt_layers(
    engine: Engine,
    first: Image,
    build_changed: Callable[[], Image],
    holds: Callable[[str], bool],
    layers: list[Layer] | None = None,
    *,
    copied: int = 0,
    tries: int = ENOUGH_TRIES,
) -> list[Layer]:
    """Return the layers in which every change installs packages again; empty where installed packages stay cached.

    `build_changed` builds once more after another change; `layers` are those of `first`, if they were read already. A file was
    installed again where `holds` is true of it (see `installs`) and it was written anew. Copying it again from another stage,
    or changing its owner, does not count: its time and size stay the same. A cache may hold several results of one step (when
    several builds made it at the same time) and use any of them. So what an earlier build had counts as cached, too, and a
    build does not count as a try where its packages are older than those of an earlier build. Times can be forged, so there are
    at most MAX_TRIES builds.

    Packages may be in unusual places. So new layers are returned, too, where their new files are far larger than `copied`, the
    bytes of the submission's own files (see MAX_INCIDENTAL_BYTES and MAX_COPIES). What Python compiled does not count, nor pip's
    cache, nor pictures, pages and data that a RUN makes in the working folder.
    """
    known_ids = set(first.layers)
    read = layers if layers is not None else engine.layers(first.id)
    known = _written(read)
    holding = {
        layer.diff_id
        for layer in read
        if any(holds(entry.path) for entry in layer.entries)
    }
    again: list[Layer] = []
    newest, made = _newest(read, holds), 0
    for _ in range(MAX_TRIES):
        changed = build_changed()
        fresh = set(changed.layers) - known_ids
        if (
            holding
            and holding <= set(changed.layers)
            and _only_copies(engine, changed, fresh, copied)
        ):
            return []  # without reading anything
        read = [layer for layer in engine.layers(changed.id) if layer.diff_id in fresh]
        new = {
            layer.diff_id: [
                entry for entry in layer.entries if _key(entry) not in known
            ]
            for layer in read
        }
        again = [
            layer for layer in read if _installs_again(layer, new[layer.diff_id], holds)
        ]
        if not again:
            sizes = (
                entry.size
                for found in new.values()
                for entry in found
                if _may_be_a_package(entry.path, first)
            )
            if sum(sizes) > MAX_COPIES * copied + MAX_INCIDENTAL_BYTES:
                again = sorted(
                    read,
                    key=lambda layer: -sum(entry.size for entry in new[layer.diff_id]),
                )
        if not again:
            return []
        latest = _newest(again, holds)
        made += latest >= newest or not latest
        if made == tries:
            break
        newest = max(newest, latest)
        known_ids |= fresh
        known |= _written(read)
    return again


def _may_be_a_package(path: str, image: Image) -> bool:
    folder = image.workdir.strip("/")
    is_of_the_app = (
        bool(folder) and path.startswith(f"{folder}/") and not CODE.search(path)
    )
    return not is_of_the_app and not BY_PRODUCTS.search(path)


def _newest(layers: list[Layer], holds: Callable[[str], bool]) -> int:
    """Return when the newest package metadata was written, in seconds since the epoch; 0 where there is none."""
    return max(
        (
            entry.mtime
            for layer in layers
            for entry in layer.entries
            if holds(entry.path)
        ),
        default=0,
    )


def _installs_again(
    layer: Layer, new: list[Entry], holds: Callable[[str], bool]
) -> bool:
    """Whether the new entries of a layer show that something was installed."""
    found = [entry.path for entry in new if entry.kind == "file" and holds(entry.path)]
    if not any(DPKG_LIST.search(path) for path in found):
        return bool(found)
    files = {entry.path for entry in layer.entries if entry.kind == "file"}
    return any(
        not DPKG_LIST.search(path) or path.removesuffix(LIST) + SUMS in files
        for path in found
    )


def _key(entry: Entry) -> tuple[str, int, int]:
    """Return what stays the same as long as the file is not written again."""
    return entry.path, entry.size, entry.mtime


def _written(layers: list[Layer]) -> set[tuple[str, int, int]]:
    return {
        _key(entry)
        for layer in layers
        for entry in layer.entries
        if entry.kind == "file"
    }


def _only_copies(engine: Engine, image: Image, fresh: set[str], copied: int) -> bool:
    """Whether, by the history, those layers are copies and no larger than the submission's own files."""
    steps = [
        step
        for diff_id, step in zip(image.layers, _steps(engine, image), strict=True)
        if diff_id in fresh
    ]
    return (
        all(COPIES_FILES.match(name) for name, _ in steps)
        and sum(size for _, size in steps) <= copied
    )


def installs(path: str, own: Collection[str] = ()) -> bool:
    """Whether a path is metadata of an installed package, such as `flask-3.1.0.dist-info/RECORD`.

    Packages named in `own` do not count: they are the submission's own, and change with its code.
    """
    return bool(DPKG_LIST.search(path) or APK_OR_CONDA.search(path)) or any(
        name not in own for name in packages_noted(path)
    )


def packages_noted(path: str) -> list[str]:
    """Return the normalized names of the Python packages whose metadata is at that path."""
    noted = (folder for folder in path.split("/") if folder.endswith(METADATA_FOLDERS))
    # The name ends where the version begins, which may be missing: names have no hyphen there.
    return [normalized(folder.rpartition(".")[0].partition("-")[0]) for folder in noted]
