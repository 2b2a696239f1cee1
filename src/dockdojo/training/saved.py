"""Verdicts on the checkpoint that a training saves: is it there, with what was learned, and whole at every moment?"""

from __future__ import annotations

from dockdojo.checks import fail
from dockdojo.training.command import expect_exit_0, expect_words_arrive
from dockdojo.training.script import Training

FILE = "train.py"
WHOLE = "the old checkpoint or the new one, whole, at every moment"


def expect_checkpoint(training: Training) -> None:
    """Fails the check where the first run leaves no checkpoint that torch can load, or another's weights in it."""
    first = training.first.result()
    if not first.saves:
        expect_exit_0(training)
        expect_words_arrive(training)
        fail(
            f"there is no new `{training.checkpoint}` in the folder that was mounted at {training.workspace}",
            expected="the checkpoint, on the host",
            why="Does it go to another folder of the container, or bear another name?",
            detail=first.seen.end,
            file=FILE,
        )
    found = training.beginning.result().first
    if found.error:
        fail(
            f"it cannot be loaded: {found.error}",
            expected="a file that torch.save wrote",
            hint=f'`torch.load("{training.checkpoint}")` says the same: is it written by torch.save, and to its end?',
            file=FILE,
        )
    if not found.numbers:
        fail(
            "it holds no weights: not one tensor of numbers",
            expected="the model's state_dict",
            hint="`print(torch.load(…).keys())`: is model.state_dict() in what is given to torch.save?",
            file=FILE,
        )
    if training.saves_stored_weights():
        fail(
            "it holds the same weights, bit for bit, after a training on other data, and after one that went on from others",
            expected="what was learned in this run",
            why="They were stored, or are those from before the training.",
            hint="Which model is saved: the one that the optimizer changes?",
            file=FILE,
        )


def expect_whole_at_every_moment(training: Training) -> None:
    """Fails the check where a SIGKILL can leave no checkpoint, or one that cannot be loaded."""
    saves = training.first.result().saves
    if any(save.gap for save in saves):
        fail(
            f"`{training.checkpoint}` is removed before the new one has its name",
            expected=WHOLE,
            why="A SIGKILL between the two leaves none. `os.replace` does both in one step.",
            hint="Leave the old file where it is: os.replace puts the new one in its place.",
            file=FILE,
        )
    moments = training.left.result()
    broken = [
        left for left in moments if left.found.error and not left.found.is_missing
    ]
    in_place = [save for save in saves if save.in_place]
    if in_place:
        longest = max(in_place, key=lambda save: save.seconds)
        seen_bytes = (
            f"; then it had {longest.smallest:,} of {longest.size:,} bytes"
            if 0 <= longest.smallest < longest.size
            else ""
        )
        fail(
            f"for {1000 * longest.seconds:.0f} ms, `{training.checkpoint}` was half written{seen_bytes}",
            expected=WHOLE,
            why="A SIGKILL at such a moment leaves no checkpoint at all: the old one is overwritten, and the new one is not "
            "there yet.",
            detail=(
                f"Left by SIGKILL ({broken[0].moment}): {broken[0].found.error}"
                if broken
                else ""
            ),
            file=FILE,
        )
    if broken:
        fail(
            f"what was there at one of {len(moments)} moments ({broken[0].moment}) cannot be loaded: "
            f"{broken[0].found.error}",
            expected=WHOLE,
            file=FILE,
        )
