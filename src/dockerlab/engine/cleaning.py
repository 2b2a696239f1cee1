"""Removing what runs left on the engine, told by its label alone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import docker

from dockerlab.engine.connect import speaking


def remove_container(api: Any, container: str) -> None:
    """Kill and remove a container with its anonymous volumes; fine where it is gone already."""
    with contextlib.suppress(docker.errors.NotFound), speaking("remove a container"):
        try:
            api.remove_container(container, v=True, force=True)
        except docker.errors.APIError as error:
            if error.status_code not in (404, 409):  # 409: its removal is under way already
                raise


def clean(api: Any, wanted: list[str], keep: Callable[[dict[str, str]], bool]) -> dict[str, int]:
    """Remove what bears the labels and `keep` does not want; return how many of each kind."""
    gone = {"containers": 0, "images": 0, "networks": 0, "volumes": 0}
    with speaking("clean up"):
        for container in api.containers(all=True, filters={"label": wanted}):
            if not keep(container["Labels"]):
                remove_container(api, container["Id"])
                gone["containers"] += 1
        for image in api.images(filters={"label": wanted}, all=True):
            if not keep(image.get("Labels") or {}):
                gone["images"] += _remove_image(api, image["Id"])
        for network in api.networks(filters={"label": wanted}):
            if not keep(network.get("Labels") or {}):
                with contextlib.suppress(docker.errors.APIError):
                    api.remove_network(network["Id"])
                    gone["networks"] += 1
        for volume in api.volumes(filters={"label": wanted}).get("Volumes") or []:
            if not keep(volume.get("Labels") or {}):
                with contextlib.suppress(docker.errors.APIError):
                    api.remove_volume(volume["Name"], force=True)
                    gone["volumes"] += 1
    return gone


def _remove_image(api: Any, image: str) -> int:
    try:
        api.remove_image(image, force=True)
    except docker.errors.APIError:
        return 0  # gone already, or still a parent of one that is kept
    return 1


def clean_build_cache(api: Any) -> int:
    """Remove the engine's build cache that nothing uses, and cache mounts; return the bytes that became free."""
    with speaking("remove the build cache"):
        told = api._result(api._post(api._url("/build/prune"), params={"all": "true"}), True)
    return int(told.get("SpaceReclaimed") or 0)
