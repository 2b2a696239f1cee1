"""A class of 20,000 on 100 workers, simulated: how near the ideal its end is, and what the coordinator costs.

    python tests/tools/simulate_cluster.py [--submissions N] [--workers N] [--deaths N] [--seed N]

Real: `ClassRun` with its safe copies, checksums and threads, the seats that workers bring, the journal with every commit and
fsync, reports of a real size. Virtual: gradings. Each has a time, drawn around those measured (MEASURED_SECONDS), and a clock of
its own instead of a machine; a worker that dies (kill -9) costs what it was at, which is begun again on another one at once, and
comes back after a while; a frozen one costs its time to live as well. What dask itself costs is not in it: see --dask.

    python tests/tools/simulate_cluster.py --dask 500

Real throughout, but for the slots' program, which answers at once: scheduler and two workers as processes on loopback with TLS,
and this process as the coordinator. Tells its CPU time and memory for each result.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import math
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dockdojo.class_.cluster.certificates import make_certificates
from dockdojo.class_.cluster.remote import Cluster
from dockdojo.class_.cluster.seats import Seats
from dockdojo.class_.depends import of_course
from dockdojo.class_.journal import Journal
from dockdojo.class_.people import read_rosters
from dockdojo.class_.plan import make_plan, read_source
from dockdojo.class_.run import ClassRun
from dockdojo.class_.slots import Answer
from dockdojo.class_.trees import open_tree
from dockdojo.course import open_course
from dockdojo.model import Outcome, Report
from dockdojo.reports import json as json_report

LAB = "hello_world"
ROOT = Path(__file__).parents[2]
MEASURED_SECONDS = (3.1, 3.7)
"""Gradings of `hello_world`: its solution, its starter."""
SPREAD = 0.6
"""Of the logarithm of a time: a slow machine or a cold cache doubles it."""
SLOW_SHARE, SLOW_SECONDS = 0.01, 60.0
"""Submissions that wait for something until a limit ends it, and when that is."""
TTL_SECONDS = 60
BACK_SECONDS = 300
"""Until a worker that died is there again."""
FROZEN_SHARE = 0.2
CHECKS = 12
"""Of a report, each with feedback: some 6 KB in all."""


class Clocks:
    """Virtual time: whoever is earliest goes first, so that all happens in the order in which it would."""

    def __init__(self, count: int) -> None:
        self._lock = threading.Lock()
        self._now = [0.0] * count
        self._waiting: dict[int, threading.Event] = {}
        self._order = [(0.0, number) for number in range(count)]
        self.end = 0.0

    def advance(self, number: int, seconds: float) -> None:
        """One has done something that took so long."""
        with self._lock:
            self._now[number] += seconds
            self.end = max(self.end, self._now[number])
            self._replace(number, self._now[number])

    def leave(self, number: int) -> None:
        """One has nothing more to do."""
        with self._lock:
            self._replace(number, math.inf)

    def wait(self, number: int) -> None:
        """Return when nobody is earlier."""
        turn = threading.Event()
        with self._lock:
            self._waiting[number] = turn
            self._call()
        turn.wait()

    def now(self, number: int) -> float:
        """Return its time."""
        return self._now[number]

    def _replace(self, number: int, now: float) -> None:
        # Entries that are old are dropped when they come up.
        heapq.heappush(self._order, (now, number))
        self._now[number] = now
        self._call()

    def _call(self) -> None:
        while self._order and self._order[0][0] != self._now[self._order[0][1]]:
            heapq.heappop(self._order)
        if self._order and (turn := self._waiting.pop(self._order[0][1], None)):
            turn.set()


class Virtual:
    """A slot of the coordinator, whose gradings take no time but the clock's."""

    def __init__(self, number: int, world: World) -> None:
        self._number, self._world = number, world

    def __enter__(self) -> Virtual:
        return self

    def __exit__(self, *error: object) -> None:
        self._world.clocks.leave(self._number)

    @contextmanager
    def turn(self) -> Iterator[None]:
        self._world.clocks.wait(self._number)
        with self._world.seats.turn(lambda: False):
            yield

    def grade(self, lab: str, folder: Path, seconds: float) -> Answer:
        name = (folder / "Dockerfile").read_text().split()[-1]
        self._world.carry_out(self._number, int(name))
        return Answer(report=self._world.report(name))


class World:
    """What is drawn: times, deaths."""

    def __init__(self, submissions: int, workers: int, deaths: int, seed: int) -> None:
        self._rng = rng = random.Random(seed)
        median = sum(MEASURED_SECONDS) / len(MEASURED_SECONDS)
        self.times = [
            (
                SLOW_SECONDS
                if rng.random() < SLOW_SHARE
                else rng.lognormvariate(math.log(median), SPREAD)
            )
            for _ in range(submissions)
        ]
        self.ideal = sum(self.times) / workers
        self.deaths: list[list[float]] = [[] for _ in range(workers)]
        for _ in range(deaths):
            self.deaths[rng.randrange(workers)].append(rng.uniform(0, self.ideal))
        for times in self.deaths:
            times.sort()
        self.died = 0
        self._free = [(0.0, number) for number in range(workers)]
        self.clocks = Clocks(workers)
        self.seats = Seats(workers)
        self.seats.resize(workers)

    def carry_out(self, slot: int, submission: int) -> None:
        """Have it graded by the worker that is free first, and by another one where that dies."""
        now, took = self.clocks.now(slot), self.times[submission]
        while True:
            free, worker = heapq.heappop(self._free)
            begun, deaths = max(now, free), self.deaths[worker]
            if not deaths or deaths[0] > begun + took:
                break
            died = deaths.pop(0)
            self.died += 1
            heapq.heappush(self._free, (max(free, died + BACK_SECONDS), worker))
            if died > begun:
                now = died + (TTL_SECONDS if self.is_frozen() else 0)
        heapq.heappush(self._free, (begun + took, worker))
        self.clocks.advance(slot, begun + took - self.clocks.now(slot))

    def is_frozen(self) -> bool:
        """Whether a death is one that is only noticed after the time to live."""
        return self._rng.random() < FROZEN_SHARE

    def report(self, name: str) -> bytes:
        """Return a report of its own for each."""
        outcomes = tuple(
            Outcome(check=f"c{n}", title="x" * 400, status="passed", points=10)
            for n in range(CHECKS)
        )
        report = Report(lab=LAB, title=name, outcomes=outcomes, started="", seconds=1.0)
        return json_report.render(report).encode()


def write_class(folder: Path, count: int) -> None:
    """Write hand-ins that differ."""
    for number in range(count):
        place = folder / f"s{number:05}"
        place.mkdir(parents=True)
        (place / "Dockerfile").write_text(f"FROM busybox\n# {number}\n")


def graded(scratch: Path, new_slot, slots: int, common, stopping=None) -> float:  # type: ignore[no-untyped-def]
    """Grade a class; return the seconds in which results came, after the plan was made."""
    course = open_course()
    marks: list[float] = []
    with (
        open_tree(scratch / "class") as tree,
        Journal(scratch / "run", LAB) as journal,
    ):
        run = ClassRun(
            course=course,
            lab=course.lab(LAB),
            plan=make_plan([read_source(scratch / "class", tree)], read_rosters([])),
            journal=journal,
            tell=lambda told: marks.append(time.perf_counter()),
            common=common,
            stopping=stopping or threading.Event(),
        )
        run.carry_out(new_slot, slots)
        rows = journal.submissions()
        assert all(row.state == "done" for row in rows), "some are not done"
        assert all(len(journal.results(row.name)) == 1 for row in rows[::97])
    return marks[-1] - marks[0]


def simulate(submissions: int, workers: int, deaths: int, seed: int) -> None:
    """Print the makespan and the coordinator's costs."""
    world = World(submissions, workers, deaths, seed)
    numbers = itertools.count()
    with tempfile.TemporaryDirectory(prefix="dockdojo-simulation-") as place:
        write_class(Path(place, "class"), submissions)
        before = cpu_seconds()
        seconds = graded(
            Path(place),
            lambda: Virtual(next(numbers), world),
            workers,
            {"grader": "simulated"},
        )
        used = cpu_seconds() - before
    print(
        f"seed {seed}: {submissions:,} submissions, {workers} workers, {world.died} deaths"
    )
    print(
        f"makespan {world.clocks.end:.0f} s, ideal {world.ideal:.0f} s (all work, no deaths): {world.clocks.end / world.ideal:.3f} of it; longest {max(world.times):.0f} s"
    )
    print(
        f"coordinator: {used:.0f} s of CPU, {used / world.clocks.end:.2f} of a core, {peak_megabytes():.0f} MB"
    )
    print(
        f"journal: {submissions / seconds:.0f} results a second in {seconds:.0f} s of this machine"
    )


def with_dask(submissions: int) -> None:
    """Print what a coordinator costs with real workers whose gradings take no time."""
    with tempfile.TemporaryDirectory(prefix="dockdojo-simulation-") as place:
        scratch = Path(place)
        write_class(scratch / "class", submissions)
        make_certificates(scratch / "certificates")
        processes, address = [], ""
        try:
            for role in ("scheduler", "worker", "worker"):
                words = [str(scratch / "certificates")]
                if role == "worker":
                    words += ["8", str(scratch / "log"), "", "engine"]
                words = [address or "tls://127.0.0.1:0", *words]
                started = subprocess.Popen(
                    [sys.executable, "-m", "tests.cluster_processes", role, *words],
                    stdout=subprocess.PIPE,
                    text=True,
                    cwd=ROOT,
                )
                processes.append(started)
                line = started.stdout.readline()
                address = address or line.partition(" at ")[2].partition(";")[0]
            stopping, common = threading.Event(), of_course(open_course(), LAB)
            names = (address, scratch / "certificates", LAB, common, stopping)
            with Cluster(*names, say=lambda text: None) as cluster:
                while cluster.slots < 16:
                    time.sleep(0.1)
                before = cpu_seconds()
                seconds = graded(
                    scratch, cluster.new_slot, cluster.most, common, stopping
                )
                used = cpu_seconds() - before
        finally:
            for process in reversed(processes):
                process.terminate()
                process.wait()
    print(
        f"with dask: {submissions} results, {submissions / seconds:.0f} a second on {os.cpu_count()} processors that all share"
    )
    print(
        f"coordinator: {used / submissions * 1000:.1f} ms of CPU for each, {peak_megabytes():.0f} MB"
    )


def cpu_seconds() -> float:
    """Return what this process used so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_megabytes() -> float:
    """Return the most memory that this process had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--submissions", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=100)
    parser.add_argument("--deaths", type=int, default=10)
    parser.add_argument(
        "--seed", type=int, default=random.SystemRandom().randrange(10**6)
    )
    parser.add_argument(
        "--dask",
        type=int,
        metavar="N",
        help="N results through real processes, instead",
    )
    given = parser.parse_args()
    if given.dask:
        with_dask(given.dask)
    else:
        simulate(given.submissions, given.workers, given.deaths, given.seed)


if __name__ == "__main__":
    main()
