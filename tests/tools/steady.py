"""Is grading steady? Grades each solution many times in a row and tells every run that lost a point.

python tests/tools/steady.py [--times 20] [LAB ...]
"""

from __future__ import annotations

import argparse
import sys
import time

from dockdojo.course import open_course
from dockdojo.grading import grade


def main() -> int:
    """Prints a line a lab; 1 where any run of any solution scored less than everything."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("labs", nargs="*")
    given = parser.parse_args()
    course, bad = open_course(), 0
    for slug in given.labs or course.slugs:
        solution = course.solution(slug)
        assert solution is not None
        began, lost = time.monotonic(), []
        for turn in range(1, given.times + 1):
            report = grade(slug, solution, course=course)
            if report.exit_code:
                lost.append(
                    (
                        turn,
                        [
                            (one.check, one.status)
                            for one in report.outcomes
                            if one.status != "passed"
                        ],
                    )
                )
        bad += bool(lost)
        seconds = (time.monotonic() - began) / given.times
        print(
            f"{slug:<20} {given.times - len(lost)} of {given.times} with full marks, {seconds:.1f} s each",
            *lost,
            flush=True,
        )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
