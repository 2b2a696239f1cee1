"""The way to an engine on another machine whose address is ssh://: the ssh client carries its socket here.

Then whoever speaks to the engine, the client library and the docker CLI, finds a socket as on this machine. The ssh client knows
the user's keys, agent and known hosts; nothing is asked: where it would have to ask, it says so instead.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from dockdojo.errors import EngineNotFound
from dockdojo.processes import end_group

THERE = "/var/run/docker.sock"
"""The engine's socket on the other machine, unless the address names one: ssh://USER@HOST/PATH."""
SOCKET = "docker.sock"
OPEN_SECONDS = 20
"""Seconds, for the connection and the login."""
LAST_WORDS_BYTES = 2_000
MAX_SOCKET_PATH_BYTES = 80
"""Of a socket's path: systems take 104 (macOS) or 108, and ssh adds a name of its own while it makes one."""
SHORT_FOLDER = Path("/tmp")  # noqa: S108 -- a folder of our own is made in it
"""Where a socket goes whose path would be too long in the usual folder."""


def _folder() -> tempfile.TemporaryDirectory[str]:
    """A folder of our own for a socket."""
    prefix, usual = "dockdojo-ssh-", Path(tempfile.gettempdir())
    length = len(os.fsencode(usual / f"{prefix}{'x' * 8}" / SOCKET))
    short = length > MAX_SOCKET_PATH_BYTES and SHORT_FOLDER.is_dir()
    return tempfile.TemporaryDirectory(
        prefix=prefix, dir=SHORT_FOLDER if short else usual
    )


class Tunnel:
    """An engine's socket, brought here for as long as it is open."""

    def __init__(self, url: str) -> None:
        """Raises EngineNotFound with the ssh client's words where it cannot get there."""
        where = urlsplit(url)
        ssh = shutil.which("ssh")
        if ssh is None:
            raise EngineNotFound(
                f"The engine is at {url}, and there is no ssh client here.",
                hint="Install OpenSSH's client.",
            )
        if not where.hostname or where.hostname.startswith("-"):
            raise EngineNotFound(
                f"{url} names no machine.", hint="ssh://USER@HOST is meant."
            )
        self._folder = _folder()
        socket = Path(self._folder.name, SOCKET)
        self.url = f"unix://{socket}"
        """The engine's address here."""
        options = [
            f"-o{option}"
            for option in (
                "BatchMode=yes",
                "ExitOnForwardFailure=yes",
                "StreamLocalBindUnlink=yes",
                f"ConnectTimeout={OPEN_SECONDS}",
                "ServerAliveInterval=15",
            )
        ]
        command = [ssh, "-N", "-T", *options, "-L", f"{socket}:{where.path or THERE}"]
        command += ["-p", str(where.port)] if where.port else []
        command += ["-l", where.username] if where.username else []
        # Closed in `close`.
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [*command, "--", where.hostname],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
            process_group=0,
        )
        end = time.monotonic() + OPEN_SECONDS
        while not socket.exists():
            if self._process.poll() is not None or time.monotonic() > end:
                said = self._last_words()
                self.close()
                raise EngineNotFound(
                    f"ssh does not get to {url}: {said or 'no answer'}.",
                    hint=f"`ssh {where.hostname} docker version` must work without a question.",
                )
            time.sleep(0.05)

    def _last_words(self) -> str:
        self._said.seek(0)
        lines = (
            self._said.read(LAST_WORDS_BYTES)
            .decode("utf-8", "replace")
            .strip()
            .splitlines()
        )
        return lines[-1].strip().rstrip(".") if lines else ""

    def close(self) -> None:
        """End the ssh client."""
        end_group(self._process)
        with contextlib.suppress(OSError):
            self._said.close()
        self._folder.cleanup()
