"""A shell kept open over one connection: a command costs well under a millisecond instead of an exec each.

It is the shell of a container of ours (see `observer`, `http`), or the image's own, for `host` alone: nothing that it
says is trusted further than its bytes. Every command's end is marked with a fresh random word, everything is bounded,
and a shell that falls silent, dies or answers nonsense is given up.
"""

from __future__ import annotations

import secrets
import shlex
import time

import docker

from dockdojo.connection.metrics import Meter
from dockdojo.connection.streams import STDERR, Deadline, Frames
from dockdojo.connection.types import ExitCode, Finished
from dockdojo.engine.protocols import ContainerHost
from dockdojo.errors import LimitReached

HELLO_SECONDS = 5
MAX_EXIT_CODE_DIGITS = 3
"""Digits of an exit code."""


class ShellEnded(ValueError):
    """The shell died, or answers nonsense. `said` is what came of the command's stdout before."""

    def __init__(self, reason: str, said: str = "") -> None:
        super().__init__(reason)
        self.said = said


class Shell:
    """`sh` in a container, fed line by line."""

    def __init__(self, frames: Frames, limit: int, meter: Meter) -> None:
        self._frames = frames
        self._meter = meter
        self._limit = limit
        self.alive = True

    @classmethod
    def open(cls, host: ContainerHost, container: str, max_bytes: int) -> Shell | None:
        """Open a shell in the container, or return None if it has none that answers. `max_bytes` are kept of each stream."""
        api = host.api
        try:
            made = api.exec_create(
                container, ["/bin/sh"], stdin=True, stdout=True, stderr=True
            )
            frames = Frames(api.exec_start(made["Id"], socket=True))
        except docker.errors.APIError:
            return None
        shell = cls(frames, max_bytes, host.meter)
        try:
            if (
                shell.run("echo ready", time.monotonic() + HELLO_SECONDS).stdout
                == "ready\n"
            ):
                return shell
        except (LimitReached, ShellEnded):
            pass
        shell.close()
        return None

    def run(self, command: str, until: float) -> Finished:
        """Run the command in a subshell, its stdin empty. Raises LimitReached at `until`, ShellEnded."""
        with self._meter.waiting():
            return self._run(command, until)

    def _run(self, command: str, until: float) -> Finished:
        word = secrets.token_hex(12)
        script = (
            f"( eval {shlex.quote(command)} ) </dev/null; dl_code=$?; "
            f"printf '\\n{word} %d\\n' $dl_code; printf '\\n{word}\\n' >&2\n"
        )
        began = time.monotonic()
        streams = {False: bytearray(), True: bytearray()}
        end = f"\n{word}".encode()
        total = 0
        try:
            self._frames.send(script.encode())
            while not (
                streams[False].endswith(b"\n")
                and end in streams[False][-200:]
                and end in streams[True][-200:]
            ):
                frame = self._frames.next(until)
                if frame is None:
                    raise OSError("the shell ended")
                kept = streams[frame[0] == STDERR]
                total += len(frame[1])
                kept += frame[1]
                if (
                    len(kept) > self._limit + 400
                ):  # keep the head, and a tail in which the end can be found
                    del kept[self._limit : len(kept) - 400]
        except Deadline:
            self.close()
            raise LimitReached(
                f"`{command[:80]}` did not end within the time limit of the check."
            ) from None
        except OSError as error:
            self.close()
            said = streams[False].decode("utf-8", "replace")
            raise ShellEnded(f"the container's shell ended: {error}", said) from error
        out, _, code = streams[False].rpartition(end)
        err = streams[True].rpartition(end)[0]
        if not (number := code.strip()).isdigit() or len(number) > MAX_EXIT_CODE_DIGITS:
            self.close()
            raise ShellEnded("the container's shell does not say how the command ended")
        return Finished(
            exit_code=ExitCode(int(number)),
            stdout=out[: self._limit].decode("utf-8", "replace"),
            stderr=err[: self._limit].decode("utf-8", "replace"),
            seconds=time.monotonic() - began,
        )

    def close(self) -> None:
        """End the shell."""
        self.alive = False
        self._frames.close()
