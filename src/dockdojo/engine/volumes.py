"""What folders of this machine hold, put into volumes for containers: an engine on another machine sees no folder here.

A volume is filled through a container that never runs, over the archive call
(https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/PutContainerArchive), once for each folder
and run. A lab's data are drawn anew for each grading, so no volume is worth keeping for the next one.
"""

from __future__ import annotations

import secrets
import tarfile
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dockdojo.connection.connect import engine_errors

READABLE = 0o444
"""What everybody may, of every file: a container's user is any."""
SPOOL_BYTES = 32_000_000
"""Of an archive, what is kept in memory; a larger one goes to a file."""


class Volumes:
    """Volumes with the content of folders, for one run; they bear its label, and are removed with the rest of it."""

    def __init__(
        self, api: Any, run_id: str, labels: Callable[[], dict[str, str]]
    ) -> None:
        self._api = api
        self._run_id = run_id
        self._labels = labels
        self._lock = threading.Lock()
        self._made: dict[str, str] = {}

    def of(
        self,
        folder: str,
        hold: Callable[[str, str], str],
        release: Callable[[str], None],
    ) -> str:
        """Return the name of the volume with the folder's content as it was when it was first asked for.

        `hold` makes a container, which nobody starts, with a volume at a place, and returns its id; `release` removes it.
        """
        with self._lock:
            if folder not in self._made:
                self._made[folder] = self._fill(Path(folder), hold, release)
            return self._made[folder]

    def _fill(
        self,
        folder: Path,
        hold: Callable[[str, str], str],
        release: Callable[[str], None],
    ) -> str:
        name = f"dockdojo-{self._run_id}-{secrets.token_hex(8)}"
        with engine_errors("make a volume"):
            self._api.create_volume(name, driver="local", labels=self._labels())
        place = f"/{name}"  # nothing that an image has is there
        container = hold(name, place)
        try:
            put_folder(self._api, container, folder, place)
        finally:
            release(container)
        return name


def put_folder(
    api: Any, container: str, folder: Path, place: str, under: str = "."
) -> None:
    """Put what a folder holds into a container, readable for everybody; with `under`, into a new folder of that name there."""
    with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as packed:
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(folder, under, filter=readable)
        packed.seek(0)
        with engine_errors("put files into a container"):
            api.put_archive(container, place, packed)


def readable(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return an archive's member as root's, and readable for everybody; folders can be entered."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mode |= READABLE | (0o111 if info.isdir() else 0)
    return info
