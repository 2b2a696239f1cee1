"""The files of a container that never runs: which there are, and how they begin. Read by the engine, not by the image.

Format: the archive call of the Engine API (GET /containers/ID/archive), a tar stream.
"""

from __future__ import annotations

import contextlib
import posixpath
import tarfile
from collections.abc import Generator
from itertools import chain

import docker

from dockdojo.connection.connect import brief
from dockdojo.engine.container import Container
from dockdojo.errors import EngineGone, LimitReached, SubmissionError
from dockdojo.image.layers import MAX_ENTRIES, OUTER
from dockdojo.image.layers import Chunks as Chunks

MAX_LINKS = 20
"""Links that one name may go through, as the kernel has it."""


def _archive(container: Container, path: str) -> Generator[bytes]:
    """Yield the tar stream of a path; nothing if it is not there."""
    try:
        chunks, _ = container.engine.api.get_archive(
            container.id, path, chunk_size=2**20
        )
        yield from chunks
    except docker.errors.NotFound:
        return
    except docker.errors.APIError as error:
        raise EngineGone(
            f"The engine could not read {path}: {brief(error)}."
        ) from error


def listing(container: Container, path: str = "/") -> dict[str, int]:
    """Return all plain files below a path, with their sizes, links not followed. The stream is read through, and not kept."""
    found: dict[str, int] = {}
    above = posixpath.dirname(path.rstrip("/")) if path != "/" else "/"
    with (
        container.engine.meter.waiting(),
        contextlib.closing(_archive(container, path)) as chunks,
    ):
        if not (first := next(chunks, b"")):
            return found
        try:
            with tarfile.open(
                fileobj=Chunks(chain((first,), chunks)), mode="r|", bufsize=OUTER
            ) as archive:
                for member in archive:
                    if len(found) >= MAX_ENTRIES:
                        raise LimitReached(
                            f"`{path}` in the image holds more than {MAX_ENTRIES} files."
                        )
                    if member.isreg():
                        found[
                            posixpath.normpath(posixpath.join(above, member.name))
                        ] = member.size
                    archive.members = []  # type: ignore[attr-defined]  # a stream never needs them again
        except tarfile.TarError as error:
            raise EngineGone(
                f"The engine's archive of {path} could not be read: {error}."
            ) from error
    return found


def head(container: Container, path: str, count: int) -> bytes:
    """Return the first bytes of a plain file; empty if there is none."""
    with (
        container.engine.meter.waiting(),
        contextlib.closing(_archive(container, path)) as chunks,
    ):
        try:
            with tarfile.open(
                fileobj=Chunks(chunks), mode="r|", bufsize=2**14
            ) as archive:
                member = archive.next()
                data = (
                    archive.extractfile(member)
                    if member is not None and member.isreg()
                    else None
                )
                return data.read(count) if data is not None else b""
        except tarfile.TarError:
            return b""


def through_links(container: Container, path: str) -> bytes:
    """Return the bytes of a file, its links followed inside the container. Raises SubmissionError if there is none."""
    for _ in range(MAX_LINKS):
        members = container.members(path)
        if members and members[0][0].issym():
            path = posixpath.normpath(
                posixpath.join(posixpath.dirname(path), members[0][0].linkname)
            )
        elif members and members[0][0].isreg():
            return members[0][1]
        else:
            break
    raise SubmissionError(f"There is no file `{path}` in the image.")


def user_id(container: Container, user: str) -> int:
    """Return the uid that the engine gives a container whose image says `USER user`: a number, or a name of its /etc/passwd.

    Raises SubmissionError where the name is not there. Format: passwd(5).
    """
    name = user.partition(":")[0]
    if not name or name.isdecimal():
        return int(name[:10] or 0)
    for line in (
        through_links(container, "/etc/passwd").decode("utf-8", "replace").splitlines()
    ):
        fields = line.split(":")
        if fields[0] == name and len(fields) > 2 and fields[2].isdecimal():
            return int(fields[2][:10])
    raise SubmissionError(
        f"`USER {name}`: there is no such user in the image's /etc/passwd.",
        file="Dockerfile",
    )
