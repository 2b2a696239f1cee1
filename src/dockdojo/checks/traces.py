"""What a container's start has changed: files, where `docker diff` looks and where it does not, and variables."""

from __future__ import annotations

import os.path
import re
from collections.abc import Iterable, Mapping

from dockdojo.checks.host import GradingHost
from dockdojo.connection.types import Image
from dockdojo.engine.container import Container

COMPILED = "/__pycache__"
"""Folders in which Python keeps what it compiles by itself."""
MEMORY = "/dev/shm"  # noqa: S108 (of the container)
"""A folder in memory that each container has, empty at first."""
SET_BY_SHELLS = {"PATH", "HOSTNAME", "HOME", "TERM", "PWD", "OLDPWD", "SHLVL", "_"}
"""Variables that the engine or a shell sets by itself."""
NAME = re.compile(r"[A-Za-z_]\w*")


def changed_paths(changes: Iterable[str], image: Image) -> list[str]:
    """Return the paths that were changed, of those that `docker diff` has.

    Left out are the folders above them, what Python compiles by itself, and the folders that the engine makes for volumes.
    """
    paths = list(changes)
    above = {os.path.dirname(path) for path in paths}
    volumes = ["/" + path.strip("/") for path in image.volumes]
    return [
        path
        for path in paths
        if path not in above
        and COMPILED not in path
        and not any(f"{volume}/".startswith(f"{path}/") for volume in volumes)
    ]


def hidden_files(session: GradingHost, container: Container, image: Image) -> list[str]:
    """Return the files that were written where `docker diff` does not look: in memory, and in the image's volumes."""
    found = [f"{MEMORY}/{name}" for name in container.files(MEMORY)]
    if image.volumes:
        bare = session.create(image)
        for path in image.volumes:
            top = path.rstrip("/").rpartition("/")[2] + "/"
            before = {info.name.removeprefix(top) for info, _ in bare.members(path)}
            found += [
                f"{path}/{name}" for name in container.files(path) if name not in before
            ]
    return found


def new_variables(environ: Mapping[str, str], image: Image) -> set[str]:
    """Return the names of a process's variables that the image does not set, or sets to something else."""
    return {
        name
        for name, value in environ.items()
        if NAME.fullmatch(name)
        and value != image.env.get(name, value if name in SET_BY_SHELLS else None)
    }
