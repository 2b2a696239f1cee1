"""Keeps the workspaces of a training and watches the checkpoints in them. It runs in a container of its own (see `workspaces`).

It holds the volumes open, takes copies at the moments that matter, and tells what it saw, one JSON object a line. What
happens to a file is told by the kernel (inotify(7)), so nothing is missed between two looks. It needs the standard library
alone; what it copies it never reads as anything but bytes.

    checkpoint_watcher.py watch CHECKPOINT        watch /w/*, for ever
    checkpoint_watcher.py lay NAME [COPY]         the submission into /w/NAME, as new; with the files of a kept copy over it
    checkpoint_watcher.py glimpses NAME TARGET    what was seen of NAME's checkpoint, as files in /w/TARGET
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

ROOT, KEPT, SUBMISSION = "/w", "/keep", "/submission"
MODIFY, CLOSE_WRITE, MOVED_TO, CREATE, DELETE = 0x2, 0x8, 0x80, 0x100, 0x200
SETTLED = 0.06
"""Seconds without any event in a workspace, after which a save counts as done, with what is saved beside it."""
COPIES = 12
"""Of the whole workspace, after saves; where there are more, every second one goes, but for the first."""
FIRST_COPIES = 3
"""They stay."""
GLIMPSES = 10
"""Moments of a run at which the checkpoint is kept as a SIGKILL would have left it."""
MOST = 400_000_000
"""Bytes of one copy; a larger workspace is not copied."""
MOST_COPIED = 1_200_000_000
"""Bytes of all copies of a workspace."""
LINES = 2_000
FIRST_GLIMPSE = 0.25
"""Seconds between glimpses; doubled whenever there are too many."""
LEFT_OUT = ("data",)
OWNER = (1000, 1000)
"""Of a workspace: the user and group that the first person on a machine has."""


class Workspace:
    """What is known of one of them."""

    def __init__(self, name: str, checkpoint: str) -> None:
        self.name = name
        self.path = os.path.join(ROOT, name)
        self.checkpoint = os.path.join(self.path, checkpoint)
        self.saves = 0
        self.copies: dict[int, int] = {}
        """Bytes of those that are kept, by the save's number."""
        self.every = 1
        """Each so many-th save is copied."""
        self.begun = ""
        """How the save that is under way is made; empty between saves."""
        self.at = 0.0
        self.smallest: int | None = None
        self.deleted = False
        """Whether the checkpoint was removed since the last save, so that there was none for a while."""
        self.quiet_since = time.monotonic()
        self.finished = 0.0
        """When the last save was done, until it is told."""
        self.first = 0.0
        """When the first of the saves that follow at once, and are told as one, was done."""
        self.kept: list[str] = []
        self.step = FIRST_GLIMPSE
        self.next = 0.0

    def folder(self) -> str:
        """Where its copies are."""
        path = os.path.join(KEPT, self.name)
        os.makedirs(path, exist_ok=True)
        return path

    def size(self) -> int:
        """Bytes of the checkpoint; -1 where there is none."""
        try:
            return os.lstat(self.checkpoint).st_size
        except OSError:
            return -1

    def glimpse(self, kind: str) -> None:
        """Keeps the checkpoint's bytes as they are at this moment."""
        path = os.path.join(self.folder(), f"{kind}-{time.time():.4f}")
        if 0 <= self.size() <= MOST // GLIMPSES:
            with contextlib.suppress(OSError):
                copy_file(self.checkpoint, path, MOST // GLIMPSES)
                self.kept.append(path)
        while (
            len(self.kept) > GLIMPSES
        ):  # every second goes, but those from inside a write are rare, and stay
            spare = next(
                (one for one in self.kept[1::2] if "timed" in one), self.kept[0]
            )
            self.kept.remove(spare)
            with contextlib.suppress(OSError):
                os.unlink(spare)
            self.step *= 1.3


def copy_file(source: str, target: str, most: int) -> None:
    """The bytes of a plain file, at most so many; links are not followed."""
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file, open(target, "wb") as out:
        left = most
        while left > 0 and (data := file.read(min(left, 2**20))):
            out.write(data)
            left -= len(data)


def tell(lines: list[int], **what: Any) -> None:
    """One event, as long as there are not too many."""
    lines[0] += 1
    if lines[0] <= LINES:
        print(json.dumps(what), flush=True)


def watch(checkpoint: str) -> None:
    """For ever."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_NONBLOCK)
    places: dict[int, Workspace] = {}
    for name in sorted(os.listdir(ROOT)):
        mask = MODIFY | CLOSE_WRITE | MOVED_TO | CREATE | DELETE
        number = libc.inotify_add_watch(
            descriptor, os.path.join(ROOT, name).encode(), mask
        )
        places[number] = Workspace(name, checkpoint)
    lines = [0]
    tell(lines, kind="ready", workspaces=len(places))
    wanted = checkpoint.encode()
    while True:
        ready, _, _ = select.select([descriptor], [], [], 0.02)
        if ready:
            with contextlib.suppress(BlockingIOError):
                data = os.read(descriptor, 65536)
                while data:
                    number, mask, _, length = struct.unpack_from("iIII", data)
                    changed, data = (
                        data[16 : 16 + length].rstrip(b"\0"),
                        data[16 + length :],
                    )
                    if number in places:
                        happened(places[number], mask, changed == wanted)
        for one in places.values():
            idle(one, lines)


def happened(one: Workspace, mask: int, wanted: bool) -> None:
    """An event in a workspace; `wanted`: to the checkpoint."""
    one.quiet_since = time.monotonic()
    if not wanted:
        return
    if mask & DELETE:
        one.deleted = True
    elif mask & MOVED_TO:
        begin(one, "moved")
        end(one)
    elif mask & CREATE:
        begin(one, "linked")  # until something is written to it
        end(one)
    elif mask & MODIFY:
        if one.begun != "written":
            begin(one, "written")
            one.glimpse("writing")
        elif len(one.kept) < GLIMPSES:
            one.glimpse("writing")
        size = one.size()
        one.smallest = size if one.smallest is None else min(size, one.smallest)
        one.finished = 0.0
    elif mask & CLOSE_WRITE and one.begun == "written":
        end(one)


def begin(one: Workspace, how: str) -> None:
    """A save begins."""
    one.begun, one.at, one.smallest = how, time.time(), None


def end(one: Workspace) -> None:
    """A save is done, unless more of it follows at once."""
    one.finished = time.time()
    one.first = one.first or one.finished


def idle(one: Workspace, lines: list[int]) -> None:
    """What is due while nothing happens."""
    now = time.monotonic()
    if one.finished and one.begun == "linked" and one.size() == 0:
        one.finished = one.first = 0.0  # made, and not written to yet
    if one.finished and now - one.quiet_since >= SETTLED:
        one.saves += 1
        kept = (one.saves <= FIRST_COPIES or one.saves % one.every == 0) and snapshot(
            one
        )
        tell(
            lines,
            kind="saved",
            workspace=one.name,
            number=one.saves,
            at=one.finished,
            first=one.first,
            how=one.begun,
            began=one.at,
            smallest=one.smallest,
            size=one.size(),
            copied=kept,
            gap=one.deleted,
        )
        one.begun, one.finished, one.first, one.deleted = "", 0.0, 0.0, False
        thin_out(one)
    if one.saves and now >= one.next:
        one.next = now + one.step
        one.glimpse("timed")


def snapshot(one: Workspace) -> bool:
    """Keeps the whole workspace, as it is after a save; the copy is named by the save's number."""
    target = copy_of(one, one.saves)
    try:
        size = tree_bytes(one.path)
        if size > MOST or size + sum(one.copies.values()) > MOST_COPIED:
            return False
        copy_tree(one.path, target, LEFT_OUT)
    except OSError:
        shutil.rmtree(target, ignore_errors=True)
        return False
    one.copies[one.saves] = size
    return True


def copy_of(one: Workspace, save: int) -> str:
    """Where the copy is that was taken after a save."""
    return os.path.join(one.folder(), f"save-{save}")


def thin_out(one: Workspace) -> None:
    """Where there are too many copies, or little room for more, removes every second one; and tells it."""
    if len(one.copies) <= COPIES and sum(one.copies.values()) < MOST_COPIED // 2:
        return
    later = [number for number in one.copies if number > FIRST_COPIES]
    if not later:
        return
    one.every *= 2
    for number in later:
        if number % one.every:
            del one.copies[number]
            shutil.rmtree(copy_of(one, number), ignore_errors=True)
            print(
                json.dumps(
                    {"kind": "dropped", "workspace": one.name, "number": number}
                ),
                flush=True,
            )


def tree_bytes(path: str) -> int:
    """Bytes of the files below."""
    return sum(
        os.lstat(os.path.join(folder, name)).st_size
        for folder, _, names in os.walk(path)
        for name in names
    )


def copy_tree(source: str, target: str, without: tuple[str, ...] = ()) -> None:
    """Plain files, folders and links; nothing is followed. `without` are names at the top that stay behind."""
    os.makedirs(target, exist_ok=True)
    for entry in os.scandir(source):
        goal = os.path.join(target, entry.name)
        if entry.name in without:
            continue
        if entry.is_symlink():
            with contextlib.suppress(FileExistsError):
                os.symlink(os.readlink(entry.path), goal)
        elif entry.is_dir():
            copy_tree(entry.path, goal)
        elif entry.is_file():
            if os.path.islink(goal):
                os.unlink(goal)
            copy_file(entry.path, goal, MOST)
            os.chmod(goal, os.lstat(entry.path).st_mode & 0o777)


def lay(name: str, checkpoint: str, copy: str = "") -> None:
    """The submission into a workspace, as new; then the files of a copy."""
    target = os.path.join(ROOT, name)
    for entry in os.scandir(target):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)
    copy_tree(
        SUBMISSION, target, (checkpoint,)
    )  # one that was handed in proves nothing
    data = os.path.join(target, "data")
    if not os.path.isdir(data) or os.path.islink(data):
        with contextlib.suppress(OSError):
            os.unlink(data)
    if copy:
        copy_tree(os.path.join(KEPT, copy), target, LEFT_OUT)
    for folder, _, names in os.walk(target):
        os.chown(folder, *OWNER)
        # Whoever the image runs as may write, as its owner could.
        os.chmod(folder, 0o777)  # noqa: S103
        for one in names:
            path = os.path.join(folder, one)
            os.chown(path, *OWNER, follow_symlinks=False)
            if not os.path.islink(path):
                os.chmod(path, os.stat(path).st_mode | 0o666)  # noqa: S103 -- the same


def glimpses(name: str, target: str) -> None:
    """What was kept of a checkpoint, as files in another workspace; prints their names."""
    names = []
    folder = os.path.join(KEPT, name)
    for one in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        path = os.path.join(folder, one)
        if os.path.isfile(path):
            copy_file(path, os.path.join(ROOT, target, one), MOST)
            names.append([one, os.path.getsize(path)])
    print(json.dumps(names))


if __name__ == "__main__":
    command, *words = sys.argv[1:]
    commands: dict[str, Callable[..., None]] = {
        "watch": watch,
        "lay": lay,
        "glimpses": glimpses,
    }
    commands[command](*words)
