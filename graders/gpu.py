"""GPUs: what a run asks the engine for, what comes into the container, and a program that knows both cases."""

import posixpath
import re

import pytest

from dockdojo import check, fail
from dockdojo.checks.answers import expect_answers
from dockdojo.checks.compose import reservations_by_service
from dockdojo.checks.shell_words import commands_at
from dockdojo.connection.device_request import EVERY
from dockdojo.errors import NoGpu

LISTED = re.compile(
    r"^GPU \d+: .*\(UUID: (\S+)\)", re.MULTILINE
)  # a line of `nvidia-smi -L`
OPTION = "--require-gpu"
FEWEST_LETTERS = 5  # of a message: "no" is none
SERVICE = "trainer"  # of the compose file that is given
MINE, OTHER = "the image of the submission", "python:3.11-slim"
NAMES = (
    "gpu-lab-{:08x}:submitted",
    "trainer{:x}",
    "registry.example/team/gpu:{:x}",
    "gpu/{:08x}:v1.2",
)
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # where an image says nothing else
QUIZ = {
    "driver": (
        "the host",
        {
            "the image": "Then the image would fit only the machines with that very version. Run nvidia-smi in a plain Debian image with --gpus all: where does it come from?",
            "both": "Two versions of one driver would have to agree. Who talks to the kernel?",
        },
    ),
    "without_flag": (
        "none",
        dict.fromkeys(
            ("all", "the first"),
            "Run `ls /dev` in a container without `--gpus`. What is missing there, that the host has?",
        ),
    ),
    "no_runtime": (
        "an error at the start",
        {
            "an error at the build": "A build asks for no GPU, and needs none.",
            "it runs without a gpu": "The engine was asked for something that it cannot give. Try it on an engine without GPUs.",
        },
    ),
    "second_only": (
        "--gpus device=1",
        {
            "--gpus 1": "A number without a name is a count. How many GPUs would you get?",
            "--gpus 2": "A number without a name is a count. How many GPUs would you get?",
            "--gpus device=2": "The first GPU is number 0.",
        },
    ),
}


def listed(done):
    """The UUIDs that `nvidia-smi -L` named."""
    return tuple(sorted(LISTED.findall(done.stdout)))


def run_script(session, image, *args, gpus=None):
    """device.py as the image runs it, with more arguments: after ENTRYPOINT, or else after the whole of CMD."""
    words = [*(image.entrypoint or ()), *(image.cmd or ())]
    options = {"gpus": gpus} if gpus else {}
    if not args:
        return session.run(image=image, **options)
    text = commands_at(words) if words and words[0].endswith("sh") else 0
    if text:  # shell form takes no arguments
        words[text] = f"{words[text]} {' '.join(args)}"
        args = ()
    if not words:
        return session.run(*args, image=image, **options)
    return session.run(
        *words[1:], *args, image=image, entrypoint=(words[0],), **options
    )


def quoted(*lines):
    """The first line of what was printed, as people read it."""
    line = next((line.strip() for line in lines if line.strip()), "")
    return f'"{line[:200]}"' if line else "nothing on stdout"


def expect_device(done, name, called):
    said = [
        line.strip()
        for line in done.stdout.splitlines()
        if line.strip().startswith("device=")
    ]
    if set(said) != {f"device={name}"}:
        fail(
            f"{called} prints {', '.join(said) or quoted(*done.stdout.splitlines())}, and ends with exit code {done.exit_code}",
            expected=f"the line device={name}",
            detail=(done.stdout + done.stderr)[-600:],
        )
    if done.exit_code != 0:
        fail(
            f"{called} prints device={name}, and ends with exit code {done.exit_code}",
            expected="exit code 0: it did what it should",
            detail=done.stderr[-600:],
        )


@pytest.fixture(scope="session")
def scripts(session):
    """device.py in the image, by its arguments and the GPUs that are asked for; all begun side by side."""
    image = session.build()
    ways = (((), None), ((OPTION,), None), ((), "all"), ((OPTION,), "all"))
    begun = {
        (args, gpus): session.background(
            lambda args=args, gpus=gpus: run_script(session, image, *args, gpus=gpus)
        )
        for args, gpus in ways
    }
    return lambda *args, gpus=None: begun[args, gpus].result()


@pytest.fixture(scope="session")
def smi(session):
    """`nvidia-smi -L` in an image, by the GPUs that are asked for; what is asked for on most machines begins at once."""
    mine = session.build()
    begun = {}

    def listing(image, gpus):
        if (image, gpus) not in begun:
            begun[image, gpus] = session.background(
                lambda: session.run(
                    "-L",
                    image=mine if image == MINE else image,
                    entrypoint=("nvidia-smi",),
                    gpus=gpus,
                )
            )
        return begun[image, gpus]

    for image in (OTHER, MINE):
        for gpus in ("all", f"device={drawn(session)}"):
            listing(image, gpus)
    return lambda image, gpus: listing(image, gpus).result()


def drawn(session, most=1):
    """The number of one GPU, another one each time; most machines that have any have one or two."""
    return min(session.rng("device").randrange(2), most)


@pytest.fixture(scope="session")
def every_gpu(smi):
    """What the engine grants when all is asked for, seen from an image that is not the submission's. Skips where that is nothing."""
    found = listed(smi(OTHER, "all"))
    if not found:
        pytest.skip(
            "The engine grants a GPU, but `nvidia-smi -L` lists none. Its points cannot be earned here."
        )
    return found


@check(
    points=15,
    hints=(
        "Without a word about it, a container sees no GPU at all.",
        "`docker run` has an option that asks for GPUs: a number, devices by name, or all of them.",
        'docker run --rm --gpus all "$1"',
    ),
)
def test_run_sh(session, rng):
    """`run.sh IMAGE` runs that image and asks the engine for every GPU, with `--gpus`."""
    name = rng.choice(NAMES).format(rng.getrandbits(32))
    asked = session.record_api_calls("run.sh", name)
    ran = [
        container
        for container in asked.containers
        if container.started and container.image == name
    ]
    if not ran:
        others = ", ".join(
            sorted(
                {container.image for container in asked.containers if container.started}
            )
        )
        fail(
            (
                f"run.sh {name} starts a container of {others}"
                if others
                else f"run.sh {name} starts no container"
            ),
            expected=f"`docker run … {name}`",
            why="It must use the name that it is given: `$1`." if others else "",
            hint="`docker run` starts a container; in the script, `$1` is the name of the image.",
            detail=asked.output[-600:],
            file="run.sh",
        )
    requests = [gpu for container in ran for gpu in container.gpus if gpu.is_gpu]
    if not any(gpu.is_every_gpu for gpu in requests):
        runtime = any(container.runtime for container in ran)
        fail(
            f"the engine was asked for {', '.join(map(str, requests)) or 'no GPU'}",
            expected="a request for all GPUs",
            why=(
                "`--runtime` names who starts the container; it asks for no device."
                if runtime and not requests
                else ""
            ),
            detail=asked.output[-600:],
            file="run.sh",
        )


@check(
    points=15,
    hints=(
        "A Compose file says for each service what it needs. Where?",
        "Below `deploy`, `resources`, `reservations`: a list of `devices`, each with its `capabilities`.",
        "deploy: {resources: {reservations: {devices: [{driver: nvidia, count: 1, capabilities: [gpu]}]}}}",
    ),
)
def test_compose(submission):
    """`compose.yaml` reserves one GPU for the service that is built here, below `deploy.resources.reservations.devices`."""
    reserved = reservations_by_service(submission, "compose.yaml", preferred=SERVICE)
    found = [device for devices in reserved.values() for device in devices]
    if not any(device.is_gpu for device in found):
        fail(
            (
                "the service reserves no GPU"
                if not found
                else "the devices that are reserved have no capability `gpu`"
            ),
            expected="a device with `capabilities: [gpu]` below `deploy.resources.reservations.devices` of a service",
            hint="`capabilities: [gpu]` belongs to each device." if found else "",
            file="compose.yaml",
        )
    for devices in reserved.values():
        gpus = [device for device in devices if device.is_gpu]
        if gpus and how_many(gpus) != 1:
            fail(
                f"it reserves {' and '.join(map(str, gpus))}",
                expected="one GPU: `count: 1`, or one name in `device_ids`",
                hint=(
                    "How many are asked for says `count`, or the list `device_ids`."
                    if len(gpus) == 1
                    else "One device in the list is enough: what several ask for is added up."
                ),
                why=(
                    "`count: all` asks for every GPU; so does a device without `count` and `device_ids`."
                    if any(gpu.count == EVERY for gpu in gpus)
                    else ""
                ),
                file="compose.yaml",
            )


def how_many(gpus):
    """How many GPUs a service reserves: counts are added up, a name that is there twice is one GPU; -1 is all of them."""
    if any(gpu.is_every_gpu for gpu in gpus):
        return EVERY
    return sum(gpu.count for gpu in gpus) + len(
        {name for gpu in gpus for name in gpu.ids}
    )


@check(
    points=15,
    hints=(
        "What should a program do that finds no GPU, and could do without?",
        "Ask `nvidia-smi -L`: without a GPU there is no such program, and Python raises FileNotFoundError.",
        'shutil.which("nvidia-smi") and subprocess.run(["nvidia-smi", "-L"], ...).returncode == 0',
    ),
)
def test_cpu(scripts, smi):
    """Without a GPU, `docker run IMAGE` prints `device=cpu` and exits 0."""
    expect_device(scripts(), "cpu", "`docker run IMAGE`, without a GPU,")


@check(
    points=10,
    hints=(
        "Training for a week on a processor by mistake is worse than an error.",
        "Read the option with argparse. Where no GPU is found: a message on stderr, and exit code 1.",
        'sys.exit("No GPU was found: ...") prints to stderr and exits with 1',
    ),
)
def test_require_gpu(scripts):
    """With `--require-gpu` and no GPU, and only then, it exits 1, with a clear message."""
    done, without = scripts(OPTION), scripts()
    said = (done.stdout + done.stderr).strip()
    if without.exit_code != 0:
        fail(
            f"with no GPU, it ends with exit code {without.exit_code} also without {OPTION}",
            expected=f"exit code 1 with {OPTION}, and 0 without",
            why="Whoever always fails does not look at the option.",
            hint="Without the option, no GPU is no reason to fail: print device=cpu, and end with 0.",
            detail=(without.stdout + without.stderr)[-600:],
        )
    if done.exit_code != 1:
        fail(
            f"with {OPTION} and no GPU, the exit code is {done.exit_code}",
            expected="exit code 1",
            hint=(
                "parser.add_argument('--require-gpu', action='store_true')"
                if "unrecognized arguments" in said
                else ""
            ),
            why=(
                "It does not know the option: Python's argparse then says so, and ends with 2."
                if "unrecognized arguments" in said
                else ""
            ),
            detail=said[-600:],
        )
    if "Traceback (most recent call last)" in said:
        fail(
            f"with {OPTION} and no GPU, it ends in a traceback",
            expected="a sentence for people",
            why="A traceback is for who wrote the program, not for who runs it.",
            hint='sys.exit("No GPU was found: ...") prints to stderr and exits with 1, without a traceback.',
            detail=said[-600:],
        )
    own = [line for line in said.splitlines() if not line.strip().startswith("device=")]
    own = [line for line in own if line.strip() not in said_anyway(scripts)]
    if not any(is_sentence(line) for line in own):
        fail(
            f"with {OPTION} and no GPU, it says {quoted(*own) if own else 'nothing of that'}",
            expected="a message for people: that a GPU is needed, and that none was found",
            hint='sys.exit("No GPU was found: ...") prints to stderr and exits with 1.',
            detail=said[-600:],
        )


def said_anyway(scripts):
    """The lines that it prints where it has a GPU: they do not tell that one is missing. None where the engine has no GPU."""
    try:
        done = scripts(gpus="all")
    except NoGpu:
        return set()
    return {line.strip() for line in (done.stdout + done.stderr).splitlines()}


def is_sentence(line):
    """Whether a line may be a message for people, in whatever language: more than a word or two letters."""
    letters = [c for c in line if c.isalpha()]
    return len(letters) >= FEWEST_LETTERS and (
        len(line.split()) > 1 or not "".join(letters).isascii()
    )


@check(
    points=15,
    hints=(
        "`docker run --gpus all IMAGE`: what does `nvidia-smi -L` say in there?",
        "The runtime puts `nvidia-smi` and the files /dev/nvidia* into the container, for the GPUs that were granted.",
    ),
)
def test_cuda(session, image, scripts, every_gpu):
    """With a GPU, `docker run --gpus all IMAGE` prints `device=cuda` and exits 0, also with `--require-gpu`."""
    expect_device(scripts(gpus="all"), "cuda", "`docker run --gpus all IMAGE`")
    expect_device(
        scripts(OPTION, gpus="all"),
        "cuda",
        f"`docker run --gpus all IMAGE`, with {OPTION},",
    )
    device = f"device={len(every_gpu) - 1}"  # not the first, where there are others: a program that knows only that one is wrong
    expect_device(
        run_script(session, image, gpus=device),
        "cuda",
        f"`docker run --gpus {device} IMAGE`",
    )


def seen(smi, gpus):
    done = smi(MINE, gpus)
    if done.exit_code != 0 or not listed(done):
        fail(
            f"`docker run --gpus {gpus} --entrypoint nvidia-smi IMAGE -L` ends with exit code {done.exit_code}",
            expected="a line for each GPU",
            detail=(done.stdout + done.stderr)[-600:],
        )
    return listed(done)


@check(
    points=10,
    hints=(
        "The image must not bring an `nvidia-smi` of its own, nor say which driver capabilities it wants without it.",
        "NVIDIA_DRIVER_CAPABILITIES names what the runtime puts in; `nvidia-smi` belongs to `utility`.",
    ),
)
def test_nvidia_smi(smi, every_gpu):
    """`nvidia-smi` runs inside the container where a GPU is granted, and lists every GPU of `--gpus all`."""
    found = seen(smi, "all")
    if found != every_gpu:
        fail(
            f"it lists {', '.join(found)}",
            expected=f"{', '.join(every_gpu)}, as in any other image on this engine",
            why="A program that was built into the image tells what it likes.",
        )


@check(
    points=10,
    hints=(
        "GPUs are numbered from 0.",
        "Which one the container sees is the engine's business. Does something in the image override NVIDIA_VISIBLE_DEVICES?",
    ),
)
def test_one_device(session, image, smi, every_gpu):
    """With `--gpus device=1` just that one GPU is seen, and so for any other."""
    created = session.create(image)
    for folder in image.env.get("PATH", PATH).split(":"):
        path = posixpath.normpath(
            posixpath.join("/", image.workdir, folder, "nvidia-smi")
        )
        if created.members(path):
            fail(
                f"the image has a `{path}` of its own",
                expected="the one that the runtime puts in",
                why="A program that was built into the image tells what it likes.",
                hint="Leave it out of the image: with `--gpus`, it is there by itself.",
            )
    number = drawn(session, len(every_gpu) - 1)
    granted = listed(smi(OTHER, f"device={number}"))
    found = seen(smi, f"device={number}")
    if found != granted or len(found) != 1:
        fail(
            f"with --gpus device={number}, `nvidia-smi -L` lists {', '.join(found)}",
            expected=f"{', '.join(granted)} alone",
            hint="Does something in the image, such as an ENV, override NVIDIA_VISIBLE_DEVICES?",
        )


@check(points=10, hints=("Try each of them; the lesson shows the commands.",))
def test_answers(submission):
    """Quiz: where the driver is, and what the engine does with a request."""
    expect_answers(submission, QUIZ)
