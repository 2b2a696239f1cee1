"""Has a training script's optimizer any state? Asked by running it until that is known; see `optimizer_probe`."""

from __future__ import annotations

import re
from pathlib import Path

from dockerlab.checks.runs import ENOUGH_LINES
from dockerlab.checks.training import Training
from dockerlab.texts import lines_of

PROBE = Path(__file__).with_name("optimizer_probe.py")
"""Not imported: it runs in a container."""
START = (
    "import sys; text = sys.argv.pop(1); probe = {}; exec(compile(text, 'probe', 'exec'), probe); probe['main'](text)"
)
"""Runs the probe, whose text is the first argument."""
PROBED = re.compile(r"PROBE (\w{1,100}) ([0-9]{1,9})")
"""What the probe says."""
OWN = "own"
"""What it says for the name of an optimizer that is none of torch's."""
MOST_LINES = 3 * ENOUGH_LINES
"""With a loss or an accuracy, after which it would have been said."""


def optimizer_state(training: Training) -> tuple[str, int] | None:
    """What the script's optimizer is called, and how many tensors of state it has; None where none was seen."""
    training.spaces.lay("probe")
    options = training.options("probe", training.bench.digits)
    words = ("-c", START, PROBE.read_text(), *training.command[1:])
    container = training.bench.start(*words, entrypoint=(training.command[0],), **options)
    seen = training.watch(container, lambda seen: "PROBE " in seen.text or len(seen.told) >= MOST_LINES)
    found = next(filter(None, map(PROBED.fullmatch, lines_of(seen.text))), None)
    if not found or not int(found[2]):
        return None
    return "its own optimizer" if found[1] == OWN else found[1], int(found[2])
