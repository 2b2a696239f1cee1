"""Where a run lies, and files that are written whole or not at all.

A database on a network file system has neither shared memory nor, often, locks to rely on.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import psutil

NETWORK = frozenset(
    {
        "nfs",
        "nfs4",
        "cifs",
        "smb2",
        "smb3",
        "smbfs",
        "9p",
        "afs",
        "afpfs",
        "webdav",
        "davfs",
        "ceph",
        "lustre",
        "glusterfs",
        "fuse.glusterfs",
        "fuse.sshfs",
        "fuse.rclone",
        "fuse.davfs2",
    }
)
"""Types of file systems that other machines may write to at the same time, as mount(8) and macOS call them."""


def write_whole(
    path: Path, content: bytes, mode: int = 0o644, *, durable: bool = False
) -> None:
    """Write a file under a name of its own, then give it the right one; `durable`: also against a power cut. Raises OSError."""
    descriptor, spare = tempfile.mkstemp(dir=path.parent, prefix=".")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(descriptor)
        os.chmod(spare, mode)
        os.replace(spare, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(spare)
        raise
    if durable:
        _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def mounts() -> list[tuple[str, str]]:
    """Return where file systems are mounted, and of what type each is."""
    return [
        (partition.mountpoint, partition.fstype)
        for partition in psutil.disk_partitions(all=True)
    ]


def network_filesystem(
    path: Path, mounted: Iterable[tuple[str, str]] | None = None
) -> str:
    """Return the type of the network file system that a path lies on; empty where it lies on this machine's disks."""
    place = path.resolve()
    fitting = [
        (len(Path(point).parts), number, kind)
        for number, (point, kind) in enumerate(mounts() if mounted is None else mounted)
        if place.is_relative_to(point)
    ]
    kind = max(fitting, default=(0, 0, ""))[2].lower()
    return kind if kind in NETWORK else ""
