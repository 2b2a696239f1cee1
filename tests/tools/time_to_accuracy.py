"""How long until 0.96: the capstone's reference solution beside the script as it is usually written, on two processors.

    python tests/tools/time_to_accuracy.py [--times 3] [--goal 0.96]

Both are run in turn, each in its own image, on the same small set of digits. A time counts from the start of the container to the
line that tells the accuracy, so importing PyTorch is in it; beside it stands the time from the first sign of training on, which is not
comparable between machines either: look at the ratios.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
from pathlib import Path

from dockdojo.connection.types import Mount, RunSpec
from dockdojo.course import open_course
from dockdojo.datasets import small
from dockdojo.engine.client import connect
from dockdojo.model import Limits
from dockdojo.paths import state_folder
from dockdojo.training.log_parser import accuracies

USUAL = Path(__file__).with_name("usual_mnist")
LIMITS = Limits(memory_mb=3000, cpus=2.0, check_seconds=900, build_seconds=1800)
EPOCHS = {"usual": "8", "reference": "8"}


def seconds_until(
    engine, image: str, folder: str, epochs: str, goal: float, data: str
) -> float:
    """From the container's start to the first line with such an accuracy."""
    mounts = (
        Mount(source=folder, target="/workspace", read_only=False),
        Mount(source=data, target="/data"),
    )
    spec = RunSpec(
        image=image,
        args=("python", "/workspace/train.py", "--epochs", epochs),
        mounts=mounts,
        env={"MNIST_ROOT": "/data", "PYTHONUNBUFFERED": "1"},
    )
    container = engine.start(spec, LIMITS)
    try:
        while container.running:
            for line in container.log_lines():
                if any(one >= goal for one in accuracies(line.text)):
                    return line.seconds
            with contextlib.suppress(Exception):
                container.wait_for_log("(?!)", within=0.3)
        reached = [
            line.seconds
            for line in container.log_lines()
            if any(one >= goal for one in accuracies(line.text))
        ]
        return reached[0] if reached else float("nan")
    finally:
        container.remove()


def main() -> None:
    """Prints both, and their ratio."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--times", type=int, default=3)
    options.add_argument("--goal", type=float, default=0.96)
    given = options.parse_args()
    course = open_course()
    data = str(small(state_folder() / "data", print).root)
    folders = {"usual": USUAL, "reference": course.solution("mnist")}
    found: dict[str, list[float]] = {name: [] for name in folders}
    with connect() as engine:
        images = {
            name: engine.build(folder, limits=LIMITS)
            for name, folder in folders.items()
        }
        for _ in range(given.times):
            for name, folder in folders.items():
                with tempfile.TemporaryDirectory(prefix="speed-") as scratch:
                    Path(scratch).chmod(0o777)
                    Path(scratch, "train.py").write_text(
                        (folder / "train.py").read_text()
                    )
                    took = seconds_until(
                        engine, images[name].id, scratch, EPOCHS[name], given.goal, data
                    )
                found[name].append(took)
                print(f"{name:10} {took:6.2f} s to {given.goal}")
        middle = {name: statistics.median(times) for name, times in found.items()}
        print(
            f"medians: {middle['usual']:.2f} s and {middle['reference']:.2f} s; ratio {middle['usual'] / middle['reference']:.1f}"
        )
        for name, image in images.items():
            print(f"{name:10} image {image.size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
