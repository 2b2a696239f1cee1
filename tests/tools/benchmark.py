"""What dockerlab costs, measured side by side in one run; figures are ratios and seconds of this machine.

    python tests/tools/benchmark.py [LAB ...]

`--help`: the median wall time of 10 runs, beside the interpreter's own start. Each lab: its solution graded once to warm
the build cache and then RUNS times: wall time, time spent waiting for the engine, and overhead (their difference).
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from dockerlab.course import open_course
from dockerlab.grading import grade

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


def main() -> None:
    """Prints the tables."""
    course = open_course()
    bare = median_start(sys.executable, "-c", "pass")
    helped = median_start(str(Path(sys.executable).with_name("dockerlab")), "--help")
    print(
        f"dockerlab --help  {helped:.3f} s, median of {STARTS} ({helped / bare:.1f} times `python -c pass`, {bare:.3f} s)\n"
    )
    print(
        f"{'lab':<16}{'wall':>8}{'engine':>8}{'overhead':>10}{'containers':>12}{'builds':>8}   (medians of {RUNS}, seconds)"
    )
    for slug in sys.argv[1:] or course.slugs:
        solution = course.solution(slug)
        assert solution is not None
        grade(slug, solution, course=course)
        reports = [grade(slug, solution, course=course) for _ in range(RUNS)]
        wall = statistics.median(one.seconds for one in reports)
        engine = statistics.median(one.costs["engine_seconds"] for one in reports)
        overhead = statistics.median(one.seconds - one.costs["engine_seconds"] for one in reports)
        last = reports[-1].costs
        print(f"{slug:<16}{wall:>8.2f}{engine:>8.2f}{overhead:>10.2f}{last['containers']:>12.0f}{last['builds']:>8.0f}")


if __name__ == "__main__":
    main()
