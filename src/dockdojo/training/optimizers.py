"""Has a training script's optimizer any state? Asked by running it until that is known, and of its checkpoint.

The run is a training with hooks in it, in each process that it starts; see `optimizer_probe`. It goes past the image's
ENTRYPOINT first, and through it where nothing was seen: that may prepare what the script needs.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from dockdojo import payloads
from dockdojo.errors import SubmissionError
from dockdojo.texts import lines_of
from dockdojo.training.hooks import start_hooked
from dockdojo.training.run import ENOUGH_LINES, TrainingRun
from dockdojo.training.script import Training
from dockdojo.training.torch_image import Examined

PROBE = "optimizer_probe"
"""Not imported: it runs in a container."""
PROBED = re.compile(r"(\w{1,100}) (\w{1,100}) ([0-9]{1,9})")
"""What the probe says, behind its mark."""
MARK = "PROBE"
OWN = "own"
"""What it says for the name of an optimizer that is none of torch's."""
PASSED = "passed"
"""What it says after so many backward passes in which no optimizer with state was found."""
ENOUGH_PASSES, FEW_PASSES = 9, 3
"""Backward passes, after which state would have been found: while it trains on, and where that was all of the training."""
MAX_UNDECIDED_LINES = 3 * ENOUGH_LINES
"""With a loss or an accuracy, after which it would have been said."""


@dataclass(frozen=True, slots=True)
class Optimizer:
    """What was found out about a script's optimizer."""

    name: str
    tensors: int
    """Of its state, after its first steps; 0: it has none."""


def find_optimizer(training: Training, kept: Examined) -> Optimizer | None:
    """The script's optimizer, by what it does, or by what the checkpoint `kept` holds; None where nobody could see it."""
    found = _probed(training, past_entrypoint=True)
    if found is None and training.build().entrypoint:
        found = _probed(training, past_entrypoint=False)
    if found is None and kept.plain_sgd:
        return Optimizer("SGD", 0)
    return found


def _probed(training: Training, *, past_entrypoint: bool) -> Optimizer | None:
    training.workspaces().populate("probe")
    mark = f"{MARK}_{secrets.token_hex(8)}"
    try:
        hooks = f'{payloads.source(PROBE)}\n\nMARK = "{mark}"\n'
        run = start_hooked(training, "probe", hooks, past_entrypoint=past_entrypoint)
        seen = training.watch(run, lambda seen: _is_known(seen, mark))
    except SubmissionError:
        return None
    return read_probe(seen.text, mark, to_its_end=seen.exit_code == 0)


def _is_known(seen: TrainingRun, mark: str) -> bool:
    if any(name != PASSED for name, _ in _said(seen.text, mark)):
        return True
    enough = (
        MAX_UNDECIDED_LINES
        if _passes(seen.text, mark) >= ENOUGH_PASSES
        else 10 * MAX_UNDECIDED_LINES
    )
    return len(seen.metric_lines) >= enough


def _said(text: str, mark: str) -> list[tuple[str, int]]:
    found = map(PROBED.fullmatch, lines_of(text))
    return [(match[2], int(match[3])) for match in found if match and match[1] == mark]


def _passes(text: str, mark: str) -> int:
    return max(
        (count for name, count in _said(text, mark) if name == PASSED), default=0
    )


def read_probe(
    text: str, mark: str = MARK, *, to_its_end: bool = False
) -> Optimizer | None:
    """What the probe said in a log; None where it saw no optimizer, and too little of a training to know that there is none.

    Only lines count that begin with `mark`. `to_its_end`: the log is that of a whole training.
    """
    for name, count in _said(text, mark):
        if name != PASSED:
            return Optimizer("its own optimizer" if name == OWN else name, count)
    if _passes(text, mark) >= (FEW_PASSES if to_its_end else ENOUGH_PASSES):
        return Optimizer("its own optimizer", 0)
    return None
