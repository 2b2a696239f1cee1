"""Zip archives of strangers, opened safely: every name is judged and every byte bounded before it is written.

Format: APPNOTE.TXT of PKWARE, version 6.3.10, sections 4.3.16 (end of central directory), 4.3.14 (zip64) and 4.4.4 (names).
"""

from __future__ import annotations

import lzma
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

from dockdojo.beneath import printable
from dockdojo.errors import Refused, reason_of
from dockdojo.grading.intake import is_system_file

MAX_DIRECTORY_BYTES = 100_000_000
"""Of an archive's list of names: some 800,000 of them."""
MAX_MEMBERS = 400_000
"""Files and folders of one archive: of 2,000 submissions with 200 each."""
MAX_NAME_BYTES = 1_000
MAX_DEPTH = 64
CHUNK_BYTES = 2**20
END, END64, LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
END_BYTES, MAX_COMMENT_BYTES, LOCATOR64_BYTES = 22, 65_535, 20
UTF8_FLAG, ENCRYPTED_FLAG = 0x800, 0x1
UNIX = 3
"""Who made the archive, where that system has modes (4.4.2.2)."""
DRIVE = re.compile(r"[A-Za-z]:")
FILE_MODE, EXECUTABLE = 0o644, 0o111


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive."""

    path: str
    """Its place in the archive, with `/` between folders; judged already."""
    size: int
    mode: int | None
    """Permission bits; None where the archive has none, as those that Windows makes."""
    info: zipfile.ZipInfo


@dataclass(slots=True)
class Budget:
    """What may still be written: counted down, member by member."""

    files: int
    size: int
    """In bytes."""

    def take(self, member: Member) -> None:
        """Count a member. Raises Refused where it is too much."""
        self.take_file(member.path, member.size)

    def take_file(self, path: str, size: int) -> None:
        """Count a file of so many bytes. Raises Refused where it is too much."""
        self.files -= 1
        self.size -= size
        if self.files < 0:
            raise Refused("It holds more files than the lab allows.")
        if self.size < 0:
            raise Refused(
                f"It holds more than the lab allows (`{printable(path)[:200]}` has {size / 1e6:.0f} MB).",
                hint="Is a virtual environment or a build's output in it? Leave it out.",
            )


@dataclass(slots=True)
class Archive:
    """An open archive. Use as a context manager."""

    file: IO[bytes]
    name: str
    """How it is called in messages."""
    members: tuple[Member, ...] = ()
    _zip: zipfile.ZipFile = field(init=False)

    def __post_init__(self) -> None:
        try:
            if _directory_bytes(self.file) > MAX_DIRECTORY_BYTES:
                raise Refused(f"{self.name} lists more files than can be looked at.")
            self._zip = zipfile.ZipFile(self.file)
            infos = self._zip.infolist()
        except (
            zipfile.BadZipFile,
            OSError,
            ValueError,
            struct.error,
            NotImplementedError,
        ) as error:
            self.file.close()
            raise Refused(
                f"{self.name} is no zip archive, or not whole.",
                hint="Download it again.",
            ) from error
        if len(infos) > MAX_MEMBERS:
            raise Refused(f"{self.name} holds more than {MAX_MEMBERS:,} files.")
        self.members = tuple(_judged(infos, self.name))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._zip.close()
        self.file.close()

    def read(self, member: Member, limit: int) -> bytes:
        """Return a file's bytes. Raises Refused where it has more than `limit`, or is not what the archive says."""
        if member.size > limit:
            raise Refused(
                f"`{printable(member.path)[:200]}` has {member.size / 1e6:.0f} MB."
            )
        return b"".join(self._pieces(member))

    def write(self, member: Member, target: Path) -> None:
        """Write a file's bytes to a new file. Raises Refused as `read` does, and where the file is there already."""
        try:
            with target.open("xb") as out:
                for piece in self._pieces(member):
                    out.write(piece)
        except FileExistsError:
            raise Refused(
                f"`{printable(member.path)[:200]}` is in the archive twice."
            ) from None
        target.chmod(FILE_MODE | ((member.mode or 0) & EXECUTABLE))

    def _pieces(self, member: Member) -> Iterator[bytes]:
        left = member.size
        try:
            with self._zip.open(member.info) as file:
                while piece := file.read(min(CHUNK_BYTES, left + 1)):
                    left -= len(piece)
                    if left < 0:
                        break
                    yield piece
        except (
            zipfile.BadZipFile,
            zlib.error,
            lzma.LZMAError,
            EOFError,
            OSError,
            RuntimeError,
            NotImplementedError,
        ) as error:
            raise Refused(
                f"`{printable(member.path)[:200]}` cannot be unpacked: the archive is damaged, or packed in an unusual way."
            ) from error
        if left:
            raise Refused(
                f"`{printable(member.path)[:200]}` has not the size that the archive says."
            )


def open_archive(path: Path) -> Archive:
    """Open an archive. Raises Refused where it is none, or names a place outside of itself."""
    try:
        return Archive(path.open("rb"), path.name)
    except OSError as error:
        raise Refused(f"{path} cannot be read: {reason_of(error)}.") from error


def unpack(
    archive: Archive, members: Iterable[Member], target: Path, budget: Budget
) -> bool:
    """Write members below a folder, without a single top folder that all share; return whether their modes were lost."""
    chosen = list(members)
    top = top_folder(member.path for member in chosen)
    for member in chosen:
        budget.take(member)
        place = target / member.path.removeprefix(top)
        place.parent.mkdir(parents=True, exist_ok=True)
        archive.write(member, place)
    return bool(chosen) and all(member.mode is None for member in chosen)


def top_folder(paths: Iterable[str]) -> str:
    """Return the folder that all paths are in, with its `/`; empty where there is none, or more than one."""
    tops = {path.partition("/")[0] if "/" in path else "" for path in paths}
    return f"{tops.pop()}/" if len(tops) == 1 and "" not in tops else ""


def _judged(infos: Iterable[zipfile.ZipInfo], archive: str) -> Iterator[Member]:
    """The files of an archive, without what desktops put there. Raises Refused for a name that leads out, and for links."""
    for info in infos:
        path = _name(info).replace("\\", "/")
        shown = printable(path)[:200]
        parts = path.rstrip("/").split("/")
        if path.startswith("/") or DRIVE.match(path) or ".." in parts or "\0" in path:
            raise Refused(
                f"{archive} names a place outside of itself: `{shown}`.",
                hint="No archiver makes such a name by accident. Look at who made it.",
            )
        if len(os.fsencode(path)) > MAX_NAME_BYTES or len(parts) > MAX_DEPTH:
            raise Refused(f"{archive} has a name that is too long: `{shown[:80]}…`.")
        mode = info.external_attr >> 16
        kind = stat.S_IFMT(mode) if info.create_system == UNIX else 0
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            word = "a link" if kind == stat.S_IFLNK else "no file"
            raise Refused(f"`{shown}` in {archive} is {word}.")
        if path.endswith("/") or any(is_system_file(part) for part in parts):
            continue
        if info.flag_bits & ENCRYPTED_FLAG:
            raise Refused(f"`{shown}` in {archive} is encrypted.")
        has_mode = info.create_system == UNIX and stat.S_IMODE(mode)
        yield Member(
            path="/".join(part for part in parts if part not in ("", ".")),
            size=info.file_size,
            mode=stat.S_IMODE(mode) & 0o777 if has_mode else None,
            info=info,
        )


def _name(info: zipfile.ZipInfo) -> str:
    """The name as it was meant: many archivers write UTF-8 and do not say so (4.4.4, bit 11)."""
    if info.flag_bits & UTF8_FLAG:
        return info.orig_filename
    try:
        return info.orig_filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.orig_filename


def _directory_bytes(file: IO[bytes]) -> int:
    """How many bytes the list of names has, told before it is read. Raises BadZipFile where there is none."""
    size = file.seek(0, os.SEEK_END)
    tail_bytes = min(size, END_BYTES + MAX_COMMENT_BYTES)
    file.seek(size - tail_bytes)
    tail = file.read(tail_bytes)
    place = tail.rfind(END)
    if place < 0 or len(tail) < place + END_BYTES:
        raise zipfile.BadZipFile("no end of central directory")
    length: int = struct.unpack_from("<L", tail, place + 12)[0]
    locator = size - tail_bytes + place - LOCATOR64_BYTES
    if locator >= 0:
        file.seek(locator)
        record = file.read(LOCATOR64_BYTES)
        if record.startswith(LOCATOR64):
            file.seek(struct.unpack_from("<Q", record, 8)[0])
            end64 = file.read(56)
            if end64.startswith(END64):
                length = max(length, struct.unpack_from("<Q", end64, 40)[0])
    file.seek(0)
    return length
