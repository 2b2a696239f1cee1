"""Pictures for the HTML report: the Dockerfile with its lines at fault, the stack of layers, the learning curve. No script."""

from __future__ import annotations

from html import escape

from dockdojo.model import Part, Point, Report
from dockdojo.reports.layers import bytes_in_words, plain_instruction
from dockdojo.reports.text import clean, cut

AROUND = 3
"""Lines that are shown above and below one at fault."""
LONG = 300
"""Characters of a line that are shown."""
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 640, 220, 60, 190, 20
COLOURS = {"loss": "var(--failed)", "accuracy": "var(--passed)"}
STYLE = """.source { padding: .6rem 0; }
.source span { display: block; padding: 0 .6rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.source .fault { border-left: .3rem solid var(--failed); font-weight: 600; }
.stack { list-style: none; padding: 0; display: flex; flex-direction: column-reverse; gap: .3rem; }
.stack li { background: var(--soft); padding: .3rem .6rem; overflow-wrap: anywhere; }
.stack .bytes { display: flex; height: .7rem; margin-top: .2rem; }
.live { background: var(--passed); } .base { background: var(--line); } .wasted { background: var(--failed); }
.key span { display: inline-block; width: .8rem; height: .8rem; margin: 0 .3rem 0 1rem; }
svg { max-width: 100%; height: auto; } svg text { fill: var(--ink); font-size: 12px; }
"""


KEY = (
    '<p class="key"><span class="live"></span>of your layers, in use<span class="base"></span>of the base, in use'
    '<span class="wasted"></span>wasted</p>'
)
"""What each colour of the stack means."""


def source(report: Report, file: str, line: int) -> str:
    """The lines around one at fault, where the report has the file."""
    lines = report.sources.get(file, "").split("\n")
    if not 1 <= line <= len(lines) or file not in report.sources:
        return ""
    first, last = max(1, line - AROUND), min(len(lines), line + AROUND)
    shown = "".join(
        f'<span{" class=fault" if number == line else ""}>{number:>3} {"▶" if number == line else " "} '
        f"{escape(cut(clean(lines[number - 1]), LONG))}</span>"
        for number in range(first, last + 1)
    )
    name = escape(clean(file), quote=True)
    return f'<pre class="source" role="group" aria-label="{name}, line {line} is at fault">{shown}</pre>\n'


def stack(parts: tuple[Part, ...]) -> str:
    """The image as a stack of bars, the first layer at the bottom."""
    if not parts:
        return ""
    largest = max(one.size for one in parts) or 1
    items = "".join(_layer(number, one, largest) for number, one in enumerate(parts))
    size, wasted = (
        sum(getattr(one, name) for one in parts) for name in ("size", "wasted")
    )
    return (
        f"<h2>The image</h2>\n<p>{bytes_in_words(size)} in {len(parts)} layers, {bytes_in_words(wasted)} of it wasted: "
        "overwritten or removed by a later layer. The first layer lies at the bottom.</p>\n"
        f"{KEY}\n"
        f'<ol class="stack">\n{items}</ol>\n'
    )


def _layer(number: int, part: Part, largest: int) -> str:
    live, dead = (100 * one / largest for one in (part.size - part.wasted, part.wasted))
    kind = "base" if part.in_base else "live"
    wasted = f", {bytes_in_words(part.wasted)} wasted" if part.wasted else ""
    return (
        f"<li>{number}. {'base: ' if part.in_base else ''}<code>{escape(cut(plain_instruction(part.instruction), LONG))}</code> "
        f'{bytes_in_words(part.size)}{wasted}<div class="bytes"><div class="{kind}" style="width: {live:.2f}%"></div>'
        f'<div class="wasted" style="width: {dead:.2f}%"></div></div></li>\n'
    )


def curve(points: tuple[Point, ...]) -> str:
    """Loss and accuracy over the epochs, as a drawing and as a table."""
    if len(points) < 2:
        return ""
    drawings = "".join(_drawing(points, name) for name in ("loss", "accuracy"))
    rows = "".join(
        f"<tr><td>{one.epoch}</td><td>{_number(one.loss)}</td><td>{_number(one.accuracy)}</td></tr>"
        for one in points
    )
    return (
        f"<h2>Learning curve</h2>\n{drawings}<details><summary>The numbers</summary><table><thead><tr>"
        '<th scope="col">Epoch</th><th scope="col">Loss</th><th scope="col">Accuracy</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></details>\n"
    )


def _drawing(points: tuple[Point, ...], name: str) -> str:
    values = [
        (one.epoch, value)
        for one in points
        if (value := getattr(one, name)) is not None
    ]
    if len(values) < 2:
        return ""
    low, high = (
        (0.0, max(value for _, value in values) or 1.0)
        if name == "loss"
        else (min(v for _, v in values), 1.0)
    )
    first, last = values[0][0], max(values[-1][0], values[0][0] + 1)
    span = (high - low) or 1.0

    def place(epoch: float, value: float) -> str:
        x = LEFT + (WIDTH - LEFT - 20) * (epoch - first) / (last - first)
        return f"{x:.1f},{BOTTOM - (BOTTOM - TOP) * (value - low) / span:.1f}"

    path = " ".join(place(epoch, value) for epoch, value in values)
    words = f"{name} from {values[0][1]:.4g} in epoch {values[0][0]} to {values[-1][1]:.4g} in epoch {values[-1][0]}"
    return (
        f'<figure><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{words}">'
        f'<path d="M{LEFT} {TOP}V{BOTTOM}H{WIDTH - 20}" fill="none" stroke="var(--line)"/>'
        f'<polyline points="{path}" fill="none" stroke="{COLOURS[name]}" stroke-width="2.5"/>'
        f'<text x="{LEFT - 6}" y="{TOP + 4}" text-anchor="end">{high:.3g}</text>'
        f'<text x="{LEFT - 6}" y="{BOTTOM + 4}" text-anchor="end">{low:.3g}</text>'
        f'<text x="{LEFT}" y="{BOTTOM + 18}">epoch {values[0][0]}</text>'
        f'<text x="{WIDTH - 20}" y="{BOTTOM + 18}" text-anchor="end">epoch {values[-1][0]}</text></svg>'
        f"<figcaption>{words}</figcaption></figure>\n"
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
