"""The engine's multiplexed streams, read with a deadline and a bound.

Format: https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
(an 8-byte header: stream number, three zero bytes, length as a big-endian 32-bit number; then the payload).
"""

from __future__ import annotations

import socket
import struct
import time
from typing import Any

CHUNK = 65_536
STDOUT, STDERR = 1, 2


class Deadline(Exception):
    """The time given for reading is over."""


class Frames:
    """Reads frames from a socket that docker-py hands out for attach and exec."""

    def __init__(self, sock: Any) -> None:
        self._holder = sock  # docker-py's wrapper must outlive the raw socket
        self._sock = getattr(sock, "_sock", sock)
        self._buffer = b""

    def send(self, data: bytes) -> None:
        """Write all of `data` to the other side's stdin."""
        self._sock.sendall(data)

    def shut(self) -> None:
        """Say that nothing more comes on stdin."""
        self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """End the connection."""
        self._sock.close()

    def _fill(self, size: int, deadline: float) -> bool:
        while len(self._buffer) < size:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Deadline
            self._sock.settimeout(left)
            try:
                data = self._sock.recv(CHUNK)
            except TimeoutError:
                raise Deadline from None
            if not data:
                return False
            self._buffer += data
        return True

    def next(self, deadline: float) -> tuple[int, bytes] | None:
        """Return the next (stream, payload), or None at the end. Raises Deadline when time is over."""
        if not self._fill(8, deadline):
            return None
        stream, length = struct.unpack(">BxxxL", self._buffer[:8])
        if not self._fill(8 + length, deadline):
            return None
        payload = self._buffer[8 : 8 + length]
        self._buffer = self._buffer[8 + length :]
        return stream, payload


class Bounded:
    """Collects at most `limit` bytes and remembers whether there were more."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self.cut = False

    def add(self, data: bytes) -> None:
        """Keep what still fits."""
        room = self._limit - self._size
        if len(data) > room:
            self.cut = True
            data = data[:room]
        if data:
            self._parts.append(data)
            self._size += len(data)

    def text(self) -> str:
        """Return what was kept, with bytes that are not UTF-8 shown as U+FFFD."""
        return b"".join(self._parts).decode("utf-8", "replace")


def collect(frames: Frames, deadline: float, limit: int) -> tuple[Bounded, Bounded]:
    """Read stdout and stderr until the end. Raises Deadline, with what was read as its arguments."""
    out, err = Bounded(limit), Bounded(limit)
    try:
        while (frame := frames.next(deadline)) is not None:
            (err if frame[0] == STDERR else out).add(frame[1])
    except Deadline as late:
        late.args = (out, err)
        raise
    return out, err
