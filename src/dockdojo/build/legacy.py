"""The legacy builder: the last resort, where no docker CLI can build with BuildKit."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import docker

from dockdojo.build.builder import BuildSpec, is_for_newer_frontend, is_without_link_now
from dockdojo.build.dockerfile import Dockerfile
from dockdojo.build.log import BuildLog, explain
from dockdojo.connection.connect import Address, engine_errors, open_client
from dockdojo.connection.metrics import Meter
from dockdojo.errors import DockerfileInvalid, EngineGone, LimitReached

STEP = re.compile(
    r"(?:\[[0-9]{1,6}/[0-9]{1,6}\] )?S(?:tep|TEP) ([0-9]{1,6})/[0-9]{1,6} ?: (.*)"
)
"""How Docker's legacy builder begins a step, and Podman's."""


@contextmanager
def _refused(log: BuildLog) -> Iterator[None]:
    """What the engine answers in place of a log: a Dockerfile that does not parse, among other things."""
    try:
        yield
    except docker.errors.APIError as error:
        if not error.explanation:
            raise
        log.add(str(error.explanation))


def build(address: Address, spec: BuildSpec) -> None:
    """Build the image; raises as `builder.build_with_cli` does."""
    parsed = Dockerfile.read(spec.context, spec.dockerfile)
    api = open_client(address, Meter())
    api._auth_configs = docker.auth.AuthConfig(
        {}
    )  # docker-py would send every credential that it knows
    end = time.monotonic() + spec.seconds
    log, image = BuildLog(), ""
    step = ""
    try:
        with engine_errors("build an image"), _refused(log):
            records = api.build(
                path=str(spec.context),
                dockerfile=spec.dockerfile,
                tag=spec.tag,
                target=spec.target or None,
                labels=dict(spec.labels),
                buildargs=dict(spec.build_args),
                nocache=spec.no_cache,
                rm=True,
                forcerm=True,
                decode=True,
                timeout=int(spec.seconds),
            )
            for record in records:
                for line in str(record.get("stream", "")).splitlines():
                    if found := STEP.match(line):
                        step = found[1]
                        log.add(f"#{step} [{step}] {found[2]}")
                    else:
                        log.add(f"#{step or 0} 0.0 {line}")
                    if spec.on_line:
                        spec.on_line(line)
                if "error" in record:
                    log.add(f"#{step or 0} ERROR: {record['error']}")
                    log.last = " ".join(str(record["error"]).split())
                image = record.get("aux", {}).get("ID", image)
                if time.monotonic() > end:
                    raise LimitReached(
                        f"The build did not finish within {spec.seconds:.0f} s, the lab's limit for building."
                    )
    finally:
        api.close()
    if log.failed or not image:
        failure = explain(log, parsed)
        if is_without_link_now(failure, spec.context / spec.dockerfile):
            build(address, spec)
        elif (
            isinstance(failure, DockerfileInvalid)
            and parsed.has_official_syntax
            and is_for_newer_frontend(failure, parsed)
        ):
            raise EngineGone(
                f"{parsed.name} asks for the frontend docker/dockerfile, and there is no BuildKit here that would fetch it: "
                f"{failure.message}",
                hint="Grade where a docker CLI with its buildx plugin is on PATH (`docker buildx version`).",
            )
        else:
            raise failure
