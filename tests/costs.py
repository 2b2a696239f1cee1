"""What a test run cost, on Linux: how long the side-by-side cases took, and whose the processors' seconds were."""

from __future__ import annotations

import os
import resource
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
ENGINE_PROCESSES = ("dockerd", "containerd")
MOST_CASES = 25
"""That are told one by one, the longest first."""


def processor_seconds() -> tuple[float, float, float]:
    """Seconds that all processors together have worked, stood idle, and waited for a disk, since the machine started.

    From /proc/stat, see proc(5).
    """
    user, nice, system, idle, waits, interrupts, soft = map(
        int, Path("/proc/stat").read_text().split()[1:8]
    )
    worked = user + nice + system + interrupts + soft
    return worked / TICKS_PER_SECOND, idle / TICKS_PER_SECOND, waits / TICKS_PER_SECOND


def of_python() -> float:
    """Processor seconds of this process and of the children that it waited for: the tests and the graders."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(
        resource.RUSAGE_CHILDREN
    )
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def of_engine() -> float:
    """Processor seconds of the engine's own processes that run now (proc(5), /proc/PID/stat)."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
        except OSError:  # it ended
            continue
        if name in ENGINE_PROCESSES:
            ticks += sum(map(int, rest.split()[11:13]))
    return ticks / TICKS_PER_SECOND


class Costs:
    """The counts as a run begins; `lines` tells what came to them since."""

    def __init__(self) -> None:
        self._processors = processor_seconds()
        self._python, self._engine = of_python(), of_engine()

    def lines(self, seconds: dict[tuple[str, str], float]) -> Iterator[str]:
        """The processors' seconds by kind, then each module's cases (`seconds`: by module and case), and the longest ones."""
        busy, idle, disk = (
            now - before
            for now, before in zip(processor_seconds(), self._processors, strict=True)
        )
        python, engine = of_python() - self._python, max(
            0.0, of_engine() - self._engine
        )
        yield (
            f"processor seconds: {busy:.0f} of {busy + idle + disk:.0f} ({disk:.0f} waited for a disk); "
            f"tests and graders {python:.0f}, engine {engine:.0f}, containers and builds {busy - python - engine:.0f}"
        )
        by_module: dict[str, list[float]] = defaultdict(list)
        for (module, _), took in seconds.items():
            by_module[module].append(took)
        for module, all_of_it in sorted(
            by_module.items(), key=lambda item: -sum(item[1])
        ):
            yield f"{module}: {len(all_of_it)} cases, {sum(all_of_it):.0f} s, the longest {max(all_of_it):.0f} s"
        for (module, name), took in sorted(seconds.items(), key=lambda item: -item[1])[
            :MOST_CASES
        ]:
            yield f"{took:6.0f} s  {module}: {name}"
