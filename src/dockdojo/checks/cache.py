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
"""Changed builds that are looked at before a layer is judged to be made anew each time."""
MAX_TRIES = 16
"""The same, with those in which what was installed is older than in a build before: such a layer came from the cache."""
LARGE_LAYER_BYTES = 50_000_000
"""Bytes of a layer with installed packages, where those are large."""
BY_PRODUCTS = re.compile(r"\.pyc$|(?:^|/)\.cache/")
"""What Python compiled, and what pip keeps, such as the tools with which it made a wheel of the project."""
CODE = re.compile(r"\.(?:py|so)$|(?:^|/)(?:site-packages|dist-packages|node_modules)/")
"""Files of packages, wherever they are."""
INSTRUCTIONS_WITHOUT_FILES = "ARG|CMD|ENTRYPOINT|ENV|EXPOSE|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|SHELL|STOPSIGNAL|USER|VOLUME"
"""Instructions that make no layer."""
COPIES_FILES = re.compile(r"(/bin/sh -c #\(nop\)\s+)?(COPY|ADD|WORKDIR)\b")
"""Instructions that copy: from the build context or from another stage, the history does not tell."""
METADATA_FOLDERS = (".dist-info", ".egg-info")
"""How the folders end in which an installer notes what it knows of a package (PEP 376)."""
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
    """The instructions that install something again after each change; empty where what was installed is kept.

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
    """The layers in which each change installs something again; empty where what was installed is kept.

    `build_changed` builds once more after another change; `layers` are those of `first`, if they were read already. Installed
    again is a file for which `holds` is true (see `installs`) and whose bytes were written anew. Who copies it from another
    stage again, or gives it to another owner, has not: its time and size stay. A cache may hold several results of one step
    (when it was first built by several at the same time) and take any of them: so what an earlier build had counts as kept,
    too, and a build is no try whose packages were installed before those of an earlier one. Times can be forged: that ends.

    The packages may be somewhere unusual, whatever else has such a path. So new layers whose new files are far more than
    `copied`, the bytes of the submission's own files, are returned, too (see MAX_INCIDENTAL_BYTES and MAX_COPIES). What Python
    compiled does not count, nor what pip keeps for the next build, nor pictures, pages and data that a RUN makes in the working
    folder.
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
    """When the last of what an installer notes was written, in seconds since the epoch; 0 where there is nothing of it."""
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
    """Whether one of the new entries of a layer tells that something was installed."""
    found = [entry.path for entry in new if entry.kind == "file" and holds(entry.path)]
    if not any(DPKG_LIST.search(path) for path in found):
        return bool(found)
    files = {entry.path for entry in layer.entries if entry.kind == "file"}
    return any(
        not DPKG_LIST.search(path) or path.removesuffix(LIST) + SUMS in files
        for path in found
    )


def _key(entry: Entry) -> tuple[str, int, int]:
    """What stays the same as long as nobody writes the file anew."""
    return entry.path, entry.size, entry.mtime


def _written(layers: list[Layer]) -> set[tuple[str, int, int]]:
    return {
        _key(entry)
        for layer in layers
        for entry in layer.entries
        if entry.kind == "file"
    }


def _only_copies(engine: Engine, image: Image, fresh: set[str], copied: int) -> bool:
    """Whether the history tells that those layers are copies, and have no more than the submission's own files."""
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
    """Whether a path is what an installer notes of a package, such as `flask-3.1.0.dist-info/RECORD`.

    Not of one of the names `own`: the submission's own package, which changes with its code.
    """
    return bool(DPKG_LIST.search(path) or APK_OR_CONDA.search(path)) or any(
        name not in own for name in packages_noted(path)
    )


def packages_noted(path: str) -> list[str]:
    """The Python packages of which an installer notes something at that path, as the index knows their names."""
    noted = (folder for folder in path.split("/") if folder.endswith(METADATA_FOLDERS))
    # The name ends where the version begins, which may be missing: names have no hyphen there.
    return [normalized(folder.rpartition(".")[0].partition("-")[0]) for folder in noted]
