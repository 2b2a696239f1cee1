"""What pages draw, as numbers and words for their templates: the score, an image's layers, the curve of a training, marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dockdojo.model import LayerStats, Outcome, Part, Point, Status
from dockdojo.reports.layer_words import bytes_in_words, plain_instruction
from dockdojo.reports.text import shortened

MAX_INSTRUCTION = 300
"""Characters of an instruction that are shown."""
MAX_HISTORY = 4_000
"""Characters of a line of an image's history that are looked at."""
MIN_NUMBERED = 4.0
"""Per cent of the whole bar that a piece needs for a number in it."""
BAR_GAP = 1.0
"""Per cent of a histogram's width between two of its bars."""
STATUSES: tuple[Status, ...] = ("passed", "failed", "skipped", "error")
"""As the score's bar has them, from the left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorePiece:
    """All checks of one status, as a piece of the score's bar."""

    status: Status
    checks: int
    points: int
    percent: float
    """Of the points of all checks."""


def score(outcomes: Sequence[Outcome]) -> list[ScorePiece]:
    """The points of the checks by status; without statuses that no check has."""
    total = sum(outcome.points for outcome in outcomes)
    pieces = []
    for status in STATUSES:
        points = [outcome.points for outcome in outcomes if outcome.status == status]
        if points:
            percent = 100 * sum(points) / total if total else 0.0
            pieces.append(
                ScorePiece(
                    status=status,
                    checks=len(points),
                    points=sum(points),
                    percent=percent,
                )
            )
    return pieces


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Files that a layer added, changed or removed: the largest ones by name, with their size in words."""

    label: str
    count: int
    shown: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerBar:
    """One layer: a piece of the image's bar, and a row of its table."""

    number: int
    instruction: str
    kind: Literal["base", "own"]
    size: str
    wasted: str
    """Empty where no byte is."""
    used_share: float
    """Per cent of the image that this layer holds and a container can reach."""
    wasted_share: float
    used_length: float
    """Per cent of the longest row's bar."""
    wasted_length: float
    paths: tuple[Paths, ...] = ()

    @property
    def is_numbered(self) -> bool:
        """Whether its piece of the image's bar has room for a number."""
        return self.used_share >= MIN_NUMBERED


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerChart:
    """An image's layers, the lowest first. Sizes are in words."""

    size: str
    base: str
    """What is used of the base."""
    own: str
    """What is used of the layers on top of the base."""
    on_top: str
    """All bytes on top of the base, used and wasted."""
    wasted: str
    is_wasteful: bool
    layers: tuple[LayerBar, ...]


def shown_instruction(part: Part | LayerStats, most: int = MAX_INSTRUCTION) -> str:
    """The layer's instruction, or its beginning and the sign that there is more."""
    return shortened(plain_instruction(part.instruction[:MAX_HISTORY]), most)


def layers(
    parts: Sequence[Part | LayerStats], paths: Sequence[tuple[Paths, ...]] = ()
) -> LayerChart | None:
    """The image's bar and the rows below it; None for an image without layers. `paths` are those of each layer, where known."""
    if not parts:
        return None
    size = sum(part.size for part in parts) or 1
    largest = max(part.size for part in parts) or 1
    used = {
        in_base: sum(
            part.size - part.wasted for part in parts if part.in_base is in_base
        )
        for in_base in (True, False)
    }
    wasted = sum(part.wasted for part in parts)
    return LayerChart(
        size=bytes_in_words(sum(part.size for part in parts)),
        base=bytes_in_words(used[True]),
        own=bytes_in_words(used[False]),
        on_top=bytes_in_words(sum(part.size for part in parts if not part.in_base)),
        wasted=bytes_in_words(wasted),
        is_wasteful=wasted > 0,
        layers=tuple(
            LayerBar(
                number=number,
                instruction=shown_instruction(part),
                kind="base" if part.in_base else "own",
                size=bytes_in_words(part.size),
                wasted=bytes_in_words(part.wasted) if part.wasted else "",
                used_share=100 * (part.size - part.wasted) / size,
                wasted_share=100 * part.wasted / size,
                used_length=100 * (part.size - part.wasted) / largest,
                wasted_length=100 * part.wasted / largest,
                paths=paths[number] if paths else (),
            )
            for number, part in enumerate(parts)
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One measure of a training over its epochs, in a square of 100 by 100 whose origin is at the top left."""

    name: str
    words: str
    line: str
    """The points as SVG has them: "x,y x,y"."""
    high: float
    low: float
    first: int
    last: int


def curves(points: Sequence[Point]) -> list[Curve]:
    """Loss and accuracy, each where two epochs or more told it."""
    drawn = [_curve(points, name) for name in ("loss", "accuracy")]
    return [curve for curve in drawn if curve]


def _curve(points: Sequence[Point], name: str) -> Curve | None:
    values = [
        (point.epoch, value)
        for point in points
        if (value := getattr(point, name)) is not None
    ]
    if len(values) < 2:
        return None
    if name == "loss":
        low, high = 0.0, max(value for _, value in values) or 1.0
    else:
        low, high = min(value for _, value in values), 1.0
    first, last = values[0][0], max(values[-1][0], values[0][0] + 1)
    span = (high - low) or 1.0
    line = " ".join(
        f"{100 * (epoch - first) / (last - first):.1f},{100 - 100 * (value - low) / span:.1f}"
        for epoch, value in values
    )
    return Curve(
        name=name,
        words=f"{name} from {values[0][1]:.4g} in epoch {values[0][0]} to {values[-1][1]:.4g} in epoch {values[-1][0]}",
        line=line,
        high=high,
        low=low,
        first=values[0][0],
        last=values[-1][0],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HistogramBar:
    """How many are in one part of the range; drawn in a square of 100 by 100 whose origin is at the top left."""

    label: str
    count: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Counts over the range from 0 to 100 per cent, in parts of the same width."""

    words: str
    high: int
    """The largest count."""
    bars: tuple[HistogramBar, ...]


def histogram(counts: Sequence[int]) -> Histogram:
    """Counts as bars side by side; full marks are in the last one."""
    high, width = max(counts), 100 / len(counts)
    bars = []
    for number, count in enumerate(counts):
        below = "" if number == len(counts) - 1 else "below "
        height = 100 * count / high if high else 0.0
        bars.append(
            HistogramBar(
                label=f"{number * width:g} % to {below}{(number + 1) * width:g} %",
                count=count,
                x=number * width + BAR_GAP / 2,
                y=100 - height,
                width=width - BAR_GAP,
                height=height,
            )
        )
    told = "; ".join(f"{bar.label}: {bar.count}" for bar in bars if bar.count)
    return Histogram(
        words=f"marks by their share of the maximum: {told}",
        high=high,
        bars=tuple(bars),
    )
