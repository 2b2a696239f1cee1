"""Which of several processes tells of an epoch, where their lines do not say so."""

from __future__ import annotations

from dockdojo import payloads
from dockdojo.errors import SubmissionError
from dockdojo.training.hooks import start_hooked
from dockdojo.training.log_parser import epochs_by_writer
from dockdojo.training.run import ENOUGH_LINES, TrainingRun
from dockdojo.training.script import Training

NAMES = "line_names"
"""Not imported: it runs in a container."""
LONGER = 8
"""Times as many lines as would be enough, after which no other process is waited for."""


def resumed_apart(training: Training) -> TrainingRun | None:
    """A resumed run in which each line begins with its process; None where one process trains, or the lines tell it anyway.

    None as well where such a run tells of no epoch: the hooks did not get to it.
    """
    whole = training.first.result().seen
    if whole.has_several_writers or (training.crowd < 2 and whole.is_in_order):
        return None
    return training.once("apart", lambda: _apart(training))


def _apart(training: Training) -> TrainingRun | None:
    start, epoch_args = (
        training.beginning.result(),
        training.resumed.result().epoch_args,
    )
    for past_entrypoint in (True, False):
        training.workspaces().populate("apart", start.copy)
        try:
            run = start_hooked(
                training,
                "apart",
                payloads.source(NAMES),
                "--resume",
                *epoch_args,
                past_entrypoint=past_entrypoint,
            )
            seen = training.watch(run, _is_enough, start.within, "a resumed training")
        except SubmissionError:
            continue
        if seen.epochs and seen.exit_code in (None, 0):
            return seen
    return None


def _is_enough(seen: TrainingRun) -> bool:
    count = len(epochs_by_writer(seen.lines))
    return len(seen.metric_lines) >= ENOUGH_LINES * (2 * count if count > 1 else LONGER)
