"""HTTP to a container from beside it: a small helper container in the same closed network does the talking.

So a server is reached as others reach it, at the container's own address, on every platform and without publishing
a port; and what comes back is bounded before it is read.
"""

from __future__ import annotations

import http.client
import io
import secrets
import shlex
import time
from dataclasses import dataclass
from email.message import Message
from typing import TYPE_CHECKING
from urllib.parse import quote

from dockdojo.connection.streams import STDERR, Deadline, Frames
from dockdojo.connection.types import RunSpec
from dockdojo.errors import EngineGone, ImageUnavailable
from dockdojo.model import Limits

if TYPE_CHECKING:
    from dockdojo.engine.client import Engine
    from dockdojo.engine.container import Container

HELPER_IMAGE = "busybox:latest"
SAFE = "/%?=&:;,+~@!$*()"
"""Characters of a path that are sent as they are."""
POLL_SECONDS = 0.05
RETRY_SECONDS = 0.25
"""Seconds until a server that answered with another status is asked again."""
LOOPBACK_FROM = 0.8
"""What is left of the time to wait when a server is first looked for on the loopback."""
CONNECT_SECONDS = 1
"""Seconds that a slow request has for its connection."""
MAX_LENGTH_DIGITS = 18
"""Digits, with a space, of a length that is believed."""
MAX_EXTENSION_FACTOR = 3
"""How many times as long again a server has at most, on a machine that lets it wait for a processor."""
MAX_BODY_BYTES = 10_000_000
"""Bytes of one answer that are read."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. `status` is 0 where none came; `error` then says why."""

    status: int
    headers: Message
    body: bytes
    seconds: float
    error: str = ""

    @property
    def text(self) -> str:
        """The body as text, with bytes that are not UTF-8 shown as U+FFFD."""
        return self.body.decode("utf-8", "replace")

    @property
    def type(self) -> str:
        """The media type, without parameters."""
        return (
            self.headers.get_content_type() if self.headers.get("Content-Type") else ""
        )


class Client:
    """Asks containers of one run; starts its helper at the first question."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._helper: Container | None = None
        self._beside: dict[str, Container] = {}

    def get(
        self,
        container: Container,
        path: str = "/",
        *,
        port: int,
        timeout: float = 10,
        loopback: bool = False,
    ) -> Response:
        """Send one GET to the container's own address, or to its loopback. Never raises for what the server does."""
        address = "127.0.0.1" if loopback else container.address
        helper = self._inside(container) if loopback else self._start()
        if not address or helper is None:
            return Response(0, Message(), b"", 0.0, "the container is not running")
        request = (
            f"GET {quote(path, safe=SAFE)} HTTP/1.1\r\nHost: {address}:{port}\r\n"
            "User-Agent: dockdojo\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        )
        began = time.monotonic()
        raw, error = self._exchange(helper, address, port, request.encode(), timeout)
        return _parse(raw, time.monotonic() - began, error)

    def wait(
        self,
        container: Container,
        path: str = "/",
        *,
        port: int,
        within: float,
        loopback: bool = False,
        status: int = 0,
    ) -> Response:
        """Return the first answer, or the last failure when `within` seconds after the start are over.

        With `status`, the first answer of that status, or the last of another: a proxy answers 502 or 503 until what is
        behind it is ready. With `loopback`, a server that listens on the loopback only is found, too (after a fifth of
        that time).
        """
        with self._engine.meter.waiting():  # for the container to come up
            return self._wait(
                container,
                path,
                port,
                status,
                container.started + within,
                within if loopback else 0,
            )

    def _wait(
        self,
        container: Container,
        path: str,
        port: int,
        status: int,
        end: float,
        loopback_from: float,
    ) -> Response:
        within = end - container.started
        while True:
            left = end - time.monotonic()
            response = self.get(
                container, path, port=port, timeout=max(1.0, min(5.0, left))
            )
            if not response.status and left < loopback_from * LOOPBACK_FROM:
                response = self.get(
                    container,
                    path,
                    port=port,
                    timeout=max(1.0, min(5.0, left)),
                    loopback=True,
                )
            is_right = response.status == status if status else bool(response.status)
            if is_right or not container.running:
                return response
            if left <= 0:  # what a busy machine takes is not the server's time
                end = (
                    container.started
                    + within
                    + min(
                        container.waited_for_processor(), MAX_EXTENSION_FACTOR * within
                    )
                )
                if time.monotonic() >= end:
                    return response
            time.sleep(POLL_SECONDS if not response.status else RETRY_SECONDS)

    def raw(
        self,
        container: Container,
        data: bytes,
        *,
        port: int,
        timeout: float = 5,
        loopback: bool = False,
    ) -> bytes:
        """Send bytes that need not be a request; return what comes back, if anything. For telling servers apart."""
        address = "127.0.0.1" if loopback else container.address
        helper = self._inside(container) if loopback else self._start()
        return (
            self._exchange(helper, address, port, data, timeout)[0]
            if helper is not None and address
            else b""
        )

    def listeners(self, container: Container) -> set[tuple[str, int]]:
        """Return who listens where in the container, as (`loopback` or `any`, port): to say why nobody answers."""
        helper = self._inside(container)
        if helper is None:
            return set()
        done = helper.exec("cat", "/proc/net/tcp", "/proc/net/tcp6")
        found = set()
        for line in done.stdout.splitlines():
            fields = line.split()
            if len(fields) > 3 and fields[3] == "0A":  # TCP_LISTEN
                host, _, port = fields[1].partition(":")
                loopback = host in ("0100007F", "00000000000000000000000001000000")
                found.add(("loopback" if loopback else "any", int(port, 16)))
        return found

    def pages(
        self,
        container: Container,
        path: str = "/",
        *,
        port: int,
        times: int,
        loopback: bool = False,
    ) -> list[str]:
        """Return the bodies of so many GETs, one after the other: for what differs from one to the next. At most 1 MiB in all."""
        helper = self._inside(container) if loopback else self._start()
        address = "127.0.0.1" if loopback else container.address
        if helper is None or not address or helper.shell is None:
            return []
        word = secrets.token_hex(8)
        url = shlex.quote(f"http://{address}:{port}{quote(path, safe=SAFE)}")
        # `timeout`, not `wget -T`: that option ends some builds of busybox with a segmentation fault.
        loop = f"i=0; while [ $i -lt {times} ]; do timeout 5 wget -q -O - {url}; echo; echo {word}; i=$((i+1)); done"
        return helper.shell.run(loop, time.monotonic() + 30).stdout.split(
            f"\n{word}\n"
        )[:-1]

    def is_held_up(
        self, container: Container, *, port: int, within: float, loopback: bool = False
    ) -> bool:
        """Return whether a second request has no answer for so many seconds while a slow one, begun before it, goes on.

        False also where the second one has none when the first is over: then something else is wrong.
        """
        helper = self._inside(container) if loopback else self._start()
        address = "127.0.0.1" if loopback else container.address
        if helper is None or not address or helper.shell is None:
            return False
        url, seconds = shlex.quote(f"http://{address}:{port}/"), max(1, round(within))
        ask = f"timeout {seconds} wget -q -O /dev/null {url} && echo yes || echo no"
        begun = f"GET / HTTP/1.1\\r\\nHost: {address}\\r\\nX-Slow: "
        script = (
            f"{{ printf '{begun}'; sleep {seconds + 2 * CONNECT_SECONDS}; }} | nc {address} {port} >/dev/null 2>&1 & slow=$!; "
            f"sleep {CONNECT_SECONDS}; beside=$({ask}); kill $slow; echo $beside; "
            f"[ $beside = yes ] || {{ sleep {CONNECT_SECONDS}; {ask}; }}"
        )
        said = helper.shell.run(
            script, time.monotonic() + 3 * within + 10
        ).stdout.split()
        return said[:1] == ["no"] and said[-1:] == ["yes"]

    def _inside(self, container: Container) -> Container | None:
        """Start a helper in the container's own network namespace, where its loopback is reached; None if it has ended."""
        if container.id not in self._beside:
            if not container.running:
                return None
            spec = RunSpec(
                image=HELPER_IMAGE,
                args=("sleep", "86400"),
                network=f"container:{container.id}",
            )
            self._beside[container.id] = self._engine.start(spec, Limits())
        return self._beside[container.id]

    def _exchange(
        self, helper: Container, address: str, port: int, request: bytes, timeout: float
    ) -> tuple[bytes, str]:
        api = self._engine.api
        made = api.exec_create(
            helper.id,
            ["nc", "-w", str(max(1, round(timeout))), address, str(port)],
            stdin=True,
        )
        frames = Frames(api.exec_start(made["Id"], socket=True))
        body, complaint = bytearray(), bytearray()
        end = time.monotonic() + timeout
        try:
            frames.send(request)
            with self._engine.meter.waiting():
                while (frame := frames.next(end)) is not None:
                    (complaint if frame[0] == STDERR else body).extend(frame[1])
                    if len(body) > MAX_BODY_BYTES or _complete(body):
                        break
        except Deadline:
            return bytes(body), f"no complete answer within {timeout:.0f} s"
        except OSError as error:
            raise EngineGone(
                f"The engine closed the connection to the helper container: {error}."
            ) from error
        finally:
            frames.close()
        if not body:
            return (
                b"",
                complaint.decode("utf-8", "replace").strip()[:200]
                or "the connection was closed without an answer",
            )
        return bytes(body), ""

    def _start(self) -> Container:
        if self._helper is None:
            if not self._engine.has_image(HELPER_IMAGE):
                raise ImageUnavailable(
                    f"Asking a web server needs the image {HELPER_IMAGE}.",
                    hint="`dockdojo images` gets it.",
                )
            spec = RunSpec(
                image=HELPER_IMAGE, args=("sleep", "86400"), network="inside"
            )
            self._helper = self._engine.start(spec, Limits())
        return self._helper


def _complete(raw: bytearray) -> bool:
    """Whether a whole answer is there, so that nobody waits for the other side to close."""
    head, found, body = bytes(raw).partition(b"\r\n\r\n")
    if not found:
        return False
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if (
            name.lower() == b"content-length"
            and value.strip().isdigit()
            and len(value) < MAX_LENGTH_DIGITS
        ):
            return len(body) >= int(value)
        if name.lower() == b"transfer-encoding" and b"chunked" in value.lower():
            return body.endswith(b"0\r\n\r\n")
    return False


class _Socket:
    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._raw)


def _parse(raw: bytes, seconds: float, error: str) -> Response:
    if not raw:
        return Response(0, Message(), b"", seconds, error)
    answer = http.client.HTTPResponse(_Socket(raw))  # type: ignore[arg-type]  # it only asks for makefile
    try:
        answer.begin()
        return Response(
            answer.status, answer.headers, answer.read(MAX_BODY_BYTES), seconds, error
        )
    except (http.client.HTTPException, ValueError, OSError) as broken:
        return Response(
            0,
            Message(),
            b"",
            seconds,
            f"what answers there does not speak HTTP ({type(broken).__name__})",
        )
