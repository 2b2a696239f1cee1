"""Hogwild: several processes train one model in a container, with data from outside; and one of them dies."""

import contextlib
import re
import time

import pytest

from dockerlab import check, fail
from dockerlab.checks.cache import large_made_anew
from dockerlab.checks.counted import expect_counted
from dockerlab.checks.metrics import accuracies
from dockerlab.checks.pinning import expect_pinned_bases, expect_pinned_packages
from dockerlab.checks.pytorch import expect_cpu_build, look_into
from dockerlab.engine.objects import Mount
from dockerlab.errors import LimitReached, SubmissionError

DATA = "/data"
GOAL = 0.80  # accuracy on the small test set
WORKERS, EPOCHS = 2, 2
MANY = 3  # workers that the arguments ask for
ENDS_WITHIN = 150  # seconds after a worker's death; the others may finish what they do
STARTS_WITHIN = 90  # seconds until the workers say something: each imports torch
TESTS = re.compile(r"\b(?:test|eval|valid)", re.IGNORECASE)
PID = re.compile(r"^\W{0,3}(\d+)\b|\b(?:pid|process)\W{1,3}(\d+)\b", re.IGNORECASE)
MOST_BARE = 0.1  # share of the lines that may lack a number: two processes that write at once may break a line
DATA_FILES = ("-ubyte", "-ubyte.gz", "/mnist.npz", "/mnist.pkl", "/mnist.pkl.gz")  # how their paths end


def lines_of_training(text):
    """The lines that tell of a training, not of a test: that may be told by the process that starts the workers."""
    lines = [line for line in text.splitlines() if re.search("epoch|loss", line, re.IGNORECASE)]
    return [line for line in lines if not TESTS.search(line)] or lines


def pids(text):
    """The process ids in the lines of training: at the beginning, or behind the word pid."""
    # Two processes that write at the same time may share a line: the word pid is looked for everywhere in it.
    return {int(found[1] or found[2]) for line in lines_of_training(text) for found in PID.finditer(line)}


def watched(bench, digits, *args):
    """A whole run with these data: how it ended, what it printed, and the processes that the engine saw meanwhile."""
    mounts = (Mount(source=str(digits.root), target=DATA),)
    container = bench.start(*args, "--data", DATA, image=bench.build(), mounts=mounts)
    end = container.deadline = time.monotonic() + bench.limits.check_seconds
    seen = set()
    while container.running:
        if time.monotonic() > end:
            raise LimitReached(
                f"`{' '.join(args)}` was not done within {bench.limits.check_seconds:.0f} s, the lab's time limit for a check.",
                hint="Does a worker wait for something that does not come, or read the images anew for each batch?",
            )
        with contextlib.suppress(LimitReached):  # too busy to be looked at now: the next look counts
            seen |= {one.pid for one in container.processes() if one.ppid != 0 and one.state != "Z"}
        bench.pause(0.5)
    return container.wait(within=5), seen


@pytest.fixture(scope="session")
def contents(bench):
    """What is in the image, looked at once."""
    return bench.soon(lambda: look_into(bench))


@pytest.fixture(scope="session")
def trained(bench):
    """A whole run."""
    args = ("--num-processes", str(WORKERS), "--epochs", str(EPOCHS))
    return bench.soon(lambda: watched(bench, bench.digits, *args))


@pytest.fixture(scope="session")
def shuffled(bench, trained):
    """A run with more workers and other arguments, on labels from which nothing can be learned."""

    def watch():
        with contextlib.suppress(SubmissionError):
            trained()  # one after the other: each has the processors, and its own time
        return watched(bench, bench.shuffled_digits, "--num-processes", str(MANY), "--epochs", "1")

    return bench.soon(watch)


@check(
    points=10,
    hints=(
        "Which version of each package will this install in a year?",
        "`name==1.2.3` in requirements.txt, and a base image with a tag.",
    ),
)
def test_pinned(dockerfile, submission):
    """The base image and every requirement are pinned to one version."""
    expect_pinned_bases(dockerfile)
    expect_pinned_packages(submission, dockerfile)


@check(
    points=10,
    hints=(
        "What does the largest layer hold? `dockerlab layers IMAGE` tells.",
        "The usual index has torch for CUDA, with two gigabytes of libraries. PyTorch's own index has builds for processors.",
        "pip install --extra-index-url https://download.pytorch.org/whl/cpu -r requirements.txt",
    ),
)
def test_cpu_build(contents, trained, shuffled):
    """Torch is the CPU build, without CUDA and its libraries."""
    expect_cpu_build(contents())


@check(
    points=10,
    hints=(
        "`docker run IMAGE --epochs 1`: what becomes of the words after the image's name?",
        "They replace CMD, and are appended to ENTRYPOINT in exec form.",
        'ENTRYPOINT ["python", "main.py"]',
    ),
)
def test_arguments(shuffled):
    """The words after the image's name reach main.py: `docker run IMAGE --num-processes 3 --epochs 1` starts 3 workers."""
    done, seen = shuffled()
    told = pids(done.stdout) & seen
    if done.exit_code != 0 or len(told) != MANY:
        fail(
            f"{len(told)} process{'' if len(told) == 1 else 'es'} told of a training, and the exit code is {done.exit_code}",
            expected=f"lines of {MANY} processes, and exit code 0",
            detail=(done.stdout + done.stderr)[-800:],
        )


@check(
    points=15,
    hints=(
        "`docker top CONTAINER` while it trains.",
        "Each worker is a process of its own, and prints its own number at the beginning of each line.",
    ),
)
def test_processes(trained):
    """It trains in at least 2 processes; each line of the training begins with the number of its process."""
    done, seen = trained()
    told = pids(done.stdout + done.stderr)
    if len(told) < WORKERS:
        fail(
            f"lines come from {len(told) or 'no'} process{'' if len(told) == 1 else 'es'}",
            expected=f"from {WORKERS}",
            detail=(done.stdout + done.stderr)[-600:],
        )
    if len(told & seen) < WORKERS:
        fail(
            f"the lines name the processes {sorted(told)}; of those, {sorted(told & seen)} were really there",
            expected="process ids as os.getpid() tells them",
            hint="os.getpid() in the worker itself tells its number; `docker top` shows the host's.",
        )
    lines = [line for line in lines_of_training(done.stdout + done.stderr) if re.search("loss", line, re.IGNORECASE)]
    bare = [line for line in lines if not PID.search(line)]
    if len(bare) > MOST_BARE * len(lines):
        fail(
            f"{len(bare)} of {len(lines)} lines with a loss name no process, such as `{bare[0][:120]}`",
            expected="the number of the process at the beginning of each",
            why="Lines of several processes come mixed: without a number, nobody knows whose they are.",
            hint='print(f"{os.getpid()}\\tTrain Epoch: …") in each place that prints a loss',
        )


@check(
    points=20,
    hints=(
        "What is the last line of a run?",
        "`model.share_memory()` before the workers start: else each has a model of its own.",
        "Train longer, or with a larger learning rate.",
    ),
)
def test_accuracy(trained, shuffled, bench):
    """After 2 epochs with 2 processes, the accuracy on the test set is at least 0.80 of what can be right, and the exit code is 0."""
    done, _ = trained()
    said = (done.stdout + done.stderr)[-800:]
    if done.exit_code != 0:
        fail(
            f"the exit code is {done.exit_code}",
            expected="0",
            detail=said,
            hint="Read the last lines of what it said, below.",
        )

    def elsewhere():
        other, _ = shuffled()
        return accuracies(other.stdout + other.stderr)

    expect_counted(accuracies(done.stdout + done.stderr), bench.digits, goal=GOAL, elsewhere=elsewhere, detail=said)


@check(
    points=15,
    hints=(
        "How does a process tell how it ended?",
        "`join()` waits for a worker, and says nothing about how it ended. `exitcode` does.",
        "if any(one.exitcode for one in workers): sys.exit('A worker failed.')",
    ),
)
def test_worker_dies(bench, image, rng):
    """When a worker is killed, whichever it is, the run ends with another exit code than 0."""
    args = ("--num-processes", str(WORKERS), "--epochs", str(EPOCHS), "--data", DATA)
    container = bench.start(*args, image=image, mounts=(Mount(source=str(bench.digits.root), target=DATA),))
    end = time.monotonic() + STARTS_WITHIN
    while container.running and len(pids(container.logs())) < WORKERS and time.monotonic() < end:
        bench.pause(0.3)
    alive = [one for one in container.processes() if one.pid != 1 and one.ppid != 0] if container.running else []
    told = pids(container.logs()) & {one.pid for one in alive}
    workers = sorted(told - {one.ppid for one in alive if one.pid in told})  # not the process that started them
    if len(workers) < WORKERS:
        fail(
            f"{len(workers) or 'no'} worker{'' if len(workers) == 1 else 's'} began to train",
            expected=str(WORKERS),
            hint="Each worker prints its own number, os.getpid(), at the beginning of its lines: `docker logs CONTAINER`.",
            detail=container.logs()[-600:],
        )
    chosen = rng.choice(workers)
    container.signal_process(chosen, "KILL")
    try:
        done = container.wait(within=ENDS_WITHIN)
    except LimitReached as error:
        fail(
            f"worker {chosen} was killed, and the run still goes on after {ENDS_WITHIN} seconds",
            expected="an end, with an exit code that is not 0",
            why=str(error),
        )
    if done.exit_code == 0:
        fail(
            f"worker {chosen} was killed, and the exit code is 0",
            expected="another exit code: the model was not trained as asked",
            why="Whoever starts it believes that all is well.",
            detail=(done.stdout + done.stderr)[-300:],
        )


@check(
    points=10,
    hints=(
        "Would you build a new image for each new set of data?",
        "Data comes in by a mount: `docker run -v FOLDER:/data`. Leave it out with .dockerignore.",
    ),
)
def test_data_outside(contents):
    """The image holds no data: no file of MNIST is in it."""
    found = sorted(path for path in contents().files if f"/{path}".endswith(DATA_FILES))
    if found:
        fail(
            f"`{found[0]}` is in the image",
            expected="no data: that comes in by a mount, when the container runs",
            file="Dockerfile",
        )


@check(
    points=10,
    hints=(
        "Change a letter in train.py, and build again. How long does it take?",
        "COPY requirements.txt and the install come before COPY of the code.",
    ),
)
def test_keeps_install(bench, submission, image):
    """After a change of train.py, the layer with the installed packages is kept."""
    text = submission.read("train.py")

    def changed():
        return bench.build(changes={"train.py": f"{text}\n# changed: {time.monotonic_ns()}\n".encode()})

    again = large_made_anew(bench.engine, image, changed, tries=2)
    if again:
        fail(
            f"`{again[0][:120]}` ran again",
            why="Something that changes with train.py comes before it.",
            file="Dockerfile",
        )
