"""Ends a build that takes more disk, memory or processes than the lab allows, on an engine whose files can be seen from here.

BuildKit bounds none of them. Where dockdojo is root on the engine's own machine, each RUN is found by its bundle, which the
engine keeps while it runs. A mark that this build alone hands out (in `no_proxy`, which is no part of the cache) tells whose it
is. Then its layer is measured on disk, by apparent size, so that a sparse file counts as what it will be when the layer is read;
and its processes by their control group. Elsewhere nothing is seen: then time is the only limit (see the threat
model in docs/explanation).
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dockdojo.model import MB, Limits

LOOK_SECONDS = 0.25
"""Between two looks at which RUNs there are: short, since one that makes a sparse file is over in a moment."""
MEASURE_EVERY = 4
"""Looks between two measurements."""
MAX_FILES = 300_000
"""Files of one layer that are counted; more are taken for too many."""
ANSWER_SECONDS = 5
MAX_BUNDLE_BYTES = 2 * MB
UPPER = re.compile(r",upperdir=([^,\s]{1,300})")
GROUP = re.compile(r"/buildkit/([a-z0-9]{10,60})$", re.MULTILINE)


def visible_root(url: str, folder: str) -> Path | None:
    """Return the engine's folder, where it is on this machine and its files can be seen; else None.

    An engine of another machine, or in a file system of its own, may name a folder that is here as well, and another engine's.
    So the process that listens at the socket (unix(7), SO_PEERCRED) must see the same folder there.
    """
    if (
        not url.startswith("unix://")
        or not folder
        or not hasattr(socket, "SO_PEERCRED")
    ):
        return None
    root = Path(folder)
    try:
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(ANSWER_SECONDS)
            asked.connect(url.removeprefix("unix://"))
            pid, _, _ = struct.unpack(
                "3i",
                asked.getsockopt(
                    socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")
                ),
            )
        theirs = os.stat(f"/proc/{pid}/root{folder}")
    except OSError:
        return None
    same = os.path.samestat(theirs, os.stat(root)) if root.is_dir() else False
    return root if same and os.access(root / "overlay2", os.R_OK | os.X_OK) else None


@contextmanager
def watched(
    root: Path | None, mark: str, limits: Limits, stop: Callable[[str], None]
) -> Iterator[None]:
    """Watch the RUNs that have the mark while the block runs; `stop` is called with the reason. `root` is the engine's folder."""
    if (
        root is None
        or not mark
        or not os.access(root / "buildkit" / "executor", os.R_OK | os.X_OK)
    ):
        yield
        return
    done = threading.Event()
    watch = _Watch(root, mark, limits, stop)
    thread = threading.Thread(target=watch.run, args=(done,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()


class _Watch:
    """What is known of one build's RUNs."""

    def __init__(
        self, root: Path, mark: str, limits: Limits, stop: Callable[[str], None]
    ) -> None:
        self._executor = root / "buildkit" / "executor"
        self._layers = root / "overlay2"
        self._mark = mark.encode()
        self._limits = limits
        self._stop = stop
        self._ours: dict[str, bool] = {}
        """Bundles that were looked into: whether they are this build's."""
        self._uppers: set[Path] = set()
        """Layers that its RUNs write; they stay until the build ends, and are read then."""

    def run(self, done: threading.Event) -> None:
        """Look again and again, until the build is done or was stopped."""
        looks = 0
        while not done.wait(LOOK_SECONDS):
            with contextlib.suppress(OSError):
                found = self._look()
                looks += 1
                if found or looks % MEASURE_EVERY == 0:
                    reason = self._too_much()
                    if reason:
                        self._stop(reason)
                        return

    def _look(self) -> bool:
        """Find this build's RUNs; whether there is a new one."""
        names = [
            entry.name
            for entry in os.scandir(self._executor)
            if entry.name not in self._ours
        ]
        new = False
        for name in names:
            config = self._executor / name / "config.json"
            with contextlib.suppress(OSError):
                with config.open("rb") as file:
                    self._ours[name] = self._mark in file.read(MAX_BUNDLE_BYTES)
                new = new or self._ours[name]
        if new:
            mounts = (
                Path("/proc/self/mounts")
                .read_text(encoding="utf-8", errors="replace")
                .split("\n")
            )
            for name in (name for name, ours in self._ours.items() if ours):
                place = f" {self._executor / name / 'rootfs'} "
                for line in mounts:
                    if place in line and (upper := UPPER.search(line)):
                        self._uppers.add(Path(upper[1]))
        return new

    def _too_much(self) -> str:
        """Why the build is to be ended; empty where all is well."""
        limits = self._limits
        for upper in self._uppers:
            size, files = apparent_size(upper)
            if size > limits.build_disk_mb * MB or files > MAX_FILES:
                took = (
                    f"{size / MB:,.0f} MB"
                    if size > limits.build_disk_mb * MB
                    else f"more than {MAX_FILES:,} files"
                )
                return (
                    f"The build was ended: one of its steps wrote {took}; the lab's limit is {limits.build_disk_mb:,} MB "
                    f"in at most {MAX_FILES:,} files (a sparse file counts as long as it says it is)."
                )
        memory, processes = _usage({name for name, ours in self._ours.items() if ours})
        if memory > limits.build_memory_mb * MB:
            return (
                f"The build was ended: one of its steps used {memory / MB:,.0f} MB of memory; the lab's limit is "
                f"{limits.build_memory_mb:,} MB."
            )
        if processes > limits.build_pids:
            return f"The build was ended: one of its steps had {processes:,} processes; the lab's limit is {limits.build_pids:,}."
        return ""


def apparent_size(folder: Path) -> tuple[int, int]:
    """Bytes that the regular files below a folder say they have, and how many entries there are; links are not followed."""
    size = files = 0
    todo = [str(folder)]
    while todo and files <= MAX_FILES:
        with contextlib.suppress(OSError), os.scandir(todo.pop()) as entries:
            for entry in entries:
                files += 1
                with contextlib.suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        size += entry.stat(follow_symlinks=False).st_size
                if files > MAX_FILES:
                    break
    return size, files


def _usage(bundles: set[str]) -> tuple[int, int]:
    """The most memory (resident bytes) and the most processes that one of the RUNs has, told by their control groups."""
    if not bundles:
        return 0, 0
    memory: dict[str, int] = {}
    count: dict[str, int] = {}
    page = os.sysconf("SC_PAGE_SIZE")
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError, ValueError):
            with open(
                f"{entry.path}/cgroup", encoding="ascii", errors="replace"
            ) as file:
                found = GROUP.search(file.read(10_000))
            if found and found[1] in bundles:
                with open(f"{entry.path}/statm", encoding="ascii") as file:
                    resident, shared = (int(word) for word in file.read().split()[1:3])
                memory[found[1]] = (
                    memory.get(found[1], 0) + max(0, resident - shared) * page
                )
                count[found[1]] = count.get(found[1], 0) + 1
    return max(memory.values(), default=0), max(count.values(), default=0)
