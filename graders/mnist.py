"""The capstone: a trainer in a container that keeps its checkpoint on the host, and really goes on from it."""

import pytest

from dockdojo import check, fail
from dockdojo.checks.formatting import expect_black
from dockdojo.checks.readme import README, expect_commands
from dockdojo.training.command import expect_exit_0
from dockdojo.training.counted import expect_counted
from dockdojo.training.resuming import (
    expect_next_epoch,
    expect_optimizer,
    expect_to_survive_a_stop,
    expect_weights,
)
from dockdojo.training.saved import expect_checkpoint, expect_whole_at_every_moment
from dockdojo.training.script import Training
from dockdojo.training.torch_image import expect_cpu_build, expect_torch, look_into
from dockdojo.training.typed import expect_to_train_as_typed

SLUG = "mnist"
CHECKPOINT, WORKSPACE = "model_checkpoint.pth", "/workspace"
COMMAND = ("python", f"{WORKSPACE}/train.py")
MOST_BYTES = 1_100_000_000
GOALS = {True: 0.95, False: 0.80}  # accuracy, on the full set and on a small one
FULL = 50_000  # images that are drawn from the full set, at least


@pytest.fixture(scope="session")
def contents(session):
    """What is in the image, looked at once."""
    return session.background(lambda: look_into(session))


@pytest.fixture(scope="session", autouse=True)
def formatting(session, submission):
    """Black's verdict on the code; begun at once, beside the build."""
    return session.background(lambda: expect_black(submission.path))


@pytest.fixture(scope="session")
def training(session):
    """Every run of train.py that the checks look at."""
    return Training(
        session, command=COMMAND, workspace=WORKSPACE, checkpoint=CHECKPOINT
    )


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
        "What does the largest layer hold? `dockdojo layers IMAGE` tells.",
        "The usual index has torch for CUDA, with gigabytes of libraries. PyTorch's own index has builds for processors.",
        "pip install --extra-index-url https://download.pytorch.org/whl/cpu torch torchvision",
    ),
)
def test_cpu_build(contents):
    """Torch is the CPU build: `torch.version.cuda` is None, and no packages for CUDA are there."""
    expect_cpu_build(contents.result())


@check(
    points=75,
    needs=test_builds,
    hints=(
        "Which layer is the largest? `docker history IMAGE`, or `dockdojo layers IMAGE`.",
        "The CPU build of torch has 0.7 GB. What pip keeps for the next time, and what apt fetched, are not needed.",
        "pip install --no-cache-dir …; python:3.11-slim instead of python:3.11; a stage that is left behind",
    ),
)
def test_size(image, contents):
    """The image, with torch in it, has less than 1.1 GB (1,100,000,000 bytes, uncompressed)."""
    expect_torch(contents.result())
    if image.size >= MOST_BYTES:
        fail(
            f"it has {image.size / 1e9:.3f} GB",
            expected="less than 1.1 GB",
            file="Dockerfile",
        )


@check(
    points=50,
    needs=test_builds,
    hints=(
        "`docker run --rm -v $(pwd):/workspace IMAGE python /workspace/train.py; echo $?`",
        "The data is in /workspace/data, in /data, and where MNIST_ROOT says; nothing can be downloaded meanwhile.",
        "datasets.MNIST(os.environ.get('MNIST_ROOT', 'data'), train=True, download=True)",
    ),
)
def test_trains(session, training, contents):
    """`docker run -v FOLDER:/workspace IMAGE python /workspace/train.py` ends with exit code 0."""
    expect_torch(contents.result())
    training.begin()
    session.curve(training.first.result().seen.curve)
    expect_exit_0(training)


@check(
    points=40,
    needs=test_builds,
    hints=(
        "What is the last accuracy that it prints?",
        "It is measured on the test images, after the training, with model.eval() and torch.no_grad().",
        'print(f"Accuracy: {correct}/{len(test_set)}")',
    ),
)
def test_learns(session, training, contents):
    """It learns: the last accuracy that it prints is 0.80 or more (0.95 on the full set) of what can be right, and it is measured."""
    expect_torch(contents.result())
    seen, digits = training.first.result().seen, session.digits
    if not seen.accuracies:
        expect_exit_0(training)
    expect_counted(
        seen.accuracies,
        digits,
        goal=GOALS[digits.train >= FULL],
        elsewhere=lambda: [
            accuracy
            for run in training.elsewhere.result()
            for accuracy in run.accuracies
        ],
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
    """After the run, `model_checkpoint.pth` is in the folder on the host; torch can load it, and the weights of this run are in it."""
    expect_torch(contents.result())
    expect_checkpoint(training)


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
    expect_weights(training)


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
    unseen = expect_optimizer(training)
    if unseen:
        pytest.skip(unseen)


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
    expect_next_epoch(training)


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
    expect_whole_at_every_moment(training)


@check(
    points=25,
    needs=test_checkpoint,
    hints=(
        "`docker stop` sends SIGTERM, and SIGKILL ten seconds later. What is on the host then?",
        "Save after every epoch, or when the signal comes; and let --resume find it.",
        "signal.signal(signal.SIGTERM, …): set a flag, save after the batch, and exit",
    ),
)
def test_stopped(training):
    """`docker stop` in the middle of the training leaves a checkpoint from which `--resume` goes on, and not from the start."""
    expect_to_survive_a_stop(training)


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
    formatting.result()


@check(
    points=20,
    needs=test_builds,
    hints=(
        "Copy the commands out of your README, into a new folder. What happens?",
        "It needs two: a `docker build` with a name (-t), and a `docker run` of that name with the folder mounted (-v).",
        "docker run --rm -v $(pwd):/workspace NAME python /workspace/train.py",
    ),
)
def test_readme(session, training, submission, contents):
    """The README's commands work as written: a `docker build`, and a `docker run` with a volume."""
    script = expect_commands(submission)
    expect_torch(contents.result())
    expect_to_train_as_typed(training, session.record_api_calls(README, SLUG, script))
