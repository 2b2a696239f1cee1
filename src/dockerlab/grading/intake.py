"""The safe copy: a submission's folder, bounded and without anything that leads out of it.

Nothing is followed, nothing is executed, and sizes are known before a byte is read. The copy is what is graded, so
what happens to the folder meanwhile changes nothing.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dockerlab.errors import Refused
from dockerlab.model import MB, Limits

LEFT_OUT = frozenset({".git", ".dockerlab.json", ".dockerlab"})
"""At the top of the folder only: history and dockerlab's own notes are no part of a submission."""
DEEPEST = 64
"""Folders in folders."""
CHUNK = 2**20
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a block device",
    stat.S_IFCHR: "a character device",
}


@dataclass(frozen=True, slots=True)
class _Item:
    path: str
    """Relative, with forward slashes."""
    info: os.stat_result


def take_in(folder: Path, target: Path, limits: Limits) -> str:
    """Copies the folder to `target` and returns the SHA-256 of its names, modes and bytes. Raises Refused."""
    items = _survey(folder, limits)
    digest = hashlib.sha256()
    target.mkdir(parents=True)
    for item in items:
        source, copy = folder / item.path, target / item.path
        mode = stat.S_IMODE(item.info.st_mode) & 0o777
        name = item.path.encode("utf-8", "surrogateescape")
        if stat.S_ISDIR(item.info.st_mode):
            copy.mkdir()
            digest.update(b"d%b\0" % name)
        elif stat.S_ISLNK(item.info.st_mode):
            link = os.readlink(source)
            _check_link(item.path, link)
            copy.symlink_to(link)
            digest.update(b"l%b\0%b\0" % (name, os.fsencode(link)))
        else:
            digest.update(b"f%b\0%o\0%d\0" % (name, mode, item.info.st_size))
            _copy(item, source, copy, digest)
            copy.chmod(mode | stat.S_IRUSR | stat.S_IWUSR)
            os.utime(copy, ns=(item.info.st_mtime_ns, item.info.st_mtime_ns))
    return digest.hexdigest()


def _survey(folder: Path, limits: Limits) -> list[_Item]:
    """Every path, in order, before anything is read. Raises Refused at the first that is too much or not allowed."""
    found: list[_Item] = []
    size = 0
    for files, item in enumerate(_walk(folder, "", 0), 1):
        kind = stat.S_IFMT(item.info.st_mode)
        if kind in _KINDS:
            raise Refused(
                f"`{_name(item)}` is {_KINDS[kind]}.",
                hint="A submission has files, folders and links only. Remove it.",
            )
        if files > limits.context_files:
            raise Refused(
                f"The folder holds more than {limits.context_files:,} files and folders, the lab's limit.",
                hint="Is a virtual environment or a build's output in it? Keep those elsewhere.",
            )
        if kind == stat.S_IFREG:
            size += item.info.st_size
            if size > limits.context_mb * MB:
                raise Refused(
                    f"The folder holds more than {limits.context_mb} MB, the lab's limit (`{_name(item)}` has "
                    f"{item.info.st_size / MB:.0f} MB).",
                    hint="A build context holds what the build needs, nothing more.",
                )
        found.append(item)
    if not any(not stat.S_ISDIR(item.info.st_mode) for item in found):
        raise Refused("The folder is empty.", hint="`dockerlab start` puts a lab's first files into a folder.")
    return found


def _walk(folder: Path, prefix: str, depth: int) -> Iterator[_Item]:
    if depth > DEEPEST:
        raise Refused(f"`{prefix}` lies more than {DEEPEST} folders deep.")
    try:
        with os.scandir(folder / prefix if prefix else folder) as entries:
            names = sorted((entry.name, entry.stat(follow_symlinks=False)) for entry in entries)
    except OSError as error:
        raise Refused(f"`{prefix or folder}` cannot be read: {(error.strerror or '').lower()}.") from error
    for name, info in names:
        if not prefix and name in LEFT_OUT:
            continue
        path = f"{prefix}/{name}" if prefix else name
        yield _Item(path, info)
        if stat.S_ISDIR(info.st_mode):
            yield from _walk(folder, path, depth + 1)


def _check_link(path: str, link: str) -> None:
    """A link may point to what lies in the folder, by a relative path; told from its text alone."""
    shown = path.encode("utf-8", "replace").decode()
    parts: list[str] = list(PurePosixPath(path).parent.parts)
    if not os.path.isabs(link):
        for part in link.replace("\\", "/").split("/"):
            if part == "..":
                if not parts:
                    break
                parts.pop()
            elif part not in ("", "."):
                parts.append(part)
        else:
            return
    raise Refused(
        f"`{shown}` is a link that leads out of the folder.",
        hint="A submission must be whole in itself: put the file there instead of the link.",
    )


def _copy(item: _Item, source: Path, copy: Path, digest: hashlib._Hash) -> None:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(source, flags)
    except OSError as error:
        raise Refused(f"`{_name(item)}` cannot be read: {(error.strerror or '').lower()}.") from error
    with os.fdopen(descriptor, "rb") as file, copy.open("xb") as out:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Refused(f"`{_name(item)}` changed while it was read.")
        left = item.info.st_size
        while left and (data := file.read(min(CHUNK, left))):
            left -= len(data)
            digest.update(data)
            out.write(data)
        if left or file.read(1):
            raise Refused(
                f"`{_name(item)}` changed while it was read.",
                hint="Try again when nothing writes to the folder.",
            )


def _name(item: _Item) -> str:
    return item.path.encode("utf-8", "replace").decode()
