"""Looking for a secret in bytes: as it is, in base64 and in hexadecimal digits; and in archives and compressed files, two deep.

What is unpacked is bounded, whatever an archive says of itself. A secret that is split or enciphered is not found.
"""

from __future__ import annotations

import base64
import bz2
import contextlib
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any

PIECE_BYTES = 2**20
MAX_ARCHIVE_BYTES = 20_000_000
"""Of one file that is unpacked; a larger one is searched as it is."""
MAX_UNPACKED_BYTES = 100_000_000
"""Of all that is unpacked in one image."""
MAX_ARCHIVE_MEMBERS = 2_000
"""Of one archive."""
DEPTH = 2
"""Archives in archives."""
USTAR = slice(257, 262)
"""Where a tar archive says that it is one (POSIX.1-1988, pax)."""
GZIP, BZIP2, XZ, ZIP = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"PK\x03\x04"
"""How such files begin."""
ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
"""How a stream of zlib begins (RFC 1950), by its level: the objects of git are such."""
SPACE = b" \t\r\n"
"""What may stand between the digits: `base64` ends its lines after 76, `xxd -p` after 60, and `od` writes bytes apart."""
APART = 3
"""How many bytes a digit may take then, with what stands between."""
LZMA_MEMORY_BYTES = 100_000_000
BROKEN = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
    OverflowError,
    MemoryError,
)
"""What reading an archive raises that is broken, locked, or of an unknown kind; what came before it counts."""


def forms_of(secret: bytes) -> tuple[bytes, ...]:
    """Return the secret, and what is always in its base64 (RFC 4648, at each of the three offsets) and its hexadecimal digits."""
    found = [secret, secret.hex().encode(), secret.hex().upper().encode()]
    for offset in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encode(bytes(offset) + secret)
            # The first digits depend on what stands before, and the last on what follows.
            first, last = -(-offset * 8 // 6), (offset + len(secret)) * 8 // 6
            found.append(whole[first:last])
    return tuple(dict.fromkeys(found))


class Needles:
    """Secrets to look for. With `thorough`, in other forms and in archives, too."""

    def __init__(self, secrets: tuple[bytes, ...], *, thorough: bool = False) -> None:
        self._forms = {
            secret: forms_of(secret) if thorough else (secret,) for secret in secrets
        }
        longest = max(
            (len(form) for forms in self._forms.values() for form in forms), default=1
        )
        self._overlap = longest * APART if thorough else longest - 1
        self._thorough = thorough
        self._left = MAX_UNPACKED_BYTES

    def held(self, file: IO[bytes]) -> tuple[bytes, ...]:
        """Return which secrets the file holds, read in pieces that overlap."""
        found: set[bytes] = set()
        piece = file.read(PIECE_BYTES)
        if self._thorough and _is_archive(piece):
            data = piece + file.read(MAX_ARCHIVE_BYTES - len(piece) + 1)
            if len(data) <= MAX_ARCHIVE_BYTES:
                self._search_inside(data, DEPTH, found)
            piece = data
        tail = b""
        while piece:
            text = tail + piece
            self._search(text, found)
            tail = text[-self._overlap :] if self._overlap else b""
            piece = file.read(PIECE_BYTES)
        return tuple(secret for secret in self._forms if secret in found)

    def held_by_text(self, text: str) -> bool:
        """Return whether a name, a variable or a line of the history holds one."""
        found: set[bytes] = set()
        self._search(text.encode("utf-8", "replace"), found)
        return bool(found)

    def _search(self, data: bytes, found: set[bytes]) -> None:
        for secret, forms in self._forms.items():
            if secret not in found and any(form in data for form in forms):
                found.add(secret)
        if self._thorough and b"\0" not in data and len(found) < len(self._forms):
            joined = data.translate(None, SPACE)
            found.update(
                secret
                for secret, forms in self._forms.items()
                if any(form in joined for form in forms[1:])
            )

    def _search_inside(self, data: bytes, depth: int, found: set[bytes]) -> None:
        for content in self._unpacked(data):
            self._search(content, found)
            if depth > 1 and _is_archive(content):
                self._search_inside(content, depth - 1, found)

    def _unpacked(self, data: bytes) -> Iterator[bytes]:
        """What an archive or a compressed file holds, as far as it can be read and there is room."""
        with contextlib.suppress(*BROKEN):
            source = io.BytesIO(data)
            if data.startswith(GZIP):
                yield self._read(gzip.GzipFile(fileobj=source))
            elif data.startswith(BZIP2):
                yield self._read(bz2.BZ2File(source))
            elif data.startswith(XZ):
                yield self._read(_Unpacked(source, _xz()))
            elif data.startswith(ZLIB):
                yield self._read(_Unpacked(source, _Zlib()))
            elif data.startswith(ZIP):
                with zipfile.ZipFile(source) as packed:
                    for member in packed.infolist()[:MAX_ARCHIVE_MEMBERS]:
                        with contextlib.suppress(*BROKEN):
                            yield self._read(packed.open(member))
            else:
                with tarfile.open(fileobj=source, mode="r:") as archive:
                    for _, entry in zip(
                        range(MAX_ARCHIVE_MEMBERS), archive, strict=False
                    ):
                        if (
                            entry.isreg()
                            and (file := archive.extractfile(entry)) is not None
                        ):
                            yield self._read(file)

    def _read(self, file: Any) -> bytes:
        """The bytes of a file in an archive, up to where it breaks off or the room is used up."""
        held = bytearray()
        with contextlib.suppress(*BROKEN):
            while self._left > 0 and (piece := file.read(min(PIECE_BYTES, self._left))):
                self._left -= len(piece)
                held += piece
        return bytes(held)


def _xz() -> Any:
    return lzma.LZMADecompressor(memlimit=LZMA_MEMORY_BYTES)


class _Zlib:
    """zlib's unpacker, asked as that of lzma is."""

    def __init__(self) -> None:
        self._unpacker = zlib.decompressobj()

    @property
    def eof(self) -> bool:
        return self._unpacker.eof

    @property
    def needs_input(self) -> bool:
        return not self._unpacker.unconsumed_tail

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._unpacker.decompress(
            self._unpacker.unconsumed_tail + data, max_length
        )


class _Unpacked:
    """A compressed file, unpacked piece by piece."""

    def __init__(self, source: io.BytesIO, unpacker: Any) -> None:
        self._source = source
        self._unpacker = unpacker

    def read(self, size: int) -> bytes:
        while not self._unpacker.eof:
            more = self._source.read(PIECE_BYTES) if self._unpacker.needs_input else b""
            if self._unpacker.needs_input and not more:
                break  # it is cut off
            if piece := self._unpacker.decompress(more, max_length=size):
                return bytes(piece)
        return b""


def _is_archive(data: bytes) -> bool:
    return data.startswith((GZIP, BZIP2, XZ, ZIP, *ZLIB)) or data[USTAR] == b"ustar"
