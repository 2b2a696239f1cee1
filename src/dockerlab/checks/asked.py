"""What a script asks of the engine: its requests for containers, as they would have reached an engine."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dockerlab.checks.submission import Submission
from dockerlab.engine.gpus import DeviceRequest
from dockerlab.engine.objects import Finished, Image, Mount, RunSpec
from dockerlab.errors import SubmissionError

RECORDER = Path(__file__).with_name("recorder.py")
"""Not imported: it runs in a container, and its modules are not on every platform."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a script asked for, and how it ended."""

    containers: tuple[ContainerRequest, ...]
    exit_code: int
    """124: it did not come to an end."""
    output: str
    """The end of what it printed."""


def recorder_image(build: Callable[[Path], Image]) -> Image:
    """The image in which scripts are recorded; `build` makes an image of a folder."""
    with tempfile.TemporaryDirectory(prefix="dockerlab-context-") as scratch:
        Path(scratch, "Dockerfile").write_text(DOCKERFILE)
        shutil.copyfile(RECORDER, Path(scratch, "recorder.py"))
        return build(Path(scratch))


def record(submission: Submission, script: str, name: str, image: Image, run: Callable[[RunSpec], Finished]) -> Asked:
    """Runs the script with the image's name as its argument, in a container where no engine is.

    Raises SubmissionError where there is no such script, or it keeps the recorder from its end.
    """
    submission.read(script)
    done = run(
        RunSpec(
            image=image.id,
            args=("python", "/recorder.py", script, name),
            mounts=(Mount(source=str(submission.path), target="/submission"),),
        )
    )
    try:
        told = json.loads(done.stdout.strip().splitlines()[-1])
        containers = tuple(_request(one) for one in told["requests"])
        return Asked(containers=containers, exit_code=int(told["code"]), output=str(told["output"]))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise SubmissionError(
            f"What `{script}` asked for could not be recorded.", file=script, detail=(done.stdout + done.stderr)[-600:]
        ) from error


def _request(raw: dict[str, Any]) -> ContainerRequest:
    body = raw["body"]
    host = body.get("HostConfig") or {}
    return ContainerRequest(
        image=str(body.get("Image") or ""),
        gpus=tuple(DeviceRequest.from_api(one) for one in host.get("DeviceRequests") or ()),
        runtime=str(host.get("Runtime") or ""),
        started=bool(raw["started"]),
    )
