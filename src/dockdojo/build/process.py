"""One run of a docker CLI that builds: with a configuration of our own, followed line by line, and really ended at its limit."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dockdojo.build.log import BuildLog
from dockdojo.connection.contexts import configuration_folder
from dockdojo.errors import LimitReached
from dockdojo.processes import end_group

LINE_LENGTH = 500
"""Characters of a line that are kept."""
END_LENGTH = 200
"""Of these, as many are its last ones."""
CUT_BYTES = 1_000_000
"""Bytes of one line of a build's output that are read at once."""
_KEPT = (
    "PATH",
    "HOME",
    "USERPROFILE",
    "SYSTEMROOT",
    "LANG",
    "TMPDIR",
    "TEMP",
    "DOCKER_API_VERSION",
    "XDG_RUNTIME_DIR",
    "SSH_AUTH_SOCK",
)
"""What the CLI sees of our environment. Of certificates it is told by options: Address.options."""


def shortened(line: str) -> str:
    """Return the line's beginning and end: what was run stands in the middle, and why it failed at the end."""
    if len(line) <= LINE_LENGTH:
        return line
    return f"{line[: LINE_LENGTH - END_LENGTH]}…{line[-END_LENGTH:]}"


class Stopper:
    """Ends a build from outside, such as when it takes too much disk; `reason` says why, for the student."""

    def __init__(self) -> None:
        self.reason = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def attach(self, process: subprocess.Popen[bytes]) -> None:
        """Name the process that is to be ended."""
        with self._lock:
            self._process = process
            late = bool(self.reason)
        if late:
            end_group(process)

    def stop(self, reason: str) -> None:
        """End the build; the first reason counts."""
        with self._lock:
            self.reason = self.reason or reason
            process = self._process
        if process is not None:
            end_group(process)


def configuration(folder: Path) -> dict[str, str]:
    """Make an empty docker configuration in the folder: no logins, no credential helpers; return what names it.

    Kept are the way to the CLI's plugins, and proxies that have no password.
    """
    original = configuration_folder()
    ours: dict[str, Any] = {"cliPluginsExtraDirs": [str(original / "cli-plugins")]}
    try:
        settings = json.loads((original / "config.json").read_text(encoding="utf-8"))
        ours["cliPluginsExtraDirs"] += [
            str(place) for place in settings.get("cliPluginsExtraDirs") or ()
        ]
        proxies = dict((settings.get("proxies") or {}).get("default") or {})
        # The builder hands a proxy's address to every RUN: one with a password in it stays here.
        ours["proxies"] = {
            "default": {
                key: value for key, value in proxies.items() if "@" not in str(value)
            }
        }
    except (OSError, ValueError, AttributeError, TypeError):
        pass  # there is none, or none that can be read
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(ours), encoding="utf-8")
    return {"DOCKER_CONFIG": str(folder)}


def follow(
    command: list[str],
    log: BuildLog,
    seconds: float,
    on_line: Callable[[str], None] | None,
    more: Mapping[str, str],
    stopper: Stopper,
) -> int:
    """Run the CLI to its end, with `more` in its environment, and return its exit code.

    Raises LimitReached after `seconds`, or when the stopper ended it.
    """
    env = {key: os.environ[key] for key in _KEPT if key in os.environ} | dict(more)
    env |= {
        "DOCKER_BUILDKIT": "1",
        "BUILDX_BUILDER": "default",
        "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
        "NO_COLOR": "1",
    }
    process = subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=0,
    )
    stopper.attach(process)
    late = (
        f"The build did not finish within {seconds:.0f} s, the lab's limit for building.",
        "Which instruction takes so long? `docker build --progress=plain .` shows the seconds of each.",
    )
    timer = threading.Timer(seconds, lambda: stopper.stop(late[0]))
    timer.daemon = True
    timer.start()
    try:
        assert process.stdout is not None
        begun = False
        while raw := process.stdout.readline(CUT_BYTES):
            # The rest of a line that was cut has no step's number before it, so it could pass for the builder's own words.
            begun, rest = not raw.endswith(b"\n"), begun
            if rest:
                continue
            line = shortened(raw.decode("utf-8", "replace").rstrip("\r\n"))
            log.add(line)
            if on_line:
                on_line(line)
        code = process.wait()
    finally:
        timer.cancel()
        end_group(process)
        if process.stdout:
            process.stdout.close()
    if stopper.reason:
        raise LimitReached(
            stopper.reason,
            hint=late[1] if stopper.reason == late[0] else "",
            detail=log.last_output,
        )
    return code
