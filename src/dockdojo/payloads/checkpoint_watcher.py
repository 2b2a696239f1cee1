"""Keeps the workspaces of a training and watches the checkpoints in them. It runs in a container of its own (see `workspaces`).

It holds the volumes open, takes copies at the moments that matter, and tells what it saw, one JSON object a line. What
happens to a file is told by the kernel (inotify(7)), so nothing is missed between two looks. It needs the standard library
alone; what it copies it never reads as anything but bytes.

    checkpoint_watcher.py watch CHECKPOINT        watch /w/*, for ever
    checkpoint_watcher.py populate NAME [COPY]    the submission into /w/NAME, as new; with the files of a kept copy over it
    checkpoint_watcher.py snapshots NAME TARGET   what was kept of NAME's checkpoint, as files in /w/TARGET
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
SETTLED_SECONDS = 0.06
"""Seconds without any event in a workspace, after which a save counts as done, with what is saved beside it."""
MAX_COPIES = 12
"""Of the whole workspace, after saves; where there are more, every second one goes, but for the first."""
FIRST_COPIES = 3
"""They stay."""
MAX_SNAPSHOTS = 10
"""Moments of a run at which the checkpoint is kept as a SIGKILL would have left it."""
MAX_COPY_BYTES = 400_000_000
"""Bytes of one copy; a larger workspace is not copied."""
MAX_COPIES_BYTES = 1_200_000_000
"""Bytes of all copies of a workspace."""
MAX_EVENTS = 2_000
FIRST_SNAPSHOT_SECONDS = 0.25
"""Seconds between snapshots; doubled whenever there are too many."""
LEFT_OUT = ("data",)
OWNER = (1000, 1000)
"""Of a workspace: the user and group that the first person on a machine has."""


class Workspace:
    """What is known of one workspace."""

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
        self.step = FIRST_SNAPSHOT_SECONDS
        self.next = 0.0

    def folder(self) -> str:
        """Return the folder of its copies, made if it is missing."""
        path = os.path.join(KEPT, self.name)
        os.makedirs(path, exist_ok=True)
        return path

    def size(self) -> int:
        """Return the bytes of the checkpoint; -1 if there is none."""
        try:
            return os.lstat(self.checkpoint).st_size
        except OSError:
            return -1

    def snapshot(self, kind: str) -> None:
        """Keep the checkpoint's bytes as they are at this moment."""
        path = os.path.join(self.folder(), f"{kind}-{time.time():.4f}")
        if 0 <= self.size() <= MAX_COPY_BYTES // MAX_SNAPSHOTS:
            with contextlib.suppress(OSError):
                copy_file(self.checkpoint, path, MAX_COPY_BYTES // MAX_SNAPSHOTS)
                self.kept.append(path)
        while (
            len(self.kept) > MAX_SNAPSHOTS
        ):  # every second goes, but those from inside a write are rare, and stay
            spare = next(
                (path for path in self.kept[1::2] if "timed" in path), self.kept[0]
            )
            self.kept.remove(spare)
            with contextlib.suppress(OSError):
                os.unlink(spare)
            self.step *= 1.3


def copy_file(source: str, target: str, most: int) -> None:
    """Copy at most `most` bytes of a plain file; links are not followed."""
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file, open(target, "wb") as out:
        left = most
        while left > 0 and (data := file.read(min(left, 2**20))):
            out.write(data)
            left -= len(data)


def tell(lines: list[int], **what: Any) -> None:
    """Print one event, as long as there are not too many."""
    lines[0] += 1
    if lines[0] <= MAX_EVENTS:
        print(json.dumps(what), flush=True)


def watch(checkpoint: str) -> None:
    """Watch all workspaces, for ever."""
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
        for workspace in places.values():
            idle(workspace, lines)


def happened(workspace: Workspace, mask: int, wanted: bool) -> None:
    """Note an event in a workspace; `wanted`: to the checkpoint."""
    workspace.quiet_since = time.monotonic()
    if not wanted:
        return
    if mask & DELETE:
        workspace.deleted = True
    elif mask & MOVED_TO:
        begin(workspace, "moved")
        end(workspace)
    elif mask & CREATE:
        begin(workspace, "linked")  # until something is written to it
        end(workspace)
    elif mask & MODIFY:
        if workspace.begun != "written":
            begin(workspace, "written")
            workspace.snapshot("writing")
        elif len(workspace.kept) < MAX_SNAPSHOTS:
            workspace.snapshot("writing")
        size = workspace.size()
        workspace.smallest = (
            size if workspace.smallest is None else min(size, workspace.smallest)
        )
        workspace.finished = 0.0
    elif mask & CLOSE_WRITE and workspace.begun == "written":
        end(workspace)


def begin(workspace: Workspace, how: str) -> None:
    """Note that a save begins."""
    workspace.begun, workspace.at, workspace.smallest = how, time.time(), None


def end(workspace: Workspace) -> None:
    """Note that a save is done, unless more of it follows at once."""
    workspace.finished = time.time()
    workspace.first = workspace.first or workspace.finished


def idle(workspace: Workspace, lines: list[int]) -> None:
    """Do what is due while nothing happens."""
    now = time.monotonic()
    if workspace.finished and workspace.begun == "linked" and workspace.size() == 0:
        workspace.finished = workspace.first = 0.0  # made, and not written to yet
    if workspace.finished and now - workspace.quiet_since >= SETTLED_SECONDS:
        workspace.saves += 1
        kept = (
            workspace.saves <= FIRST_COPIES or workspace.saves % workspace.every == 0
        ) and copy_workspace(workspace)
        tell(
            lines,
            kind="saved",
            workspace=workspace.name,
            number=workspace.saves,
            at=workspace.finished,
            first=workspace.first,
            how=workspace.begun,
            began=workspace.at,
            smallest=workspace.smallest,
            size=workspace.size(),
            copied=kept,
            gap=workspace.deleted,
        )
        workspace.begun, workspace.finished, workspace.first, workspace.deleted = (
            "",
            0.0,
            0.0,
            False,
        )
        thin_out(workspace)
    if workspace.saves and now >= workspace.next:
        workspace.next = now + workspace.step
        workspace.snapshot("timed")


def copy_workspace(workspace: Workspace) -> bool:
    """Keep the whole workspace, as it is after a save; the copy is named by the save's number."""
    target = copy_of(workspace, workspace.saves)
    try:
        size = tree_bytes(workspace.path)
        if (
            size > MAX_COPY_BYTES
            or size + sum(workspace.copies.values()) > MAX_COPIES_BYTES
        ):
            return False
        copy_tree(workspace.path, target, LEFT_OUT)
    except OSError:
        shutil.rmtree(target, ignore_errors=True)
        return False
    workspace.copies[workspace.saves] = size
    return True


def copy_of(workspace: Workspace, save: int) -> str:
    """Return the folder of the copy that was taken after a save."""
    return os.path.join(workspace.folder(), f"save-{save}")


def thin_out(workspace: Workspace) -> None:
    """Remove every second copy if there are too many, or little room for more; and print which."""
    if (
        len(workspace.copies) <= MAX_COPIES
        and sum(workspace.copies.values()) < MAX_COPIES_BYTES // 2
    ):
        return
    later = [number for number in workspace.copies if number > FIRST_COPIES]
    if not later:
        return
    workspace.every *= 2
    for number in later:
        if number % workspace.every:
            del workspace.copies[number]
            shutil.rmtree(copy_of(workspace, number), ignore_errors=True)
            print(
                json.dumps(
                    {"kind": "dropped", "workspace": workspace.name, "number": number}
                ),
                flush=True,
            )


def tree_bytes(path: str) -> int:
    """Return the bytes of all files below a folder."""
    return sum(
        os.lstat(os.path.join(folder, name)).st_size
        for folder, _, names in os.walk(path)
        for name in names
    )


def copy_tree(source: str, target: str, without: tuple[str, ...] = ()) -> None:
    """Copy plain files, folders and links; nothing is followed. `without` are names at the top that stay behind."""
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
            copy_file(entry.path, goal, MAX_COPY_BYTES)
            os.chmod(goal, os.lstat(entry.path).st_mode & 0o777)


def populate(name: str, checkpoint: str, copy: str = "") -> None:
    """Put the submission into a workspace, as new; then the files of a copy."""
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
        for file_name in names:
            path = os.path.join(folder, file_name)
            os.chown(path, *OWNER, follow_symlinks=False)
            if not os.path.islink(path):
                os.chmod(path, os.stat(path).st_mode | 0o666)  # noqa: S103 -- the same


def snapshots(name: str, target: str) -> None:
    """Put the snapshots of a checkpoint into another workspace, as files; print their names."""
    names = []
    folder = os.path.join(KEPT, name)
    for file_name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        path = os.path.join(folder, file_name)
        if os.path.isfile(path):
            copy_file(path, os.path.join(ROOT, target, file_name), MAX_COPY_BYTES)
            names.append([file_name, os.path.getsize(path)])
    print(json.dumps(names))


if __name__ == "__main__":
    command, *words = sys.argv[1:]
    commands: dict[str, Callable[..., None]] = {
        "watch": watch,
        "populate": populate,
        "snapshots": snapshots,
    }
    commands[command](*words)
