"""What grading a class costs, beside a shell loop over `dockdojo grade`, in one run on one machine.

    python tests/tools/class_speed.py [--count 200] [--seed N] [--starters 3] [--labs LAB ...] [--without-loop]

Makes a class out of starters, solutions, variants and mutations (tests/made_class.py), and grades it, lab by lab: by a loop of
`dockdojo grade`; by `class grade` with one slot; with the usual number; again with nothing changed; and again with another grader.
For each it prints the wall time, the ratio to the loop, and the processor seconds by whom: ours (Python and the docker CLI), the
engine's own, and the rest of the machine, which is the runtime, containers and builds where nothing else runs.
"""

from __future__ import annotations

import argparse
import os
import resource
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import docker
import psutil

from dockdojo.course import open_course
from tests.costs import of_engine, processor_seconds
from tests.made_class import INSTRUCTION_LABS, make_class

LOOK_SECONDS = 0.2
"""Between two looks at the coordinator's memory."""


@dataclass
class Cost:
    """Of one way to grade everything."""

    wall: float = 0
    ours: float = 0
    engine: float = 0
    machine: float = 0
    containers: int = 0
    memory: int = 0
    """Bytes, the most that the coordinator had."""


def of_children() -> float:
    """Processor seconds of the processes that were started and waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(cost: Cost, work: Callable[[], None]) -> None:
    """Add what the work costs."""
    client, since = docker.from_env(), int(time.time())
    began, children, engine = time.monotonic(), of_children(), of_engine()
    machine = processor_seconds()[0]
    work()
    cost.wall += time.monotonic() - began
    cost.ours += of_children() - children
    cost.engine += of_engine() - engine
    cost.machine += processor_seconds()[0] - machine
    events = client.events(
        since=since,
        until=int(time.time()) + 1,
        filters={"event": "create"},
        decode=True,
    )
    cost.containers += sum(event["Type"] == "container" for event in events)


def run(*command: str, cost: Cost | None = None) -> None:
    """Run dockdojo; its exit code says who has full marks, which is none of our business here."""
    with subprocess.Popen(
        [sys.executable, "-m", "dockdojo", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        if cost is not None:
            threading.Thread(
                target=_watch, args=(process.pid, cost), daemon=True
            ).start()
        assert process.stderr is not None
        said = process.stderr.read()
    if process.returncode not in (0, 1):
        raise SystemExit(said.decode())


def _watch(pid: int, cost: Cost) -> None:
    try:
        coordinator = psutil.Process(pid)
        while True:
            cost.memory = max(cost.memory, coordinator.memory_info().rss)
            time.sleep(LOOK_SECONDS)
    except psutil.Error:
        return


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    parser.add_argument("--starters", type=int, default=0)
    parser.add_argument("--labs", nargs="*", default=INSTRUCTION_LABS)
    parser.add_argument("--without-loop", action="store_true")
    given = parser.parse_args()
    print(f"seed {given.seed}, {given.count} submissions, {os.cpu_count()} processors")
    course, rng = open_course(), Random(given.seed)
    costs = {
        name: Cost()
        for name in ("loop", "one slot", "slots", "unchanged", "another grader")
    }
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch, "course")
        for part in ("labs", "graders", "images"):
            shutil.copytree(course.root / part, root / part)
        os.environ["DOCKDOJO_COURSE"] = str(root)
        shares = Counter(given.labs[i % len(given.labs)] for i in range(given.count))
        for lab, count in shares.items():
            folder = Path(scratch, lab)
            made = make_class(course, lab, count, rng, folder, starters=given.starters)
            run("grade", lab, str(course.solution(lab)), "-o", f"{scratch}/warm")

            def loop(lab: str = lab, made: list[Path] = made) -> None:
                for place in made:
                    run("grade", lab, str(place), "-o", f"{scratch}/report")

            def grade(
                name: str, *more: str, lab: str = lab, folder: Path = folder
            ) -> Callable[[], None]:
                to = f"{scratch}/run-{lab}-{name}"
                words = ["--layout", "folders", "--to", to, *more]
                cost = costs["slots" if name == "usual" else "one slot"]
                return lambda: run(
                    "class", "grade", lab, str(folder), *words, cost=cost
                )

            if not given.without_loop:
                measured(costs["loop"], loop)
            measured(costs["one slot"], grade("one", "--slots", "1"))
            measured(costs["slots"], grade("usual"))
            measured(costs["unchanged"], grade("usual"))
            with course_file(root, lab).open("a") as file:
                file.write("\n# another grader\n")
            measured(costs["another grader"], grade("usual"))
            print(f"{lab} done", file=sys.stderr, flush=True)
    _print(costs, given.count)


def course_file(root: Path, lab: str) -> Path:
    """Return the lab's grader."""
    return root / "graders" / f"{lab}.py"


def _print(costs: dict[str, Cost], count: int) -> None:
    print(
        f"{'':<16}{'wall s':>8}{'x loop':>8}{'ours':>8}{'each':>7}{'engine':>8}{'rest':>8}{'containers':>12}{'memory MB':>11}"
    )
    for name, cost in costs.items():
        ratio = costs["loop"].wall / cost.wall if cost.wall else 0
        rest = cost.machine - cost.ours - cost.engine
        print(
            f"{name:<16}{cost.wall:>8.1f}{ratio:>8.2f}{cost.ours:>8.1f}{cost.ours / count:>7.2f}{cost.engine:>8.1f}"
            f"{rest:>8.1f}{cost.containers:>12}{cost.memory / 1e6:>11.0f}"
        )


if __name__ == "__main__":
    main()
