"""The capstone: a trainer in a container that keeps its checkpoint on the host, and really goes on from it.

Nothing is believed that is only said. Whether a script resumes is seen by giving it checkpoints whose numbers are spoilt; whether
its accuracy is measured, by giving it data from which nothing can be learned.
"""

from dataclasses import dataclass

import pytest

from dockerlab import check, fail
from dockerlab.checks.formatting import expect_black
from dockerlab.checks.metrics import RESUMED, accuracies, epochs, losses, tells_nan
from dockerlab.checks.pytorch import examine, expect_cpu_build
from dockerlab.checks.readme import of_the_folder, pairs, script_of
from dockerlab.engine.objects import ExitCode, Mount, when
from dockerlab.errors import LimitReached, SubmissionError

CHECKPOINT, WORKSPACE = "model_checkpoint.pth", "/workspace"
COMMAND = ("python", f"{WORKSPACE}/train.py")
MOST_BYTES = 1_100_000_000
GOALS = {True: 0.95, False: 0.80}  # accuracy, on the full set and on a small one
FULL = 60_000  # images of the full set
INVENTED = 0.5  # an accuracy that cannot be had where labels are shuffled: 0.1 is chance
BROKEN = 0.3  # at most this, where all weights are NaN
ENOUGH_LINES = 3  # with finite losses, after which a spoilt number would have shown
RUN_WITHIN = 420  # seconds of one training
STARTS_WITHIN = 120  # seconds until a resumed run must say something, beyond the time that an epoch took
GRACE = 10  # seconds, as `docker stop` gives
LOOK = 0.25  # seconds between two looks at a log
SPACES = ("first", "control", "weights", "optimizer", "stop", "extra", "typed")
SAY = "a line for each epoch, such as `epoch=3 loss=0.0712 accuracy=0.9780`"
PROBE = """
import runpy, sys, torch
from torch.optim.optimizer import register_optimizer_step_post_hook
def look(optimizer, args, kwargs):
    n = sum(torch.is_tensor(v) for s in optimizer.state.values() for v in s.values())
    print(f"\\nPROBE {type(optimizer).__name__} {n}", flush=True)
    import os; os._exit(0)
register_optimizer_step_post_hook(look)
sys.argv = ["/workspace/train.py"]
sys.path[0] = "/workspace"
runpy.run_path("/workspace/train.py", run_name="__main__")
"""


@dataclass(frozen=True)
class Seen:
    """A run of train.py, as far as it was watched."""

    text: str
    lines: list  # (seconds since the epoch, text)
    exit_code: ExitCode | None  # None: it was killed when enough had been seen
    began: float
    ended: float

    @property
    def epochs(self):
        """The epochs that were worked on, each once, in order."""
        found = []
        for _, number in epochs(self.lines):
            if not found or found[-1] != number:
                found.append(number)
        return found

    @property
    def told(self):
        """Lines with losses of work that was done in this run."""
        return [text for _, text in self.lines if losses(text) and not RESUMED.search(text)]

    @property
    def end(self):
        return self.text.strip()[-1200:]


class Trainer:
    """Runs train.py in the image, with a workspace mounted as the assignment says."""

    def __init__(self, bench):
        self.bench, self.image = bench, bench.build()
        self.spaces = bench.workspaces(*SPACES, checkpoint=CHECKPOINT)

    def options(self, name, data, target=WORKSPACE, workdir=""):
        folder = str(data.root)
        places = {f"{target}/data", "/data", f"{(workdir or self.image.workdir).rstrip('/')}/data"}
        mounts = [self.spaces.mount(name, target)] + [Mount(source=folder, target=place) for place in sorted(places)]
        return {
            "image": self.image,
            "mounts": tuple(mounts),
            "env": {"MNIST_ROOT": "/data", "PYTHONUNBUFFERED": "1"},
        }

    def start(self, name, *args, data=None):
        return self.bench.start(*COMMAND, *args, **self.options(name, data or self.bench.digits))

    def watch(self, container, enough=lambda seen: False, within=RUN_WITHIN):
        """Watches a run until it ends or enough was seen; then it is killed. Raises LimitReached after `within` seconds."""
        began = when(container.inspect()["State"]["StartedAt"])
        passed = 0.0
        while True:
            running = container.running
            lines = [(began + one.seconds, one.text) for one in container.log_lines()]
            code = None
            if not running:
                code = ExitCode(container.engine.state(container.id)["ExitCode"])
            now = began + max((when - began for when, _ in lines), default=passed)
            seen = Seen("\n".join(text for _, text in lines), lines, code, began, now)
            if not running or enough(seen):
                container.remove()
                return seen
            if passed > within:
                container.remove()
                raise LimitReached(
                    f"`train.py` was not done within {within:.0f} s.", hint="Does it train for very many epochs?"
                )
            self.bench.pause(LOOK)
            passed += LOOK


@pytest.fixture(scope="session")
def trainer(bench):
    return Trainer(bench)


@pytest.fixture(scope="session")
def first(bench, trainer):
    """A whole training, from nothing; and how the checkpoint was written meanwhile."""

    def work():
        trainer.spaces.lay("first")
        seen = trainer.watch(trainer.start("first"))
        return trainer, seen, trainer.spaces.saves("first")

    return bench.soon(work)


@dataclass(frozen=True)
class Start:
    """Where resumed runs begin: what was on the host after one of the first run's saves."""

    finished: frozenset  # how many epochs that may be
    examination: object
    waits: float  # seconds until a resumed run must have said something


def finished_epochs(seen, saves, chosen):
    """How many epochs were done at a save: one number, or those that the log leaves open."""
    order = seen.epochs
    if len(saves) in (len(order), len(order) + 1):
        return {min(chosen.number, len(order))}
    marks = epochs(seen.lines)
    begun = [number for place, number in enumerate(order) if min(at for at, one in marks if one == number) <= chosen.at]
    several = len(marks) > len(order)
    later = any(at > chosen.at and begun and number == begun[-1] for at, number in marks)
    return {len(begun) - 1, len(begun)} if several and later else {len(begun)} if several else {len(begun), len(begun) + 1}


@pytest.fixture(scope="session")
def beginning(bench, first):
    """The checkpoint after the first save that left something to do, whole and spoilt."""

    def work():
        trainer, seen, saves = first()
        if not saves:
            raise SubmissionError(f"No `{CHECKPOINT}` was written to {WORKSPACE}.", detail=seen.end)
        chosen = saves[0]
        copy = trainer.spaces.copy_of("first", chosen) if chosen.copied else "/w/first"
        for name in ("control", "weights", "optimizer"):
            trainer.spaces.lay(name, copy)
        mounts = tuple(trainer.spaces.mount(name, f"/{name}") for name in ("first", "control", "weights", "optimizer"))
        examination = examine(
            bench.run,
            [f"/{name}/{CHECKPOINT}" for name in ("first", "control")],
            [(name, "/control", f"/{name}") for name in ("weights", "optimizer")],
            mounts=mounts,
        )
        count = max(1, len(seen.epochs))
        if chosen.copied:
            finished = frozenset(finished_epochs(seen, saves, chosen))
        else:
            finished = frozenset({len(seen.epochs)})
        return Start(finished, examination, STARTS_WITHIN + 2 * (seen.ended - seen.began) / count)

    return bench.soon(work)


@dataclass(frozen=True)
class Resumed:
    control: Seen
    weights: Seen
    optimizer: Seen
    more: tuple  # the arguments that made it train on


def shows_enough(seen):
    return bool(seen.epochs and (seen.told or accuracies(seen.text)))


def shows_nan(seen):
    """Whether it is decided if spoilt numbers show: they do, or would have by now."""
    return tells_nan(seen.text) or bool(accuracies(seen.text)) or len(seen.told) >= ENOUGH_LINES


@pytest.fixture(scope="session")
def resumed(bench, first, beginning):
    """Three runs with --resume: from the checkpoint as it was, and with its weights, or its optimizer's state, spoilt."""

    def work():
        start, (trainer, seen, saves) = beginning(), first()
        more = ()
        control = trainer.watch(trainer.start("control", "--resume"), shows_enough, start.waits)
        if control.exit_code == 0 and not control.epochs and seen.epochs:
            # All its epochs were done. Perhaps it can be asked for more.
            asked = ("--epochs", str(len(seen.epochs) + 2))
            again = trainer.watch(trainer.start("control", "--resume", *asked), shows_enough, start.waits)
            if again.epochs:
                control, more = again, asked

        def spoilt(name):
            return trainer.watch(trainer.start(name, "--resume", *more), shows_nan, start.waits)

        return Resumed(control, spoilt("weights"), spoilt("optimizer"), more)

    return bench.soon(work)


@dataclass(frozen=True)
class StopRun:
    before: Seen
    saved: int  # how often, when it was stopped
    stop: object
    after: Seen | None


@pytest.fixture(scope="session")
def stopped(bench, first, beginning):
    """A training on shuffled labels, `docker stop` in the middle of it, and what a resumed run does then."""

    def work():
        start, (trainer, seen, saves) = beginning(), first()
        data = bench.shuffled_digits
        trainer.spaces.lay("stop")
        container = trainer.start("stop", data=data)
        began, whole = when(container.inspect()["State"]["StartedAt"]), seen.ended - seen.began
        early = len(saves) > 1 or saves[0].at < seen.began + 0.8 * whole
        ends = [at for at, _ in epochs(seen.lines)]
        pause = min(3.0, 0.3 * (ends[-1] - ends[0]) / max(1, len(seen.epochs) - 1)) if len(ends) > 1 else 0.5
        waited = 0.0
        while container.running and waited < RUN_WITHIN:
            if (early and trainer.spaces.saves("stop")) or (not early and waited > 0.5 * whole):
                break
            bench.pause(LOOK)
            waited += LOOK
        bench.pause(pause)
        saved = len(trainer.spaces.saves("stop"))
        stop = container.stop(grace=GRACE)
        lines = [(began + one.seconds, one.text) for one in container.log_lines()]
        before = Seen(stop.stdout + stop.stderr, lines, stop.exit_code, began, began)
        container.remove()
        after = trainer.watch(trainer.start("stop", "--resume", data=data), shows_enough, start.waits)
        return StopRun(before, saved, stop, after)

    return bench.soon(work)


@pytest.fixture(scope="session")
def left(bench, first, resumed, stopped):
    """What SIGKILL left: at moments of the first run, and at the end of each run that was killed when enough was seen."""

    def work():
        trainer, _, _ = first()
        resumed()
        stopped()
        trainer.spaces.lay("extra")
        found = trainer.spaces.glimpses("first", "extra")
        killed = {f"/{name}/{CHECKPOINT}": "in a resumed run" for name in ("control", "weights", "optimizer", "stop")}
        paths = {f"/extra/{name}": f"{name.partition('-')[0]}: {size:,} bytes" for name, size in found} | killed
        mounts = tuple(trainer.spaces.mount(name, f"/{name}") for name in ("control", "weights", "optimizer", "stop", "extra"))
        examination = examine(bench.run, list(paths), [], mounts=mounts)
        return {path: (moment, examination.loaded[path]) for path, moment in paths.items()}

    return bench.soon(work)


@check(
    points=25,
    hints=(
        "`docker build .` in the folder: what does its last line say?",
        "Each step is a layer; the first that fails ends the build, and its output is above the message.",
        "FROM python:3.11-slim, WORKDIR /workspace, RUN pip install --no-cache-dir torch torchvision",
    ),
)
def test_builds(image):
    """`docker build` makes an image of the folder."""
    assert image.id


@check(
    points=40,
    needs=test_builds,
    hints=(
        "What does the largest layer hold? `dockerlab layers IMAGE` tells.",
        "The usual index has torch for CUDA, with gigabytes of libraries. PyTorch's own index has builds for processors.",
        "pip install --extra-index-url https://download.pytorch.org/whl/cpu torch torchvision",
    ),
)
def test_cpu_build(run, first):
    """Torch is the CPU build: `torch.version.cuda` is None, and no packages for CUDA are there."""
    expect_cpu_build(run)


@check(
    points=75,
    needs=test_builds,
    hints=(
        "Which layer is the largest? `docker history IMAGE`, or `dockerlab layers IMAGE`.",
        "The CPU build of torch has 0.7 GB. What pip keeps for the next time, and what apt fetched, are not needed.",
        "pip install --no-cache-dir …; python:3.11-slim instead of python:3.11; a stage that is left behind",
    ),
)
def test_size(image):
    """The image has less than 1.1 GB (1,100,000,000 bytes, uncompressed)."""
    if image.size >= MOST_BYTES:
        fail(f"it has {image.size / 1e9:.3f} GB", expected="less than 1.1 GB", file="Dockerfile")


@check(
    points=50,
    needs=test_builds,
    hints=(
        "`docker run --rm -v $(pwd):/workspace IMAGE python /workspace/train.py; echo $?`",
        "The data is in /workspace/data, in /data, and where MNIST_ROOT says; nothing can be downloaded meanwhile.",
        "datasets.MNIST(os.environ.get('MNIST_ROOT', 'data'), train=True, download=True)",
    ),
)
def test_trains(first):
    """`docker run -v FOLDER:/workspace IMAGE python /workspace/train.py` ends with exit code 0."""
    _, seen, _ = first()
    if seen.exit_code != 0:
        fail(f"it ends with exit code {seen.exit_code}", expected="exit code 0", detail=seen.end, file="train.py")


@check(
    points=40,
    needs=test_trains,
    hints=(
        "What is the last accuracy that it prints?",
        "It is measured on the test images, after the training, with model.eval() and torch.no_grad().",
        'print(f"Accuracy: {correct}/{len(test_set)}")',
    ),
)
def test_learns(bench, first, stopped):
    """It learns: the last accuracy that it prints is 0.80 or more (0.95 on the full set), and it is measured."""
    trainer, seen, _ = first()
    found = accuracies(seen.text)
    digits = bench.digits
    goal = GOALS[digits.train >= FULL]
    if not found:
        fail(
            "no accuracy is printed",
            expected="a line such as `Accuracy: 1290/1500 (86%)`, `accuracy=0.86` or `acc: 86%`",
            detail=seen.end,
            file="train.py",
        )
    if not found[-1] >= goal:
        fail(
            f"the last accuracy is {found[-1]:.3f}, after training on {digits.train} images ({digits.source})",
            expected=f"{goal} or more",
            detail=seen.end,
            file="train.py",
        )
    try:
        run = stopped()
        elsewhere = accuracies(run.before.text) + (accuracies(run.after.text) if run.after else [])
    except SubmissionError:
        elsewhere = []
    if not elsewhere:
        trainer.spaces.lay("extra")
        container = trainer.start("extra", data=bench.shuffled_digits)
        elsewhere = accuracies(trainer.watch(container, lambda seen: bool(accuracies(seen.text))).text)
    if any(one >= INVENTED for one in elsewhere):
        fail(
            f"with labels that are shuffled, from which nothing can be learned, it prints {max(elsewhere):.3f}",
            expected="about 0.1, which is chance",
            why="An accuracy is the share of test images that the model names right: counted, not written down.",
            file="train.py",
        )


@check(
    points=40,
    needs=test_trains,
    hints=(
        "After `docker run`, what is in the folder on the host? `ls -l`.",
        "A container's own files go with it. What is written below /workspace stays, because that is the host's folder.",
        'torch.save({"model": model.state_dict(), ...}, "/workspace/model_checkpoint.pth")',
    ),
)
def test_checkpoint(first, beginning):
    """After the run, `model_checkpoint.pth` is in the folder on the host, and torch can load it."""
    _, seen, saves = first()
    if not saves:
        fail(
            f"there is no new `{CHECKPOINT}` in the folder that was mounted at {WORKSPACE}",
            expected="the checkpoint, on the host",
            why="Does it go to another folder of the container, or bear another name?",
            detail=seen.end,
            file="train.py",
        )
    found = beginning().examination.loaded[f"/first/{CHECKPOINT}"]
    if found.error:
        fail(f"torch.load says {found.error}", expected="a file that torch.save wrote", file="train.py")
    if not found.numbers:
        fail("it holds no weights: not one tensor of numbers", expected="the model's state_dict", file="train.py")


def expect_a_resumed_run(run, seen):
    """The run from an unspoilt checkpoint must work, and show what it does."""
    if run.control.exit_code not in (None, 0):
        fail(
            f"with --resume it ends with exit code {run.control.exit_code}",
            expected="a training that goes on",
            detail=run.control.end,
            file="train.py",
        )


@check(
    points=60,
    needs=test_checkpoint,
    hints=(
        "Train, then look at the first loss with --resume. Is it as low as the last one before?",
        "Does what is loaded reach the model? load_state_dict copies the numbers into it.",
        'model.load_state_dict(torch.load("/workspace/model_checkpoint.pth")["model"])',
    ),
)
def test_resumes_weights(first, beginning, resumed):
    """`--resume` goes on with the checkpoint's weights: when they are NaN, the resumed run shows it."""
    _, seen, _ = first()
    run = resumed()
    expect_a_resumed_run(run, seen)
    spoilt = run.weights
    said = accuracies(spoilt.text)
    if tells_nan(spoilt.text) or spoilt.exit_code not in (None, 0) or (said and max(said) <= BROKEN):
        return
    if not said and not losses(spoilt.text):
        fail(
            "after --resume, neither a loss nor an accuracy is printed, so nothing can be seen",
            expected=SAY,
            why="Save after every epoch, not only at the end: then a run that was cut short has something left to do.",
            detail=spoilt.end,
            file="train.py",
        )
    fail(
        "all weights of the checkpoint were made NaN, and the resumed run trains as if nothing were wrong",
        expected="losses that are `nan`",
        why="It does not use what it loads, or loads something else than it saves.",
        detail=spoilt.end,
        file="train.py",
    )


@check(
    points=40,
    needs=test_checkpoint,
    hints=(
        "Adam and SGD with momentum remember past gradients. Where do these go when the process ends?",
        "An optimizer has a state_dict, too. Without it, the first steps after --resume are other steps.",
        'torch.save({..., "optimizer": optimizer.state_dict()}, …) and optimizer.load_state_dict(…)',
    ),
)
def test_resumes_optimizer(bench, first, beginning, resumed):
    """`--resume` goes on with the optimizer's state: when it is NaN, the resumed run shows it. (None passes: plain SGD has none.)"""
    trainer, seen, _ = first()
    start, run = beginning(), resumed()
    expect_a_resumed_run(run, seen)
    if not start.examination.poisoned[1]:
        kept = start.examination.loaded[f"/control/{CHECKPOINT}"]
        state = stateful(bench, trainer)
        if not state:
            return
        what = "holds an optimizer without its state" if kept.has_optimizer else "holds no optimizer"
        fail(
            f"the checkpoint {what}, while {state[0]} has {state[1]} tensors of state after its first step",
            expected="optimizer.state_dict() beside the weights",
            file="train.py",
        )
    spoilt = run.optimizer
    said = accuracies(spoilt.text)
    if tells_nan(spoilt.text) or spoilt.exit_code not in (None, 0) or (said and max(said) <= BROKEN):
        return
    if not spoilt.told and not said:
        fail(
            "after --resume, nothing is trained, so nothing can be seen",
            expected=SAY,
            why="Save after every epoch, not only at the end: then a run that was cut short has something left to do.",
            detail=spoilt.end,
            file="train.py",
        )
    fail(
        "all of the optimizer's state in the checkpoint was made NaN, and the resumed run trains as if nothing were wrong",
        expected="losses that are `nan` from the second step on",
        why="It saves the optimizer's state and does not load it, or begins with a new optimizer after loading.",
        detail=spoilt.end,
        file="train.py",
    )


def stateful(bench, trainer):
    """The name of the optimizer that train.py uses, and how many tensors it has after a step; None where it has none."""
    trainer.spaces.lay("extra")
    container = bench.start("-c", PROBE, entrypoint=("python",), **trainer.options("extra", bench.digits))
    seen = trainer.watch(container, lambda seen: "PROBE " in seen.text or len(seen.told) >= ENOUGH_LINES)
    words = next((line.split() for line in seen.text.splitlines() if line.startswith("PROBE ")), [])
    return (words[1], int(words[2])) if len(words) == 3 and words[2].isdigit() and int(words[2]) else None


@check(
    points=30,
    needs=test_checkpoint,
    hints=(
        "Write the epochs of both runs down, one after the other. Is one there twice, or missing?",
        "Save the number of the epoch that is done. The next run begins with the one after it.",
        'first = checkpoint["epoch"] + 1; for epoch in range(first, epochs + 1): …',
    ),
)
def test_next_epoch(first, beginning, resumed):
    """`--resume` goes on at the epoch after the saved one: none is repeated, and none is skipped."""
    _, seen, _ = first()
    start, run = beginning(), resumed()
    expect_a_resumed_run(run, seen)
    order = seen.epochs
    if not order:
        fail("no line names an epoch", expected=SAY, detail=seen.end, file="train.py")
    if not run.control.epochs:
        fail(
            "after --resume, no line names an epoch",
            expected=SAY,
            why="Save after every epoch, not only at the end: then a run that was cut short has something left to do.",
            detail=run.control.end,
            file="train.py",
        )
    wanted = sorted(order[done] if done < len(order) else order[-1] + 1 for done in start.finished)
    got = run.control.epochs[0]
    if got not in wanted:
        last = wanted[0] - 1
        fail(
            f"the checkpoint was saved after epoch {last}, and the resumed run goes on at epoch {got}",
            expected=f"epoch {' or '.join(map(str, wanted))}",
            why=(
                "It begins again from the start."
                if got == order[0]
                else "It does an epoch twice." if got < wanted[0] else "It leaves an epoch out."
            ),
            detail=run.control.end,
            file="train.py",
        )


@check(
    points=25,
    needs=test_checkpoint,
    hints=(
        "What is in the file while torch.save is half through? `ls -l` again and again shows it.",
        "Write to another name in the same folder; a rename replaces the old file in one step.",
        'torch.save(state, "model_checkpoint.pth.new"), then os.replace("model_checkpoint.pth.new", "model_checkpoint.pth")',
    ),
)
def test_killed(first, stopped, left):
    """Killed at any moment, also while it writes (SIGKILL), it leaves a checkpoint that torch can load."""
    _, seen, saves = first()
    here = [one for one in saves if one.in_place]
    broken = [(moment, one) for moment, one in left().values() if one.error and "No such file" not in one.error]
    if here:
        one = max(here, key=lambda one: one.seconds)
        seen_bytes = f"; then it had {one.smallest:,} of {one.size:,} bytes" if 0 <= one.smallest < one.size else ""
        fail(
            f"for {1000 * one.seconds:.0f} ms, `{CHECKPOINT}` was half written{seen_bytes}",
            expected="the old checkpoint or the new one, whole, at every moment",
            why="A SIGKILL at such a moment leaves no checkpoint at all: the old one is overwritten, and the new one is not there yet.",
            detail=f"Left by SIGKILL ({broken[0][0]}): {broken[0][1].error}" if broken else "",
            file="train.py",
        )
    if broken:
        moment, one = broken[0]
        fail(
            f"what was there at one of {len(left())} moments ({moment}) cannot be loaded: {one.error}",
            expected="the old checkpoint or the new one, whole, at every moment",
            file="train.py",
        )


@check(
    points=25,
    needs=test_checkpoint,
    hints=(
        "`docker stop` sends SIGTERM, and SIGKILL ten seconds later. What is on the host then?",
        "Save after every epoch, or when the signal comes; and let --resume find it.",
        "signal.signal(signal.SIGTERM, …): set a flag, save after the batch, and exit",
    ),
)
def test_stopped(first, resumed, stopped, left):
    """`docker stop` in the middle of the training leaves a checkpoint from which `--resume` goes on."""
    _, seen, saves = first()
    run = stopped()
    kept = left()[f"/stop/{CHECKPOINT}"][1]
    if kept.error:
        fail(
            f"after `docker stop`, there is no checkpoint that can be loaded: {kept.error}",
            expected="what was trained until then",
            detail=run.before.end,
            file="train.py",
        )
    if run.after.exit_code not in (None, 0):
        fail(
            f"after `docker stop`, --resume ends with exit code {run.after.exit_code}",
            expected="a training that goes on",
            detail=run.after.end,
            file="train.py",
        )
    order = seen.epochs
    if not order or not run.after.epochs:
        if run.after.exit_code == 0 and order and run.before.epochs[-1:] == order[-1:]:
            return  # it came to its end within the grace period
        fail("after `docker stop` and --resume, no line names an epoch", expected=SAY, detail=run.after.end)
    done = min(run.saved, len(order)) if len(saves) in (len(order), len(order) + 1) else 0
    least = order[done] if done < len(order) else order[-1] + 1
    if run.after.epochs[0] < least:
        fail(
            f"{done} epochs were done and saved when it was stopped, and --resume goes on at epoch {run.after.epochs[0]}",
            expected=f"epoch {least} or later",
            detail=run.after.end,
            file="train.py",
        )


@check(
    points=30,
    hints=(
        "`black --check .` tells which files it would change.",
        "Black decides on spaces, quotes and line breaks, so that nobody has to.",
        "pip install black && black .",
    ),
)
def test_formatted(submission):
    """Every .py file is formatted with black, in its default settings."""
    expect_black(submission.path)


@check(
    points=20,
    needs=test_trains,
    hints=(
        "Copy the commands out of your README, into a new folder. What happens?",
        "It needs two: a `docker build` with a name (-t), and a `docker run` of that name with the folder mounted (-v).",
        "docker run --rm -v $(pwd):/workspace NAME python /workspace/train.py",
    ),
)
def test_readme(bench, first, submission):
    """The README's commands work as written: a `docker build`, and a `docker run` with a volume."""
    trainer, seen, _ = first()
    asked = bench.asked("README.md", "mnist", script_of(submission.read("README.md")))
    if not asked.builds:
        fail("no `docker build` of it works", expected="`docker build -t NAME .`", detail=asked.output[-600:], file="README.md")
    fitting = pairs(asked)
    if not fitting:
        ran = [one for one in asked.containers if one.started]
        fail(
            "no `docker run` of it starts the image that it builds, with a folder mounted",
            expected="`docker run -v $(pwd):/workspace NAME …`, with the NAME of the build",
            why=f"It runs {', '.join(sorted({one.image for one in ran}))}." if ran else "",
            detail=asked.output[-600:],
            file="README.md",
        )
    problems = []
    for build, one in fitting[:3]:
        targets = of_the_folder(one)
        if one.args == COMMAND and WORKSPACE in targets and not (one.entrypoint or one.workdir):
            return  # as it was run above
        problems.append(typed(bench, trainer, build, one, targets))
        if not problems[-1]:
            return
    fail(
        "a `docker run` of it does not train: " + problems[0][0],
        expected=f"a training that writes `{CHECKPOINT}` to the folder",
        detail=problems[0][1],
        file="README.md",
    )


def typed(bench, trainer, build, one, targets):
    """Runs a container as the README says; what is wrong, or nothing."""
    if not targets:
        return "it mounts another folder than the submission's", str(one.mounts)
    try:
        image = bench.build(build.dockerfile, target=build.target)
    except SubmissionError as error:
        return f"its build fails: {error.message}", error.detail
    trainer.spaces.lay("typed")
    options = trainer.options("typed", bench.digits, targets[0], one.workdir)
    options["env"] |= dict(word.partition("=")[::2] for word in one.env)
    container = bench.start(
        *(one.args or ()), **options | {"image": image}, entrypoint=one.entrypoint, workdir=one.workdir, user=one.user
    )
    seen = trainer.watch(container, lambda seen: bool(trainer.spaces.saves("typed")))
    if seen.exit_code not in (None, 0):
        return f"it ends with exit code {seen.exit_code}", seen.end
    if not trainer.spaces.saves("typed"):
        return f"no `{CHECKPOINT}` is in the folder afterwards", seen.end
    return None
