"""The capstone: right answers that are unusual, wrong ones that look right, and how good the reference solution is."""

from __future__ import annotations

import re
import shutil

import pytest

from dockdojo.connection.types import Mount, RunSpec
from dockdojo.datasets import small
from dockdojo.engine.client import connect
from dockdojo.grading import list_checks
from dockdojo.model import Limits
from dockdojo.paths import state_folder
from dockdojo.probes.workspaces import Save
from dockdojo.readme import script_of
from dockdojo.training.resuming import other_epoch
from dockdojo.training.run import (
    TrainingRun,
    finished_epochs,
    learned_more,
    save_to_resume_from,
    saves_early,
)
from tests.unusual import COURSE, SideBySide, failed, lost

PLAIN = (
    COURSE.variants("mnist")[0].path.parent / "repeats_an_epoch" / "train.py"
).read_text()
PLAIN = PLAIN.replace('first = state["epoch"]\n', 'first = state["epoch"] + 1\n')
IN_STEPS = '    new = CHECKPOINT.with_suffix(".new")\n    torch.save(state, new)\n    os.replace(new, CHECKPOINT)\n'
LOAD = PLAIN[
    PLAIN.index("    if args.resume:") : PLAIN.index("    for epoch in range(")
]
LOOP = PLAIN[
    PLAIN.index("    for epoch in range(") : PLAIN.index(
        '\n\nif __name__ == "__main__"'
    )
]
SAVE = PLAIN[PLAIN.index("        save(\n") : PLAIN.index("        accuracy = right")]
PRINT = PLAIN[
    PLAIN.index("        print(f") : PLAIN.index('\n\nif __name__ == "__main__"')
]
STEP = "            optimizer.step()\n"
BEFORE = """            share = (model(images[chosen]).argmax(1) == labels[chosen]).float().mean()
            print(f"Epoch {epoch} loss: {loss.item():.3f} acc: {share:.2f}")
"""


def changed(*pairs: tuple[str, str]) -> dict[str, str | None]:
    """A train.py like those of the variants, with parts of it exchanged."""
    text = PLAIN
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return {"train.py": text}


ELSEWHERE = "1. Build: `sudo docker buildx build --load -t digits:1 .`\n2. `docker run -v .:/work --workdir /work digits:1 python train.py`\n"
RIGHT = {
    "a pickled module of its own class, plain SGD that nobody saves, epochs from 0, percent, no --epochs, a bar on one line": changed(
        ('    parser.add_argument("--epochs", type=int, default=3)\n', ""),
        ("    model = nn.Sequential(", "    model = Net("),
        ("def load(part):", "class Net(nn.Sequential):\n    pass\n\n\ndef load(part):"),
        (
            "torch.optim.Adam(model.parameters(), lr=0.003)",
            "torch.optim.SGD(model.parameters(), lr=0.3)",
        ),
        (
            LOAD,
            "    first = 0\n    if args.resume:\n        state = torch.load(CHECKPOINT, weights_only=False)\n"
            "        model, first = state[0], state[1]\n        optimizer = torch.optim.SGD(model.parameters(), lr=0.3)\n",
        ),
        ("range(first, args.epochs + 1)", "range(first, 3)"),
        (SAVE, "        save([model, epoch + 1])\n"),
        (STEP, STEP + '            print(f"\\rEpoch {epoch} |", end="")\n'),
        (
            PRINT,
            '        print(f"\\n[Epoch {epoch}] train_loss={loss.item():.3f} test_acc={100 * accuracy:.1f}%")\n',
        ),
    ),
    "--epochs are more epochs, the file is whole only in a link, the optimizer in a file of its own, a line before each step": changed(
        (
            IN_STEPS,
            '    optimizer = state.pop("opt")\n    for part, path in ((optimizer, OPTIMIZER), (state, CHECKPOINT)):\n'
            "        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:\n"
            "            torch.save(part, file)\n            file.flush()\n            os.replace(file.name, path)\n",
        ),
        ("import os\n", "import os\nimport tempfile\n"),
        (
            "\n\ndef load(part):",
            'OPTIMIZER = CHECKPOINT.with_name("optimizer.pt")\n\n\ndef load(part):',
        ),
        (
            LOAD,
            "    first = 1\n    if args.resume:\n        state = torch.load(CHECKPOINT)\n"
            '        model.load_state_dict(state["net_weights"])\n        optimizer.load_state_dict(torch.load(OPTIMIZER))\n'
            '        first = state["done"] + 1\n        print(f"Resumed from epoch {first - 1}, loss was {state[\'loss\']}, accuracy 0.45")\n',
        ),
        ("range(first, args.epochs + 1)", "range(first, first + args.epochs)"),
        (
            SAVE,
            '        save({"net_weights": model.state_dict(), "opt": optimizer.state_dict(), "done": epoch, "loss": 0.5})\n',
        ),
        (STEP, BEFORE + STEP),
        (
            PRINT,
            '        print(f"Epoch {epoch} loss: {loss.item():.3f}\\nAccuracy: {right}/{len(test_labels)}")\n',
        ),
    ),
    "it saves at its end, and when SIGTERM comes, and trains on with --resume": (
        changed(
            ("import os\n", "import os\nimport signal\nimport sys\n"),
            (
                LOAD,
                LOAD
                + "    asked = []\n    signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))\n",
            ),
            ("range(first, args.epochs + 1)", "range(first, first + args.epochs)"),
            (
                LOOP[LOOP.index("            optimizer.zero_grad()") :],
                "            if asked:\n                save(state(epoch - 1))\n                sys.exit(0)\n"
                + LOOP[
                    LOOP.index("            optimizer.zero_grad()") : LOOP.index(
                        "        save(\n"
                    )
                ]
                + LOOP[LOOP.index("        accuracy = right") :]
                + "    save(state(epoch))\n",
            ),
            (
                "    asked = []\n",
                "\n    def state(done):\n        return {'model': model.state_dict(), 'optimizer': optimizer.state_dict(), 'epoch': done}\n\n"
                "    asked = []\n",
            ),
        )
    ),
}

MOMENTUM = """class Momentum:
    def __init__(self, parameters, lr):
        self.parameters, self.lr = list(parameters), lr
        self.velocity = [torch.zeros_like(one) for one in self.parameters]

    def zero_grad(self):
        for one in self.parameters:
            one.grad = None

    @torch.no_grad()
    def step(self):
        for one, speed in zip(self.parameters, self.velocity):
            speed.mul_(0.8).add_(one.grad)
            one.sub_(self.lr * speed)


"""
TWO_PROCESSES = (
    ("def main():\n", MOMENTUM + "def main():\n"),
    (
        "torch.optim.Adam(model.parameters(), lr=0.003)",
        "Momentum(model.parameters(), 0.03)",
    ),
    (
        '        optimizer.load_state_dict(state["optimizer"])\n',
        '        optimizer.velocity = state["velocity"]\n',
    ),
    ('"optimizer": optimizer.state_dict()', '"velocity": optimizer.velocity'),
    (
        "    for epoch in range(first, args.epochs + 1):\n",
        "    torch.multiprocessing.spawn(work, (model, optimizer, first, args.epochs), nprocs=2)\n\n\n"
        "def work(rank, model, optimizer, first, epochs):\n    torch.set_num_threads(1)\n    images, labels = load('train')\n"
        "    test_images, test_labels = load('t10k')\n    optimizer.parameters = list(model.parameters())\n"
        "    for epoch in range(first, epochs + 1):\n",
    ),
    ("    optimizer = Momentum", "    model.share_memory()\n    optimizer = Momentum"),
    ("        save(\n", "        if rank == 0:\n          save(\n"),
    ('        print(f"Epoch', '        print(f"{os.getpid()}\\tEpoch'),
)
"""Two processes train one model, as PyTorch's own example of hogwild does, with an optimizer that is none of torch's."""
RIGHT |= {
    "two processes that each tell their epochs, with an optimizer of their own": changed(
        *TWO_PROCESSES
    ),
    "one epoch unless more are asked for, and a handler that saves and ends at once": changed(
        ("import os\n", "import os\nimport signal\nimport sys\n"),
        ("default=3", "default=1"),
        (".split(64)", ".split(32)"),
        (
            "    for epoch in range(first, args.epochs + 1):\n",
            '\n    def state(done):\n        return {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": done}\n\n'
            "    def stop(number, frame):\n        save(state(epoch - 1))\n        sys.exit(0)\n\n"
            "    for epoch in range(first, args.epochs + 1):\n        signal.signal(signal.SIGTERM, stop)\n",
        ),
    ),
}
NAMELESS = TWO_PROCESSES[:-1]
"""The same, and no line says which of them prints it."""
BY_SIGNAL = (
    ("import os\n", "import os\nimport signal\nimport sys\n"),
    ("default=3", "default=1"),
    (".split(64)", ".split(32)"),
    (
        "    for epoch in range(first, args.epochs + 1):\n",
        '\n    def state(done):\n        return {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": done}\n\n'
        "    def stop(number, frame):\n        save(state(epoch))\n        sys.exit(0)\n\n"
        "    for epoch in range(first, args.epochs + 1):\n        signal.signal(signal.SIGTERM, stop)\n",
    ),
)
SHUT = (
    ("import os\n", "import os\nimport subprocess\nimport sys\n"),
    (
        "def main():\n",
        'def main():\n    if "--work" not in sys.argv:\n'
        '        sys.exit(subprocess.call([sys.executable, "-I", __file__, "--work", *sys.argv[1:]]))\n',
    ),
    (
        "    args = parser",
        '    parser.add_argument("--work", action="store_true")\n    args = parser',
    ),
)
"""It trains in an interpreter that takes nothing from its environment."""
UNSAVED = (
    ('        optimizer.load_state_dict(state["optimizer"])\n', ""),
    ('                "optimizer": optimizer.state_dict(),\n', ""),
)
PLAIN_INSTALL = "FROM python:3.11-slim\nRUN pip install --no-cache-dir torch==2.13.0 torchvision==0.28.0\n"
RIGHT |= {
    "two processes that tell their epochs, and not which of them does": changed(
        *NAMELESS
    ),
    "plain SGD in an interpreter into which nobody can look, its settings in the checkpoint": changed(
        *SHUT,
        (
            "torch.optim.Adam(model.parameters(), lr=0.003)",
            "torch.optim.SGD(model.parameters(), lr=0.3)",
        ),
    ),
}
WRONG = {
    "a handler calls the epoch done in the middle of which it was": (
        changed(*BY_SIGNAL),
        {"stopped"},
    ),
    "two processes that do not say which of them prints, and one begins again": (
        changed(
            *NAMELESS,
            ("range(first, epochs + 1)", "range(1 if rank else first, epochs + 1)"),
        ),
        {"next_epoch"},
    ),
    "an ENTRYPOINT in shell form, which trains itself": (
        {
            **changed(),
            "Dockerfile": f"{PLAIN_INSTALL}ENTRYPOINT python /workspace/train.py\n",
        },
        {"resumes_weights", "resumes_optimizer", "next_epoch", "stopped"},
    ),
    "it ends at once": (
        {"train.py": 'raise SystemExit("no data")\n'},
        {"trains", "learns", "checkpoint", "readme"},
    ),
    "the skeleton that the original assignment hands out": (
        {
            "Dockerfile": "FROM python:3.11-slim\nWORKDIR /workspace\nCOPY train.py .\n",
            "train.py": 'def main():\n    """Train, and save the model."""\n\n\nif __name__ == "__main__":\n    main()\n',
            "README.md": "# Assignment\n\nHow is it built, and how is it run?\n",
        },
        {"cpu_build", "size", "trains", "learns", "checkpoint", "readme"},
    ),
    "a bare except swallows its mistake": (
        changed(
            (
                "        state = torch.load(CHECKPOINT)\n",
                "        state = {}\n        try:\n            state = torch.laod(CHECKPOINT)\n        except Exception:\n            args.resume = False\n",
            ),
            (
                '        model.load_state_dict(state["model"])\n        optimizer.load_state_dict(state["optimizer"])\n        first = state["epoch"] + 1\n',
                '        print("Resumed from epoch 1")\n',
            ),
        ),
        {"resumes_weights", "resumes_optimizer", "next_epoch", "stopped"},
    ),
    "in memory first, and then over the old file": (
        changed(
            (
                IN_STEPS,
                "    memory = io.BytesIO()\n    torch.save(state, memory)\n    CHECKPOINT.write_bytes(memory.getvalue())\n",
            ),
            ("import os\n", "import io\nimport os\n"),
        ),
        {"killed"},
    ),
    "the old one is removed first; what is loaded is told, and not used": (
        changed(
            (
                "    os.replace(new, CHECKPOINT)\n",
                "    CHECKPOINT.unlink(missing_ok=True)\n    os.rename(new, CHECKPOINT)\n",
            ),
            (
                '        model.load_state_dict(state["model"])\n',
                '        print("Resumed, the loss was", state["loss"].item())\n',
            ),
            (
                '                "epoch": epoch,\n',
                '                "epoch": epoch,\n                "loss": loss,\n',
            ),
        ),
        {"killed", "resumes_weights"},
    ),
    "Adam lives in a worker that is spawned, and nobody saves it": (
        changed(
            (
                "def main():\n",
                "def main():\n    torch.multiprocessing.spawn(work)\n\n\ndef work(rank):\n",
            ),
            ('        optimizer.load_state_dict(state["optimizer"])\n', ""),
            ('                "optimizer": optimizer.state_dict(),\n', ""),
        ),
        {"resumes_optimizer"},
    ),
    "two processes, of which one begins again, and an optimizer of their own that nobody saves": (
        changed(
            *(
                one
                for one in TWO_PROCESSES
                if "load_state_dict" not in one[0] and '"optimizer":' not in one[0]
            ),
            ('        optimizer.load_state_dict(state["optimizer"])\n', ""),
            ('                "optimizer": optimizer.state_dict(),\n', ""),
            ("range(first, epochs + 1)", "range(1 if rank else first, epochs + 1)"),
        ),
        {"resumes_optimizer", "next_epoch"},
    ),
    "an accuracy that rises as one would like": (
        changed(
            (
                "        accuracy = right / len(test_labels)\n",
                "        accuracy = 0.9 + right / len(test_labels) / 20\n",
            )
        ),
        {"learns"},
    ),
}
RIGHT[next(iter(RIGHT))]["README.md"] = ELSEWHERE
CASES = {**RIGHT, **{name: files for name, (files, _) in WRONG.items()}}
FREE = {"formatted"}  # these are about behaviour
GRADED = SideBySide(
    __name__, CASES, lambda name: lost("mnist", CASES[name]), trains=lambda name: True
)


@pytest.fixture(scope="module")
def found(real_engine):
    return GRADED


@pytest.mark.parametrize("name", RIGHT)
def test_right_though_unusual(name, found):
    assert {
        check: said for check, said in found[name].items() if check not in FREE
    } == {}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_though_it_looks_right(name, found):
    assert failed(found[name]) - FREE == WRONG[name][1], found[name]


def test_an_entrypoint_that_swallows_the_command_is_named(found):
    said = found["an ENTRYPOINT in shell form, which trains itself"]
    assert all(
        "the words after the image's name reach nothing: the ENTRYPOINT" in one
        for one in said.values()
    )


def test_one_cause_is_told_with_the_same_words(found):
    """Then the report says them once, and `see above` at the others."""
    said = {
        one for one in found["it ends at once"].values() if one.startswith("failed")
    }
    assert said == {"failed: it ends with exit code 1"}


def test_who_does_nothing_has_next_to_nothing(found):
    """For the build, and for a file that black leaves as it is."""
    points = {check.name: check.points for check in list_checks(COURSE, "mnist")}
    said = found["the skeleton that the original assignment hands out"]
    assert set(points) - set(said) == {"builds", "formatted"}
    assert sum(points[name] for name in points if name not in said) <= 55
    assert "no `docker` command is in it" in said["readme"]


def test_an_optimizer_that_nobody_could_see_is_no_verdict(real_engine):
    """Neither passed nor failed: its points are open, and the report is not final."""
    said = lost("mnist", changed(*SHUT, *UNSAVED), final=False)
    assert {name: one[:7] for name, one in said.items() if name not in FREE} == {
        "resumes_optimizer": "skipped"
    }


# The reference solution

LIMITS = Limits(memory_mb=3000, cpus=2.0, check_seconds=240, build_seconds=1800)
HASH = re.compile(r"SHA-256 of the weights: ([0-9a-f]{64})")


@pytest.fixture(scope="module")
def reference(real_engine, tmp_path_factory):
    """`run(args, folder)` and the image of the solution; containers are seen to their end."""
    data = small(state_folder() / "data", print)
    with connect() as engine:
        image = engine.build(COURSE.solution("mnist"), limits=LIMITS)

        def spec(folder, args):
            mounts = (
                Mount(source=str(folder), target="/workspace", read_only=False),
                Mount(source=str(data.root), target="/data"),
            )
            return RunSpec(
                image=image.id,
                args=("python", "/workspace/train.py", *args),
                mounts=mounts,
                env={"MNIST_ROOT": "/data", "OMP_WAIT_POLICY": "PASSIVE"},
            )

        def folder(owner, mode):
            path = tmp_path_factory.mktemp("workspace")
            for name in ("train.py", "plot.py"):
                shutil.copy(COURSE.solution("mnist") / name, path)
            shutil.chown(path, owner, owner)
            path.chmod(mode)
            return path

        yield engine, image, spec, folder, data


def test_a_plain_install_of_the_build_for_processors_is_small_enough(
    reference, tmp_path
):
    """As the lesson says: on a base of at most 125 MB, without pip's cache, and nothing else done."""
    engine, *_ = reference
    (tmp_path / "Dockerfile").write_text(PLAIN_INSTALL)
    image = engine.build(tmp_path, limits=LIMITS)
    assert image.size < 1_100_000_000
    layers = [one.size for one in engine.layers(image.id)]
    assert sum(layers[:-1]) <= 125_000_000
    told = re.search(
        r"\| `pip install` .* \| (\d+) MB \|", COURSE.lesson("mnist").read_text()
    )
    assert layers[-1] / 1e6 == pytest.approx(int(told[1]), rel=0.05)


def test_the_image_is_small(reference):
    _, image, _, _, _ = reference
    assert image.size <= 600_000_000


def test_a_run_that_was_stopped_in_an_epoch_ends_with_the_same_bits(reference):
    """Also: it learns to 0.98 on real digits, is not root in a folder that it does not own, and draws its curve."""
    engine, _, spec, folder, data = reference
    whole = engine.run(spec(folder(4711, 0o755), ("--epochs", "8")), LIMITS)
    place = folder(4711, 0o755)
    container = engine.start(spec(place, ("--epochs", "8")), LIMITS)
    assert container.wait_for_log("epoch=2 ", within=200), container.logs()
    stop = container.stop(grace=10)
    container.remove()
    assert stop.exit_code == 128 + 15
    assert "Stopped in epoch" in stop.stdout
    rest = engine.run(spec(place, ("--resume", "--epochs", "8", "--plot")), LIMITS)
    hashes = [HASH.search(one.stdout)[1] for one in (whole, rest)]
    assert hashes[0] == hashes[1]
    accuracy = float(re.findall(r"accuracy=([\d.]+)", whole.stdout)[-1])
    assert accuracy >= (0.80 if data.stand_in else 0.98)
    assert {
        path.name: path.stat().st_uid
        for path in place.iterdir()
        if path.suffix in (".pth", ".svg", ".png")
    } == dict.fromkeys(
        ("model_checkpoint.pth", "learning_curve.svg", "learning_curve.png"), 4711
    )
    assert (place / "learning_curve.svg").read_text().count(
        ">resumed<"
    ) == 2  # in both panels
    assert (place / "learning_curve.png").read_bytes()[:4] == b"\x89PNG"


# How a log is read


def seen(*lines):
    return TrainingRun(tuple(lines), None, 0.0)


def save(number, at, first=0.0):
    return Save(
        number=number,
        at=at,
        first=first or at,
        in_place=False,
        seconds=0,
        smallest=-1,
        size=1,
        copied=True,
    )


@pytest.mark.parametrize(
    ("lines", "saves", "chosen", "done"),
    [
        (
            [(1, "epoch=1 loss=1"), (2, "epoch=2 loss=1")],
            [0.9, 1.9],
            0,
            {1},
        ),  # saved before the line
        (
            [(1, "epoch=1 loss=1"), (2, "epoch=2 loss=1")],
            [1.1, 2.1, 2.2],
            1,
            {2},
        ),  # and once more in the end
        (
            [(1, "epoch=1 loss=1"), (2, "epoch=2 loss=1")],
            [0.1, 1.1, 2.1],
            1,
            {1},
        ),  # and once before the first
        (
            [
                (1, "Epoch 0 loss 1"),
                (1.5, "Epoch 0 loss 1"),
                (2, "Epoch 1 loss 1"),
                (3, "Epoch 1 loss 1"),
            ],
            [1.2, 1.7, 2.2, 3.3],
            0,
            {0, 1},
        ),
        (
            [
                (1, "Epoch 0 loss 1"),
                (1.5, "Epoch 0 loss 1"),
                (2, "Epoch 1 loss 1"),
                (3, "Epoch 1 loss 1"),
            ],
            [1.2, 1.7, 2.2, 3.3],
            1,
            {1},
        ),
    ],
)
def test_how_many_epochs_were_done_at_a_save(lines, saves, chosen, done):
    made = [save(number, at) for number, at in enumerate(saves, 1)]
    assert finished_epochs(seen(*lines), made, made[chosen]) == done


TWO = [  # each process at its own pace; the first one is ahead
    *(
        (at, f"[rank 0] epoch {epoch} loss 1")
        for at, epoch in ((1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (6, 3))
    ),
    *(
        (at, f"[rank 1] epoch {epoch} loss 1")
        for at, epoch in ((1.5, 1), (3.5, 1), (4.5, 2), (6.5, 2), (7.5, 3), (9, 3))
    ),
]


@pytest.mark.parametrize(
    ("saved", "done"),
    [(2.5, {0, 1}), (4.2, {1, 2}), (6.2, {1, 2, 3}), (6.7, {2, 3}), (9.5, {3})],
)
def test_of_several_processes_each_has_done_its_own_epochs(saved, done):
    run = seen(*sorted(TWO))
    assert run.has_several_writers
    assert run.epochs == [1, 2, 3]
    made = [save(number, at) for number, at in enumerate((2.5, 4.2, 6.2, 6.7, 9.5), 1)]
    assert (
        finished_epochs(run, made, next(one for one in made if one.at == saved)) == done
    )


def test_resumed_runs_begin_after_whole_epochs_where_there_are_some():
    """Then `begins again`, `repeats` and `goes on` differ, also where several processes save."""
    made = [save(number, at) for number, at in enumerate((2.5, 4.2, 6.2, 6.7, 9.5), 1)]
    assert (
        save_to_resume_from(seen(*sorted(TWO)), made) is None
    )  # it is known of none how much the other one had done
    one_an_epoch = [(1, "epoch=1 loss=1"), (2, "epoch=2 loss=1"), (3, "epoch=3 loss=1")]
    assert (
        save_to_resume_from(
            seen(*one_an_epoch), [save(n, n + 0.1) for n in (1, 2, 3)]
        ).number
        == 2
    )
    steps = [(n / 4, f"epoch {1 + n // 4} loss 1") for n in range(16)]
    assert (
        save_to_resume_from(
            seen(*steps), [save(n + 1, n / 4 + 0.1) for n in range(16)]
        ).number
        == 8
    )


@pytest.mark.parametrize(
    ("got", "first", "wanted", "told"),
    [
        (4, 1, 3, "leaves an epoch out"),
        (2, 1, 3, "an epoch twice"),
        (1, 1, 3, "begins again from the start"),
        (
            1,
            1,
            2,
            "that looks the same",
        ),  # after one epoch, to begin again and to repeat it are one thing
        (0, 0, 2, "begins again from the start"),
    ],
)
def test_what_a_resumed_run_does_at_another_epoch_is_told_as_far_as_it_is_known(
    got, first, wanted, told
):
    assert told in other_epoch(got, first, wanted)


def batches(rank, start, epochs=2, lines=9):
    """The lines of one process that tells of each tenth batch, as PyTorch's own example does."""
    return [
        (
            start + epoch - 1 + line / 10,
            f"{2700 + rank}\\tTrain Epoch: {epoch} [{line * 640}/8500] Loss: 1.0",
        )
        for epoch in range(1, epochs + 1)
        for line in range(lines)
    ]


def test_two_processes_that_save_both_are_resumed_from_a_save_of_which_the_epochs_are_known():
    """Where there is none, from the end: there, to begin again is no going on."""
    ahead, behind = batches(0, 0), batches(1, 0.3)
    run = seen(*sorted(ahead + behind))
    made = [save(number, at) for number, at in enumerate((0.95, 1.25, 1.95, 2.25), 1)]
    assert [finished_epochs(run, made, one) for one in made] == [
        {0, 1},
        {1},
        {1, 2},
        {2},
    ]
    chosen = save_to_resume_from(run, made)
    assert finished_epochs(run, made, chosen) == {1}
    once = seen(*sorted(batches(0, 0, epochs=1) + batches(1, 0.3, epochs=1)))
    assert (
        save_to_resume_from(once, [save(1, 0.95), save(2, 1.25), save(3, 1.3)]) is None
    )


def test_each_process_of_a_resumed_run_must_go_on():
    lines = ((1, "[rank 0] epoch 3 loss 1"), (2, "[rank 1] epoch 1 loss 1"))
    assert seen(*lines).begins_at(several=True) == {1, 3}
    assert seen(*lines).begins_at(several=False) == {3}


@pytest.mark.parametrize(
    ("lines", "saves", "early"),
    [
        (
            [(3, "epoch=1 loss=1"), (4, "epoch=2 loss=1"), (5, "epoch=3 loss=1")],
            [2.9, 3.9, 4.9],
            True,
        ),
        (
            [(3, "epoch=1 loss=1"), (4, "epoch=2 loss=1"), (5, "epoch=3 loss=1")],
            [4.9],
            False,
        ),
        # The best one and the last one, both in the end.
        (
            [(3, "epoch=1 loss=1"), (4, "epoch=2 loss=1"), (5, "epoch=3 loss=1")],
            [4.7, 4.9],
            False,
        ),
        # After a slow start.
        ([(13, "epoch=1 loss=1"), (15, "epoch=2 loss=1")], [13.1, 15.1], True),
        # Over in a moment: a fast machine does not change what it does.
        (
            [(3, "epoch=1 loss=1"), (3.2, "epoch=2 loss=1"), (3.4, "epoch=3 loss=1")],
            [3.41],
            False,
        ),
        (
            [(3, "epoch=1 loss=1"), (3.2, "epoch=2 loss=1"), (3.4, "epoch=3 loss=1")],
            [3.01, 3.21, 3.41],
            True,
        ),
    ],
)
def test_whether_it_saves_while_it_trains(lines, saves, early):
    assert (
        saves_early(
            seen(*lines), [save(number, at) for number, at in enumerate(saves, 1)]
        )
        is early
    )


def test_saves_that_follow_at_once_and_are_taken_for_one_are_spread_over_a_training_of_a_moment():
    run = seen(
        (3, "epoch=1 loss=1"), (3.03, "epoch=2 loss=1"), (3.06, "epoch=3 loss=1")
    )
    assert saves_early(run, [save(1, 3.06, first=3.0)])
    assert not saves_early(run, [save(1, 3.06, first=3.055)])


HONEST = ("Resumed from epoch 1, accuracy 0.95", "Epoch 2 loss 0.1 acc 0.9")


@pytest.mark.parametrize(
    ("lines", "exit_code", "control", "shows"),
    [
        (["Epoch 2 loss 0.2", "Epoch 2 loss nan"], None, HONEST, True),
        (["Epoch 2 loss 0.2", "Epoch 2 loss 0.1"], 0, HONEST, False),
        ([], 1, HONEST, True),
        (["Resumed, the loss was nan", "Epoch 2 loss 0.2"], 0, HONEST, False),
        (["Epoch 2 best nan, loss 0.2"], 0, ("Epoch 2 best nan, loss 0.2",), False),
        (["Epoch 2 best nan, loss nan"], 0, ("Epoch 2 best nan, loss 0.2",), True),
        (["Epoch 2 accuracy 0.1"], 0, HONEST, True),  # no loss is printed
        (["Resumed with accuracy 0.95", "Epoch 2 accuracy 0.1"], 0, HONEST, True),
        (
            ["Epoch 1 accuracy 0.1"],
            0,
            ("Epoch 1 accuracy 0.1",),
            False,
        ),  # it begins anew, and so does the other
    ],
)
def test_what_shows_that_numbers_were_spoilt(lines, exit_code, control, shows):
    run = TrainingRun(tuple(enumerate(lines)), exit_code, 0.0)
    assert (
        run.shows_corruption(TrainingRun(tuple(enumerate(control)), None, 0.0)) is shows
    )


@pytest.mark.parametrize(
    ("lines", "work", "numbers"),
    [
        (HONEST[:1], False, False),
        (HONEST, True, False),
        (
            [HONEST[0], "loss 0.3"],
            False,
            False,
        ),  # the epoch that is named is the old one
        (
            ["Epoch 2 loss 0.1 acc 0.9"] * 3,
            True,
            False,
        ),  # the first is from before the first step
        (["Epoch 2 loss 0.1 acc 0.9"] * 4, True, True),
        (["Epoch 2 loss 0.1 acc 0.9", "Epoch 2 loss nan"], True, True),
    ],
)
def test_how_long_a_resumed_run_is_watched(lines, work, numbers):
    run = TrainingRun(tuple(enumerate(lines)), None, 0.0)
    assert (run.shows_work, run.shows_numbers) == (work, numbers)


@pytest.mark.parametrize(
    ("lines", "others", "more"),
    [
        (["Epoch 3 loss 0.2 accuracy 0.84"], ["Epoch 1 loss 2.3 accuracy 0.11"], True),
        (["Epoch 3 accuracy 0.5"], ["Epoch 1 accuracy 0.11"], True),
        (["Epoch 3 loss 1.9"], ["Epoch 1 loss 2.3", "Epoch 2 loss 2.3"], True),
        (
            ["Epoch 3 loss 2.30 accuracy 0.11"],
            ["Epoch 1 loss 2.31 accuracy 0.09"],
            False,
        ),  # nothing is learned
        (
            ["Epoch 3 loss 0.2 accuracy 0.97"],
            ["Epoch 3 loss 0.2 accuracy 0.97"],
            False,
        ),  # written down
        (["Epoch 3 loss nan accuracy 0.1"], ["Epoch 1 loss 2.3 accuracy 0.1"], False),
        (["nothing"], ["Epoch 1 loss 2.3 accuracy 0.1"], False),
    ],
)
def test_whether_numbers_move_with_the_data(lines, others, more):
    run, other = (TrainingRun(tuple(enumerate(one)), 0, 0.0) for one in (lines, others))
    assert learned_more(run, (other,)) is more


def test_commands_of_a_readme():
    """Fenced, indented or in a line; with prompts; and a broken block does not end the others."""
    script = script_of(
        "# Mine\n\n1. Build:\n    ```sh\n    $ docker buildx build --load -t a .\n    ```\n\n"
        "Use `docker run -v $(pwd):/workspace a` or\n\n    # docker run <b>\n\n```python\nprint(1)\n```\n"
    )
    assert "docker build -t a ." in script
    assert "docker run -v $(pwd):/workspace a" in script
    assert "docker run <b>" in script
    assert "print(1)" not in script
    assert script.count("eval ") == 3
