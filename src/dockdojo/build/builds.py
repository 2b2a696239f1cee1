"""The builds of one run on one engine: held against the rules, named, watched, and tried once more where the machine failed."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypedDict

from dockdojo.build import legacy
from dockdojo.build.builder import (
    PODMAN,
    Builder,
    BuildSpec,
    build_with_cli,
    the_builder,
)
from dockdojo.build.dockerfile import Dockerfile
from dockdojo.build.origins import is_only_here
from dockdojo.build.policy import BuildRules, check_dockerfile
from dockdojo.build.watch import visible_root, watched
from dockdojo.connection.blame import once_more
from dockdojo.connection.connect import Address, engine_errors, is_podmans
from dockdojo.connection.metrics import Meter
from dockdojo.errors import NoBuildKit
from dockdojo.model import Limits

HEREDOCS_SINCE = (1, 42)
"""The API of Engine 23, whose own frontend reads here-documents."""
OLD_CLIS_API = 41
"""1.41 is the newest API that CLIs with a BuildKit of their own (20.10) know; told to, they speak a later one."""
CACHE_NAMESPACE = "BUILDKIT_CACHE_MOUNT_NS"
"""The build argument that separates cache mounts; a Dockerfile cannot set it."""


class BuildOptions(TypedDict, total=False):
    """What a build may be told besides its folder, its labels and the lab's limits."""

    tag: str
    """The image's name; else one of its own."""
    target: str
    """The stage to stop at; else the last."""
    build_args: dict[str, str]
    no_cache: bool
    on_line: Callable[[str], None] | None
    """Told each line of the build's output."""
    rules: BuildRules | None
    """With them, it is a submission's, and held against them before the engine sees it."""
    seconds: float
    """How long it may take; else as long as the lab allows."""


class Builds:
    """How images are built on an engine. `run_id` begins the names of images that are given none."""

    def __init__(self, api: Any, address: Address, meter: Meter, run_id: str) -> None:
        self._api = api
        self._address = address
        self._meter = meter
        self._run_id = run_id

    @property
    def builder(self) -> Builder:
        """How images are built; looked for at the first build."""
        return PODMAN if self.is_podman else the_builder()

    @cached_property
    def is_podman(self) -> bool:
        """Whether Podman answers, with Docker's API."""
        return is_podmans(self.version)

    @cached_property
    def version(self) -> dict[str, Any]:
        """Return the engine's versions; asked for once."""
        with engine_errors("describe itself"):
            versions: dict[str, Any] = self._api.version()
        return versions

    def build(
        self,
        context: Path,
        dockerfile: str,
        *,
        limits: Limits,
        labels: Mapping[str, str],
        **options: Any,
    ) -> str:
        """Build the image that the Dockerfile makes, and return its name; `options` are BuildOptions.

        Raises a SubmissionError for what the Dockerfile is to blame for.
        """
        build_args, mark = dict(options.get("build_args") or {}), ""
        rules: BuildRules | None = options.get("rules")
        if rules is not None:
            parsed = Dockerfile.read(context, dockerfile)
            knows_heredocs = (
                self.builder.has_buildkit and self._api_version >= HEREDOCS_SINCE
            )
            check_dockerfile(
                parsed,
                rules,
                is_only_here=partial(is_only_here, self._api),
                knows_heredocs=knows_heredocs,
            )
            if rules.cache_namespace:
                build_args[CACHE_NAMESPACE] = rules.cache_namespace
            mark = f"{secrets.token_hex(8)}.build.invalid"  # a host that nobody asks a proxy for, or anything
            build_args["no_proxy"] = ",".join(
                filter(None, [os.environ.get("no_proxy", ""), mark])
            )
        began = time.monotonic()
        spec = BuildSpec(
            context=context,
            dockerfile=dockerfile,
            labels=labels,
            # A name of its own: the containerd store keeps nothing that has none.
            tag=options.get("tag") or f"dockdojo-{self._run_id}:{secrets.token_hex(8)}",
            target=options.get("target", ""),
            build_args=build_args,
            no_cache=options.get("no_cache", False),
            seconds=options.get("seconds") or limits.build_seconds,
            on_line=options.get("on_line"),
            api=self._least_api,
        )
        with (
            self._meter.waiting(),
            watched(self._root, mark, limits, spec.stopper.stop),
        ):
            self._meter.builds += 1
            once_more(
                lambda: self._build_once(
                    spec, spec.seconds - (time.monotonic() - began)
                )
            )
        return spec.tag

    def _build_once(self, spec: BuildSpec, seconds: float) -> None:
        spec = replace(spec, seconds=max(seconds, 1.0))
        try:
            if self.builder.has_buildkit:
                build_with_cli(self.builder, self._address.options, spec)
            else:
                legacy.build(self._address, spec)
        except NoBuildKit as error:
            raise error.with_versions(
                self.builder.version or "not there", str(self.version.get("Version"))
            ) from None

    @cached_property
    def _root(self) -> Path | None:
        """The engine's folder, where it is on this machine and its files can be seen; else None."""
        with engine_errors("describe itself"):
            return visible_root(
                self._address.url, str(self._api.info().get("DockerRootDir") or "")
            )

    @cached_property
    def _least_api(self) -> str:
        """The API that builds ask for: the oldest that the engine speaks, where that is too new for older CLIs; else empty."""
        least = str(self.version.get("MinAPIVersion") or "")
        found = re.fullmatch(r"1\.([0-9]{1,3})", least)
        return least if found and int(found[1]) > OLD_CLIS_API else ""

    @property
    def _api_version(self) -> tuple[int, ...]:
        return tuple(int(part) for part in str(self._api.api_version).split("."))
