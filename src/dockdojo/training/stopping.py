"""A training that is stopped by `docker stop` in the middle of its work, and what a resumed run does then.

When it is stopped depends on what it has done: it must have saved, or be far from its end. How it is judged depends on what it
left: see `resuming`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from dockdojo.datasets import Data
from dockdojo.engine.container import Container
from dockdojo.training.run import (
    FEW_LINES,
    StoppedRun,
    TrainingRun,
    saves_at_the_start,
    saves_early,
)
from dockdojo.training.runs import ScriptRunner

RUN_WITHIN = 900
"""Seconds until a training must have saved for the first time."""
MANY_WITHIN = 600
"""Seconds until a resumed run must have said something of an epoch of as many images as MNIST has."""
GRACE = 10
"""Seconds, as `docker stop` gives."""
LATER_AND_LATER = (1.3, 2.0, 3.0)
"""Times a whole training, after which one on many images is stopped: once more as long as it has not begun to train."""
EARLIER = (0.75, 0.5)
"""The same on few images, for one that had come to its end by itself."""
POLL_SECONDS = 0.25
"""Seconds between two looks."""


def stop_and_resume(runs: ScriptRunner, quick: float) -> StoppedRun:
    """Stops a training on shuffled labels, and resumes it from what it left; on few images, within `quick` seconds.

    Raises SubmissionError where a whole training writes no checkpoint: none could be left.
    """
    first = runs.first.result()
    seen, few, many = (
        first.seen,
        runs.session.shuffled_digits,
        runs.session.many_shuffled_digits,
    )
    if saves_early(seen, first.saves):
        data = few
        before, by_itself, regular = _stop(runs, few, partial(_until_saved, runs))
    else:
        # It saves at its end alone, unless it hears the signal: while it trains, and is far from its end.
        data = many
        for part in LATER_AND_LATER:
            before, by_itself, regular = _stop(
                runs, data, partial(_until, runs, part * seen.seconds)
            )
            # Who tells of his work, and leaves nothing, is deaf. Who says nothing may not have begun, on a busy machine.
            if by_itself or before.metric_lines or runs.workspaces().saves("stop"):
                break
        for part in EARLIER if by_itself else ():
            data = few
            before, by_itself, regular = _stop(
                runs, data, partial(_until, runs, part * seen.seconds)
            )
            if not by_itself:
                break
    size = _size(runs, data)
    if not runs.workspaces().saves("stop"):
        return StoppedRun(before, before, None, by_itself, regular, size)
    # Elsewhere: what `docker stop` left is judged as it was, and not as a SIGKILL leaves it a little later.
    runs.workspaces().populate("restart", runs.workspaces().copy_of("stop", None))
    within = quick if data is few else MANY_WITHIN

    def resume(*args: str) -> TrainingRun:
        run = runs.start("restart", "--resume", *args, data=data)
        return runs.watch(run, _shows_work, within, "a training after `docker stop`")

    after = resume()
    more, _ = runs.or_for_more(after, resume, _shows_work)
    return StoppedRun(
        before, after, None if more is after else more, by_itself, regular, size
    )


def _shows_work(seen: TrainingRun) -> bool:
    return seen.shows_work


def _size(runs: ScriptRunner, data: Data) -> float:
    return data.train / runs.session.digits.train


def _stop(
    runs: ScriptRunner, data: Data, wait: Callable[[Container], None]
) -> tuple[TrainingRun, bool, int]:
    """A training from nothing, stopped after the wait; whether it had come to its end by itself; and its saves until then."""
    runs.workspaces().populate("stop")
    container = runs.start("stop", data=data)
    try:
        wait(container)
        was_running, regular = container.running, len(runs.workspaces().saves("stop"))
        container.stop(grace=GRACE)
        before = runs.look(container)
        return (
            before,
            tells_a_whole(before, runs.first.result().seen, _size(runs, data))
            or not was_running,
            regular,
        )
    finally:
        container.remove()


def _until(runs: ScriptRunner, seconds: float, container: Container) -> None:
    """Waits so long, or until it ends."""
    waited = 0.0
    while container.running and waited < seconds:
        runs.session.sleep(POLL_SECONDS)
        waited += POLL_SECONDS


def _until_saved(runs: ScriptRunner, container: Container) -> None:
    """Waits until it has saved after its first epoch, and trains on."""
    first = runs.first.result()
    seen, saves = first.seen, first.saves
    at = [when for when, _ in seen.marks]
    an_epoch = (at[-1] - at[0]) / max(1, len(seen.epochs) - 1) if at else 1.0
    before_the_first, waited = saves_at_the_start(seen, saves), 0.0
    while (
        container.running
        and waited < RUN_WITHIN
        and len(runs.workspaces().saves("stop")) <= before_the_first
    ):
        runs.session.sleep(POLL_SECONDS)
        waited += POLL_SECONDS
    runs.session.sleep(min(3.0, 0.3 * an_epoch))


# How much of a training a run has done, by its log


def tells_a_whole(run: TrainingRun, whole: TrainingRun, size: float) -> bool:
    """Whether a run has told as much as a whole training does, to the last epoch; `size` times as many images are in its data."""
    return (
        len(run.metric_lines) >= _lines_of(whole, size)
        and run.epochs[-1:] == whole.epochs[-1:]
    )


def lacks_an_epoch(run: TrainingRun, whole: TrainingRun, size: float) -> bool:
    """Whether a run ended before its last epoch did: lines that a whole training tells are not there, clearly more than a few."""
    missing = _lines_of(whole, size) - len(run.metric_lines)
    an_epoch = _lines_of(whole, size) / max(1, len(whole.epochs))
    return missing >= max(1, an_epoch) or missing > max(FEW_LINES, an_epoch / 4)


def _lines_of(whole: TrainingRun, size: float) -> float:
    """The lines with a number that a whole training tells: those of batches are more where there are more images."""
    lines = len(whole.metric_lines)
    return lines * size if lines > 2 * FEW_LINES * max(1, len(whole.epochs)) else lines


def left_something_to_do(run: StoppedRun, whole: TrainingRun, saves: int) -> bool:
    """Whether an epoch of a stopped training was not done: by its saves before the signal came, and by its lines.

    What it saves when the signal comes says nothing: that may call an epoch done of which it was in the middle. `saves` is how
    often a whole training saves.
    """
    by_files = run.regular < saves
    return by_files and (
        not whole.metric_lines or lacks_an_epoch(run.before, whole, run.size)
    )
