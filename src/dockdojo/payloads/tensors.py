"""Unpickles the objects of a checkpoint without torch, and without doing anything that they ask for.

A checkpoint is a pickle: a program that builds objects by importing and calling what it names. Here, a name is never
imported. Torch's functions that put tensors together are played by functions that keep where a tensor's bytes are; every
other class or function is a stand-in that holds what it is given. It needs the standard library alone; the files that hold
such pickles are read by `torch_files`.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

MAX_NAMES = 5_000
"""Classes and functions that one checkpoint may name."""
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
"""Types whose numbers can be NaN."""


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
        for dimension in self.size:
            count *= dimension
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
    # The third version has the type itself, behind: requires_grad, hooks, type.
    named_types = [
        argument.__name__
        for argument in rest
        if isinstance(argument, type) and argument.__name__ in WIDTHS
    ]
    tensor = Tensor(
        storage.key,
        named_types[0] if named_types else storage.kind,
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
            if len(self._names) >= MAX_NAMES:
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
