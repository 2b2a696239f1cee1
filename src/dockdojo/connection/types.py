"""What the engine tells: images, layers, finished containers, processes. Frozen values, no connection."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dockdojo.connection.device_request import DeviceRequest
from dockdojo.instructions import shown

_MEANINGS = {
    0: "success",
    125: "the engine could not start the container",
    126: "the command was found but cannot be executed",
    127: "the command was not found",
}


class ExitCode(int):
    """An exit code that knows what it says: 128 + n is what is told of an end by signal n, or what a program chose itself."""

    @property
    def meaning(self) -> str:
        """The code in words, such as `128 + 9, as of SIGKILL`; empty where nothing general can be said."""
        if self in _MEANINGS:
            return _MEANINGS[self]
        if 128 < self < 128 + 65:
            try:
                return f"128 + {self - 128}, as of {signal.Signals(self - 128).name}"
            except ValueError:
                return f"128 + {self - 128}, as of signal {self - 128}"
        return ""

    def __str__(self) -> str:
        return f"{int(self)} ({self.meaning})" if self.meaning else str(int(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One entry of an image's history."""

    instruction: str
    size: int
    empty: bool
    """True where the instruction made no layer."""

    @property
    def shown(self) -> str:
        """The instruction as a Dockerfile has it, cut at 120 characters."""
        return shown(self.instruction)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image, as the engine describes it."""

    id: str
    measure: Callable[[], int] = field(repr=False, compare=False)
    """Tells `size`, which takes its time on some engines."""
    cmd: tuple[str, ...] | None
    entrypoint: tuple[str, ...] | None
    env: Mapping[str, str]
    labels: Mapping[str, str]
    user: str
    workdir: str
    ports: tuple[str, ...]
    """Exposed ports as `5000/tcp`."""
    volumes: tuple[str, ...]
    stop_signal: str
    layers: tuple[str, ...]
    """Diff ids: SHA-256 of each uncompressed layer, the base's first."""
    tags: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Uncompressed bytes of the layers' files, on whatever engine."""
        return self.measure()

    @property
    def runs_as_root(self) -> bool:
        """Whether a container of it starts as uid 0, as far as the image's USER alone can tell."""
        return self.user.split(":")[0] in ("", "0", "root")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A command that ran to its end, in a container of its own or in a running one."""

    exit_code: ExitCode
    stdout: str
    stderr: str
    seconds: float
    """From the start to the end, the engine's own work included."""
    oom_killed: bool = False
    notes: tuple[str, ...] = ()
    """Limits that it ran into, a sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """How a running container ended."""

    exit_code: ExitCode
    seconds: float
    """From the request to the end."""
    oom_killed: bool
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line of a container's log."""

    seconds: float
    """When the engine got it, after the container's start."""
    stream: str
    """stdout or stderr."""
    text: str


def when(stamp: str) -> float:
    """Return seconds since the epoch for a time as the engine writes it: RFC 3339 in UTC, with up to nine decimals."""
    whole, _, decimals = stamp.removesuffix("Z").partition(".")
    return datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp() + float(
        f"0.{decimals or 0}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process of a container, with ids as the container sees them."""

    pid: int
    ppid: int
    state: str
    """The letter of /proc/PID/stat: R, S, D, Z (a zombie), T."""
    argv: tuple[str, ...]
    """Its words, each as it was given; its name in brackets where it has none. A process can rewrite them: see `Program`."""
    uid: int
    """The effective user."""
    uids: tuple[int, ...] = ()
    """Real, effective, saved and file system user."""

    @property
    def is_from_outside(self) -> bool:
        """Whether `docker exec` started it, as a HEALTHCHECK does: it is not process 1, and no process in there is its parent."""
        return self.ppid == 0 and self.pid != 1

    @property
    def is_root(self) -> bool:
        """Whether it is root's, or can be again."""
        return 0 in (self.uid, *self.uids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What a process really runs, as the kernel knows it, whatever the process calls itself."""

    path: str
    """The program's file, in the container: for a script, its interpreter."""
    sha256: str
    """Of the file's bytes, in hexadecimal."""
    environ: Mapping[str, str]
    """The variables that it was started with."""
    folder: str = ""
    """Its working folder, in the container."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One path in one layer."""

    path: str
    """Without a leading slash."""
    kind: str
    """file, dir, link, other, whiteout (removes a path) or opaque (empties a directory)."""
    size: int
    mode: int
    uid: int
    gid: int
    held: tuple[bytes, ...] = ()
    """Which of the byte strings that were searched for it holds."""
    mtime: int = 0
    """When its bytes were written, in seconds since the epoch: a copy or another owner leaves it as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer of an image, in the order of the stack."""

    diff_id: str
    entries: tuple[Entry, ...]
    instruction: str = ""
    """What made it, as the image's history says it."""

    @property
    def size(self) -> int:
        """Bytes of its regular files."""
        return sum(entry.size for entry in self.entries)

    @property
    def shown(self) -> str:
        """The instruction as a Dockerfile has it, cut at 120 characters."""
        return shown(self.instruction)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A folder in a container: what a folder of this machine holds, or a volume of the engine."""

    source: str
    target: str
    read_only: bool = True
    volume: bool = False
    """Whether the source is a volume's name. A folder's content is put into one: the engine may be on another machine.

    A folder that a container may write to is bound, and works where the engine sees it.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """What a container is asked to be: the arguments of `docker run`."""

    image: str
    args: tuple[str, ...] | None = None
    """Replaces CMD; None keeps it."""
    entrypoint: tuple[str, ...] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    user: str = ""
    workdir: str = ""
    network: str = "none"
    """`none`, `inside` (other containers of this run, nothing else) or `outside`."""
    mounts: tuple[Mount, ...] = ()
    gpus: DeviceRequest | None = None
    """What `--gpus` asks for; None asks for no GPU."""
