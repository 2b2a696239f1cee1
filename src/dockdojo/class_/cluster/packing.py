"""A safe copy as bytes, for the way to another machine and no further."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

from dockdojo.beneath import check_inside, parts_of, write_file
from dockdojo.errors import OurFault, Refused

MAX_TASK_BYTES = 2_000_000_000
"""Of a packed copy; the lab's limits are far below."""


def pack(folder: Path) -> bytes:
    """Return a folder as an archive. Raises OurFault where it is too large to be sent."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.add(folder, arcname=".", filter=_without_owner)
    if out.tell() > MAX_TASK_BYTES:
        raise OurFault("It is too large to be sent to another machine.")
    return out.getvalue()


def unpack(raw: bytes, target: Path) -> None:
    """Write an archive of `pack` to a new folder. Raises Refused where it names a place outside, or holds what is no file."""
    target.mkdir(parents=True)
    links = []
    try:
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as archive:
            for member in archive:
                name = "/".join(parts_of(member.name))
                place = target / name
                if member.isdir():
                    place.mkdir(parents=True, exist_ok=True)
                elif member.issym():
                    links.append((name, member.linkname))
                elif member.isreg() and (file := archive.extractfile(member)):
                    write_file(target, name, file.read())
                    place.chmod(member.mode & 0o777)
                    os.utime(place, (member.mtime, member.mtime))
                else:
                    raise Refused(f"`{name[:200]}` is no file.")
    except tarfile.TarError as error:
        raise Refused("What was sent is not whole.") from error
    for name, leads_to in links:
        (target / name).symlink_to(leads_to)
    for name, _ in links:
        check_inside(target, name)


def _without_owner(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
