"""Opening files of a folder that is not trusted, and never anything outside of it.

Every path is walked component by component with open directories (openat with O_NOFOLLOW); a link is read and walked in the same
way, as RESOLVE_BENEATH of openat2(2) does. So a link may lead anywhere inside the folder, by whatever way, and nothing that
happens to the folder meanwhile leads out of it. Where the system has no openat (Windows), the resolved path is compared instead.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
from pathlib import Path
from typing import BinaryIO

from dockdojo.errors import Refused, SubmissionError

MAX_LINKS = 40
"""Links that are followed on the way to one file, as Linux has it (ELOOP)."""
DRIVE = re.compile(r"[A-Za-z]:")
HAS_OPENAT = (
    os.open in os.supports_dir_fd
    and hasattr(os, "O_DIRECTORY")
    and hasattr(os, "O_NOFOLLOW")
)
FILE_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
)


def printable(name: str) -> str:
    """Return a file's name for people: bytes that are not UTF-8 and control characters are shown as U+FFFD."""
    text = name.encode("utf-8", "replace").decode()
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def parts_of(name: str) -> list[str]:
    """Return the components of a relative name. Raises Refused for absolute names, `..` and drive letters, whoever asks."""
    words = name.replace("\\", "/") if os.name == "nt" else name
    parts = [part for part in words.split("/") if part not in ("", ".")]
    if words.startswith("/") or DRIVE.match(words) or ".." in parts or "\0" in words:
        raise Refused(
            f"`{printable(name)[:200]}` lies outside of the folder.",
            hint="Name a file by its path from the top of the folder, without `..`.",
        )
    return parts


def leads_out(name: str) -> Refused:
    """Return the refusal of a link whose target is outside of the folder."""
    return Refused(
        f"`{printable(name)[:200]}` is a link that leads out of the folder.",
        hint="A submission must be whole in itself: put the file there instead of the link.",
    )


class _Way:
    """The way from a folder to one path below it: a stack of open directories."""

    def __init__(self, root: Path) -> None:
        self._opened = [os.open(root, os.O_RDONLY | os.O_DIRECTORY)]

    @property
    def folder(self) -> int:
        """The directory that was reached."""
        return self._opened[-1]

    def walk(self, name: str, *, make_folders: bool = False) -> str:
        """Go to `name`, over links inside the folder; return its last component, or "" where it is a folder itself.

        With `make_folders`, what is missing is made as a folder.

        The last component is no link, and may be missing. Raises Refused where the way leads out of the folder; OSError where a
        component before the last is missing or no folder, or links go round in circles.
        """
        todo, links = parts_of(name)[::-1], 0
        while todo:
            part = todo.pop()
            if part == "..":
                if len(self._opened) == 1:
                    raise leads_out(name)
                os.close(self._opened.pop())
                continue
            try:
                mode = os.stat(part, dir_fd=self.folder, follow_symlinks=False).st_mode
            except FileNotFoundError:
                if not make_folders and not todo:
                    return part
                if not make_folders:
                    self._follow_words(name, todo)
                    raise
                os.mkdir(part, dir_fd=self.folder)
                mode = stat.S_IFDIR
            if stat.S_ISLNK(mode):
                target, links = os.readlink(part, dir_fd=self.folder), links + 1
                if target.startswith("/"):
                    raise leads_out(name)
                if links > MAX_LINKS:
                    raise OSError(errno.ELOOP, "its links go round in circles")
                todo += [step for step in target.split("/") if step not in ("", ".")][
                    ::-1
                ]
            elif stat.S_ISDIR(mode):
                self._opened.append(
                    os.open(
                        part,
                        os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW,
                        dir_fd=self.folder,
                    )
                )
            elif todo:
                raise NotADirectoryError(errno.ENOTDIR, "it is behind a file")
            else:
                return part
        return ""

    def _follow_words(self, name: str, todo: list[str]) -> None:
        """Behind what is missing, the words alone tell whether the way leads out. Raises Refused."""
        depth = len(self._opened)
        for step in reversed(todo):
            depth += -1 if step == ".." else 1
            if depth < 1:
                raise leads_out(name)

    def __enter__(self) -> _Way:
        return self

    def __exit__(self, *exc: object) -> None:
        for descriptor in self._opened:
            os.close(descriptor)


def check_inside(root: Path, name: str) -> None:
    """Walk the whole way to `name`. Raises Refused where it leads out of the folder; a link to nothing is none that leads out."""
    if not HAS_OPENAT:
        _resolved(root, name)
        return
    with _Way(root) as way, contextlib.suppress(OSError):
        way.walk(name)


def open_file(root: Path, name: str) -> BinaryIO:
    """Return the regular file `name` below `root`, opened for reading.

    Raises Refused where the way leads out of the folder; FileNotFoundError, IsADirectoryError or another OSError else, also for
    what is no regular file.
    """
    if not HAS_OPENAT:
        return _regular(os.open(_resolved(root, name), FILE_FLAGS))
    with _Way(root) as way:
        last = way.walk(name)
        if not last:
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        return _regular(os.open(last, FILE_FLAGS | os.O_NOFOLLOW, dir_fd=way.folder))


def has_file(root: Path, name: str) -> bool:
    """Return whether there is a regular file `name` below `root`; what leads out of it is none."""
    try:
        open_file(root, name).close()
    except (OSError, SubmissionError):
        return False
    return True


def write_file(root: Path, name: str, data: bytes | None, mode: int = 0o644) -> None:
    """Put a file at `name` below `root`, in place of whatever is there; with None, remove what is there.

    Folders on the way are made. Raises Refused where the way leads out of the folder, OSError where there is no way.
    """
    *folders, last = parts_of(name)
    if not HAS_OPENAT:
        path = _resolved(root, "/".join(folders)) / last
        path.parent.mkdir(parents=True, exist_ok=True)
        (
            shutil.rmtree(path)
            if path.is_dir() and not path.is_symlink()
            else path.unlink(missing_ok=True)
        )
        if data is not None:
            path.write_bytes(data)
        return
    with _Way(root) as way:
        try:
            if way.walk("/".join(folders), make_folders=data is not None):
                if data is None:
                    return
                raise NotADirectoryError(errno.ENOTDIR, "it is behind a file")
            if stat.S_ISDIR(
                os.stat(last, dir_fd=way.folder, follow_symlinks=False).st_mode
            ):
                shutil.rmtree(last, dir_fd=way.folder)
            else:
                os.unlink(last, dir_fd=way.folder)
        except FileNotFoundError:
            if data is None:
                return
        if data is not None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with os.fdopen(os.open(last, flags, mode, dir_fd=way.folder), "wb") as file:
                file.write(data)


def _regular(descriptor: int) -> BinaryIO:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        os.close(descriptor)
        raise (
            IsADirectoryError(errno.EISDIR, "it is a folder")
            if folder
            else OSError(errno.EINVAL, "it is no regular file")
        )
    return os.fdopen(descriptor, "rb")


def _resolved(root: Path, name: str) -> Path:
    """The path with all links resolved, where the system has no openat. Raises Refused where it is outside."""
    path = root.joinpath(*parts_of(name)).resolve()
    if not path.is_relative_to(root.resolve()):
        raise leads_out(name)
    return path
