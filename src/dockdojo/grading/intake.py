"""The safe copy: a submission's folder, bounded and without anything that leads out of it.

Nothing is executed, no link is followed while it is copied, and every byte is bounded before it is read. Folders are opened one
inside the other, so what happens to the folder meanwhile leads nowhere. The copy is what is graded.

What `.dockerignore` leaves out is no build context: it is refused for nothing and counts against no limit. It is copied as far
as there is room, since graders read some of it (a README, the script of a training).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from dockdojo.beneath import HAS_OPENAT, check_inside, printable
from dockdojo.dockerignore import DockerIgnore
from dockdojo.errors import Refused, reason_of
from dockdojo.model import MB, Limits

LEFT_OUT = frozenset({".git", ".dockdojo.json", ".dockdojo"})
"""At the top of the folder only: history and dockdojo's own notes are no part of a submission."""
LITTER = frozenset({".venv", "venv", "node_modules", "__pycache__", ".git"})
"""Folders that no grader looks into, where `.dockerignore` leaves them out."""
SYSTEM_FILES = frozenset({".DS_Store", "__MACOSX", "Thumbs.db", "desktop.ini"})
"""What desktops leave in folders and archives; with `._*`, macOS' resource forks, never a part of a submission."""
MAX_DEPTH = 64
"""Folders in folders."""
MAX_NAME_BYTES = 1_000
"""Bytes of one path; longer ones are refused by archives and engines."""
MAX_IGNORE_BYTES = 100_000
CHUNK_BYTES = 2**20
IGNORE_FILES = ("Dockerfile.dockerignore", ".dockerignore")
"""Where the patterns stand; the first that is there counts, as BuildKit has it."""
_Open = int | Path
"""An open folder; its path, where the system has no openat."""
FOLDER_FLAGS = (
    os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
)
FILE_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a block device",
    stat.S_IFCHR: "a character device",
}


def copy_submission(
    folder: Path,
    target: Path,
    limits: Limits,
    files: Iterable[str] = (),
    *,
    left_out: Iterable[str] = (),
) -> str:
    """Copy the folder to `target`; return the SHA-256 of its names, modes and bytes in hexadecimal digits.

    `files` are those of the lab: they are part of the submission whatever `.dockerignore` says. `left_out` are names at the
    top of the folder that are no part of it, beside LEFT_OUT. Raises Refused.
    """
    target.mkdir(parents=True)
    copy = _Copy(folder, target, limits, frozenset(files), LEFT_OUT.union(left_out))
    copy.walk("", None, 0)
    for path in sorted(copy.postponed, key=lambda path: (path.count("/"), path)):
        copy.take_ignored(path)
    for path, optional in copy.links:
        _check_link(target, path, optional)
    _name_as_docker_does(target)
    if not copy.count:
        raise Refused(
            "The folder is empty.",
            hint="`dockdojo start` puts a lab's first files into a folder.",
        )
    return copy.digest.hexdigest()


def is_system_file(name: str) -> bool:
    """Whether a desktop made the file or folder of that name by itself: `.DS_Store`, `._app.py`, `__MACOSX`, `Thumbs.db`."""
    return name in SYSTEM_FILES or name.startswith("._")


def _name_as_docker_does(target: Path) -> None:
    """Give `dockerfile` its usual name: `docker build` takes it where there is no `Dockerfile`."""
    usual, lower = target / "Dockerfile", target / "dockerfile"
    if not os.path.lexists(usual) and os.path.lexists(lower) and not lower.is_dir():
        lower.rename(usual)


@dataclass
class _Copy:
    """One copy that is being made."""

    folder: Path
    target: Path
    limits: Limits
    files: frozenset[str]
    left_out: frozenset[str] = LEFT_OUT
    """Names at the top that are not copied."""
    size: int = 0
    """Bytes copied so far."""
    entries: int = 0
    """Files and folders so far."""
    ignored: int = 0
    """Files and folders so far that `.dockerignore` leaves out."""
    count: int = 0
    """Files and links so far."""
    links: list[tuple[str, bool]] = field(default_factory=list)
    """Each with whether it may be left out instead of being refused."""
    postponed: list[str] = field(default_factory=list)
    """Files that `.dockerignore` leaves out."""
    ignore: DockerIgnore | None = None

    def __post_init__(self) -> None:
        self.digest = hashlib.sha256()

    def walk(
        self, path: str, parent: _Open | None, depth: int, *, ignored: bool = False
    ) -> None:
        """Copy the folder at `path`, below the open folder `parent`, in the order of names.

        One that `.dockerignore` leaves out (`ignored`) is read as far as it can be: it may be a database's, another user's.
        """
        if depth > MAX_DEPTH:
            raise Refused(
                f"`{printable(path)[:200]}` lies more than {MAX_DEPTH} folders deep."
            )
        try:
            here = self._open_folder(path, parent)
        except Refused:
            if ignored:
                return
            raise
        try:
            if not path:
                self.ignore = self._read_ignore(here)
            for name in self._names(here, path, ignored=ignored):
                inner = f"{path}/{name}" if path else name
                if is_system_file(name) or (not path and name in self.left_out):
                    continue
                self._take(here, name, inner, depth)
        finally:
            _close(here)

    def _open_folder(self, path: str, parent: _Open | None) -> _Open:
        try:
            if parent is None:
                return (
                    os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
                    if HAS_OPENAT
                    else self.folder
                )
            return _inner_folder(parent, path.rpartition("/")[2])
        except OSError as error:
            raise _unreadable(path or str(self.folder), error) from error

    def _names(self, here: _Open, path: str, *, ignored: bool) -> list[str]:
        names = []
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    names.append(entry.name)
                    if len(names) > 10 * self.limits.context_files:
                        if ignored:
                            break
                        raise Refused(
                            f"`{printable(path) or 'The folder'}` holds more files than can be looked at."
                        )
        except OSError as error:
            raise _unreadable(path, error) from error
        return sorted(names)

    def _take(self, here: _Open, name: str, path: str, depth: int) -> None:
        try:
            info = _info(here, name)
        except OSError as error:
            raise _unreadable(path, error) from error
        ignored = self._is_ignored(path)
        self.ignored += ignored
        if ignored and self.ignored > self.limits.context_files:
            return
        if len(os.fsencode(path)) > MAX_NAME_BYTES:
            if ignored:
                return
            raise Refused(
                f"The path `{printable(path)[:80]}…` has more than {MAX_NAME_BYTES:,} bytes."
            )
        if stat.S_ISDIR(info.st_mode):
            if ignored and (
                name in LITTER or depth >= MAX_DEPTH or _holds(here, name, "pyvenv.cfg")
            ):
                return
            if not ignored:
                self._count(path, info)
                self.digest.update(b"d%b\0" % os.fsencode(path))
            (self.target / path).mkdir()
            self.walk(path, here, depth + 1, ignored=ignored)
        elif ignored and (stat.S_ISREG(info.st_mode) or stat.S_ISLNK(info.st_mode)):
            self.postponed.append(path)
        elif ignored:
            return
        else:
            self._count(path, info)
            self._take_file(here, name, path, info)

    def _take_file(
        self,
        here: _Open,
        name: str,
        path: str,
        info: os.stat_result,
        *,
        optional: bool = False,
    ) -> None:
        kind = stat.S_IFMT(info.st_mode)
        if kind in _KINDS:
            raise Refused(
                f"`{printable(path)}` is {_KINDS[kind]}.",
                hint="A submission has files, folders and links only. Remove it.",
            )
        self.count += 1
        if kind == stat.S_IFLNK:
            try:
                link = (
                    os.readlink(name, dir_fd=here)
                    if isinstance(here, int)
                    else os.readlink(here / name)
                )
            except OSError as error:
                raise _unreadable(path, error) from error
            (self.target / path).symlink_to(link)
            self.links.append((path, optional))
            self.digest.update(b"l%b\0%b\0" % (os.fsencode(path), os.fsencode(link)))
        else:
            self._copy_file(here, name, path, info)

    def _count(self, path: str, info: os.stat_result) -> None:
        """Hold what is to be copied against the limits, before a byte of it is read. Raises Refused."""
        self.entries += 1
        if self.entries > self.limits.context_files:
            raise Refused(
                f"The folder holds more than {self.limits.context_files:,} files and folders, the lab's limit.",
                hint="Is a virtual environment or a build's output in it? Name it in .dockerignore, or keep it elsewhere.",
            )
        if stat.S_ISREG(info.st_mode):
            self.size += info.st_size
            if self.size > self.limits.context_mb * MB:
                raise Refused(
                    f"The folder holds more than {self.limits.context_mb} MB, the lab's limit (`{printable(path)}` has "
                    f"{info.st_size / MB:.0f} MB).",
                    hint="A build context holds what the build needs, nothing more. .dockerignore leaves things out.",
                )

    def _copy_file(
        self, here: _Open, name: str, path: str, info: os.stat_result
    ) -> None:
        mode = stat.S_IMODE(info.st_mode) & 0o777
        self.digest.update(b"f%b\0%o\0%d\0" % (os.fsencode(path), mode, info.st_size))
        try:
            descriptor = _open(here, name)
        except OSError as error:
            raise _unreadable(path, error) from error
        copy = self.target / path
        with os.fdopen(descriptor, "rb") as file, copy.open("xb") as out:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Refused(f"`{printable(path)}` changed while it was read.")
            left = info.st_size
            while left and (data := file.read(min(CHUNK_BYTES, left))):
                left -= len(data)
                self.digest.update(data)
                out.write(data)
            if left or file.read(1):
                raise Refused(
                    f"`{printable(path)}` changed while it was read.",
                    hint="Try again when nothing writes to the folder.",
                )
        copy.chmod(mode | stat.S_IRUSR | stat.S_IWUSR)
        os.utime(copy, ns=(info.st_mtime_ns, info.st_mtime_ns))

    def _read_ignore(self, here: _Open) -> DockerIgnore | None:
        for name in IGNORE_FILES:
            try:
                with os.fdopen(_open(here, name), "rb") as file:
                    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                        return DockerIgnore.parse(
                            file.read(MAX_IGNORE_BYTES).decode("utf-8-sig", "replace")
                        )
            except OSError:
                continue  # none is there, or a link, whose target is judged with the others
        return None

    def _is_ignored(self, path: str) -> bool:
        """Whether `.dockerignore` leaves it out; never a Dockerfile, nor a file of the lab or the folder of one."""
        if self.ignore is None or path in IGNORE_FILES or "dockerfile" in path.lower():
            return False
        if path in self.files or any(
            file.startswith(path + "/") for file in self.files
        ):
            return False
        return self.ignore.leaves_out(path)

    def take_ignored(self, path: str) -> None:
        """Copy a file that is no build context, if there is room for it."""
        *folders, name = path.split("/")
        opened: list[_Open] = [self._open_folder("", None)]
        try:
            for folder in folders:
                opened.append(_inner_folder(opened[-1], folder))
            info = _info(opened[-1], name)
            fits = (
                self.size + info.st_size <= self.limits.context_mb * MB
                and self.entries < self.limits.context_files
            )
            if fits:
                self.size, self.entries = self.size + info.st_size, self.entries + 1
                self._take_file(opened[-1], name, path, info, optional=True)
        except (OSError, Refused):
            # It is gone, became something else, or is another user's: it is no build context.
            with contextlib.suppress(OSError):
                (self.target / path).unlink()
        finally:
            for folder_open in opened:
                _close(folder_open)


def _inner_folder(parent: _Open, name: str) -> _Open:
    """The folder of that name in an open one. Raises OSError where it is a link, or none."""
    if isinstance(parent, int):
        return os.open(name, FOLDER_FLAGS, dir_fd=parent)
    if stat.S_ISLNK(os.lstat(parent / name).st_mode):
        raise OSError(errno.ELOOP, "it became a link")
    return parent / name


def _open(here: _Open, name: str) -> int:
    return (
        os.open(name, FILE_FLAGS, dir_fd=here)
        if isinstance(here, int)
        else os.open(here / name, FILE_FLAGS)
    )


def _info(here: _Open, name: str) -> os.stat_result:
    if isinstance(here, int):
        return os.stat(name, dir_fd=here, follow_symlinks=False)
    return os.lstat(here / name)


def _close(here: _Open) -> None:
    if isinstance(here, int):
        os.close(here)


def _holds(here: _Open, folder: str, name: str) -> bool:
    try:
        _info(here, f"{folder}/{name}")
    except OSError:
        return False
    return True


def _check_link(target: Path, path: str, optional: bool) -> None:
    """Hold a link of the finished copy against where it leads. Raises Refused where that is out of the folder."""
    try:
        check_inside(target, path)
    except Refused:
        if not optional:
            raise
        (target / path).unlink()


def _unreadable(path: str, error: OSError) -> Refused:
    return Refused(f"`{printable(path)[:200]}` cannot be read: {reason_of(error)}.")
