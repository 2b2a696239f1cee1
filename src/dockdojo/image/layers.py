"""An image's layers, read from the engine's export without running anything. Streamed, never unpacked to disk.

Formats: the engine's own (`ID/layer.tar`, https://github.com/moby/docker-image-spec/blob/main/v1.2.md) and the OCI
layout (`blobs/sha256/…`), whose layers are plain, gzip or zstd (https://github.com/opencontainers/image-spec/blob/main/layer.md,
which has the whiteouts as well).
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zlib
from collections.abc import Iterator
from typing import Any

from dockdojo.connection.types import Entry, Layer
from dockdojo.errors import EngineGone, LimitReached
from dockdojo.image.needles import Needles

MAX_ENTRIES = 500_000
"""Paths in one image; a Debian with PyTorch has about 30,000."""
MAX_JSON_BYTES = 4_000_000
OUTER, INNER = 2**18, 2**15
"""Bytes that tarfile reads at once. It copies what is left of them at every header, so more is slower: measured."""
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
"""How compressed data begin (RFC 1952, RFC 8878)."""
USTAR = 257
"""Where the header of a tar archive names its format (POSIX.1-1988, ustar)."""
WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
MAX_INDEXES = 3
"""Documents of an OCI layout that lead from one to the next, until one names layers."""


class Chunks(io.RawIOBase):
    """The engine's chunks as a file to read from."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Return whether it can be read: it can."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with what comes next; return how many bytes that were, 0 at the end."""
        while not self._rest:
            try:
                self._rest = memoryview(next(self._chunks))
            except StopIteration:
                return 0
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def read_layers(
    chunks: Iterator[bytes], needles: tuple[bytes, ...] = (), *, thorough: bool = False
) -> list[Layer]:
    """Return the layers in the order of the stack; entries tell which of the `needles` their bytes hold.

    With `thorough`, also where they hold them in another form or packed up (see engine.needles). An export of several
    images, as that of a name that stands for several platforms, has the first one's layers read.

    Raises EngineGone where the export cannot be understood.
    """
    found: dict[str, tuple[Entry, ...]] = {}
    links: dict[str, str] = {}
    documents: dict[str, Any] = {}
    wanted = Needles(needles, thorough=thorough) if needles else None
    try:
        with tarfile.open(fileobj=Chunks(chunks), mode="r|", bufsize=OUTER) as outer:
            for member in outer:
                if member.issym():
                    links[member.name] = _beside(member.name, member.linkname)
                if not member.isfile():
                    continue
                data = outer.extractfile(member)
                assert data is not None
                if member.name.endswith(".json"):
                    documents[member.name] = json.loads(data.read(MAX_JSON_BYTES))
                elif member.name.endswith(".tar") or member.name.startswith(
                    "blobs/"
                ):  # Podman's have a name of their own
                    file = io.BufferedReader(data, 2**20)  # type: ignore[type-var]  # it reads like a raw file
                    begins = file.peek(USTAR + 5)
                    if (
                        begins.startswith(b"{")
                        and begins[USTAR : USTAR + 5] != b"ustar"
                    ):  # a config or manifest of the OCI layout
                        documents[member.name] = json.loads(file.read(MAX_JSON_BYTES))
                    else:
                        found[member.name] = _entries(_plain(file, begins), wanted)
        config_name, layer_names = _listed(documents)
        config = documents[config_name]
        names = [links.get(name, name) for name in layer_names]
        made_by = _instructions(config.get("history") or [], len(names))
        ids = config["rootfs"]["diff_ids"]
        return [
            Layer(diff_id=diff_id, entries=found[name], instruction=instruction)
            for name, diff_id, instruction in zip(names, ids, made_by, strict=True)
        ]
    except (
        tarfile.TarError,
        ValueError,
        KeyError,
        IndexError,
        EOFError,
        zlib.error,
        _zstd_error(),
    ) as error:
        raise EngineGone(
            f"The engine's export of an image could not be read: {error!r}."
        ) from error


def _listed(documents: dict[str, Any]) -> tuple[str, list[str]]:
    """The names of an image's config and of its layers, lowest first: in Docker's manifest.json, else in the OCI layout's index.

    OCI: https://github.com/opencontainers/image-spec/blob/main/image-layout.md. An index may name others, and attestations,
    which have no platform that could run them. Raises KeyError or IndexError where neither leads to an image.
    """
    if "manifest.json" in documents:
        docker = documents["manifest.json"][0]
        return docker["Config"], docker["Layers"]
    manifest = documents["index.json"]
    for _ in range(MAX_INDEXES):
        if "manifests" not in manifest:
            break
        runnable = [
            entry
            for entry in manifest["manifests"]
            if entry.get("platform", {}).get("os") != "unknown"
        ]
        manifest = documents[_blob(runnable[0])]
    return _blob(manifest["config"]), [
        _blob(descriptor) for descriptor in manifest["layers"]
    ]


def _blob(descriptor: dict[str, Any]) -> str:
    """Where the layout keeps what a descriptor names."""
    return "blobs/" + str(descriptor["digest"]).replace(":", "/", 1)


def _plain(file: Any, begins: bytes) -> Any:
    """The layer's archive, without what it is compressed with."""
    if begins.startswith(GZIP):
        return gzip.GzipFile(fileobj=file, mode="rb")
    if begins.startswith(ZSTD):
        import zstandard  # it takes longer to load than most layers to be read, and few are packed so

        return zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    return file


def _zstd_error() -> type[Exception]:
    import zstandard

    error: type[Exception] = zstandard.ZstdError
    return error


def _beside(name: str, target: str) -> str:
    """`a/layer.tar` linked to `../b/layer.tar` is `b/layer.tar`."""
    parts = name.split("/")[:-1]
    for part in target.split("/"):
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def _instructions(history: list[dict[str, Any]], count: int) -> list[str]:
    """What made each layer; an image that was imported may have less history than layers."""
    found = [
        str(step.get("created_by") or step.get("comment") or "")
        for step in history
        if not step.get("empty_layer")
    ]
    return ([""] * count + found)[-count:] if count else []


def _entries(file: Any, needles: Needles | None) -> tuple[Entry, ...]:
    """What one layer holds."""
    entries: list[Entry] = []
    with tarfile.open(fileobj=file, mode="r|", bufsize=INNER) as layer:
        for member in layer:
            if len(entries) >= MAX_ENTRIES:
                raise LimitReached(
                    f"The image holds more than {MAX_ENTRIES} paths in one layer."
                )
            data = layer.extractfile(member) if needles and member.isreg() else None
            if member.issym():  # where a link leads is a text that anyone can read
                data = io.BytesIO(member.linkname.encode("utf-8", "surrogateescape"))
            held = needles.held(data) if needles and data else ()
            entries.append(_entry(member, held))
            layer.members = []  # type: ignore[attr-defined]  # tarfile remembers every member; a stream never needs them again
    return tuple(entries)


def _entry(member: tarfile.TarInfo, held: tuple[bytes, ...]) -> Entry:
    path = member.name.removeprefix("./").strip("/")
    folder, _, name = path.rpartition("/")
    kind = (
        "file"
        if member.isreg()
        else (
            "dir"
            if member.isdir()
            else "link" if member.issym() or member.islnk() else "other"
        )
    )
    if name == OPAQUE:
        path, kind = folder, "opaque"
    elif name.startswith(WHITEOUT):
        path, kind = f"{folder}/{name[len(WHITEOUT):]}".lstrip("/"), "whiteout"
    size = member.size if member.isreg() else 0
    return Entry(
        path=path,
        kind=kind,
        size=size,
        mode=member.mode,
        uid=member.uid,
        gid=member.gid,
        held=held,
        mtime=int(member.mtime),
    )
