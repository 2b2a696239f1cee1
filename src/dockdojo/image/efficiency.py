"""From layers to waste: which bytes a later layer overwrites or hides. Pure: no engine, no disk, no clock.

An entry is dead if a later layer overwrites it, whites it out, whites out an ancestor, or replaces an ancestor opaquely
(https://github.com/opencontainers/image-spec/blob/main/layer.md). Wasted = bytes of dead entries; efficiency = live / all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from dockdojo.connection.types import Entry, Layer
from dockdojo.model import ImageStats, LayerStats, Waste


@dataclass(slots=True)
class _Node:
    """One path of the file system that the layers make, seen from the top."""

    children: dict[str, _Node] = field(default_factory=dict)
    layer: int = -1
    """Which layer it comes from; -1 for a folder that no layer names."""
    size: int = 0
    is_file: bool = False


class _Stack:
    def __init__(self) -> None:
        self.root = _Node()
        self.dead: list[Waste] = []

    def find(self, path: str) -> _Node | None:
        node = self.root
        for part in path.split("/") if path else ():
            child = node.children.get(part)
            if child is None:
                return None
            node = child
        return node

    def make(self, path: str) -> _Node:
        node = self.root
        for part in path.split("/") if path else ():
            node = node.children.setdefault(part, _Node())
        return node

    def bury(self, node: _Node, path: str, by: int) -> Iterator[str]:
        """Everything below and including the node becomes dead; yields the paths that were there."""
        below = [(node, path)]
        while below:  # not by recursion: a stranger decides how deep the folders are
            node, path = below.pop()
            if node.layer >= 0:
                yield path
                if node.size:
                    self.dead.append(
                        Waste(
                            path=path, size=node.size, made_by=node.layer, hidden_by=by
                        )
                    )
            children = reversed(node.children.items())
            below += [
                (child, f"{path}/{name}" if path else name) for name, child in children
            ]

    def remove(self, path: str, by: int) -> list[str]:
        folder, _, name = path.rpartition("/")
        parent = self.find(folder)
        if parent is None or name not in parent.children:
            return []
        return list(self.bury(parent.children.pop(name), path, by))

    def empty(self, path: str, by: int) -> list[str]:
        node = self.find(path)
        if node is None:
            return []
        gone = [
            buried
            for name, child in node.children.items()
            for buried in self.bury(child, f"{path}/{name}".lstrip("/"), by)
        ]
        node.children.clear()
        return gone


def analyse(image: str, layers: Sequence[Layer], base: int) -> ImageStats:
    """Compare the image's layers with each other; the first `base` layers belong to its base image."""
    stack = _Stack()
    changes = [_apply(stack, index, layer) for index, layer in enumerate(layers)]
    wasted: dict[int, int] = {}
    for waste in stack.dead:
        wasted[waste.made_by] = wasted.get(waste.made_by, 0) + waste.size
    stats = tuple(
        LayerStats(
            instruction=layer.instruction,
            diff_id=layer.diff_id,
            in_base=index < base,
            size=layer.size,
            wasted=wasted.get(index, 0),
            added=tuple(added),
            changed=tuple(changed),
            removed=tuple(removed),
        )
        for index, (layer, (added, changed, removed)) in enumerate(
            zip(layers, changes, strict=True)
        )
    )
    return ImageStats(
        image=image,
        layers=stats,
        waste=tuple(sorted(stack.dead, key=lambda waste: (-waste.size, waste.path))),
    )


_Changes = tuple[list[tuple[str, int]], list[tuple[str, int]], list[str]]


def _apply(stack: _Stack, index: int, layer: Layer) -> _Changes:
    """Put one layer on top. What it removes is removed first: a whiteout speaks of the layers below only."""
    removed: list[str] = []
    for entry in layer.entries:
        if entry.kind == "opaque":
            removed += stack.empty(entry.path, index)
        elif entry.kind == "whiteout":
            removed += stack.remove(entry.path, index)
    added: list[tuple[str, int]] = []
    changed: list[tuple[str, int]] = []
    for entry in layer.entries:
        if entry.kind not in ("opaque", "whiteout"):
            _put(stack, index, entry, added, changed)
    again = {path for path, _ in added}
    before = set(removed)
    changed += [addition for addition in added if addition[0] in before]
    return (
        [addition for addition in added if addition[0] not in before],
        changed,
        [path for path in removed if path not in again],
    )


def _put(
    stack: _Stack,
    index: int,
    entry: Entry,
    added: list[tuple[str, int]],
    changed: list[tuple[str, int]],
) -> None:
    node = stack.find(entry.path)
    is_file = entry.kind != "dir"
    if node is not None and (is_file or node.is_file):
        was_file = node.is_file
        list(stack.bury(node, entry.path, index))
        node.children.clear()
        if is_file:
            (changed if was_file else added).append((entry.path, entry.size))
    elif is_file:
        added.append((entry.path, entry.size))
    node = node or stack.make(entry.path)
    node.layer, node.size, node.is_file = index, entry.size, is_file
