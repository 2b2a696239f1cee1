"""Words for a layer that every format uses: its size, and the instruction that made it."""

from __future__ import annotations

from dockdojo.instructions import as_written
from dockdojo.model import LayerStats
from dockdojo.reports.text import clean


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
