"""Looks at the processes of a container from a container of ours that shares its PID namespace.

The submission's image has no part in it: the kernel tells, and our own busybox reads. The observer has a capability that
no container of a submission has (SYS_PTRACE), so nobody in there may attach to it or write to its files; all that is left
to a submission is to kill it, and that is the submission's fault. What is read crosses as hexadecimal digits, for a
process chooses the bytes of its own name and words.
"""

from __future__ import annotations

import re
import shlex
import time

import docker
import requests
from docker.types import LogConfig

from dockdojo.connection.connect import brief
from dockdojo.connection.streams import Frames
from dockdojo.connection.types import Process, Program
from dockdojo.engine.exec_shell import Shell, ShellEnded
from dockdojo.engine.protocols import ContainerHost
from dockdojo.errors import LimitReached
from dockdojo.model import MB

IMAGE = "busybox:latest"
CAPABILITIES = ["DAC_READ_SEARCH", "KILL", "SYS_PTRACE"]
"""To read what belongs to other users, to signal their processes, and to look into /proc/PID of any."""
MEMORY_MB, PROCESSES = 64, 64
MAX_LIST_BYTES = 8_000_000
"""Bytes of a list of processes; those that a container may have, each with the longest words, are about as much."""
MAX_ARGUMENT_BYTES = 8_192
"""Bytes of one process's words that are read."""
MAX_ENVIRON_BYTES = 65_536
LOOK_SECONDS = 10
HEX = "od -A n -v -t x1"
LIST = f"""echo me $$
grep -E '^(Name|State|PPid|Uid):' /proc/[0-9]*/status 2>/dev/null
for process in /proc/[0-9]*; do echo "$process/words"; {HEX} -N {MAX_ARGUMENT_BYTES} "$process/cmdline" 2>/dev/null; done"""
PROGRAM = f"""echo path; readlink /proc/PID/exe | {HEX}
echo folder; readlink /proc/PID/cwd | {HEX}; echo sum; sha256sum < /proc/PID/exe | {HEX}
echo environ; {HEX} -N {MAX_ENVIRON_BYTES} /proc/PID/environ"""
MAX_FILE_NAME_BYTES = 65_536
"""Bytes of the names of files below one folder that are read."""
FILES = f"cd /proc/1/root && cd ./FOLDER && find . ! -type d -print0 2>/dev/null | head -c {MAX_FILE_NAME_BYTES} | {HEX}"


THERE, SENT = "there\n", "sent\n"
WAITED = "for process in /proc/[0-9]*; do [ $process = /proc/$$ ] || cat $process/task/[0-9]*/schedstat 2>/dev/null; done"


class ObserverLost(Exception):
    """There is no observer (any more). `reason` is the engine's, and empty where the observer began and was ended.

    `said` is what it answered to the last question before it was gone.
    """

    def __init__(self, reason: str = "", said: str = "") -> None:
        super().__init__(reason)
        self.reason, self.said = reason, said


class Observer:
    """A busybox of ours in the PID namespace of a running container."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    @classmethod
    def beside(cls, engine: ContainerHost, container: str) -> Observer:
        """Start an observer beside the container. Raises ObserverLost if the engine starts none: the container may have ended."""
        made = ""
        host = engine.api.create_host_config(
            pid_mode=f"container:{container}",
            network_mode="none",
            auto_remove=True,
            mem_limit=MEMORY_MB * MB,
            memswap_limit=MEMORY_MB * MB,
            nano_cpus=10**9,
            pids_limit=PROCESSES,
            cap_drop=["ALL"],
            cap_add=CAPABILITIES,
            security_opt=["no-new-privileges:true"],
            log_config=LogConfig(type="none"),
        )
        try:
            engine.meter.containers += 1
            made = engine.api.create_container(
                IMAGE,
                ["sh"],
                user="0",
                stdin_open=True,
                host_config=host,
                labels=engine.labels,
            )["Id"]
            frames = Frames(
                engine.api.attach_socket(
                    made, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
                )
            )
            engine.api.start(made)
        except (
            docker.errors.DockerException,
            requests.RequestException,
            OSError,
        ) as error:
            if made:
                engine.remove(made)
            raise ObserverLost(brief(error)) from error
        return cls(Shell(frames, MAX_LIST_BYTES, engine.meter))

    @property
    def alive(self) -> bool:
        """Return whether it has answered so far."""
        return self._shell.alive

    def _ask(self, command: str, until: float) -> str:
        try:
            return self._shell.run(
                command, min(until, time.monotonic() + LOOK_SECONDS)
            ).stdout
        except (ShellEnded, LimitReached) as error:  # it was killed, or stopped
            self.close()
            raise ObserverLost(said=getattr(error, "said", "")) from error

    def processes(self, until: float) -> list[Process]:
        """Return the container's processes, by pid as the container sees them, without its own. Raises ObserverLost."""
        output = self._ask(LIST, until)
        if len(output) >= MAX_LIST_BYTES:
            raise LimitReached(
                "The processes of the container have more words than can be read."
            )
        return listed(output)

    def program(self, pid: int, until: float) -> Program | None:
        """Return what a process runs, or None if there is no such process. Raises ObserverLost."""
        parts = re.split(
            r"(?m)^(path|folder|sum|environ)$",
            self._ask(PROGRAM.replace("PID", str(pid)), until),
        )
        found = {
            name: _bytes(digits)
            for name, digits in zip(parts[1::2], parts[2::2], strict=False)
        }
        if not found.get("path"):
            return None
        pairs = [
            setting.partition("=")[::2]
            for setting in _text(found.get("environ", b"")).split("\0")
            if setting
        ]
        return Program(
            path=_text(found["path"]).removesuffix("\n"),
            sha256=_text(found.get("sum", b"")).partition(" ")[0],
            environ=dict(pairs),
            folder=_text(found.get("folder", b"")).removesuffix("\n"),
        )

    def last_pid(self, until: float) -> int:
        """Return the pid of the newest process of the namespace (proc(5), loadavg); 0 if that is not known."""
        output = self._ask(
            "read -r one five fifteen running last < /proc/loadavg && echo $last", until
        ).strip()
        return int(output) if output.isdigit() and len(output) < 10 else 0

    def files(self, folder: str, until: float) -> list[str]:
        """Return the files below a folder, as process 1 sees it: in volumes and in memory, too. Raises ObserverLost."""
        output = self._ask(
            FILES.replace("./FOLDER", shlex.quote("./" + folder.lstrip("/"))), until
        )
        return sorted(
            file_name.removeprefix("./")
            for file_name in _text(_bytes(output)).split("\0")
            if file_name
        )

    def waited(self, until: float) -> float:
        """Return the seconds that the container's processes were ready to run and had no processor. Raises ObserverLost."""
        return seconds_waited(self._ask(WAITED, until))

    def signal(self, pid: int, signal: str, until: float) -> bool:
        """Signal a process; return whether it was there. Raises ObserverLost."""
        try:
            return (
                self._ask(
                    f"kill -0 {pid} && echo there && kill -{signal} {pid} && echo sent",
                    until,
                )
                == THERE + SENT
            )
        except ObserverLost as lost:
            # Where the container ends at once, because of the signal, the observer is gone before it can say so.
            if lost.said.startswith(THERE):
                return True
            raise

    def close(self) -> None:
        """End it; the engine removes it by itself."""
        self._shell.close()


def seconds_waited(output: str) -> float:
    """Sum the second number of each line, in seconds: nanoseconds on a run queue (sched-stats of the kernel)."""
    return (
        sum(
            int(found[1])
            for found in re.finditer(r"(?m)^\d{1,20} (\d{1,20}) \d{1,20}$", output)
        )
        / 1e9
    )


def listed(output: str) -> list[Process]:
    """Return the processes that LIST printed, without the shell that printed it and its children."""
    me, fields, digits = 0, dict[int, dict[str, str]](), dict[int, list[str]]()
    current: list[str] = []
    for line in output.splitlines():
        if found := re.match(r"/proc/(\d+)/status:(\w+):\s*(.*)", line):
            fields.setdefault(int(found[1]), {})[found[2]] = found[3]
        elif found := re.fullmatch(r"/proc/(\d+)/words", line):
            current = digits.setdefault(int(found[1]), [])
        elif line.startswith("me "):
            me = int(line[3:])
        else:
            current.append(line)
    whole = {"Name", "PPid", "State", "Uid"}
    return _without(
        me,
        [
            _process(pid, of, digits.get(pid, []))
            for pid, of in sorted(fields.items())
            if whole <= of.keys()
        ],
    )


def _process(pid: int, fields: dict[str, str], digits: list[str]) -> Process:
    """From the lines of /proc/PID/status (proc(5)) and the bytes of /proc/PID/cmdline."""
    uids = tuple(int(uid) for uid in fields["Uid"].split())
    words = _text(_bytes(" ".join(digits)))
    return Process(
        pid=pid,
        ppid=int(fields["PPid"]),
        state=fields["State"][:1],
        uid=uids[1],
        uids=uids,
        argv=(
            tuple(words.removesuffix("\0").split("\0"))
            if words
            else (f"[{fields['Name']}]",)
        ),
    )


def _without(me: int, found: list[Process]) -> list[Process]:
    """Without the process `me` and all that descends from it."""
    gone = {me}
    for _ in found:
        more = {process.pid for process in found if process.ppid in gone} - gone
        if not more:
            break
        gone |= more
    return [process for process in found if process.pid not in gone]


def _bytes(digits: str) -> bytes:
    return bytes(
        int(digit_pair, 16)
        for digit_pair in digits.split()
        if re.fullmatch(r"[0-9a-f]{2}", digit_pair)
    )


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
