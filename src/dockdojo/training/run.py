"""A run of a training script, as far as it was watched, and what its log tells."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from statistics import median

from dockdojo.connection.types import ExitCode
from dockdojo.model import Point
from dockdojo.probes.workspaces import Save
from dockdojo.training.log_parser import (
    EPOCH,
    RESUMED,
    accuracies,
    epochs,
    epochs_by_writer,
    losses,
    tells_nan,
)

ENOUGH_LINES = 4
"""Lines with finite numbers, after which a corrupted one would have shown: the first may be from before the first step."""
SHORT_TRAINING_SECONDS = 1.0
"""Seconds: the epochs of a training as short as that take less than what comes before them."""
MOVED_ACCURACY, MOVED_LOSS = 0.15, 0.1
"""What learning changes at least, against a run on labels from which nothing can be learned: accuracy (by 0.8, where it is
good), and the share of the loss that is gone (0.9)."""
AFTER_EPOCH = 2
"""The epoch after which resumed runs begin, where there are more: then to begin again, to repeat the saved epoch and to go on
are three different things."""
FEW_LINES = 2
"""Lines that are told of an epoch after it was saved: of its test, and that it is done."""
MAX_WRITERS = 64
"""Processes of one training that are told apart."""
CHANCE = 0.3
"""Accuracy: weights that are NaN have this at most (ten digits: 0.1), and those of a checkpoint have more."""


@dataclass(frozen=True)
class TrainingRun:
    """A run of a training script, as far as it was watched. Its log is read once, however often it is asked about."""

    lines: tuple[tuple[float, str], ...]
    """When each line came (seconds since the epoch), and its text."""
    exit_code: ExitCode | None
    """None: it was killed when enough had been seen."""
    began: float
    """Seconds since the epoch."""

    @cached_property
    def text(self) -> str:
        """All that it printed."""
        return "\n".join(text for _, text in self.lines)

    @property
    def ended(self) -> float:
        """When its last line came: seconds since the epoch."""
        return max((at for at, _ in self.lines), default=self.began)

    @property
    def seconds(self) -> float:
        """From its start to its last line."""
        return self.ended - self.began

    @cached_property
    def marks(self) -> list[tuple[float, int]]:
        """The lines that tell of work in an epoch: when, and its number."""
        return epochs(self.lines)

    @cached_property
    def writers(self) -> dict[str, list[tuple[float, int]]]:
        """The same, apart for each of several processes that train; one entry where there is one, or none names itself."""
        found = epochs_by_writer(self.lines)
        # A number that is another one in each line counts something else.
        several = 1 < len(found) <= MAX_WRITERS and len(self.marks) >= 2 * len(found)
        return found if several else {"": self.marks}

    @property
    def has_several_writers(self) -> bool:
        """Whether more than one process tells of epochs."""
        return len(self.writers) > 1

    def begins_at(self, *, several: bool) -> set[int]:
        """The epochs at which it goes on: the first one that it tells, or the first one of each of `several` processes."""
        if several:
            return {marks[0][1] for marks in epochs_by_writer(self.lines).values()}
        return set(self.epochs[:1])

    def tells_all_of(self, whole: TrainingRun) -> bool:
        """Whether as many processes have told of epochs as in a whole run, or enough lines came for all of them."""
        return len(epochs_by_writer(self.lines)) >= len(whole.writers) or len(
            self.metric_lines
        ) >= ENOUGH_LINES * len(whole.writers)

    @property
    def is_in_order(self) -> bool:
        """Whether no epoch is told of after a later one: else several processes tell of them."""
        return all(
            earlier <= later for (_, earlier), (_, later) in pairwise(self.marks)
        )

    @cached_property
    def epochs(self) -> list[int]:
        """The epochs that were worked on, each once, in the order in which they were first told."""
        return list(dict.fromkeys(number for _, number in self.marks))

    @cached_property
    def metric_lines(self) -> list[str]:
        """Lines with a loss or an accuracy of work that was done in this run: what is said of resuming is of the past."""
        return [
            text
            for _, text in self.lines
            if not RESUMED.search(text) and (losses(text) or accuracies(text))
        ]

    @cached_property
    def accuracies(self) -> list[float]:
        """The accuracies that it printed, from 0 to 1."""
        return accuracies(self.text)

    @property
    def shows_work(self) -> bool:
        """Whether it has told an epoch of its own, and a loss or an accuracy."""
        return bool(self.metric_lines) and any(
            EPOCH.search(text) and not RESUMED.search(text) for _, text in self.lines
        )

    @property
    def shows_numbers(self) -> bool:
        """Whether it is decided whether corrupted numbers show: they do, or would have by now."""
        return tells_nan(self.text) or len(self.metric_lines) >= ENOUGH_LINES

    def shows_corruption(self, control: TrainingRun) -> bool:
        """Whether this run from a corrupted checkpoint differs from `control`, the one from a whole checkpoint, as it must.

        It says `nan`, gives up, or is no better than chance; all of that, where the other does not.
        """
        if self.exit_code not in (None, 0) or (
            tells_nan(self.text) and not tells_nan(control.text)
        ):
            return True
        mine, others = ("\n".join(run.metric_lines) for run in (self, control))
        if any(map(math.isnan, losses(mine))) and not any(
            map(math.isnan, losses(others))
        ):
            return True
        last, usual = accuracies(mine), accuracies(others)
        return bool(last and usual) and not last[-1] > CHANCE and max(usual) > CHANCE

    @property
    def curve(self) -> list[Point]:
        """Loss and accuracy of each epoch: the last that were told before the next epoch's first line."""
        found: dict[int, Point] = {}
        epoch = None
        for _, text in self.lines:
            named = epochs([(0.0, text)])
            epoch = named[0][1] if named and not RESUMED.search(text) else epoch
            loss, accuracy = (_last(read(text)) for read in (losses, accuracies))
            if epoch is not None and (loss is not None or accuracy is not None):
                old = found.get(epoch, Point(epoch=epoch))
                found[epoch] = Point(
                    epoch=epoch,
                    loss=old.loss if loss is None else loss,
                    accuracy=old.accuracy if accuracy is None else accuracy,
                )
        return list(found.values())

    @property
    def end(self) -> str:
        """The end of what it printed, for showing."""
        return self.text.strip()[-1200:]


@dataclass(frozen=True, slots=True)
class FirstRun:
    """A whole training, from nothing."""

    seen: TrainingRun
    saves: list[Save]


@dataclass(frozen=True, slots=True)
class StoppedRun:
    """A training on shuffled labels, `docker stop` in the middle of it, and what a resumed run does then."""

    before: TrainingRun
    after: TrainingRun
    """The same, where no checkpoint was left to go on from."""
    more: TrainingRun | None
    """A resumed run that was asked for more epochs, and worked, where the first one had none left to do."""
    by_itself: bool
    """Whether it had done all of its work when it ended, as if there had been no `docker stop`."""
    regular: int
    """How often it had saved when the signal came."""
    size: float
    """How many times as many images it had as the whole training."""


def learned_more(run: TrainingRun, others: tuple[TrainingRun, ...]) -> bool:
    """Whether a run ended with better numbers than those on shuffled labels had at their best: in accuracy, or in loss."""
    mine, theirs = run.accuracies[-1:], [
        accuracy for other in others for accuracy in other.accuracies
    ]
    if mine and theirs and mine[-1] - max(theirs) > MOVED_ACCURACY:
        return True
    end = _last(losses("\n".join(run.metric_lines)))
    usual = _last(
        losses("\n".join(text for other in others for text in other.metric_lines))
    )
    return end is not None and usual is not None and end < (1 - MOVED_LOSS) * usual


def _last(values: list[float]) -> float | None:
    return values[-1] if values and math.isfinite(values[-1]) else None


def finished_epochs(
    seen: TrainingRun, saves: list[Save], chosen: Save
) -> frozenset[int]:
    """How many epochs of a run were done at one of its saves: one number, or those that the log leaves open.

    Of several processes, each has its own: the one that saved may have been any of them.
    """
    if is_one_save_an_epoch(seen, saves):
        return frozenset(
            {min(chosen.number - saves_at_the_start(seen, saves), len(seen.epochs))}
        )
    return frozenset[int]().union(
        *(_finished(marks, chosen.at) for marks in seen.writers.values())
    )


def _finished(marks: list[tuple[float, int]], saved: float) -> set[int]:
    """How many epochs one process had done when it was saved."""
    order = list(dict.fromkeys(number for _, number in marks))
    begun = [
        process
        for process in order
        if min(at for at, number in marks if number == process) <= saved
    ]
    if len(marks) == len(order):  # one line an epoch: before its work, or after it
        return {len(begun), len(begun) + 1}
    lines = [at for at, number in marks if begun and number == begun[-1]]
    later = sum(at > saved for at in lines)
    if later > max(FEW_LINES, len(lines) // 4):
        return {len(begun) - 1}
    return {len(begun) - 1, len(begun)} if later else {len(begun)}


def save_to_resume_from(seen: TrainingRun, saves: list[Save]) -> Save | None:
    """The save of a run from which others go on: after whole epochs, with more to come. None is the run's end.

    Where several processes train, it must be known how many epochs are done: else they go on from the end.
    """
    first = saves_at_the_start(seen, saves)
    if is_one_save_an_epoch(seen, saves):
        wanted = (
            saves[first + AFTER_EPOCH - 1 :][:1]
            if len(seen.epochs) > AFTER_EPOCH
            else []
        )
    else:
        done = [
            (save, finished_epochs(seen, saves, save)) for save in saves if save.copied
        ]
        is_known = [
            (save, found)
            for save, found in done
            if len(found) == 1 or not seen.has_several_writers
        ]
        wanted = [
            save
            for least in (AFTER_EPOCH, 1)
            for save, found in is_known
            if min(found) >= least and max(found) < len(seen.epochs)
        ]
        if not wanted and seen.has_several_writers:
            return None
    return next((save for save in (*wanted, saves[first]) if save.copied), None)


def epoch_after(order: list[int], done: int) -> int:
    """The number of the epoch that comes when so many of a whole run's are done."""
    return order[done] if done < len(order) else order[-1] + 1


def is_one_save_an_epoch(seen: TrainingRun, saves: list[Save]) -> bool:
    """Whether it saves after every epoch, and perhaps once more, in the end or before the first."""
    return len(saves) in (len(seen.epochs), len(seen.epochs) + 1)


def saves_early(seen: TrainingRun, saves: list[Save]) -> bool:
    """Whether it saves while it trains, and not only at its end (be it more than once).

    A training that is over in a moment saves while it trains where its saves are spread over the epochs that it tells: each of
    those takes less than what comes before them.
    """
    marks = [at for at, _ in seen.marks]
    trained = marks[-1] - marks[0] if len(marks) > 1 else seen.seconds
    is_spread = saves[-1].at - saves[0].first > 0.3 * trained
    return is_spread or (
        trained >= SHORT_TRAINING_SECONDS
        and saves[0].at < seen.began + 0.8 * seen.seconds
    )


def saves_at_the_start(seen: TrainingRun, saves: list[Save]) -> int:
    """1 where it saves once before the first epoch, and then after each: an epoch lies between the last two saves, too."""
    if not seen.epochs or len(saves) != len(seen.epochs) + 1:
        return 0
    gaps = [later.at - earlier.at for earlier, later in pairwise(saves)]
    usual = median(gaps[:-1]) if len(gaps) > 1 else 0.4 * seen.seconds
    return int(gaps[-1] > 0.5 * usual)
