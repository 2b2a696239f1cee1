"""An image's layers for people and programs: `ImageStats -> str`, one function a format, one dict that names them."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict

from dockdojo.model import ImageStats, LayerStats, Waste
from dockdojo.reports import charts, pages
from dockdojo.reports.layer_words import bytes_in_words, instruction_in_words
from dockdojo.reports.text import clean, quiet_json, shortened, tame

SCHEMA = "dockdojo/layers/v1"
MAX_PATHS = 20
"""Files that the page names for each layer and kind, the largest first."""
MAX_WASTE = 20
"""Wasted files that are named, the largest first."""
BAR = 24
"""Columns of the largest layer's bar."""
MAX_INSTRUCTION = 90
"""Characters of an instruction in a table."""
MAX_NAME = 300
"""Characters of a file's or an image's name on the page."""
MAX_LAYERS = 500
"""Layers that the page draws."""
READABLE = 30
"""Columns that an instruction must have beside the numbers; where they are fewer, it goes below."""


def render_text(stats: ImageStats, width: int = 0) -> str:
    """A table of the layers, then the waste by path. With `width`, no line has more columns: it is wrapped or cut."""
    largest = max((layer.size for layer in stats.layers), default=1) or 1
    head = f"{'layer':>5}  {'size':>9}  {'wasted':>9}  {'added':>6}  {'changed':>7}  {'removed':>7}"
    beside = not width or width - len(head) >= READABLE
    lines = [
        *_wrapped(
            f"{clean(stats.image)}: {len(stats.layers)} layers, {bytes_in_words(stats.size)}, "
            f"{bytes_in_words(stats.wasted)} wasted, efficiency {stats.efficiency:.3f}",
            width,
        ),
        "",
        f"{head}  instruction" if beside else head,
    ]
    for number, layer in enumerate(stats.layers):
        bar = "█" * max(1 if layer.size else 0, round(BAR * layer.size / largest))
        counts = (
            f"{number:>5}  {bytes_in_words(layer.size):>9}  {bytes_in_words(layer.wasted) if layer.wasted else '-':>9}  "
            f"{len(layer.added):>6}  {len(layer.changed):>7}  {len(layer.removed):>7}"
        )
        made_by = shortened(instruction_in_words(layer), MAX_INSTRUCTION)
        made_by = f"base  {made_by}" if layer.in_base else made_by
        lines += [f"{counts}  {made_by}"] if beside else [counts, f"       {made_by}"]
        lines.append(f"       {bar}")
    if stats.waste:
        lines += [
            "",
            *_wrapped(
                "Wasted: bytes that are in the image, and that no container of it can reach",
                width,
            ),
        ]
        lines += [
            part
            for piece in _top(stats)
            for part in _wrapped(f"  {_waste_line(stats, piece)}", width, " " * 13)
        ]
        rest = len([piece for piece in stats.waste if piece.size]) - len(_top(stats))
        lines += [f"  … and {rest} more"] if rest > 0 else []
    return (
        "\n".join(tame(shortened(line, width) if width else line) for line in lines)
        + "\n"
    )


def _wrapped(line: str, width: int, indent: str = "  ") -> list[str]:
    bare = line.lstrip()
    first = line[: len(line) - len(bare)]
    return (
        textwrap.wrap(bare, width, initial_indent=first, subsequent_indent=indent)
        if width
        else [line]
    )


def _top(stats: ImageStats) -> list[Waste]:
    return [piece for piece in stats.waste if piece.size][:MAX_WASTE]


def _waste_line(stats: ImageStats, piece: Waste) -> str:
    hider = shortened(instruction_in_words(stats.layers[piece.hidden_by]), 60)
    return (
        f"{bytes_in_words(piece.size):>9}  /{clean(piece.path)}  in layer {piece.made_by}, "
        f"hidden by layer {piece.hidden_by} ({hider})"
    )


def render_json(stats: ImageStats) -> str:
    """All of it, paths included."""
    document = {
        "schema": SCHEMA,
        "image": stats.image,
        "size": stats.size,
        "wasted": stats.wasted,
        "efficiency": round(stats.efficiency, 6),
        "layers": [asdict(layer) for layer in stats.layers],
        "waste": [asdict(piece) for piece in stats.waste],
    }
    return quiet_json(json.dumps(document, indent=2)) + "\n"


def render_html(stats: ImageStats) -> str:
    """One self-contained page, readable without scripts: the layers as bars, with their largest files, the waste as a table."""
    layers = stats.layers[:MAX_LAYERS]
    waste = _top(stats)
    return pages.render(
        "layers",
        name=shortened(stats.image, MAX_NAME),
        efficiency=f"{stats.efficiency:.3f}",
        image=charts.layers(layers, [_paths(layer) for layer in layers]),
        hidden_layers=len(stats.layers) - len(layers),
        waste=[
            {
                "size": bytes_in_words(piece.size),
                "path": shortened(piece.path, MAX_NAME),
                "layers": [
                    (
                        number,
                        charts.shown_instruction(stats.layers[number], MAX_INSTRUCTION),
                    )
                    for number in (piece.made_by, piece.hidden_by)
                ],
            }
            for piece in waste
        ],
        more_waste=sum(1 for piece in stats.waste if piece.size) - len(waste),
    )


def _paths(layer: LayerStats) -> tuple[charts.Paths, ...]:
    """The files of a layer, the largest first."""
    lists: dict[str, Sequence[tuple[str, int | None]]] = {
        "added": _by_size(layer.added),
        "changed": _by_size(layer.changed),
        "removed": [(path, None) for path in layer.removed],
    }
    return tuple(
        charts.Paths(
            label=label,
            count=len(paths),
            shown=tuple(
                (
                    shortened(path, MAX_NAME),
                    "" if size is None else bytes_in_words(size),
                )
                for path, size in paths[:MAX_PATHS]
            ),
        )
        for label, paths in lists.items()
        if paths
    )


def _by_size(paths: Iterable[tuple[str, int]]) -> Sequence[tuple[str, int | None]]:
    return sorted(paths, key=lambda path_and_size: -path_and_size[1])


FORMATS: dict[str, Callable[[ImageStats], str]] = {
    "text": render_text,
    "json": render_json,
    "html": render_html,
}
