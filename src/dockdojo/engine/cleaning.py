"""Removing what runs left on the engine, told by its label alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import docker

from dockdojo.connection.connect import engine_errors
from dockdojo.errors import EngineGone

GONE_SECONDS = 15.0
"""Seconds until a container must be gone whose removal somebody else began."""
TRIES, PAUSE_SECONDS = 5, 0.4
"""For what a container that is just being removed still holds."""
HELD = ("active endpoints", "being used by", "is using", "in use")
"""How the engine says so."""


def remove_container(api: Any, container: str) -> None:
    """Kill and remove a container with its anonymous volumes; fine where it is gone already."""
    with engine_errors("remove a container"):
        try:
            api.remove_container(container, v=True, force=True)
        except docker.errors.APIError as error:
            if error.status_code not in (404, 409):
                raise
            if (
                error.status_code == 409
            ):  # its removal is under way already: until then it holds its image and network
                _wait_until_gone(api, container)


def _wait_until_gone(api: Any, container: str) -> None:
    end = time.monotonic() + GONE_SECONDS
    while time.monotonic() < end:
        try:
            api.inspect_container(container)
        except docker.errors.NotFound:
            return
        time.sleep(PAUSE_SECONDS / 4)


def _removed(remove: Callable[[], Any]) -> bool:
    """Whether it could be removed; what is still held is tried again."""
    for last in (*[False] * (TRIES - 1), True):
        try:
            remove()
        except docker.errors.APIError as error:
            if last or not any(word in str(error).lower() for word in HELD):
                return False  # gone already, or somebody needs it
            time.sleep(PAUSE_SECONDS)
        else:
            return True
    return False


def clean(
    api: Any, wanted: list[str], keep: Callable[[dict[str, str]], bool]
) -> dict[str, int]:
    """Remove what bears the labels and `keep` does not want; return how many of each kind.

    A container that cannot be removed keeps nothing else from it: the first such error is raised in the end.
    """
    gone = {"containers": 0, "images": 0, "networks": 0, "volumes": 0}
    failed: list[EngineGone] = []
    with engine_errors("clean up"):
        for container in api.containers(all=True, filters={"label": wanted}):
            if not keep(container["Labels"]):
                try:
                    remove_container(api, container["Id"])
                    gone["containers"] += 1
                except EngineGone as error:
                    failed.append(error)
        for image in api.images(filters={"label": wanted}, all=True):
            if not keep(image.get("Labels") or {}):
                gone["images"] += _removed(
                    partial(api.remove_image, image["Id"], force=True)
                )
        for network in api.networks(filters={"label": wanted}):
            if not keep(network.get("Labels") or {}):
                gone["networks"] += _removed(partial(api.remove_network, network["Id"]))
        for volume in api.volumes(filters={"label": wanted}).get("Volumes") or []:
            if not keep(volume.get("Labels") or {}):
                gone["volumes"] += _removed(
                    partial(api.remove_volume, volume["Name"], force=True)
                )
    if failed:
        raise failed[0]
    return gone


def clean_build_cache(api: Any) -> int:
    """Remove the engine's build cache that nothing uses, and cache mounts; return the bytes that became free."""
    with engine_errors("remove the build cache"):
        report = api._result(
            api._post(api._url("/build/prune"), params={"all": "true"}), True
        )
    return int(report.get("SpaceReclaimed") or 0)
