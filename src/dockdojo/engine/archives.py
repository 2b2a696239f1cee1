"""Files in and out of a container, running or not, as `docker cp` has them: no shell, and nothing of the image, takes part.

Format: the archive calls of the Engine API (GET and PUT /containers/ID/archive), tar archives.
"""

from __future__ import annotations

import io
import re
import tarfile
import time
from typing import Any

import docker

from dockdojo.connection.connect import brief
from dockdojo.errors import EngineGone, LimitReached, SubmissionError

NO_SUCH_PATH = re.compile(
    r"file name too long|not a directory|too many (?:levels of symbolic )?links",
    re.IGNORECASE,
)
"""How the engine says that a path leads nowhere, beside its 404."""
MAX_READ_BYTES = 20_000_000
"""More is never read out of a container at once."""


def members(
    api: Any, container: str, path: str, most: int
) -> list[tuple[tarfile.TarInfo, bytes]]:
    """Return at most `most` files at `path`, with their bytes; none if nothing is there. Raises LimitReached."""
    try:
        chunks, _ = api.get_archive(container, path)
        raw = bytearray()
        for chunk in chunks:
            raw += chunk
            if len(raw) > MAX_READ_BYTES:
                raise LimitReached(
                    f"`{path}` in the container holds more than {MAX_READ_BYTES // 10**6} MB."
                )
    except docker.errors.NotFound:
        return []
    except docker.errors.APIError as error:
        if NO_SUCH_PATH.search(str(error)):
            return []
        raise EngineGone(
            f"The engine could not read {path}: {brief(error)}."
        ) from error
    found = []
    with tarfile.open(fileobj=io.BytesIO(bytes(raw))) as archive:
        for member in archive:
            data = archive.extractfile(member) if member.isreg() else None
            found.append((member, data.read() if data else b""))
            if len(found) >= most:
                break
    return found


def packed(name: str, data: bytes, mode: int) -> bytes:
    """Return a tar archive of one file, root's."""
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = len(data), mode, time.time()
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w") as archive:
        archive.addfile(info, io.BytesIO(data))
    return into.getvalue()


def unpack(api: Any, container: str, folder: str, archive: bytes) -> None:
    """Unpack a tar archive in a folder, as root. Raises SubmissionError if the folder is missing."""
    try:
        api.put_archive(container, folder, archive)
    except docker.errors.NotFound as error:
        raise SubmissionError(
            f"There is no folder `{folder}` in the container."
        ) from error
    except docker.errors.APIError as error:
        raise EngineGone(
            f"The engine could not write to {folder}: {brief(error)}."
        ) from error
