"""Building images: BuildKit through a docker CLI that has it; the legacy builder as the last resort."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from dockdojo.build.dockerfile import Dockerfile
from dockdojo.build.log import NEWER_FLAG, BuildLog, explain
from dockdojo.build.process import Stopper, configuration, follow
from dockdojo.build.runtime_probe import runtime_trouble
from dockdojo.connection.blame import UNREACHABLE
from dockdojo.errors import DockdojoError, DockerfileInvalid, EngineGone

BUILTIN_BUILDKIT = range(18, 23)
"""Major versions of the docker CLI that bring BuildKit themselves; later ones need the buildx plugin."""

LINK = re.compile(
    rb"^([ \t]*(?:ONBUILD[ \t]+)?(?:COPY|ADD)[ \t]+(?:--[a-z]+(?:=\S*)?[ \t]+)*?)--link(?:=(?:true|false))?(?=[ \t])",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Builder:
    """How images are built here. `kind` is `buildx`, `buildkit` (inside the CLI), `podman` (its own) or `legacy`."""

    kind: str
    cli: str = ""
    version: str = ""
    """The docker CLI's version; of the legacy builder, that of the first CLI on PATH, which lacks its buildx plugin."""

    @property
    def has_buildkit(self) -> bool:
        """Whether it is BuildKit, by way of a docker CLI; else the engine is asked to build by its API."""
        return self.kind in ("buildx", "buildkit")

    def __str__(self) -> str:
        if self.kind == "podman":
            return "Podman's own (it has no BuildKit; its marks may differ from those on a Docker Engine)"
        if self.kind == "legacy":
            lacking = (
                f"docker CLI {self.version} lacks its buildx plugin"
                if self.version
                else "no docker CLI is on PATH"
            )
            return f"legacy builder ({lacking}, so there is no BuildKit; RUN --mount and some COPY options fail)"
        return f"BuildKit through {self.cli}" + (
            " buildx" if self.kind == "buildx" else ""
        )


MAX_VERSION_CHARACTERS = 1_000
"""Characters of what a CLI says of its version that are read."""
LEGACY = Builder("legacy")
PODMAN = Builder("podman")


def look_ahead() -> None:
    """Begin to look for the builder while the caller does something else; see `the_builder`."""
    threading.Thread(target=the_builder, daemon=True).start()


_looking = threading.Lock()
_found: list[Builder] = []


def the_builder() -> Builder:
    """Return the builder of this process: looked for once."""
    with _looking:
        if not _found:
            _found.append(find_builder())
        return _found[0]


def look_once() -> None:
    """Look for the builder for all processes that are forked from this one, unless none with BuildKit is found.

    What was not found may have been there: a machine that is short of something answers late, or not at all.
    """
    with _looking:
        found = find_builder()
        if found.has_buildkit:
            _found[:] = [found]


def find_builder() -> Builder:
    """Return the first docker CLI on PATH that can build with BuildKit, else the legacy builder."""
    without = ""
    for folder in os.get_exec_path():
        for name in ("docker", "docker.exe"):
            cli = os.path.join(folder, name)
            if not os.path.isfile(cli) or not os.access(cli, os.X_OK):
                continue
            found = re.search(
                r"version ((\d{1,4})\.[\w.+~-]{1,30})",
                _runs([cli, "--version"])[:MAX_VERSION_CHARACTERS],
            )
            version = found[1] if found else ""
            if _runs([cli, "buildx", "version"]).startswith("github.com/docker/buildx"):
                return Builder("buildx", cli, version)
            if found and int(found[2]) in BUILTIN_BUILDKIT:
                return Builder("buildkit", cli, version)
            without = without or version
    return replace(LEGACY, version=without)


def _runs(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=20,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSpec:
    """What is to be built."""

    context: Path
    dockerfile: str = "Dockerfile"
    """Its name in the context."""
    labels: Mapping[str, str]
    tag: str
    target: str = ""
    """The stage to stop at; empty: the last."""
    build_args: Mapping[str, str] = field(default_factory=dict)
    no_cache: bool = False
    seconds: float
    """How long it may take."""
    api: str = ""
    """The version of the API to speak; empty: the CLI and the engine agree on one by themselves."""
    on_line: Callable[[str], None] | None = None
    """Told each line of the build's output."""
    stopper: Stopper = field(default_factory=Stopper)


def build_with_cli(builder: Builder, engine: list[str], spec: BuildSpec) -> None:
    """Build the image on the engine that those options name. Raises a SubmissionError for what the Dockerfile is to blame for.

    It is found by its name: what an id is the id of differs from store to store, and with attestations.
    """
    path = spec.context / spec.dockerfile
    end = time.monotonic() + spec.seconds
    build = [builder.cli, *engine, "build", "--progress=plain"]
    command = [*build, "--tag", spec.tag, "--file", str(path)]
    for key, value in spec.labels.items():
        command += ["--label", f"{key}={value}"]
    for key, value in spec.build_args.items():
        command += ["--build-arg", f"{key}={value}"]
    command += ["--target", spec.target] if spec.target else []
    command += ["--no-cache"] if spec.no_cache else []
    command += ["--load"] if builder.kind == "buildx" else []
    with tempfile.TemporaryDirectory(prefix="dockdojo-build-") as scratch:
        more = configuration(Path(scratch, "config")) | (
            {"DOCKER_API_VERSION": spec.api} if spec.api else {}
        )

        def failed() -> BuildLog | None:
            log = BuildLog()
            left = max(end - time.monotonic(), 1.0)
            code = follow(
                [*command, str(spec.context)],
                log,
                left,
                spec.on_line,
                more,
                spec.stopper,
            )
            return None if code == 0 else log

        log = failed()
        if log is not None and log.only_runtime_spoke:
            if trouble := runtime_trouble(build, Path(scratch, "probe"), more):
                raise trouble
            log = (
                failed()
            )  # once more: what the runtime fails now and then, or what a RUN only printed
    if log is None:
        return None
    parsed = Dockerfile.read(spec.context, spec.dockerfile)
    asked = path.read_bytes()
    if _needs_frontend(log) and parsed.without_official_syntax(path):
        try:
            return build_with_cli(builder, engine, spec)
        except DockerfileInvalid as error:
            if not is_for_newer_frontend(error, parsed):
                raise
            path.write_bytes(asked)  # the next try has the same reason
            raise EngineGone(
                f"{spec.dockerfile} asks for the frontend docker/dockerfile, which this machine cannot fetch, and the "
                f"engine's own is too old for it: {error.message}",
                hint="Grade where docker.io can be reached, or on a newer engine.",
            ) from error
    failure = explain(log, parsed)
    if is_without_link_now(failure, path):
        return build_with_cli(builder, engine, spec)
    raise failure


def is_without_link_now(failure: DockdojoError, path: Path) -> bool:
    """Whether a builder stopped at an option `--link`, and the Dockerfile at `path` has it no longer: it can be built again."""
    knows_none = (
        isinstance(failure, DockerfileInvalid)
        and "unknown flag: link" in failure.message.lower()
    )
    return knows_none and without_link(path)


def without_link(path: Path) -> bool:
    """Take `--link` from the COPY and ADD lines of a Dockerfile; False where there is none.

    For engines that do not know it: what is copied is the same, and only how layers are reused is another matter.
    """
    raw = path.read_bytes()
    plain = LINK.sub(rb"\1", raw)
    path.write_bytes(plain)
    return plain != raw


def is_for_newer_frontend(error: DockerfileInvalid, parsed: Dockerfile) -> bool:
    """Return whether a builder did not understand the Dockerfile because it is older than what that is written for."""
    return bool(NEWER_FLAG.search(error.message)) or any(
        instruction.heredocs for instruction in parsed.instructions
    )


def _needs_frontend(log: BuildLog) -> bool:
    return "docker/dockerfile" in log.failed_step and bool(
        UNREACHABLE.search(log.error)
    )
