"""Folders that containers of a submission write to, as a student's own folder is mounted: bounded, watched, and gone at the end.

Each is a volume in memory of a bounded size, so nothing that a submission leaves there reaches the host's file system, whatever
its name, owner or kind. One container of ours, the watcher, holds them open, lays files in, takes copies, and tells what happens
to the checkpoint.
"""

from __future__ import annotations

import io
import json
import secrets
import tarfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockdojo import payloads
from dockdojo.connection.blame import once_more
from dockdojo.connection.connect import engine_errors
from dockdojo.connection.types import Mount, RunSpec
from dockdojo.engine.container import Container
from dockdojo.engine.volumes import readable
from dockdojo.errors import EngineGone
from dockdojo.model import Limits

if TYPE_CHECKING:
    from dockdojo.engine.client import Engine

WATCHER = "checkpoint_watcher"
"""Not imported: it runs in a container."""
SIZE_MB = 800
"""Of one workspace."""
ROOT = "/w"
START_SECONDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Save:
    """One time that the checkpoint was written."""

    number: int
    """From 1."""
    at: float
    """When it was done: seconds since the epoch."""
    first: float
    """The same of the first, where several follow at once and are taken for one."""
    in_place: bool
    """Whether it was written under its own name, so that there were moments at which it was not whole."""
    seconds: float
    """From the first change to the last."""
    smallest: int
    """Fewest bytes that were seen meanwhile; -1 where nobody looked in time."""
    size: int
    """Bytes in the end."""
    gap: bool = False
    """Whether the old one was removed first, so that for a moment there was none."""
    copied: bool
    """Whether a copy of the workspace is kept: `populate(..., copy=...)`. Of many saves, some copies go again."""


class Workspaces:
    """Named workspaces, each with the submission's files in it."""

    def __init__(
        self,
        engine: Engine,
        image: str,
        submission: Path,
        checkpoint: str,
        names: tuple[str, ...],
    ) -> None:
        """`image` has Python, and is not the submission's; `checkpoint` is the name of the file that is watched."""
        self.engine = engine
        self.checkpoint = checkpoint
        self._volumes = {name: self._volume(name) for name in names}
        self._watcher = self._start(image, submission)

    def _volume(self, name: str) -> str:
        # Its own even in the run: a process of it that died has left others, which the engine would take for these.
        full = f"dockdojo-{self.engine.run_id}-{name}-{secrets.token_hex(4)}"
        with engine_errors("make a volume"):
            self.engine.api.create_volume(
                full,
                driver="local",
                labels=self.engine.labels,
                driver_opts={
                    "type": "tmpfs",
                    "device": "tmpfs",
                    "o": f"size={SIZE_MB}m,mode=0777",
                },
            )
        return full

    def _start(self, image: str, submission: Path) -> Container:
        mounts = tuple(
            Mount(source=volume, target=f"{ROOT}/{name}", read_only=False, volume=True)
            for name, volume in self._volumes.items()
        )
        spec = RunSpec(
            image=image,
            args=("python", "-I", f"/{WATCHER}.py", "watch", self.checkpoint),
            mounts=mounts,
        )
        limits = Limits(memory_mb=4 * SIZE_MB, output_kib=4096)
        watcher = Container(self.engine, self.engine.create(spec, limits), spec, limits)
        with engine_errors("lay out workspaces"):
            self.engine.api.put_archive(watcher.id, "/", _packed(submission))
        once_more(lambda: self.engine.launch(watcher.id), starts=True)
        if not watcher.wait_for_log("ready", within=START_SECONDS):
            raise EngineGone(
                f"The watcher of the workspaces did not start: {watcher.logs()[-300:]}"
            )
        return watcher

    def mount(self, name: str, target: str) -> Mount:
        """Return the mount that puts a workspace into a container."""
        return Mount(
            source=self._volumes[name], target=target, read_only=False, volume=True
        )

    def _do(self, *words: str) -> str:
        self._watcher.deadline = time.monotonic() + 120
        done = self._watcher.exec("python", "-I", f"/{WATCHER}.py", *words)
        if done.exit_code != 0:
            raise EngineGone(
                f"The watcher of the workspaces failed: {done.stderr.strip()[-300:]}"
            )
        return done.stdout

    def populate(self, name: str, copy: str = "") -> None:
        """Make a workspace new: the submission's files, writable for all, without a checkpoint; then the files of `copy_of`."""
        self._do("populate", name, self.checkpoint, *([copy] if copy else []))

    @staticmethod
    def copy_of(name: str, save: Save | None) -> str:
        """Return the name of the copy that was kept after a save; for None, of the workspace as it is now."""
        return f"{name}/save-{save.number}" if save else f"{ROOT}/{name}"

    def snapshots(self, name: str, target: str) -> list[tuple[str, int]]:
        """Put the snapshots of the checkpoint into another workspace; return their names and bytes.

        Each file is what a SIGKILL would have left at that moment.
        """
        return [
            (str(file_name), int(size))
            for file_name, size in json.loads(self._do("snapshots", name, target))
        ]

    def saves(self, name: str) -> list[Save]:
        """Return each time that the checkpoint in a workspace was written, in order."""
        found: dict[int, Save] = {}
        for line in self._watcher.logs().splitlines():
            try:
                raw: dict[str, Any] = json.loads(line)
            except ValueError:
                continue
            if raw.get("workspace") != name:
                continue
            number = raw["number"]
            if raw["kind"] == "dropped":
                found[number] = replace(found[number], copied=False)
            elif raw["kind"] == "saved":
                found[number] = Save(
                    number=number,
                    at=raw["at"],
                    first=raw["first"],
                    in_place=raw["how"] == "written",
                    seconds=max(0.0, raw["at"] - raw["began"]),
                    smallest=-1 if raw["smallest"] is None else raw["smallest"],
                    size=raw["size"],
                    copied=raw["copied"],
                    gap=raw["gap"],
                )
        return list(found.values())


def _packed(submission: Path) -> bytes:
    """Pack the submission as /submission, and the watcher, into a tar archive; its size is bounded by the lab's limit."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(submission, "submission", filter=readable)
        archive.add(payloads.path(WATCHER), f"{WATCHER}.py", filter=readable)
        folder = tarfile.TarInfo("keep")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(folder)
    return packed.getvalue()
