"""An image's layers for people and programs: `ImageStats -> str`, one function a format, one dict that names them."""

from __future__ import annotations

import html
import json
import textwrap
from collections.abc import Callable
from dataclasses import asdict

from dockdojo.instructions import as_written
from dockdojo.model import ImageStats, LayerStats, Waste
from dockdojo.reports.text import clean, quiet_json, shortened, tame

SCHEMA = "dockdojo/layers/v1"
SHOWN = 5
"""Paths that are named for each layer, the largest first."""
MOST_WASTE = 20
BAR = 24
MOST_INSTRUCTION = 90
"""Characters of an instruction in the table."""
READABLE = 30
"""Columns that an instruction must have beside the numbers; where they are fewer, it goes below."""


def bytes_in_words(size: int) -> str:
    """Decimal units, as `docker images` has them: 999 B, 12.3 kB, 4.5 MB, 1.25 GB."""
    for unit, factor, digits in (("GB", 1e9, 2), ("MB", 1e6, 1), ("kB", 1e3, 1)):
        if size >= factor:
            return f"{size / factor:.{digits}f} {unit}"
    return f"{size} B"


def instruction_in_words(layer: LayerStats) -> str:
    """The instruction without what the engine adds to it."""
    return plain_instruction(layer.instruction)


def plain_instruction(history: str) -> str:
    """An instruction as somebody wrote it, from a line of an image's history; without what a terminal would obey."""
    return as_written(clean(history))


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
        made_by = shortened(instruction_in_words(layer), MOST_INSTRUCTION)
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
            for one in _top(stats)
            for part in _wrapped(f"  {_waste_line(stats, one)}", width, " " * 13)
        ]
        rest = len([one for one in stats.waste if one.size]) - len(_top(stats))
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
    return [one for one in stats.waste if one.size][:MOST_WASTE]


def _waste_line(stats: ImageStats, one: Waste) -> str:
    hider = shortened(instruction_in_words(stats.layers[one.hidden_by]), 60)
    return f"{bytes_in_words(one.size):>9}  /{clean(one.path)}  in layer {one.made_by}, hidden by layer {one.hidden_by} ({hider})"


def render_json(stats: ImageStats) -> str:
    """All of it, paths included."""
    document = {
        "schema": SCHEMA,
        "image": stats.image,
        "size": stats.size,
        "wasted": stats.wasted,
        "efficiency": round(stats.efficiency, 6),
        "layers": [asdict(layer) for layer in stats.layers],
        "waste": [asdict(one) for one in stats.waste],
    }
    return quiet_json(json.dumps(document, indent=2)) + "\n"


STYLE = """
:root {
  color-scheme: light dark;
  --ink: #1c2733; --paper: #fff; --soft: #e8edf2; --live: #2f7fc1; --base: #8aa1b5; --waste: #c7422e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6edf3; --paper: #10161d; --soft: #222c37; --live: #58a6e6; --base: #5d7387; --waste: #f0806c;
  }
}
body {
  font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  margin: 2rem auto; max-width: 68rem; padding: 0 1rem;
}
.facts { display: flex; flex-wrap: wrap; gap: 1.5rem; padding: 0; list-style: none; }
.facts b { display: block; font-size: 1.5rem; }
.stack { list-style: none; padding: 0; display: flex; flex-direction: column-reverse; gap: .35rem; }
.stack li { background: var(--soft); border-radius: .4rem; padding: .5rem .75rem; }
.row { display: flex; justify-content: space-between; gap: 1rem; }
code { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
.size { white-space: nowrap; }
.bar { height: .8rem; display: flex; margin: .3rem 0; }
.bar span { display: block; height: 100%; }
.live { background: var(--live); } .base .live, .of-base { background: var(--base); } .wasted { background: var(--waste); }
summary { cursor: pointer; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--soft); vertical-align: top; }
td.n { text-align: right; white-space: nowrap; }
.key span { display: inline-block; width: .8rem; height: .8rem; margin: 0 .3rem 0 1rem; }
"""


def render_html(stats: ImageStats) -> str:
    """One self-contained page, readable without scripts: the stack as a picture, the waste as a table."""
    name = html.escape(clean(stats.image))
    largest = max((layer.size for layer in stats.layers), default=1) or 1
    stack = "\n".join(
        _html_layer(number, layer, largest) for number, layer in enumerate(stats.layers)
    )
    rows = "\n".join(_html_waste(stats, one) for one in _top(stats))
    table = (
        "<table><thead><tr><th>bytes</th><th>path</th><th>made by</th><th>hidden by</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
        if rows
        else "<p>Nothing: every byte of the image can be reached.</p>"
    )
    facts = "".join(
        f"<li><b>{value}</b>{label}</li>"
        for value, label in (
            (len(stats.layers), "layers"),
            (bytes_in_words(stats.size), "in all"),
            (
                bytes_in_words(sum(layer.size for layer in stats.own)),
                "on top of the base",
            ),
            (bytes_in_words(stats.wasted), "wasted"),
            (f"{stats.efficiency:.3f}", "efficiency"),
        )
    )
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Layers of {name}</title><style>{STYLE}</style></head>
<body><main>
<h1>Layers of <code>{name}</code></h1>
<ul class="facts">{facts}</ul>
<h2>The stack</h2>
<p class="key">The first layer lies at the bottom.<span class="live"></span>bytes of your own layers that can be reached
<span class="of-base"></span>bytes of the base <span class="wasted"></span>wasted</p>
<ol class="stack">
{stack}
</ol>
<h2>Wasted bytes</h2>
<p>They are in the image, and no container of it can reach them: a later layer overwrote or removed their file.</p>
{table}
</main></body></html>
"""


def _html_layer(number: int, layer: LayerStats, largest: int) -> str:
    live, dead = (
        100 * part / largest for part in (layer.size - layer.wasted, layer.wasted)
    )
    wasted = f", {bytes_in_words(layer.wasted)} of it wasted" if layer.wasted else ""
    lists = "".join(
        _html_paths(label, paths)
        for label, paths in (
            ("added", sorted(layer.added, key=lambda one: -one[1])),
            ("changed", sorted(layer.changed, key=lambda one: -one[1])),
            ("removed", [(path, -1) for path in layer.removed]),
        )
    )
    bar = f'<span class="live" style="width:{live:.2f}%"></span><span class="wasted" style="width:{dead:.2f}%"></span>'
    return (
        f'<li class="{"base" if layer.in_base else "own"}"><div class="row"><span>{number}. '
        f"{'base: ' if layer.in_base else ''}<code>{html.escape(instruction_in_words(layer)[:300])}</code></span>"
        f'<span class="size">{bytes_in_words(layer.size)}{wasted}</span></div><div class="bar">{bar}</div>{lists}</li>'
    )


def _html_paths(label: str, paths: list[tuple[str, int]]) -> str:
    if not paths:
        return ""
    shown = "".join(
        f"<li><code>/{html.escape(clean(path))}</code>{f' {bytes_in_words(size)}' if size >= 0 else ''}</li>"
        for path, size in paths[: SHOWN * 4]
    )
    more = (
        f"<li>… and {len(paths) - SHOWN * 4} more</li>"
        if len(paths) > SHOWN * 4
        else ""
    )
    return f"<details><summary>{len(paths)} {label}</summary><ul>{shown}{more}</ul></details>"


def _html_waste(stats: ImageStats, one: Waste) -> str:
    made, hidden = (
        html.escape(instruction_in_words(stats.layers[index])[:80])
        for index in (one.made_by, one.hidden_by)
    )
    return (
        f'<tr><td class="n">{bytes_in_words(one.size)}</td><td><code>/{html.escape(clean(one.path))}</code></td>'
        f"<td>{one.made_by}. <code>{made}</code></td><td>{one.hidden_by}. <code>{hidden}</code></td></tr>"
    )


FORMATS: dict[str, Callable[[ImageStats], str]] = {
    "text": render_text,
    "json": render_json,
    "html": render_html,
}
