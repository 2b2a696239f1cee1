"""Where a run lies: a database on a network file system has neither shared memory nor, often, locks to rely on."""

from __future__ import annotations

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
