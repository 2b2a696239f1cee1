"""Reads files that `torch.save` wrote, without torch, and without doing anything that they ask for.

A checkpoint is a pickle: a program that builds objects by importing and calling what it names. Here, a name is never
imported. Torch's functions that put tensors together are played by functions that keep where a tensor's bytes are; every
other class or function is a stand-in that holds what it is given. It needs the standard library alone.

Formats: the zip archive of torch 1.6 and later (`NAME/data.pkl`, `NAME/data/KEY`), and the one before it (pickles, and the
storages' bytes behind them), as https://github.com/pytorch/pytorch/blob/v2.7.0/torch/serialization.py has them.
"""

from __future__ import annotations

import io
import os
import pickle
import stat
import struct
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

MOST_BYTES = 1_000_000_000
"""Of one checkpoint, unpacked."""
MOST_PICKLE = 64_000_000
"""Bytes of its objects, without the tensors' numbers."""
MOST_RECORDS = 100_000
MOST_NAMES = 5_000
"""Classes and functions that one checkpoint names."""
MAGIC = 0x1950A86A20F9469CFC6C
"""The first object of a file of the older format."""
WIDTHS = {
    "float64": 8,
    "double": 8,
    "float32": 4,
    "float": 4,
    "float16": 2,
    "half": 2,
    "bfloat16": 2,
    "complexdouble": 16,
    "complex128": 16,
    "complexfloat": 8,
    "complex64": 8,
    "int64": 8,
    "long": 8,
    "int32": 4,
    "int": 4,
    "qint32": 4,
    "int16": 2,
    "short": 2,
}
"""Bytes of one number, by what torch calls its type; all others have 1."""
FLOATING = (
    "float64",
    "double",
    "float32",
    "float",
    "float16",
    "half",
    "bfloat16",
    "complexdouble",
    "complex128",
    "complexfloat",
    "complex64",
)
NAN = b"\xff"
"""All bits set: not a number, in each of these types (IEEE 754, and bfloat16, which is its upper half)."""


class Refused(Exception):
    """Why a file cannot be read as a checkpoint."""


@dataclass(slots=True)
class Storage:
    """Where the bytes of tensors are."""

    key: str
    kind: str
    count: int


@dataclass(slots=True, eq=False)
class Tensor:
    """A tensor: its shape, and which numbers of a storage are its own."""

    key: str
    kind: str
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def floating(self) -> bool:
        """Whether its numbers can be NaN."""
        return self.kind in FLOATING

    @property
    def width(self) -> int:
        """Bytes of one of its numbers."""
        return WIDTHS.get(self.kind, 1)

    @property
    def count(self) -> int:
        """How many numbers it has."""
        count = 1
        for one in self.size:
            count *= one
        return count

    @property
    def extent(self) -> tuple[int, int]:
        """The first of its bytes in the storage, and the end of the last."""
        if not self.count:
            return 0, 0
        last = self.offset + sum(
            (size - 1) * step for size, step in zip(self.size, self.stride, strict=True)
        )
        return self.offset * self.width, (last + 1) * self.width


class Inert:
    """Stands for an object of any class, and for what any function would return: it keeps what it is given, and does nothing."""

    args: tuple[Any, ...]
    states: list[Any]
    items: list[Any]
    entries: dict[Any, Any]

    def __new__(cls, *args: Any, **options: Any) -> Inert:
        """Made without any class's own way of making it."""
        made = object.__new__(cls)
        made.args, made.states, made.items, made.entries = (
            (*args, *options.values()),
            [],
            [],
            {},
        )
        return made

    def __init__(self, *args: Any, **options: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.states.append(state)

    def append(self, item: Any) -> None:
        """As of a list's subclass."""
        self.items.append(item)

    def extend(self, items: Iterable[Any]) -> None:
        """The same, of many."""
        self.items.extend(items)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.entries[key] = value


def rebuild(storage: Any, offset: Any, size: Any, stride: Any, *rest: Any) -> Any:
    """torch._utils._rebuild_tensor_v2, and those like it."""
    if not isinstance(storage, Storage):
        return Inert(storage, offset, size, stride, *rest)
    # The third version tells the type itself, behind: requires_grad, hooks, type.
    told = [
        one.__name__ for one in rest if isinstance(one, type) and one.__name__ in WIDTHS
    ]
    tensor = Tensor(
        storage.key,
        told[0] if told else storage.kind,
        _whole(offset),
        _wholes(size),
        _wholes(stride),
    )
    if len(tensor.size) != len(tensor.stride):
        raise Refused("a tensor's shape and strides do not belong together")
    if tensor.extent[1] > storage.count * WIDTHS.get(storage.kind, 1):
        raise Refused("a tensor has more numbers than its storage")
    return tensor


def _whole(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < 2**48:
        raise Refused("a tensor's shape is none")
    return value


def _wholes(values: Any) -> tuple[int, ...]:
    values = values.args[0] if isinstance(values, Inert) and values.args else values
    if not isinstance(values, (tuple, list)) or len(values) > 64:
        raise Refused("a tensor's shape is none")
    return tuple(map(_whole, values))


def first_of(value: Any, *rest: Any) -> Any:
    """A parameter is its tensor: torch._utils._rebuild_parameter."""
    return value


def of_type(function: Any, kind: Any, args: Any, *rest: Any) -> Any:
    """A tensor of a class of its own: torch._tensor._rebuild_from_type_v2."""
    return (
        function(*args)
        if function in REBUILDING.values() and isinstance(args, tuple)
        else Inert(args, *rest)
    )


def as_bytes(value: Any, *rest: Any) -> Any:
    """How protocol 2 of pickle writes bytes: _codecs.encode(text, 'latin1')."""
    return value.encode("latin1", "replace") if isinstance(value, str) else Inert(value)


class Table(dict[Any, Any]):
    """A collections.defaultdict without its factory."""

    def __init__(self, *args: Any) -> None:
        super().__init__()


REBUILDING: dict[str, Any] = {
    "_rebuild_tensor": rebuild,
    "_rebuild_tensor_v2": rebuild,
    "_rebuild_tensor_v3": rebuild,
    "_rebuild_qtensor": rebuild,
    "_rebuild_parameter": first_of,
    "_rebuild_parameter_with_state": first_of,
    "_rebuild_from_type_v2": of_type,
    "restore_type_tag": first_of,
}
"""Functions of torch, by name; the module differs between versions."""
KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("collections", "defaultdict"): Table,
    ("_codecs", "encode"): as_bytes,
}


class Reader(pickle.Unpickler):
    """An unpickler that imports nothing."""

    def __init__(self, file: Any, storages: dict[str, Storage]) -> None:
        super().__init__(file, encoding="latin1")
        self.storages = storages
        self._names: dict[tuple[str, str], Any] = {}

    def find_class(self, module: str, name: str) -> Any:
        """A stand-in for what is named."""
        if known := KNOWN.get((module, name)):
            return known
        if module.partition(".")[0] == "torch" and name in REBUILDING:
            return REBUILDING[name]
        if (module, name) not in self._names:
            if len(self._names) >= MOST_NAMES:
                raise Refused("it names more classes than any checkpoint should")
            self._names[module, name] = type(
                name.rpartition(".")[2][:100] or "nameless", (Inert,), {}
            )
        return self._names[module, name]

    def persistent_load(self, pid: Any) -> Any:
        """A storage: ('storage', type, key, device, count, view). A module's class comes with its source, which is let be."""
        if (
            isinstance(pid, tuple)
            and len(pid) > 1
            and pid[0] == "module"
            and isinstance(pid[1], type)
        ):
            return pid[1]
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage":
            return Inert(pid)
        kind = getattr(pid[1], "__name__", "").removesuffix("Storage").lower()
        storage = Storage(str(pid[2])[:100], kind, _whole(pid[4]))
        return self.storages.setdefault(storage.key, storage)


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
        """The bytes of a storage."""
        start, length = self.places[key]
        self.file.seek(start)
        return self.file.read(length)

    def first_bytes(self, tensor: Tensor, most: int) -> bytes:
        """The first bytes of a tensor's numbers, as they lie in its storage; at most so many."""
        start, length = self.places[tensor.key]
        first, end = tensor.extent
        self.file.seek(start + first)
        return self.file.read(max(0, min(end, length, first + most) - first))

    def write_with_nan(self, chosen: list[Tensor], target: str) -> None:
        """A copy of the whole file in which the numbers of the chosen tensors are NaN, and nothing else is different."""
        self.file.seek(0)
        whole = bytearray(self.file.read())
        for one in chosen:
            start, (first, end) = self.places[one.key][0], one.extent
            whole[start + first : start + end] = NAN * (end - first)
        for key in {one.key for one in chosen}:
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
        """Raises Refused where a storage is not there, or has fewer bytes than it should."""
        for key, storage in self.storages.items():
            if self.places.get(key, (0, -1))[1] < storage.count * WIDTHS.get(
                storage.kind, 1
            ):
                raise Refused(f"the numbers of a tensor are missing (data/{key})")


def open_checkpoint(path: str) -> Checkpoint:
    """The checkpoint in a file. Raises Refused where it is none, OSError where it cannot be read."""
    try:
        file = os.fdopen(
            os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb"
        )
    except FileNotFoundError:
        raise Refused("No such file") from None
    info = os.fstat(file.fileno())
    if not stat.S_ISREG(info.st_mode):
        raise Refused("it is no plain file")
    if not 0 < info.st_size <= MOST_BYTES:
        raise Refused(
            "it is empty"
            if not info.st_size
            else f"it has more than {MOST_BYTES // 10**6} MB"
        )
    if file.read(4) == b"PK\x03\x04":
        return _zipped(file)
    return _older(file)


def _zipped(file: BinaryIO) -> Checkpoint:
    """The archive that torch writes since 1.6."""
    try:
        archive = zipfile.ZipFile(file)
        infos = archive.infolist()
        name = next(
            (one.filename for one in infos if one.filename.endswith("/data.pkl")), ""
        )
        if len(infos) > MOST_RECORDS or not name:
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
        if archive.getinfo(name).file_size > MOST_PICKLE:
            raise Refused(
                f"it has more than {MOST_PICKLE // 10**6} MB of objects beside its tensors"
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
    """Where the archive's directory has the sum of each record (APPNOTE.TXT of PKWARE, 4.3.12)."""
    found = {}
    for _ in range(count):
        file.seek(start)
        header = file.read(46)
        name, extra, comment = struct.unpack_from("<HHH", header, 28)
        found[file.read(name).decode("utf-8", "replace")] = start + 16
        start += 46 + name + extra + comment
    return found


def _older(file: BinaryIO) -> Checkpoint:
    """What torch wrote before 1.6, and still does when it is asked: pickles, and the storages' bytes behind them."""
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
