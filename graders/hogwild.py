"""Hogwild: several processes train one model in a container, with data from outside; and one of them dies."""

import contextlib
import math
import re
import time
from types import SimpleNamespace

import pytest

from dockdojo import check, fail
from dockdojo.checks.cache import installs, rebuilt_large_layers
from dockdojo.checks.pinning import expect_pinned_bases, expect_pinned_packages
from dockdojo.checks.projects import own_packages
from dockdojo.connection.types import Mount
from dockdojo.engine.files import head
from dockdojo.errors import CourseError, LimitReached, SubmissionError
from dockdojo.training.counted import expect_counted
from dockdojo.training.log_parser import accuracies
from dockdojo.training.torch_image import expect_cpu_build, look_into
from dockdojo.training.workers import (
    FIRST_PROCESS,
    pids,
    trainers,
    without_number,
    workers,
)

DATA = "/data"
GOAL = 0.80  # accuracy on the small test set
WORKERS, EPOCHS = 2, 2
MANY = 3  # workers that the arguments ask for
ENDS_WITHIN = 150  # seconds after a worker's death; the others may finish what they do
STARTS_WITHIN = 90  # seconds until the workers say something: each imports torch
SILENT = 6  # seconds after which workers are taken for such though they say nothing: a buffer may hold it back
LONGER = (
    10  # times as many epochs, where the workers were done before one could be killed
)
MOST_NAMED = 10  # process ids in a sentence
LOOK = 0.3  # seconds between two looks at the processes
MOST_BARE = 0.1  # share of the lines that may lack a number: two processes that write at once may break a line
DATA_FILES = re.compile(
    r"-ubyte(\.gz)?$|/MNIST/processed/|/(mnist|t10k|train)[-_.\w]{0,40}\.(csv|npz|npy|pkl|parquet|h5|zip|tar|tgz|gz|xz)$",
    re.IGNORECASE,
)
LEAST_IMAGES, DOTS = 500_000, 28 * 28  # bytes of a file, and of one image in it
IMAGES = b"\0\0\x08\x03"  # how a file of many images begins, whatever its name (IDX)


def watched(session, digits, *args):
    """A whole run with these data: how it ended and what it printed; the processes that the engine saw meanwhile, each with
    its parent; and the most workers that were there at one time.
    """
    mounts = (Mount(source=str(digits.root), target=DATA),)
    container = session.start(
        *args, "--data", DATA, image=session.build(), mounts=mounts
    )
    end = container.deadline = time.monotonic() + session.limits.check_seconds
    seen, most = {}, 0
    while container.running:
        if time.monotonic() > end:
            raise LimitReached(
                f"`{' '.join(args)}` was not done within {session.limits.check_seconds:.0f} s, the lab's time limit for a check.",
                hint="Does a worker wait for something that does not come, or read the images anew for each batch?",
            )
        with contextlib.suppress(
            LimitReached
        ):  # too busy to be looked at now: the next look counts
            processes = container.processes()
            seen |= {
                process.pid: process.ppid
                for process in processes
                if process.ppid != 0 and process.state != "Z"
            }
            most = max(most, len(workers(processes)))
        session.sleep(LOOK)
    return container.wait(within=5), seen, most


@pytest.fixture(scope="session")
def contents(session):
    """What is in the image, looked at once."""
    return session.background(lambda: look_into(session, any_python=True))


@pytest.fixture(scope="session")
def trained(session):
    """A whole run."""
    args = ("--num-processes", str(WORKERS), "--epochs", str(EPOCHS))
    return session.background(lambda: watched(session, session.digits, *args))


@pytest.fixture(scope="session")
def shuffled(session, trained):
    """A run with more workers and other arguments, on labels from which nothing can be learned."""

    def watch():
        with contextlib.suppress(SubmissionError):
            trained.result()  # one after the other: each has the processors, and its own time
        return watched(
            session,
            session.shuffled_digits,
            "--num-processes",
            str(MANY),
            "--epochs",
            "1",
        )

    return session.background(watch)


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
        "What does the largest layer hold? `dockdojo layers IMAGE` tells.",
        "The usual index has torch for CUDA, with two gigabytes of libraries. PyTorch's own index has builds for processors.",
        "pip install --extra-index-url https://download.pytorch.org/whl/cpu -r requirements.txt",
    ),
)
def test_cpu_build(contents, trained, shuffled, deaths):
    """Torch is the CPU build, without CUDA and its libraries."""
    expect_cpu_build(contents.result())


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
    done, seen, most = shuffled.result()
    named = trainers(done.stdout + done.stderr, seen)
    if MANY not in (len(named), most):
        count = max(len(named), most)
        has_failed = count == 0 and done.exit_code != 0
        fail(
            f"there {'was' if count == 1 else 'were'} {count or 'no'} worker{'' if count == 1 else 's'}"
            + (f", and the exit code is {done.exit_code}" if has_failed else ""),
            expected=f"{MANY} workers",
            hint=(
                "It ended before a worker trained. Read the last lines of what it said, below."
                if has_failed
                else ""
            ),
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
    done, seen, _ = trained.result()
    named = pids(done.stdout + done.stderr)
    if len(named) < WORKERS:
        fail(
            f"lines come from {len(named) or 'no'} process{'' if len(named) == 1 else 'es'}",
            expected=f"from {WORKERS}",
            detail=(done.stdout + done.stderr)[-600:],
        )
    there = trainers(done.stdout + done.stderr, seen)
    if len(there) < WORKERS:
        fail(
            f"the lines name the processes {numbers(named)}; of those, {really_there(there)}, and trained",
            expected="process ids as os.getpid() tells them",
            hint="os.getpid() in the worker itself tells its number; `docker top` shows the host's.",
        )
    bare, count = without_number(done.stdout + done.stderr, {FIRST_PROCESS, *seen})
    if len(bare) > MOST_BARE * count:
        fail(
            f"{len(bare)} of {count} lines with a loss name no process, such as `{bare[0][:120]}`",
            expected="the number of the process at the beginning of each",
            why="Lines of several processes come mixed: without a number, nobody knows whose they are.",
            hint='print(f"{os.getpid()}\\tTrain Epoch: …") in each place that prints a loss',
        )


def numbers(pids):
    """Process ids as people read them; the first ones of many."""
    return ", ".join(map(str, sorted(pids)[:MOST_NAMED])) + (
        " …" if len(pids) > MOST_NAMED else ""
    )


def really_there(pids):
    return (
        f"{numbers(pids)} {'was' if len(pids) == 1 else 'were'} really there"
        if pids
        else "none was really there"
    )


@check(
    points=20,
    hints=(
        "What is the last line of a run?",
        "`model.share_memory()` before the workers start: else each has a model of its own.",
        "Train longer, or with a larger learning rate.",
    ),
)
def test_accuracy(trained, shuffled, session):
    """After 2 epochs with 2 processes, the accuracy on the test set is at least 0.80 of what can be right, and the exit code is 0."""
    done, *_ = trained.result()
    said = (done.stdout + done.stderr)[-800:]
    if done.exit_code != 0:
        fail(
            f"the exit code is {done.exit_code}",
            expected="0",
            detail=said,
            hint="Read the last lines of what it said, below.",
        )

    def elsewhere():
        other, *_ = shuffled.result()
        return accuracies(other.stdout + other.stderr)

    expect_counted(
        accuracies(done.stdout + done.stderr),
        session.digits,
        goal=GOAL,
        elsewhere=elsewhere,
        detail=said,
    )


def begun(session, epochs):
    """A container that trains, and its workers once they do; none where it ended, or where there were too few all the time.

    Also how many there were at most. Lines of the log name them; where those are held back, the list of processes does.
    """
    args = ("--num-processes", str(WORKERS), "--epochs", str(epochs), "--data", DATA)
    container = session.start(
        *args,
        image=session.build(),
        mounts=(Mount(source=str(session.digits.root), target=DATA),),
    )
    end, since, most = time.monotonic() + STARTS_WITHIN, math.inf, 0
    container.deadline = end + ENDS_WITHIN
    while container.running and time.monotonic() < end:
        processes = container.processes()
        named = trainers(
            container.logs(),
            {process.pid: process.ppid for process in processes if process.ppid != 0},
        )
        group = workers(processes)
        most = max(most, len(named), len(group))
        since = min(since, time.monotonic()) if len(group) >= WORKERS else math.inf
        if len(named) >= WORKERS:
            return (
                container,
                sorted(named - {FIRST_PROCESS}),
                most,
            )  # the kernel keeps that one from being killed from inside
        if time.monotonic() - since > SILENT:
            return container, group, most
        session.sleep(LOOK)
    return container, [], most


def death(session, choose):
    """A run of which one worker is killed: which one, how many there were, and how the run ended; no code where it goes on."""
    for epochs in (EPOCHS, LONGER * EPOCHS):
        container, found, many = begun(session, epochs)
        chosen, is_killed = choose(found) if found else 0, False
        try:
            if found and any(
                process.pid == chosen and process.state == "Z"
                for process in container.processes()
            ):
                continue  # it was done: a signal changes nothing
            if found:
                container.signal_process(chosen, "KILL")
                is_killed = True
                break
        except SubmissionError:  # it was done before it could be killed
            if container.running:
                raise
        if many < WORKERS or container.running:
            break
    if found and not is_killed:
        raise CourseError(
            "The training was over before a worker could be killed, so this could not be looked at."
        )
    seen = SimpleNamespace(chosen=chosen, many=many, code=None, said="")
    if found:
        with contextlib.suppress(LimitReached):
            seen.code = container.wait(within=ENDS_WITHIN).exit_code
    seen.said = container.logs()[-600:]
    return seen


@pytest.fixture(scope="session")
def deaths(session, trained, shuffled):
    """How a run ends of which the first worker is killed, and another of which the last one is; looked at beside the checks."""

    def look():
        for earlier in (
            trained,
            shuffled,
        ):  # one after the other: each has the processors, and its own time
            with contextlib.suppress(SubmissionError):
                earlier.result()
        first = death(session, min)
        return [first, death(session, max)] if first.chosen and first.code else [first]

    return session.background(look)


@check(
    points=15,
    hints=(
        "How does a process tell how it ended?",
        "`join()` waits for a worker, and says nothing about how it ended. `exitcode` does.",
        "if any(one.exitcode for one in workers): sys.exit('A worker failed.')",
    ),
)
def test_worker_dies(deaths):
    """When a worker is killed, whichever it is, the run ends with another exit code than 0."""
    for which, seen in zip(("first", "last"), deaths.result(), strict=False):
        if not seen.chosen:
            fail(
                f"{seen.many or 'no'} worker{'' if seen.many == 1 else 's'} began to train",
                expected=str(WORKERS),
                hint="Each worker prints its own number, os.getpid(), at the beginning of its lines: `docker logs CONTAINER`.",
                detail=seen.said,
            )
        if seen.code is None:
            fail(
                f"the {which} worker, process {seen.chosen}, was killed, and the run still goes on after {ENDS_WITHIN} seconds",
                expected="an end, with an exit code that is not 0",
                hint="Who waits for something from a worker that is dead waits for ever.",
                detail=seen.said,
            )
        if seen.code == 0:
            fail(
                f"the {which} worker, process {seen.chosen}, was killed, and the exit code is 0",
                expected="another exit code: the model was not trained as asked",
                why="Whoever starts it believes that all is well.",
                hint=(
                    ""
                    if which == "first"
                    else "The death of the first worker was noticed: look at the others, too."
                ),
                detail=seen.said,
            )


@check(
    points=10,
    hints=(
        "Would you build a new image for each new set of data?",
        "Data comes in by a mount: `docker run -v FOLDER:/data`. Leave it out with .dockerignore.",
    ),
)
def test_data_outside(contents, session):
    """The image holds no data: no file of MNIST is in it."""
    files = contents.result().files
    found = sorted(
        path for path in files if DATA_FILES.search(path) and "packages/" not in path
    )
    # By its size, too: so many images of 28 x 28 dots, behind a head of 16 bytes.
    fitting = [
        path
        for path, size in files.items()
        if size >= LEAST_IMAGES and (size - 16) % DOTS == 0
    ]
    if not found and fitting:
        bare = session.create()
        found = [path for path in fitting if head(bare, path, len(IMAGES)) == IMAGES]
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
def test_keeps_install(session, submission, dockerfile, image, rng):
    """After a change of train.py alone, building again installs nothing again."""
    name = next(
        (name for name in ("train.py", "main.py") if submission.has(name)), "train.py"
    )
    text = submission.read(name)

    def changed():
        return session.build(
            changes={name: f"{text}\n# changed: {rng.getrandbits(32):08x}\n".encode()}
        )

    own = own_packages(submission, dockerfile)
    again = rebuilt_large_layers(
        session.engine,
        image,
        changed,
        lambda path: installs(path, own),
        copied=submission.size,
        tries=2,
    )
    if again:
        fail(
            f"`{again[0]}` installed packages again",
            why="Something that changes with train.py comes before it.",
            file="Dockerfile",
        )
