"""What a script asks of the engine: its requests for containers, as they would have reached an engine."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dockdojo import payloads
from dockdojo.connection.device_request import DeviceRequest
from dockdojo.connection.types import Finished, Image, Mount, RunSpec
from dockdojo.errors import SubmissionError
from dockdojo.submission.folder import Submission

RECORDER = "docker_api_recorder"
"""Not imported: it runs in a container, and its modules are not on every platform."""
WORK = "/work"
"""Where the submission lies while a script is recorded: its folder, as the script sees it."""
# A lab that has scripts recorded names these two images in its lab.toml.
DOCKERFILE = """FROM docker:cli AS client
FROM python:3.11-slim
COPY --from=client /usr/local/bin/docker /usr/local/bin/docker
COPY recorder.py /recorder.py
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRequest:
    """One request to make a container (POST /containers/create of the Engine API)."""

    image: str
    gpus: tuple[DeviceRequest, ...]
    runtime: str
    """`--runtime`; empty: the engine's own."""
    started: bool
    """Whether the script also asked for its start."""
    args: tuple[str, ...] | None = None
    """What replaces CMD; None keeps it."""
    entrypoint: tuple[str, ...] | None = None
    env: tuple[str, ...] = ()
    user: str = ""
    workdir: str = ""
    mounts: tuple[tuple[str, str], ...] = ()
    """(source, target); the source of a folder is as in the container where the script ran: see WORK."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """One request to build an image (POST /build), with a context that came from the script's side."""

    tags: tuple[str, ...]
    dockerfile: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a script asked for, and how it ended."""

    containers: tuple[ContainerRequest, ...]
    builds: tuple[BuildRequest, ...]
    exit_code: int
    """124: it did not come to an end."""
    output: str
    """The end of what it printed."""


def recorder_image(build: Callable[[Path], Image]) -> Image:
    """Return the image in which scripts are recorded; `build` makes an image of a folder."""
    with tempfile.TemporaryDirectory(prefix="dockdojo-context-") as scratch:
        Path(scratch, "Dockerfile").write_text(DOCKERFILE)
        shutil.copyfile(payloads.path(RECORDER), Path(scratch, "recorder.py"))
        return build(Path(scratch))


def record(
    submission: Submission,
    script: str,
    name: str,
    image: Image,
    run: Callable[[RunSpec], Finished],
    text: str = "",
) -> Asked:
    """Run the script with the image's name as its argument, in a container where no engine is.

    The script is a file of the submission; or `text`, where `script` is a word that says where it was found.
    Raises SubmissionError where there is no such script, or it keeps the recorder from its end.
    """
    if not text:
        submission.read(script)
    done = run(
        RunSpec(
            image=image.id,
            args=("python", "/recorder.py", "-" if text else script, name),
            stdin=text.encode(),
            mounts=(Mount(source=str(submission.path), target="/submission"),),
        )
    )
    try:
        recorded = json.loads(done.stdout.strip().splitlines()[-1])
        containers = tuple(_request(request) for request in recorded["requests"])
        builds = tuple(
            _build(build) for build in recorded["builds"] if build["context"]
        )
        return Asked(
            containers=containers,
            builds=builds,
            exit_code=int(recorded["code"]),
            output=str(recorded["output"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise SubmissionError(
            f"What `{script}` asked for could not be recorded.",
            file=script,
            detail=(done.stdout + done.stderr)[-600:],
        ) from error


def _request(raw: dict[str, Any]) -> ContainerRequest:
    body = raw["body"]
    host = body.get("HostConfig") or {}
    return ContainerRequest(
        image=str(body.get("Image") or ""),
        gpus=tuple(
            DeviceRequest.from_api(request)
            for request in host.get("DeviceRequests") or ()
        ),
        runtime=str(host.get("Runtime") or ""),
        started=bool(raw["started"]),
        args=_words(body.get("Cmd")),
        entrypoint=_words(body.get("Entrypoint")),
        env=_words(body.get("Env")) or (),
        user=str(body.get("User") or ""),
        workdir=str(body.get("WorkingDir") or ""),
        mounts=tuple(_mounts(host)),
    )


def _words(raw: Any) -> tuple[str, ...] | None:
    return tuple(str(word) for word in raw) if raw else None


def _mounts(host: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for bind in host.get("Binds") or ():
        source, _, rest = str(bind).partition(":")
        yield source, rest.partition(":")[0]
    for mount in host.get("Mounts") or ():
        if mount.get("Type") in ("bind", "volume"):
            yield str(mount.get("Source") or ""), str(mount.get("Target") or "")


def _build(raw: dict[str, Any]) -> BuildRequest:
    """Its parameters, each a list of values, as they were in the request's address."""
    params = raw["params"]
    return BuildRequest(
        tags=tuple(str(tag) for tag in params.get("t", ())),
        dockerfile=str((params.get("dockerfile") or ["Dockerfile"])[0]),
        target=str((params.get("target") or [""])[0]),
    )
