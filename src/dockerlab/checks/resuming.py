"""Verdicts on a training that is to go on from its checkpoint: with its weights, its optimizer, at the next epoch, after a stop.

They go by exit codes and by files first, and by lines of a log where these say nothing.
"""

from __future__ import annotations

from dockerlab.checks import fail
from dockerlab.checks.optimizers import optimizer_state
from dockerlab.checks.runs import Seen, epoch_after, saves_early
from dockerlab.checks.training import Resumed, Spoilt, Training

FILE = "train.py"
SAY = "a line for each epoch, such as `epoch=3 loss=0.0712 accuracy=0.9780`"
SHUFFLED = "(A training on shuffled labels, from which nothing can be learned: only how it ends counts here.)\n"
NOTHING_LEFT = "Save after every epoch, not only at the end: then a run that was cut short has something left to do."


def _resumed(training: Training) -> Resumed:
    """The runs with --resume; the one from an unspoilt checkpoint must work.

    What a run says of its numbers is worth nothing where they do not depend on what it is given.
    """
    control = training.resumed.control
    if control.exit_code not in (None, 0):
        fail(
            f"with --resume it ends with exit code {control.exit_code}",
            expected="a training that goes on",
            detail=control.end,
            file=FILE,
        )
    if not training.moves:
        fail(
            "its numbers are the same whether there is something to be learned from the data or not",
            expected="a loss that falls and an accuracy that rises, and neither where labels are shuffled",
            why="From numbers that nothing changes, nobody can see whether it goes on with what it had learned.",
            detail=training.first.seen.end,
            file=FILE,
        )
    return training.resumed


def _expect_nan(spoilt: Spoilt, control: Seen, *, unseen: str, observed: str, expected: str, why: str) -> None:
    """Fails the check where a run trains on as if it had not begun with NaN, or where nothing of that can be seen."""
    if spoilt.shows(control):
        return
    if spoilt.tells_nothing:
        fail(f"after --resume, {unseen}", expected=SAY, why=NOTHING_LEFT, detail=spoilt.seen.end, file=FILE)
    fail(
        f"{observed}, and the resumed run trains as if nothing were wrong",
        expected=expected, why=why, detail=spoilt.seen.end, file=FILE,
    )  # fmt: skip


def expect_weights(training: Training) -> None:
    """Fails the check where a resumed run does not use the weights of its checkpoint."""
    runs = _resumed(training)
    _expect_nan(
        runs.weights,
        runs.control,
        unseen="neither a loss nor an accuracy is printed and nothing is saved, so nothing can be seen",
        observed="all weights of the checkpoint were made NaN",
        expected="losses that are `nan`",
        why="It does not use what it loads, or loads something else than it saves.",
    )


def expect_optimizer(training: Training) -> None:
    """Fails the check where a resumed run does not use the optimizer's state, and the optimizer has any."""
    runs, examination = _resumed(training), training.beginning.examination
    if not examination.poisoned[1]:
        state = optimizer_state(training)
        if not state:
            return
        kept = examination.loaded[f"/control/{training.checkpoint}"]
        held = "an optimizer without its state" if kept.has_optimizer else "no optimizer"
        fail(
            f"the checkpoint holds {held}, while {state[0]} has {state[1]} tensors of state after its first steps",
            expected="optimizer.state_dict() beside the weights",
            file=FILE,
        )
    _expect_nan(
        runs.optimizer,
        runs.control,
        unseen="nothing is trained, so nothing can be seen",
        observed="all of the optimizer's state in the checkpoint was made NaN",
        expected="losses that are `nan` from the second step on",
        why="It saves the optimizer's state and does not load it, or begins with a new optimizer after loading.",
    )


def expect_next_epoch(training: Training) -> None:
    """Fails the check where a resumed run, or one process of it, does not go on at the epoch after the saved one."""
    whole = training.first.seen
    run, order = _resumed(training).control, whole.epochs
    if not order:
        fail("no line names an epoch", expected=SAY, detail=whole.end, file=FILE)
    if not run.epochs:
        fail(
            "after --resume, no line names an epoch",
            expected=SAY,
            why=NOTHING_LEFT,
            detail=run.end,
            file=FILE,
        )
    wanted = sorted({epoch_after(order, done) for done in training.beginning.finished})
    wrong = sorted(run.begins_at(several=whole.has_several_writers) - set(wanted))
    if wrong:
        saved = " or ".join(str(one - 1) for one in wanted)
        who = "one of its processes" if whole.has_several_writers else "the resumed run"
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
    return "It begins again from the start." if got == first else "It does an epoch twice."


def expect_to_survive_a_stop(training: Training) -> None:
    """Fails the check where `docker stop` leaves nothing from which a resumed run goes on."""
    run, first = training.stopped, training.first
    kept = training.left[f"/stop/{training.checkpoint}"][1]
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
        fail(
            f"after `docker stop`, --resume ends with exit code {run.after.exit_code}",
            expected="a training that goes on",
            hint="What does --resume find in the checkpoint that was left, and what does it expect?",
            detail=SHUFFLED + run.after.end,
            file=FILE,
        )
    in_its_last_epoch = run.before.epochs[-1:] == first.seen.epochs[-1:]
    if run.after.exit_code == 0 and not run.after.shows_work and not in_its_last_epoch:
        fail(
            "after `docker stop` and --resume, it ends without having trained anything",
            expected=SAY,
            detail=SHUFFLED + run.after.end,
            file=FILE,
        )
