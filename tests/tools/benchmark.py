"""What dockerlab costs, measured side by side in one run; figures are ratios and seconds of this machine.

    python tests/tools/benchmark.py [LAB ...]

`--help`: the median wall time of 10 runs, beside the interpreter's own start. Each lab: its solution graded once to warm
the build cache and then RUNS times: wall time, time spent waiting for the engine, and overhead (their difference). Beside
it, turn by turn in the same run, the same checks done by hand with the docker client: the shell script of by_hand/.
"""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from dockerlab.course import open_course
from dockerlab.engine.builder import the_builder
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


def by_hand(slug: str, folder: Path) -> float:
    """Seconds that the lab's shell script takes. NaN where it has none. Raises where that finds anything wrong."""
    script = Path(__file__).parent / "by_hand" / f"{slug}.sh"
    if not script.is_file():
        return math.nan
    client = the_builder().cli or "docker"
    path = os.pathsep.join([os.path.dirname(client), os.environ["PATH"]])  # a client that has BuildKit
    began = time.perf_counter()
    done = subprocess.run(
        ["bash", script, folder], capture_output=True, text=True, env=os.environ | {"PATH": path}, check=False
    )
    seconds = time.perf_counter() - began
    if "wrong:" in done.stdout:
        raise SystemExit(f"{script.name}: {done.stdout}")
    return seconds


def main() -> None:
    """Prints the tables."""
    course = open_course()
    bare = median_start(sys.executable, "-c", "pass")
    helped = median_start(str(Path(sys.executable).with_name("dockerlab")), "--help")
    print(
        f"dockerlab --help  {helped:.3f} s, median of {STARTS} ({helped / bare:.1f} times `python -c pass`, {bare:.3f} s)\n"
    )
    print(
        f"{'lab':<18}{'wall':>8}{'engine':>8}{'overhead':>10}{'containers':>12}{'builds':>8}{'by hand':>10}{'ratio':>8}"
        f"   (medians of {RUNS}, seconds)"
    )
    for slug in sys.argv[1:] or course.slugs:
        solution = course.solution(slug)
        assert solution is not None
        grade(slug, solution, course=course)
        by_hand(slug, solution)
        reports, hands = [], []
        for _ in range(RUNS):
            reports.append(grade(slug, solution, course=course))
            hands.append(by_hand(slug, solution))
        wall = statistics.median(one.seconds for one in reports)
        engine = statistics.median(one.costs["engine_seconds"] for one in reports)
        overhead = statistics.median(one.seconds - one.costs["engine_seconds"] for one in reports)
        last = reports[-1].costs
        hand = statistics.median(hands)
        print(
            f"{slug:<18}{wall:>8.2f}{engine:>8.2f}{overhead:>10.2f}{last['containers']:>12.0f}{last['builds']:>8.0f}"
            f"{hand:>10.2f}{wall / hand:>8.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
