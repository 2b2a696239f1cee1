"""Verdicts on a training that is to go on from its checkpoint: with its weights, its optimizer, at the next epoch, after a stop.

They go by exit codes and by files first, and by lines of a log where these say nothing.
"""

from __future__ import annotations

from typing import NoReturn

from dockdojo.checks import fail
from dockdojo.training.command import expect_words_arrive
from dockdojo.training.optimizers import find_optimizer
from dockdojo.training.run import epoch_after, saves_early
from dockdojo.training.runs import CORRUPTED
from dockdojo.training.script import ResumedRuns, Training
from dockdojo.training.stopping import left_something_to_do
from dockdojo.training.writers import resumed_apart

FILE = "train.py"
SAY = "a line for each epoch, such as `epoch=3 loss=0.0712 accuracy=0.9780`"
SHUFFLED = "(A training on shuffled labels, from which nothing can be learned: only how it ends counts here.)\n"
UNSEEN = (
    "Nobody could see whether its optimizer has state: none is in the checkpoint, and no process that could be looked into "
    "trains with one. Save optimizer.state_dict() in the checkpoint: there it is seen."
)
PRINT_IT = "In the loop over the epochs: print the number of the epoch with its loss, also after --resume."
NOTHING_LEFT = "Save after every epoch, not only at the end: then a run that was cut short has something left to do."


def _expect_resumed(training: Training) -> ResumedRuns:
    """Return the runs with --resume. Fails the check where the one from an uncorrupted checkpoint does not work."""
    expect_words_arrive(training)
    resumed = training.resumed.result()
    control = resumed.control
    if control.exit_code not in (None, 0):
        fail(
            f"with --resume it ends with exit code {control.exit_code}",
            expected="a training that goes on",
            hint="What does --resume find in the checkpoint, and what does it expect? The last line below tells.",
            detail=control.end,
            file=FILE,
        )
    return resumed


def _distrust(training: Training) -> NoReturn:
    """Fails the check: what a run says is worth nothing where its numbers do not depend on what it is given."""
    fail(
        "its numbers are the same whether there is something to be learned from the data or not",
        expected="a loss that falls and an accuracy that rises, and neither where labels are shuffled",
        why="From numbers that nothing changes, nobody can see whether it goes on with what it had learned; and what it saves "
        "does not show it, either.",
        hint="Does the optimizer make a step, with a learning rate above 0? Are the numbers that are printed the model's?",
        detail=training.first.result().seen.end,
        file=FILE,
    )


def _expect_trust(training: Training) -> None:
    """Fails the check where neither the numbers nor the files of a resumed run depend on what it is given."""
    if not training.reacts_to_data() and not any(
        training.carries(name) for name in CORRUPTED
    ):
        _distrust(training)


def _uses(training: Training, name: str) -> bool:
    """Whether a resumed run uses a part of its checkpoint: NaN in it reach its log or what it saves; where its log proves
    nothing, what it saves.
    """
    if not training.reacts_to_data():
        return training.carries(name)
    resumed = training.resumed.result()
    return resumed.corrupted(name).shows(resumed.control)


def _expect_nan(
    training: Training,
    name: str,
    *,
    unseen: str,
    observed: str,
    expected: str,
    why: str,
) -> None:
    """Fails the check where a run trains on as if it had not begun with NaN, or where nothing of that can be seen."""
    if _uses(training, name):
        return
    corrupted = training.resumed.result().corrupted(name)
    if corrupted.tells_nothing:
        fail(
            f"after --resume, {unseen}",
            expected=SAY,
            why=NOTHING_LEFT,
            hint=PRINT_IT,
            detail=corrupted.seen.end,
            file=FILE,
        )
    _expect_trust(training)
    fail(
        f"{observed}, and the resumed run trains as if nothing were wrong",
        expected=expected,
        why=why,
        detail=corrupted.seen.end,
        file=FILE,
    )


def expect_weights(training: Training) -> None:
    """Fails the check where a resumed run does not use the weights of its checkpoint."""
    _expect_resumed(training)
    _expect_nan(
        training,
        "weights",
        unseen="neither a loss nor an accuracy is printed and nothing is saved, so nothing can be seen",
        observed="all weights of the checkpoint were made NaN",
        expected="losses that are `nan`",
        why="It does not use what it loads, or loads something else than it saves.",
    )


def expect_optimizer(training: Training) -> str:
    """Fails the check where a resumed run does not use the optimizer's state, and the optimizer has any.

    Returns why nobody could see whether it has; empty where that was seen.
    """
    _expect_resumed(training)
    beginning = training.beginning.result()
    if not beginning.corrupted_tensors["optimizer"]:
        _expect_trust(training)
        kept = beginning.control
        found = find_optimizer(training, kept)
        if found is None:
            return UNSEEN
        if not found.tensors:
            return ""
        held = (
            "an optimizer without its state" if kept.has_optimizer else "no optimizer"
        )
        fail(
            f"the checkpoint holds {held}, while {found.name} has {found.tensors} tensors of state after its first steps",
            expected="optimizer.state_dict() beside the weights",
            file=FILE,
        )
    _expect_nan(
        training,
        "optimizer",
        unseen="nothing is trained, so nothing can be seen",
        observed="all of the optimizer's state in the checkpoint was made NaN",
        expected="losses that are `nan` from the second step on",
        why="It saves the optimizer's state and does not load it, or begins with a new optimizer after loading.",
    )
    return ""


def expect_next_epoch(training: Training) -> None:
    """Fails the check where a resumed run, or one process of it, does not go on at the epoch after the saved one."""
    whole = training.first.result().seen
    run, order = _expect_resumed(training).control, whole.epochs
    _expect_trust(training)
    if not order:
        fail(
            "no line names an epoch",
            expected=SAY,
            hint=PRINT_IT,
            detail=whole.end,
            file=FILE,
        )
    if not run.epochs:
        fail(
            "after --resume, no line names an epoch",
            expected=SAY,
            why=NOTHING_LEFT,
            hint=PRINT_IT,
            detail=run.end,
            file=FILE,
        )
    finished = training.beginning.result().finished
    wanted = sorted({epoch_after(order, done) for done in finished})
    apart = resumed_apart(training)
    run, several = apart or run, apart is not None or whole.has_several_writers
    wrong = sorted(run.begins_at(several=several) - set(wanted))
    if wrong:
        saved = " or ".join(str(epoch - 1) for epoch in wanted)
        who = "one of its processes" if several else "the resumed run"
        fail(
            f"the checkpoint was saved after epoch {saved}, and {who} goes on at epoch {wrong[0]}",
            expected=f"epoch {' or '.join(map(str, wanted))}",
            why=other_epoch(wrong[0], order[0], wanted[0]),
            detail=run.end,
            file=FILE,
        )


def other_epoch(got: int, first: int, wanted: int) -> str:
    """What a resumed run does that goes on at another epoch; where the first one was saved, two things look the same."""
    if got > wanted:
        return "It leaves an epoch out."
    if got == first and wanted == first + 1:
        return "It does the saved epoch again, or begins again from the start: after one epoch, that looks the same."
    return (
        "It begins again from the start." if got == first else "It does an epoch twice."
    )


def expect_to_survive_a_stop(training: Training) -> None:
    """Fails the check where `docker stop` leaves nothing from which a resumed run goes on."""
    run, first = training.stopped.result(), training.first.result()
    kept = training.examine_left_by_stop()
    if run.by_itself and not saves_early(first.seen, first.saves):
        fail(
            "`docker stop` did not end it, and nothing was saved until it had come to its end by itself",
            expected="a checkpoint at any time, or one that is saved when SIGTERM comes",
            why="A longer training is killed ten seconds after SIGTERM, and all of it is lost.",
            detail=SHUFFLED + run.before.end,
            file=FILE,
        )
    if kept.error:
        fail(
            f"after `docker stop`, there is no checkpoint that can be loaded: {kept.error}",
            expected="what was trained until then",
            hint="Save when the signal comes, or after every epoch; and write to another name first.",
            detail=SHUFFLED + run.before.end,
            file=FILE,
        )
    if run.after.exit_code not in (None, 0):
        _expect_resumed(training)  # it may fail always
        fail(
            f"after `docker stop`, --resume ends with exit code {run.after.exit_code}",
            expected="a training that goes on",
            hint="What does --resume find in the checkpoint that was left, and what does it expect?",
            detail=SHUFFLED + run.after.end,
            file=FILE,
        )
    if run.after.exit_code == 0 and not run.after.shows_work:
        if left_something_to_do(run, first.seen, len(first.saves)):
            fail(
                "after `docker stop` in the middle of an epoch, --resume ends without having trained anything",
                expected="the rest of the training",
                why=(
                    "What was saved calls an epoch done that was not."
                    if run.more
                    else ""
                ),
                hint="The signal comes in the middle of an epoch: save the number of the last one that was done.",
                detail=SHUFFLED + run.after.end,
                file=FILE,
            )
        _expect_trust(training)
        return  # all was done, and it knows it
    _expect_to_go_on(training)


def _expect_to_go_on(training: Training) -> None:
    """Fails the check where the run after `docker stop` begins again from the start: neither with an epoch that comes later,
    nor with the weights that were saved.
    """
    runs, whole = _expect_resumed(training), training.first.result().seen
    after = training.stopped.result().after
    _expect_trust(training)
    if any(
        run.epochs and run.epochs[:1] != whole.epochs[:1]
        for run in (after, runs.control)
    ):
        return
    if not _uses(training, "weights"):
        fail(
            "after `docker stop`, --resume begins again from the start, with new weights",
            expected="a training that goes on from what was saved",
            why="`docker stop` left a checkpoint, and nothing of it is used.",
            hint="Does --resume look for the file that is saved, and does what it loads reach the model?",
            detail=SHUFFLED + after.end,
            file=FILE,
        )
