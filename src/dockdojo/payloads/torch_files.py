"""Reads files that `torch.save` wrote, without torch: where their objects and the bytes of their tensors are.

Formats: the zip archive of torch 1.6 and later (`NAME/data.pkl`, `NAME/data/KEY`), and the one before it (pickles, and the
storages' bytes behind them), as https://github.com/pytorch/pytorch/blob/v2.7.0/torch/serialization.py has them. The objects
are unpickled by `tensors`, which is beside it. It needs the standard library alone.
"""

from __future__ import annotations

import io
import os
import pickle
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from dockdojo.payloads.tensors import WIDTHS, Reader, Refused, Storage, Tensor

MAX_CHECKPOINT_BYTES = 1_000_000_000
"""Of one checkpoint, unpacked."""
MAX_PICKLE_BYTES = 64_000_000
"""Of a checkpoint's objects, without the tensors' numbers."""
MAX_RECORDS = 100_000
"""Files in one archive."""
MAGIC = 0x1950A86A20F9469CFC6C
"""The first object of a file of the older format."""
NAN = b"\xff"
"""All bits set: not a number, in each floating-point type (IEEE 754, and bfloat16, which is its upper half)."""


@dataclass(slots=True)
class Checkpoint:
    """A checkpoint: its objects, and where in the file the bytes of its storages are."""

    file: BinaryIO
    state: Any = None
    storages: dict[str, Storage] = field(default_factory=dict)
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Of each storage: where its bytes begin, and how many they are."""
    sums: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Of each storage: where the archive has its CRC-32."""

    def bytes_of(self, key: str) -> bytes:
        """Return the bytes of a storage."""
        start, length = self.places[key]
        self.file.seek(start)
        return self.file.read(length)

    def first_bytes(self, tensor: Tensor, most: int) -> bytes:
        """Return the first bytes of a tensor's numbers, as they lie in its storage; at most `most`."""
        start, length = self.places[tensor.key]
        first, end = tensor.extent
        self.file.seek(start + first)
        return self.file.read(max(0, min(end, length, first + most) - first))

    def write_with_nan(self, chosen: list[Tensor], target: str) -> None:
        """Write a copy of the whole file in which the numbers of the chosen tensors are NaN, and nothing else differs."""
        self.file.seek(0)
        whole = bytearray(self.file.read())
        for tensor in chosen:
            start, (first, end) = self.places[tensor.key][0], tensor.extent
            whole[start + first : start + end] = NAN * (end - first)
        for key in {tensor.key for tensor in chosen}:
            start, length = self.places[key]
            crc = struct.pack(
                "<I", zlib.crc32(memoryview(whole)[start : start + length])
            )
            for place in self.sums.get(key, ()):
                whole[place : place + 4] = crc
        descriptor = os.open(
            target,
            os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK,
            0o666,
        )
        with os.fdopen(descriptor, "wb") as out:
            out.write(whole)

    def expect_whole(self) -> None:
        """Raise Refused if a storage is missing, or has fewer bytes than it should."""
        for key, storage in self.storages.items():
            if self.places.get(key, (0, -1))[1] < storage.count * WIDTHS.get(
                storage.kind, 1
            ):
                raise Refused(f"the numbers of a tensor are missing (data/{key})")


def open_checkpoint(path: str) -> Checkpoint:
    """Return the checkpoint in a file. Raises Refused if it is none, OSError if it cannot be read."""
    try:
        file = os.fdopen(
            os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb"
        )
    except FileNotFoundError:
        raise Refused("No such file") from None
    info = os.fstat(file.fileno())
    if not stat.S_ISREG(info.st_mode):
        raise Refused("it is no plain file")
    if not 0 < info.st_size <= MAX_CHECKPOINT_BYTES:
        raise Refused(
            "it is empty"
            if not info.st_size
            else f"it has more than {MAX_CHECKPOINT_BYTES // 10**6} MB"
        )
    if file.read(4) == b"PK\x03\x04":
        return _zipped(file)
    return _older(file)


def _zipped(file: BinaryIO) -> Checkpoint:
    """Read the archive that torch writes since 1.6."""
    try:
        archive = zipfile.ZipFile(file)
        infos = archive.infolist()
        name = next(
            (info.filename for info in infos if info.filename.endswith("/data.pkl")), ""
        )
        if len(infos) > MAX_RECORDS or not name:
            raise Refused("it is an archive, and not one that torch.save wrote")
        for info in infos:
            # Torch never packs; and whoever told torch to leave the sums out (set_crc32_options) has a whole checkpoint, too.
            if (
                info.compress_type != zipfile.ZIP_STORED
                or info.file_size != info.compress_size
            ):
                raise Refused(
                    "it is an archive that was packed again: torch.save does not compress"
                )
            info.CRC = None  # type: ignore[assignment]  # zipfile then does not compare it
        if archive.getinfo(name).file_size > MAX_PICKLE_BYTES:
            raise Refused(
                f"it has more than {MAX_PICKLE_BYTES // 10**6} MB of objects beside its tensors"
            )
        made = Checkpoint(file)
        made.state = Reader(io.BytesIO(archive.read(name)), made.storages).load()
        central = _central(file, archive.start_dir, len(infos))
        prefix = f"{name.removesuffix('data.pkl')}data/"
        for info in infos:
            if info.filename.startswith(prefix):
                key = info.filename.removeprefix(prefix)
                file.seek(info.header_offset)
                header = file.read(30)
                start = (
                    info.header_offset + 30 + sum(struct.unpack_from("<HH", header, 26))
                )
                made.places[key] = (start, info.file_size)
                made.sums[key] = tuple(
                    filter(None, (central.get(info.filename), info.header_offset + 14))
                )
    except (
        zipfile.BadZipFile,
        KeyError,
        struct.error,
        EOFError,
        NotImplementedError,
    ) as error:
        raise Refused("it is not whole, or no file that torch.save wrote") from error
    made.expect_whole()
    return made


def _central(file: BinaryIO, start: int, count: int) -> dict[str, int]:
    """Return where the archive's directory has the checksum of each record (APPNOTE.TXT of PKWARE, 4.3.12)."""
    found = {}
    for _ in range(count):
        file.seek(start)
        header = file.read(46)
        name, extra, comment = struct.unpack_from("<HHH", header, 28)
        found[file.read(name).decode("utf-8", "replace")] = start + 16
        start += 46 + name + extra + comment
    return found


def _older(file: BinaryIO) -> Checkpoint:
    """Read what torch wrote before 1.6 (and on request still does): pickles, and the storages' bytes behind them."""
    file.seek(0)
    made = Checkpoint(file)
    try:
        if Reader(file, {}).load() != MAGIC:
            raise Refused("it is no file that torch.save wrote")
        for _ in range(2):  # the protocol, and what the machine was like
            Reader(file, {}).load()
        made.state = Reader(file, made.storages).load()
        keys = Reader(file, {}).load()
        for key in keys if isinstance(keys, list) else ():
            storage = made.storages[str(key)]
            (count,) = struct.unpack("<q", file.read(8))
            length = count * WIDTHS.get(storage.kind, 1)
            made.places[storage.key] = (file.tell(), length)
            if (
                count != storage.count
                or file.seek(length, os.SEEK_CUR) > os.fstat(file.fileno()).st_size
            ):
                raise Refused("it is not whole")
    except (
        pickle.UnpicklingError,
        EOFError,
        KeyError,
        ValueError,
        IndexError,
        struct.error,
        AttributeError,
        TypeError,
    ) as error:
        raise Refused("it is not whole, or no file that torch.save wrote") from error
    made.expect_whole()
    return made
