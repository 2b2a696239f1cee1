"""The docker commands that a README tells people to type, and what they really ask an engine for."""

from __future__ import annotations

from dockerlab.checks.asked import WORK, Asked, BuildRequest, ContainerRequest
from dockerlab.engine.build_policy import full_name
from dockerlab.parsing import parse


def script_of(text: str, name: str = "README.md") -> str:
    """The commands of a README as one shell script (see dockerlab.readme). Raises SubmissionError where it cannot be read."""
    return str(parse("readme", text, name=name))


def pairs(asked: Asked) -> list[tuple[BuildRequest, ContainerRequest]]:
    """Each container that was started from an image that was built, with a folder or a volume in it."""
    return [
        (build, one)
        for one in asked.containers
        for build in asked.builds
        if one.started and one.mounts and full_name(one.image) in {full_name(tag) for tag in build.tags}
    ]


def of_the_folder(request: ContainerRequest) -> list[str]:
    """Where in the container the submission's own folder is mounted."""
    return [target for source, target in request.mounts if source.rstrip("/") in (WORK, ".", f"{WORK}/.")]
