"""The capstone: a trainer in a container that keeps its checkpoint on the host, and really goes on from it."""

import pytest

from dockerlab import check, fail
from dockerlab.checks.counted import expect_counted
from dockerlab.checks.formatting import expect_black
from dockerlab.checks.pytorch import expect_cpu_build, expect_torch, look_into
from dockerlab.checks.readme import of_the_folder, pairs, script_of
from dockerlab.checks.runs import epoch_after, saves_early
from dockerlab.checks.training import Training

CHECKPOINT, WORKSPACE = "model_checkpoint.pth", "/workspace"
COMMAND = ("python", f"{WORKSPACE}/train.py")
MOST_BYTES = 1_100_000_000
GOALS = {True: 0.95, False: 0.80}  # accuracy, on the full set and on a small one
FULL = 50_000  # images that are drawn from the full set, at least
SAY = "a line for each epoch, such as `epoch=3 loss=0.0712 accuracy=0.9780`"
SHUFFLED = "(A training on shuffled labels, from which nothing can be learned: only how it ends counts here.)\n"
NOTHING_LEFT = "Save after every epoch, not only at the end: then a run that was cut short has something left to do."


@pytest.fixture(scope="session")
def contents(bench):
    """What is in the image, looked at once."""
    return bench.soon(lambda: look_into(bench))


@pytest.fixture(scope="session", autouse=True)
def formatting(bench, submission):
    """Black's verdict on the code; begun at once, beside the build."""
    return bench.soon(lambda: expect_black(submission.path))


@pytest.fixture(scope="session")
def training(bench):
    """Every run of train.py that the checks look at."""
    return Training(bench, command=COMMAND, workspace=WORKSPACE, checkpoint=CHECKPOINT)


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
def test_cpu_build(contents):
    """Torch is the CPU build: `torch.version.cuda` is None, and no packages for CUDA are there."""
    expect_cpu_build(contents())


@check(
    points=75,
    needs=test_builds,
    hints=(
        "Which layer is the largest? `docker history IMAGE`, or `dockerlab layers IMAGE`.",
        "The CPU build of torch has 0.7 GB. What pip keeps for the next time, and what apt fetched, are not needed.",
        "pip install --no-cache-dir …; python:3.11-slim instead of python:3.11; a stage that is left behind",
    ),
)
def test_size(image, contents):
    """The image, with torch in it, has less than 1.1 GB (1,100,000,000 bytes, uncompressed)."""
    expect_torch(contents())
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
def test_trains(bench, training, contents):
    """`docker run -v FOLDER:/workspace IMAGE python /workspace/train.py` ends with exit code 0."""
    expect_torch(contents())
    training.begin()
    seen = training.first.seen
    bench.curve(seen.curve)
    if seen.exit_code != 0:
        fail(f"it ends with exit code {seen.exit_code}", expected="exit code 0", detail=seen.end, file="train.py")


@check(
    points=40,
    needs=test_builds,
    hints=(
        "What is the last accuracy that it prints?",
        "It is measured on the test images, after the training, with model.eval() and torch.no_grad().",
        'print(f"Accuracy: {correct}/{len(test_set)}")',
    ),
)
def test_learns(bench, training, contents):
    """It learns: the last accuracy that it prints is 0.80 or more (0.95 on the full set) of what can be right, and it is measured."""
    expect_torch(contents())
    seen, digits = training.first.seen, bench.digits
    expect_counted(
        seen.accuracies,
        digits,
        goal=GOALS[digits.train >= FULL],
        elsewhere=lambda: [one for run in training.elsewhere for one in run.accuracies],
        detail=seen.end,
        file="train.py",
    )


@check(
    points=40,
    needs=test_builds,
    hints=(
        "After `docker run`, what is in the folder on the host? `ls -l`.",
        "A container's own files go with it. What is written below /workspace stays, because that is the host's folder.",
        'torch.save({"model": model.state_dict(), ...}, "/workspace/model_checkpoint.pth")',
    ),
)
def test_checkpoint(training, contents):
    """After the run, `model_checkpoint.pth` is in the folder on the host, and torch can load it."""
    expect_torch(contents())
    if not training.first.saves:
        fail(
            f"there is no new `{CHECKPOINT}` in the folder that was mounted at {WORKSPACE}",
            expected="the checkpoint, on the host",
            why="Does it go to another folder of the container, or bear another name?",
            detail=training.first.seen.end,
            file="train.py",
        )
    found = training.beginning.examination.loaded[f"/first/{CHECKPOINT}"]
    if found.error:
        fail(f"it cannot be loaded: {found.error}", expected="a file that torch.save wrote", file="train.py")
    if not found.numbers:
        fail("it holds no weights: not one tensor of numbers", expected="the model's state_dict", file="train.py")
    if training.stored:
        fail(
            "it holds the same weights, bit for bit, after a training on other data",
            expected="what was learned in this run",
            why="They are the weights from before the training, or were stored.",
            file="train.py",
        )


def resumed(training):
    """The runs with --resume; the one from an unspoilt checkpoint must work.

    What a run says of its numbers is worth nothing where they do not depend on what it is given.
    """
    if not training.moves:
        fail(
            "its numbers are the same whether there is something to be learned from the data or not",
            expected="a loss that falls and an accuracy that rises, and neither where labels are shuffled",
            why="From numbers that nothing changes, nobody can see whether it goes on with what it had learned.",
            detail=training.first.seen.end,
            file="train.py",
        )
    control = training.resumed.control
    if control.exit_code not in (None, 0):
        fail(
            f"with --resume it ends with exit code {control.exit_code}",
            expected="a training that goes on",
            detail=control.end,
            file="train.py",
        )
    return training.resumed


@check(
    points=60,
    needs=test_checkpoint,
    hints=(
        "Train, then look at the first loss with --resume. Is it as low as the last one before?",
        "Does what is loaded reach the model? load_state_dict copies the numbers into it.",
        'model.load_state_dict(torch.load("/workspace/model_checkpoint.pth")["model"])',
    ),
)
def test_resumes_weights(training):
    """`--resume` goes on with the checkpoint's weights: when they are NaN, the resumed run shows it."""
    runs = resumed(training)
    spoilt = runs.weights
    if spoilt.shows_spoilt(runs.control):
        return
    if not spoilt.told:
        fail(
            "after --resume, neither a loss nor an accuracy is printed, so nothing can be seen",
            expected=SAY,
            why=NOTHING_LEFT,
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
def test_resumes_optimizer(training):
    """`--resume` goes on with the optimizer's state: when it is NaN, the resumed run shows it. (Plain SGD has none, and passes.)"""
    runs, examination = resumed(training), training.beginning.examination
    spoilt = runs.optimizer
    if not examination.poisoned[1]:
        state = training.optimizer_state()
        if not state:
            return
        kept = examination.loaded[f"/control/{CHECKPOINT}"]
        fail(
            f"the checkpoint holds {'an optimizer without its state' if kept.has_optimizer else 'no optimizer'}, while {state[0]} "
            f"has {state[1]} tensors of state after its first step",
            expected="optimizer.state_dict() beside the weights",
            file="train.py",
        )
    if spoilt.shows_spoilt(runs.control):
        return
    if not spoilt.told:
        fail(
            "after --resume, nothing is trained, so nothing can be seen",
            expected=SAY,
            why=NOTHING_LEFT,
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


@check(
    points=30,
    needs=test_checkpoint,
    hints=(
        "Write the epochs of both runs down, one after the other. Is one there twice, or missing?",
        "Save the number of the epoch that is done. The next run begins with the one after it.",
        'first = checkpoint["epoch"] + 1; for epoch in range(first, epochs + 1): …',
    ),
)
def test_next_epoch(training):
    """`--resume` goes on at the epoch after the saved one: none is repeated, and none is skipped."""
    run, order = resumed(training).control, training.first.seen.epochs
    if not order:
        fail("no line names an epoch", expected=SAY, detail=training.first.seen.end, file="train.py")
    if not run.epochs:
        fail(
            "after --resume, no line names an epoch",
            expected=SAY,
            why=NOTHING_LEFT,
            detail=run.end,
            file="train.py",
        )
    got, wanted = run.epochs[0], sorted(epoch_after(order, done) for done in training.beginning.finished)
    if got not in wanted:
        last = wanted[0] - 1
        fail(
            f"the checkpoint was saved after epoch {last}, and the resumed run goes on at epoch {got}",
            expected=f"epoch {' or '.join(map(str, wanted))}",
            why=_other_epoch(got, order[0], wanted[0]),
            detail=run.end,
            file="train.py",
        )


def _other_epoch(got, first, wanted):
    """What a resumed run does that goes on at another epoch; where the first one was saved, two things look the same."""
    if got > wanted:
        return "It leaves an epoch out."
    if got == first and wanted == first + 1:
        return "It does the saved epoch again, or begins again from the start: after one epoch, that looks the same."
    return "It begins again from the start." if got == first else "It does an epoch twice."


@check(
    points=25,
    needs=test_checkpoint,
    hints=(
        "What is in the file while torch.save is half through? `ls -l` again and again shows it.",
        "Write to another name in the same folder; a rename replaces the old file in one step.",
        'torch.save(state, "model_checkpoint.pth.new"), then os.replace("model_checkpoint.pth.new", "model_checkpoint.pth")',
    ),
)
def test_killed(training):
    """Killed at any moment, also while it writes (SIGKILL), it leaves a checkpoint that torch can load."""
    here = [one for one in training.first.saves if one.in_place]
    if any(one.gap for one in training.first.saves):
        fail(
            f"`{CHECKPOINT}` is removed before the new one has its name",
            expected="the old checkpoint or the new one, whole, at every moment",
            why="A SIGKILL between the two leaves none. `os.replace` does both in one step.",
            file="train.py",
        )
    left = training.left.values()
    broken = [(moment, one) for moment, one in left if one.error and "No such file" not in one.error]
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
            f"what was there at one of {len(left)} moments ({moment}) cannot be loaded: {one.error}",
            expected="the old checkpoint or the new one, whole, at every moment",
            file="train.py",
        )


@check(
    points=25,
    needs=test_resumes_weights,
    hints=(
        "`docker stop` sends SIGTERM, and SIGKILL ten seconds later. What is on the host then?",
        "Save after every epoch, or when the signal comes; and let --resume find it.",
        "signal.signal(signal.SIGTERM, …): set a flag, save after the batch, and exit",
    ),
)
def test_stopped(training):
    """`docker stop` in the middle of the training leaves a checkpoint from which `--resume` goes on."""
    run, first = training.stopped, training.first
    kept = training.left[f"/stop/{CHECKPOINT}"][1]
    came_to_its_end = run.before.epochs[-1:] == first.seen.epochs[-1:]
    if came_to_its_end and not saves_early(first.seen, first.saves):
        fail(
            "`docker stop` did not end it, and nothing was saved until it had come to its end by itself",
            expected="a checkpoint at any time, or one that is saved when SIGTERM comes",
            why="A longer training is killed ten seconds after SIGTERM, and all of it is lost.",
            detail=SHUFFLED + run.before.end,
            file="train.py",
        )
    if kept.error:
        fail(
            f"after `docker stop`, there is no checkpoint that can be loaded: {kept.error}",
            expected="what was trained until then",
            hint="Save when the signal comes, or after every epoch; and write to another name first.",
            detail=SHUFFLED + run.before.end,
            file="train.py",
        )
    if run.after.exit_code not in (None, 0):
        fail(
            f"after `docker stop`, --resume ends with exit code {run.after.exit_code}",
            expected="a training that goes on",
            hint="What does --resume find in the checkpoint that was left, and what does it expect?",
            detail=SHUFFLED + run.after.end,
            file="train.py",
        )
    if run.after.exit_code is None or run.after.shows_work:
        return
    if not came_to_its_end:
        fail(
            "after `docker stop` and --resume, it ends without having trained anything",
            expected=SAY,
            detail=SHUFFLED + run.after.end,
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
def test_formatted(formatting):
    """Every .py file is formatted with black, in its default settings."""
    formatting()


@check(
    points=20,
    needs=test_builds,
    hints=(
        "Copy the commands out of your README, into a new folder. What happens?",
        "It needs two: a `docker build` with a name (-t), and a `docker run` of that name with the folder mounted (-v).",
        "docker run --rm -v $(pwd):/workspace NAME python /workspace/train.py",
    ),
)
def test_readme(bench, training, submission, contents):
    """The README's commands work as written: a `docker build`, and a `docker run` with a volume."""
    expect_torch(contents())
    script = script_of(submission.read("README.md"))
    if not script.strip():
        fail(
            "no `docker` command is in it",
            expected="`docker build -t NAME .`, and `docker run -v $(pwd):/workspace NAME …`",
            why="Commands are looked for between lines of three backticks, in indented lines, and between single backticks.",
            hint="Write the two commands as you typed them, between lines of three backticks.",
            file="README.md",
        )
    asked = bench.asked("README.md", "mnist", script)
    if not asked.builds:
        fail(
            "no `docker build` of it works",
            expected="`docker build -t NAME .`",
            detail=asked.output[-600:],
            file="README.md",
        )
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
        as_above = one.args == COMMAND and WORKSPACE in targets and not (one.entrypoint or one.workdir)
        if as_above and training.first.seen.exit_code == 0:
            return
        problems.append(training.as_typed(build, one, targets))
        if not problems[-1]:
            return
    fail(
        "a `docker run` of it does not train: " + problems[0][0],
        expected=f"a training that writes `{CHECKPOINT}` to the folder",
        detail=problems[0][1],
        file="README.md",
    )
