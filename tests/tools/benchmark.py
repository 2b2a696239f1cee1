"""What dockdojo costs, measured side by side in one run; figures are ratios and seconds of this machine.

    python tests/tools/benchmark.py [--runs N] [--beside PYTHON] [LAB ...]

`--help`: the median wall time of 10 runs, beside the interpreter's own start. Each lab: its solution graded once to warm
the build cache and then RUNS times: wall time, time spent waiting for the engine, and overhead (their difference). Beside
it, turn by turn in the same run, the same checks done by hand with the docker client: the shell script of by_hand/.

With `--beside`, another checkout's interpreter grades its own solution of the same lab in turn with this one, and the table is of
the two overheads and their ratio.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dockdojo.build.builder import the_builder
from dockdojo.course import open_course
from dockdojo.grading import grade

RUNS = 5
STARTS = 10


def median_start(*command: str) -> float:
    """Seconds, the median of several starts."""
    seconds = []
    for _ in range(STARTS):
        began = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def by_hand(slug: str, folder: Path) -> float:
    """Seconds that the lab's shell script takes. NaN where it has none. Raises where that finds anything wrong."""
    script = Path(__file__).parent / "by_hand" / f"{slug}.sh"
    if not script.is_file():
        return math.nan
    client = the_builder().cli or "docker"
    path = os.pathsep.join(
        [os.path.dirname(client), os.environ["PATH"]]
    )  # a client that has BuildKit
    began = time.perf_counter()
    done = subprocess.run(
        ["bash", script, folder],
        capture_output=True,
        text=True,
        env=os.environ | {"PATH": path},
        check=False,
    )
    seconds = time.perf_counter() - began
    if "wrong:" in done.stdout:
        raise SystemExit(f"{script.name}: {done.stdout}")
    return seconds


def overhead(python: str, slug: str) -> float:
    """Seconds of one grading of a lab's solution in which nothing waited for the engine, as that interpreter's toolkit measures them."""
    with tempfile.TemporaryDirectory() as scratch:
        root = subprocess.run(
            [
                python,
                "-c",
                "from dockdojo.course import open_course; print(open_course().root)",
            ],
            cwd=scratch,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        report = Path(scratch, "report.json")
        grading = [
            python,
            "-m",
            "dockdojo",
            "grade",
            slug,
            f"{root}/solutions/{slug}",
            "--format",
            "json",
            "-o",
            str(report),
        ]
        subprocess.run(grading, cwd=scratch, capture_output=True, check=True)
        raw = json.loads(report.read_text())
    return float(raw["seconds"] - raw["costs"]["engine_seconds"])


def compare(slugs: list[str], other: str, runs: int) -> None:
    """Prints the overheads of this toolkit and of another checkout's, taken in turn."""
    print(
        f"{'lab':<18}{'other':>8}{'this':>8}{'ratio':>8}   (medians of {runs}, seconds of overhead)",
        flush=True,
    )
    for slug in slugs:
        seconds: dict[str, list[float]] = {other: [], sys.executable: []}
        for turn in range(runs + 1):  # the first warms the build cache
            for python, taken in seconds.items():
                one = overhead(python, slug)
                if turn:
                    taken.append(one)
        before, now = (statistics.median(taken) for taken in seconds.values())
        print(f"{slug:<18}{before:>8.2f}{now:>8.2f}{now / before:>8.2f}", flush=True)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument(
        "--beside",
        metavar="PYTHON",
        help="the interpreter of another checkout's virtual environment",
    )
    parser.add_argument("labs", nargs="*")
    given = parser.parse_args()
    course = open_course()
    slugs = given.labs or list(course.slugs)
    if given.beside:
        compare(slugs, given.beside, given.runs)
    else:
        measure(slugs, given.runs)


def measure(slugs: list[str], runs: int) -> None:
    """Prints what the start and each lab's grading cost, beside the same checks done by hand."""
    course = open_course()
    bare = median_start(sys.executable, "-c", "pass")
    helped = median_start(str(Path(sys.executable).with_name("dockdojo")), "--help")
    print(
        f"dockdojo --help  {helped:.3f} s, median of {STARTS} ({helped / bare:.1f} times `python -c pass`, {bare:.3f} s)\n"
    )
    print(
        f"{'lab':<18}{'wall':>8}{'engine':>8}{'overhead':>10}{'containers':>12}{'builds':>8}{'by hand':>10}{'ratio':>8}"
        f"   (medians of {runs}, seconds)"
    )
    for slug in slugs:
        solution = course.solution(slug)
        assert solution is not None
        grade(slug, solution, course=course)
        by_hand(slug, solution)
        reports, hands = [], []
        for _ in range(runs):
            reports.append(grade(slug, solution, course=course))
            hands.append(by_hand(slug, solution))
        wall = statistics.median(one.seconds for one in reports)
        engine = statistics.median(one.costs["engine_seconds"] for one in reports)
        rest = statistics.median(
            one.seconds - one.costs["engine_seconds"] for one in reports
        )
        last = reports[-1].costs
        hand = statistics.median(hands)
        print(
            f"{slug:<18}{wall:>8.2f}{engine:>8.2f}{rest:>10.2f}{last['containers']:>12.0f}{last['builds']:>8.0f}"
            f"{hand:>10.2f}{wall / hand:>8.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
