"""Is anything lost or doubled, whoever is killed when? Grades a class of solutions on the engine, and kills at random moments.

    python -m tests.tools.class_kills [--submissions 30] [--kills 50] [--seed N]

Each time, SIGKILL goes to the coordinator, to a slot, or to whatever a slot started, and where the coordinator died the same command
goes on. When all is graded, another run begins, until so many were killed. In the end of each run: everybody is done, with full marks,
in exactly one result; each line of the log follows the one before; and nothing is left on the engine, nor in the temporary folder.
"""

from __future__ import annotations

import argparse
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import psutil

from dockdojo.class_.chained_log import broken_line
from dockdojo.class_.history import read_results, report_of
from dockdojo.connection.labels import OWNER
from dockdojo.course import open_course
from dockdojo.engine.client import connect
from dockdojo.grading import SCRATCH
from tests.gone import still_there

LAB = "hello_world"
MAX_SECONDS = 12.0
"""Until somebody is killed."""
SETTLE_SECONDS = 300.0
"""In which those that outlive a coordinator have come to their end."""


def make(folder: Path, count: int) -> None:
    """Write so many solutions, each another one."""
    solution = open_course().solution(LAB)
    assert solution is not None
    for number in range(count):
        place = folder / f"s{number:02}"
        shutil.copytree(solution, place)
        with (place / "Dockerfile").open("a") as file:
            file.write(f"\n# {number}\n")


def grade(source: Path, run: Path) -> subprocess.Popen[bytes]:
    """Begin the run, or let it go on."""
    command = ["class", "grade", LAB, str(source), "--layout", "folders"]
    return subprocess.Popen(
        [sys.executable, "-m", "dockdojo", *command, "--to", str(run)],
        stdout=subprocess.DEVNULL,
    )


def kill_somebody(coordinator: psutil.Process, rng: Random) -> str:
    """Kill the coordinator, or something below it; return what it was."""
    below = coordinator.children(recursive=True)
    victim = rng.choice([coordinator, *rng.sample(below, min(2, len(below)))])
    words = "the coordinator" if victim == coordinator else " ".join(victim.cmdline())
    victim.kill()
    return words[-60:] or "a process that was just ending"


def killed_runs(
    folder: Path, submissions: int, kills: int, rng: Random
) -> Iterator[str]:
    """Grade until so many were killed; yield what was done. Raises AssertionError where something was lost or doubled."""
    source, count, turn = folder / "class", 0, 0
    make(source, submissions)
    while count < kills:
        turn += 1
        run = folder / f"run-{turn}"
        mine: set[psutil.Process] = set()
        while True:
            process = grade(source, run)
            coordinator = psutil.Process(process.pid)
            while process.poll() is None and count < kills:
                ends = time.monotonic() + rng.uniform(0.2, MAX_SECONDS)
                while process.poll() is None and time.monotonic() < ends:
                    time.sleep(0.05)
                try:
                    mine |= set(coordinator.children(recursive=True))
                    words = kill_somebody(coordinator, rng)
                except psutil.NoSuchProcess:
                    continue
                count += 1
                yield f"{count}: killed {words}"
            code = process.wait()
            if code == 0:
                break
            assert code in (-9, 3), code
        expect_whole(run, submissions)
        yield f"run {turn}: everybody once, with full marks"
        assert not still_there(mine, SETTLE_SECONDS)
        expect_clean()


def expect_whole(run: Path, submissions: int) -> None:
    """Raise AssertionError unless everybody is done in one result."""
    rows = list(read_results(run))
    assert len(rows) == submissions
    for row, results in rows:
        assert (row.state, len(results)) == ("done", 1), row
        report = report_of(run, results[0])
        assert report is not None
        assert report.score == report.max_score, row
        assert results[0].attempt == row.attempt
    assert not broken_line(run / "log.jsonl")


def expect_clean() -> None:
    """Raise AssertionError where something of these runs is left on the engine or in the temporary folder."""
    with connect() as engine:
        engine.clean_dead()
        there = engine.api.containers(all=True, filters={"label": OWNER})
    owners = {container["Labels"][OWNER] for container in there}
    dead = [one for one in owners if not psutil.pid_exists(int(one.split(":")[1]))]
    assert not dead, dead
    for place in Path(tempfile.gettempdir()).glob(f"{SCRATCH}*"):
        pid = int(place.name.removeprefix(SCRATCH).partition("-")[0])
        assert psutil.pid_exists(pid), place


def main() -> None:
    """Print what was killed, and what came of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--submissions", type=int, default=30)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    given = parser.parse_args()
    print(f"seed {given.seed}")
    with tempfile.TemporaryDirectory() as scratch:
        rng = Random(given.seed)
        for line in killed_runs(Path(scratch), given.submissions, given.kills, rng):
            print(line, flush=True)


if __name__ == "__main__":
    main()
