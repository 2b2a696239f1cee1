"""The workers of a training in several processes: who they are by the engine's list of processes, and by the lines of the log."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from dockdojo.connection.types import Process
from dockdojo.texts import lines_of

MEASURED = re.compile(r"loss|nll|entropy|cost", re.IGNORECASE)
"""What a line of a training tells."""
TRAINING = re.compile(rf"epoch|{MEASURED.pattern}", re.IGNORECASE)
TESTS = re.compile(r"\b(?:test|eval|valid)", re.IGNORECASE)
TIME = r"(?:\d{4}[-/]\d\d[-/]\d\d[ T]?)?(?:\d\d:\d\d:\d\d(?:[.,]\d{1,9})?Z?)?"
LEVEL = r"(?:(?:debug|info|warning|error|critical)\b(?:[:/][A-Za-z_][\w.-]{0,39})?)?"
BEFORE = re.compile(rf"^\W{{0,3}}{TIME}\W{{0,3}}{LEVEL}\W{{0,3}}", re.IGNORECASE)
"""What Python's logging puts before a line: the time, the level and a name."""
FIRST = re.compile(r"(\d{1,9})\b")
NAMED = re.compile(r"\b(?:pid|process(?:[ _-]?id)?)\W{1,3}(\d{1,9})\b", re.IGNORECASE)
FIRST_PROCESS = 1
"""The process that a container begins with."""
HELPER = re.compile(r"multiprocessing\.(?:resource|semaphore)_tracker")
"""A process that Python starts beside the workers."""


def lines_of_training(text: str) -> list[str]:
    """The lines that tell of a training, not of a test: that may be told by the process that starts the workers."""
    all_lines = list(lines_of(text))
    lines = [line for line in all_lines if TRAINING.search(line)] or all_lines
    return [line for line in lines if not TESTS.search(line)] or lines


def pids_of(line: str) -> set[int]:
    """The process ids of a line: at its beginning, or behind the time that is there; or behind the word pid or process."""
    # Two processes that write at the same time may share a line: the word pid is looked for everywhere in it.
    found = {int(match[1]) for match in NAMED.finditer(line)}
    for start in (re.match(r"\W{0,3}", line), BEFORE.match(line)):
        if start is not None and (first := FIRST.match(line, start.end())):
            found.add(int(first[1]))
    return found


def pids(text: str) -> set[int]:
    """The process ids in the lines of training."""
    return {pid for line in lines_of_training(text) for pid in pids_of(line)}


def trainers(text: str, parents: Mapping[int, int]) -> set[int]:
    """Which processes train, by the lines of the log; `parents` has the processes that were there, and who started each.

    Who starts the others may tell of the training, too. It counts where it tells as much as they do: then it has a share of
    the work. The container's first process has no parent.
    """
    counts = Counter(
        pid
        for line in lines_of_training(text)
        for pid in pids_of(line)
        if pid in parents or pid == FIRST_PROCESS
    )
    starters = {FIRST_PROCESS, *(parents[pid] for pid in counts if pid in parents)}
    hands = [count for pid, count in counts.items() if pid not in starters]
    return {
        pid
        for pid, count in counts.items()
        if pid not in starters or (hands and 2 * count * len(hands) >= sum(hands))
    }


def without_number(text: str, numbers: set[int]) -> tuple[list[str], int]:
    """The lines with a loss that name none of these processes, and how many lines with a loss there are."""
    lines = [line for line in lines_of_training(text) if MEASURED.search(line)]
    return [line for line in lines if not pids_of(line) & numbers], len(lines)


def workers(processes: Iterable[Process]) -> list[int]:
    """The largest group of processes that one process has started and that have started none themselves; by their pids."""
    alive = [
        process
        for process in processes
        if process.pid != 1
        and process.ppid != 0
        and process.state != "Z"
        and not HELPER.search(" ".join(process.argv))
    ]
    parents, groups = {process.ppid for process in alive}, defaultdict[int, list[int]](
        list
    )
    for process in alive:
        if process.pid not in parents:
            groups[process.ppid].append(process.pid)
    largest: list[int] = max(groups.values(), key=lambda group: len(group), default=[])
    return sorted(largest)
