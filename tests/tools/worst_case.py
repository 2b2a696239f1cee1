"""How long can one submission hold a grading slot? Grades submissions that waste time, and tells the longest for each lab.

python tests/tools/worst_case.py [--limits-scale 0.1] [--side-by-side 4] [LAB ...]

Each lab's solution is spoilt in ways that use up its limits: a build that sleeps, a container that never ends, one that is deaf to
signals, a script that is slow to begin, one that never ends. With `--limits-scale`, the lab's times are that part of what they are.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from dockdojo.build.dockerfile import Dockerfile
from dockdojo.course import Course, open_course
from dockdojo.grading import grade
from dockdojo.model import Lab, Limits

CLEAN_UP_SECONDS = 30
"""Beyond the deadline, for ending and cleaning up: the goal."""
FOREVER = 100_000
ALMOST = 0.8
"""The part of a limit that is used up by what does not break it."""
SHORTEST_SECONDS = 5.0
"""No limit is scaled to less."""
TIMES = ("check_seconds", "build_seconds", "grading_seconds")


def dockerfiles(folder: Path) -> list[Path]:
    return [
        path
        for path in sorted(folder.glob("*ockerfile*"))
        if not path.name.endswith(".dockerignore")
    ]


def sleep(seconds: float) -> str:
    """A line of shell that sleeps and hears no SIGTERM, in images with Python and in images with coreutils."""
    return f"trap '' TERM; python -c 'import time; time.sleep({seconds:.0f})' || sleep {seconds:.0f}"


def slow_build(folder: Path, limits: Limits) -> None:
    """Every Dockerfile has a RUN that sleeps and hears no signal."""
    for path in dockerfiles(folder):
        path.write_text(path.read_text() + f"RUN {sleep(FOREVER)}\n")


def each_build_anew(folder: Path, limits: Limits) -> None:
    """Every build takes most of its time, and depends on every file."""
    for path in dockerfiles(folder):
        path.write_text(
            path.read_text()
            + f"COPY . /waste\nRUN {sleep(ALMOST * limits.build_seconds)}\n"
        )


def replace_command(folder: Path, command: str) -> None:
    """Every image runs the command, whatever it is asked to run."""
    for path in dockerfiles(folder):
        base = Dockerfile.read(folder, path.name).bases()[-1][0]
        path.write_text(f"FROM {base}\nUSER 0\n{command}")


def never_ends(folder: Path, limits: Limits) -> None:
    """A container that sleeps, and hears no signal."""
    replace_command(
        folder,
        'ENTRYPOINT ["sh", "-c", "trap \'\' TERM INT HUP; while :; do sleep 1; done"]\n',
    )


def talks(folder: Path, limits: Limits) -> None:
    """A container that says `epoch 1 loss 0.5` for ever."""
    replace_command(
        folder,
        'ENTRYPOINT ["sh", "-c", "while :; do echo epoch 1 loss 0.5 acc 0.1; sleep 0.2; done"]\n',
    )


def slow_script(folder: Path, limits: Limits) -> None:
    """Every Python file that is run does what it should, after most of a check's time."""
    for path in folder.glob("*.py"):
        if "__main__" in path.read_text():
            seconds = ALMOST * limits.check_seconds
            path.write_text(
                f"import time\n\ntime.sleep({seconds:.0f})\nexec({path.read_text()!r})\n"
            )


def endless_script(folder: Path, limits: Limits) -> None:
    """Every Python file that is run talks of epochs for ever, and hears no SIGTERM."""
    for path in folder.glob("*.py"):
        if "__main__" in path.read_text():
            path.write_text(
                "import itertools, signal, time\n\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                "for epoch in itertools.count(1):\n    print(f'epoch {epoch} loss 0.5 accuracy 0.1', flush=True)\n    time.sleep(1)\n"
            )


WASTES: dict[str, Callable[[Path, Limits], None]] = {
    "a build that sleeps": slow_build,
    "each build anew": each_build_anew,
    "never ends": never_ends,
    "talks for ever": talks,
    "a slow script": slow_script,
    "an endless script": endless_script,
}


@dataclass(frozen=True)
class Scaled(Course):
    """The course with each lab's times scaled."""

    scale: float

    def lab(self, slug: str) -> Lab:
        """The lab of that slug, with other times."""
        lab = super().lab(slug)
        times = {name: getattr(lab.limits, name) for name in TIMES} | {
            "grading_seconds": lab.limits.deadline
        }
        shorter = {
            name: max(SHORTEST_SECONDS, value * self.scale)
            for name, value in times.items()
        }
        return replace(lab, limits=replace(lab.limits, **shorter))


def hold(course: Course, slug: str, name: str, scratch: Path) -> tuple[float, bool]:
    """Seconds for which the lab's solution, spoilt in that way, holds its slot; and whether any check ended as `error`."""
    folder = scratch / f"{slug}-{name.replace(' ', '_')}"
    shutil.copytree(course.solution(slug) or course.starter(slug), folder)
    WASTES[name](folder, course.lab(slug).limits)
    began = time.monotonic()
    report = grade(slug, folder, course=course)
    return time.monotonic() - began, any(
        outcome.status == "error" for outcome in report.outcomes
    )


def main() -> int:
    """Prints a row for each lab; 1 where one held its slot for longer than its deadline and the cleaning up."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--limits-scale", type=float, default=1.0)
    parser.add_argument(
        "--side-by-side",
        type=int,
        default=1,
        help="gradings at once: they wait more than they work",
    )
    parser.add_argument("labs", nargs="*")
    given = parser.parse_args()
    bad = 0
    with (
        tempfile.TemporaryDirectory() as scratch,
        ThreadPoolExecutor(given.side_by_side) as pool,
    ):
        here = open_course()
        course = Scaled(
            root=here.root, title=here.title, slugs=here.slugs, scale=given.limits_scale
        )
        print(f"{'lab':<18}{'deadline':>9}{'longest':>9}  by", flush=True)
        begun = {
            slug: {
                name: pool.submit(hold, course, slug, name, Path(scratch))
                for name in WASTES
            }
            for slug in given.labs or course.slugs
        }
        for slug, futures in begun.items():
            held = {name: future.result() for name, future in futures.items()}
            for name, (_, has_error) in held.items():
                if has_error:
                    print(f"{slug}: `{name}` ended as error", flush=True)
                    bad += 1
            deadline = course.lab(slug).limits.deadline
            longest = max(held, key=lambda name: held[name][0])
            seconds = held[longest][0]
            bad += seconds > deadline + CLEAN_UP_SECONDS
            print(
                f"{slug:<18}{deadline:>7.0f} s{seconds:>7.0f} s  {longest}", flush=True
            )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
