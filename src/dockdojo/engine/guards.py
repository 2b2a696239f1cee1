"""What is looked at in a container before it may start, and whose fault it is when the engine does not start it.

The engine itself opens files of an image: `/etc/passwd` and `/etc/group`, to find out who USER is. A named pipe there keeps it
waiting, with the container's lock held, until it is restarted. So these are looked at first, by asking for their kind only.
"""

from __future__ import annotations

import base64
import json
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import docker
import requests

from dockdojo.connection.blame import find_trouble
from dockdojo.connection.connect import brief
from dockdojo.connection.start_words import heart, is_images_fault
from dockdojo.errors import DockdojoError, EngineGone, SubmissionError
from dockdojo.model import MB

OPENED = ("/etc/passwd", "/etc/group")
"""Files of an image that the engine opens."""
MAX_OPENED_BYTES = 2 * MB
MAX_LINKS = 10
MODE_DIR, MODE_LINK = 1 << 31, 1 << 27
MODE_SPECIAL = 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 19
"""Bits of Go's fs.FileMode: device, named pipe, socket, character device, irregular."""


def check_opened_files(api: Any, container: str) -> None:
    """Look at the files that the engine will open in a container that was made and never ran. Raises SubmissionError."""
    for path in OPENED:
        seen = path
        for _ in range(MAX_LINKS):
            found = _stat(api, container, seen)
            if found is None:
                break
            mode, size, target = found
            if mode & MODE_LINK:
                seen = posixpath.normpath(
                    posixpath.join(posixpath.dirname(seen), target)
                )
                continue
            if mode & (MODE_SPECIAL | MODE_DIR) or size > MAX_OPENED_BYTES:
                what = (
                    "a folder"
                    if mode & MODE_DIR
                    else (
                        "no regular file"
                        if mode & MODE_SPECIAL
                        else f"larger than {MAX_OPENED_BYTES // MB} MB"
                    )
                )
                raise SubmissionError(
                    f"`{path}` in the image is {what}. No container of it is started.",
                    hint="The engine reads that file to find out who USER is. Leave it as the base image has it.",
                )
            break
        else:
            raise SubmissionError(
                f"`{path}` in the image is a link that leads round in circles."
            )


def _stat(api: Any, container: str, path: str) -> tuple[int, int, str] | None:
    """Return mode (as Go has it), size and link target of a path in a container, or None if nothing is there."""
    try:
        answer = api.head(
            api._url("/containers/{0}/archive", container),
            params={"path": path},
            timeout=api.timeout,
        )
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        stat_header = json.loads(
            base64.b64decode(answer.headers["X-Docker-Container-Path-Stat"])
        )
        return (
            int(stat_header["mode"]),
            int(stat_header["size"]),
            str(stat_header.get("linkTarget") or ""),
        )
    except (requests.RequestException, KeyError, ValueError, TypeError) as error:
        raise EngineGone(
            f"The engine could not look at {quote(path)} of a container: {brief(error)}."
        ) from error


def start_error(text: str, *, pings: bool, volumes: bool = False) -> DockdojoError:
    """Return the error that a refusal to make or start a container means, from the engine's words.

    It is the image's fault only where the engine answers a ping, and its words say so. `volumes` tells whether the image has
    any: then words about mounts are about these.
    """
    if not pings or not is_images_fault(text, volumes=volumes):
        return find_trouble(text) or EngineGone(
            f"The engine could not start a container: {text}.",
            hint="Nothing says that the submission is at fault. Does `docker run --rm hello-world` work on this machine?",
        )
    return SubmissionError(
        f"The container could not start: {heart(text)}.",
        hint="Does CMD or ENTRYPOINT name a program that is in the image, and may it be executed? Is there such a USER, and can "
        "WORKDIR and VOLUME be folders?",
    )


@contextmanager
def before_start() -> Iterator[None]:
    """Mark an EngineGone that is raised inside: nothing of the container ran yet."""
    try:
        yield
    except EngineGone as error:
        error.nothing_ran = True
        raise


def pings(api: Any) -> bool:
    """Return whether the engine answers."""
    try:
        return bool(api.ping())
    except (docker.errors.DockerException, requests.RequestException, OSError):
        return False
