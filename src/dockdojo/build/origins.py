"""Whether an image is one that others can have, too: what a submission builds on must be."""

from __future__ import annotations

from typing import Any

import docker

from dockdojo.build.policy import full_name
from dockdojo.connection.connect import engine_errors
from dockdojo.errors import ImageUnavailable

CONTAINERD_DRIVERS = frozenset(
    {"overlayfs", "native", "stargz", "zfs", "btrfs", "fuse-overlayfs", "erofs", ""}
)
"""Names that the containerd store has for its snapshotters; the others (overlay2, vfs, …) are the engine's own drivers."""


def is_only_here(api: Any, ref: str) -> bool:
    """Return whether the engine has an image of that name or id, and no registry is known to have it.

    Raises ImageUnavailable where only the registry could tell, and does not answer.
    """
    with engine_errors(f"look for the image {ref}"):
        try:
            raw = api.inspect_image(ref)
        except docker.errors.NotFound:
            return False
    mine = (
        full_name(ref).partition("@")[0].rpartition(":")[0]
        or full_name(ref).partition("@")[0]
    )
    digests = [
        digest
        for digest in raw.get("RepoDigests") or ()
        if full_name(digest).partition("@")[0] == mine
    ]
    if (
        not digests
        or raw.get("GraphDriver", {}).get("Name", "") not in CONTAINERD_DRIVERS
    ):
        return not digests
    # The containerd store names a digest for what was built here, too: the registry has the word.
    try:
        api.inspect_distribution(digests[0], auth_config={})
    except docker.errors.NotFound:
        return True
    except docker.errors.APIError as error:
        if error.status_code in (401, 403):
            return True
        raise ImageUnavailable(
            f"Whether `{ref}` is a public image cannot be told: its registry does not answer.",
            hint="Grade where the registry can be reached, or name the image in the course's catalog.",
        ) from error
    return False
