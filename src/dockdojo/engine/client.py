"""The Docker Engine, as dockdojo uses it. Everything that it makes bears the run's label."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from dockdojo.build.builder import Builder
from dockdojo.build.builds import BuildOptions, Builds
from dockdojo.connection import machine
from dockdojo.connection.connect import (
    DEFAULT_SOCKET,
    Address,
    addresses,
    engine_errors,
    open_client,
)
from dockdojo.connection.labels import OWNER, RUN, new_run_id, owner, owner_lives
from dockdojo.connection.metrics import Meter
from dockdojo.connection.tunnel import Tunnel
from dockdojo.connection.types import Finished, Image, Layer, RunSpec, Step
from dockdojo.engine import cleaning
from dockdojo.engine.container import Container
from dockdojo.engine.containers import Containers
from dockdojo.engine.observer import IMAGE as OBSERVERS
from dockdojo.engine.observer import Observer, ObserverLost
from dockdojo.errors import EngineGone, EngineNotFound
from dockdojo.image.images import Images
from dockdojo.model import EngineInfo, Limits


class Engine:
    """One connection, for one run. Use as a context manager: what it made is removed at the end."""

    def __init__(self, address: Address, *, run_id: str) -> None:
        self.meter = Meter()
        self._tunnel = Tunnel(address.url) if address.url.startswith("ssh://") else None
        self.where = address.url
        """The address as it was asked for; `self.address` is how it is reached."""
        self.address = (
            replace(address, url=self._tunnel.url) if self._tunnel else address
        )
        self.run_id = run_id
        try:
            self.api = open_client(self.address, self.meter)
        except BaseException:
            self._close_tunnel()
            raise
        self.images = Images(self.api, self.meter)
        self._builds = Builds(self.api, self.address, self.meter, run_id)
        self._containers = Containers(self.api, self.meter, run_id, lambda: self.labels)
        self.disk = self._containers.disk
        """Ends containers that write too much."""

    @property
    def builder(self) -> Builder:
        """Return how images are built; found out at the first build."""
        return self._builds.builder

    @property
    def is_podman(self) -> bool:
        """Return whether Podman answers, with Docker's API."""
        return self._builds.is_podman

    @property
    def labels(self) -> dict[str, str]:
        """Return the labels of everything that this run makes."""
        return {RUN: self.run_id, OWNER: owner()}

    def info(self, builder: str = "") -> EngineInfo:
        """Describe the engine that answers; the builder is found out unless it is named."""
        with engine_errors("describe itself"):
            info = self.api.info()
        version = self._builds.version
        runtimes = info.get("Runtimes") or {}
        gpu = "nvidia runtime" if "nvidia" in runtimes else "none"
        if any(
            "nvidia.com/gpu" in str(device)
            for device in info.get("DiscoveredDevices") or []
        ):
            gpu = "CDI devices"
        if self.address.url == DEFAULT_SOCKET and (count := machine.simulated_gpus()):
            gpu = f"{count} SIMULATED"
        return EngineInfo(
            version=("API of Podman " if self.is_podman else "") + version["Version"],
            api_version=version["ApiVersion"],
            storage_driver=info["Driver"],
            cgroup_version=str(info.get("CgroupVersion", "1")),
            builder=builder or str(self.builder),
            gpu=gpu,
            where=self.where,
            build_limits=_limits_of_builds(self.address.url),
        )

    # Images

    def build(
        self,
        context: Path,
        dockerfile: str = "Dockerfile",
        *,
        limits: Limits,
        labels: dict[str, str] | None = None,
        **options: Unpack[BuildOptions],
    ) -> Image:
        """Build the Dockerfile and return its image; see `Builds.build`. Raises SubmissionError if the Dockerfile is at fault."""
        marked = self.labels if labels is None else labels
        return self.image(
            self._builds.build(
                context, dockerfile, limits=limits, labels=marked, **options
            )
        )

    def has_image(self, ref: str) -> bool:
        """Return whether the engine has that image already."""
        return self.images.has(ref)

    def image(self, ref: str) -> Image:
        """Return the image of that name or id."""
        return self.images.get(ref)

    def history(self, ref: str) -> list[Step]:
        """Return the steps that made the image, the first one first."""
        return self.images.history(ref)

    def layers(
        self, ref: str, needles: tuple[bytes, ...] = (), *, thorough: bool = False
    ) -> list[Layer]:
        """Return what each layer holds, the base's first; `needles` are looked for in every file, `thorough`ly or as they are."""
        return self.images.layers(ref, needles, thorough=thorough)

    def pull(self, ref: str, *, as_guest: bool = False) -> None:
        """Fetch the image, with the user's logins or `as_guest`. Raises EngineGone with the registry's words."""
        self.images.pull(ref, as_guest=as_guest)

    def forget(self, ref: str) -> None:
        """Take a name from an image; remove the image if it has no other and nothing uses it."""
        self.images.forget(ref)

    # Containers

    def create(self, spec: RunSpec, limits: Limits) -> str:
        """Make a container, with every limit on it, and return its id; it does not run yet."""
        return self._containers.create(spec, limits)

    def launch(
        self, container: str, spec: RunSpec | None = None, limits: Limits | None = None
    ) -> None:
        """Start a made container; one of ours needs no limits. Raises SubmissionError if its program is missing."""
        self._containers.launch(container, spec, limits)

    def start(self, spec: RunSpec, limits: Limits) -> Container:
        """Start a container that goes on running; see Container."""
        return Container(self, self._containers.start(spec, limits), spec, limits)

    def run(
        self, spec: RunSpec, limits: Limits, until: float | None = None
    ) -> Finished:
        """Run a container to its end and remove it. Raises LimitReached when `until` (monotonic) passes."""
        return self._containers.run(spec, limits, until)

    def wait(self, container: str, end: float) -> dict[str, Any]:
        """Return the state of a container after it ended. Raises Deadline when `end` passes first."""
        return self._containers.wait(container, end)

    def state(self, container: str) -> dict[str, Any]:
        """Return the engine's record of a container's state: Running, ExitCode, OOMKilled, Pid."""
        return self._containers.state(container)

    def remove(self, container: str) -> None:
        """Kill and remove the container with its anonymous volumes; fine if it is gone already."""
        self._containers.remove(container)

    def network(self) -> str:
        """Return the run's own network: its containers reach each other, and neither the host nor the outside."""
        return self._containers.network.id()

    def starts_observers(self) -> bool:
        """Return whether it starts an observer beside a container of ours; then one that it did not start was ended."""
        ours = self.start(RunSpec(image=OBSERVERS, args=("sleep", "60")), Limits())
        try:
            Observer.beside(self, ours.id).close()
        except ObserverLost:
            return False
        finally:
            ours.remove()
        return True

    # Cleaning up

    def clean(
        self, keep: Callable[[dict[str, str]], bool] | None = None
    ) -> dict[str, int]:
        """Remove what bears this run's label; with `keep`, what any run made and `keep` does not want. Return the counts."""
        wanted = [f"{RUN}={self.run_id}"] if keep is None else [RUN]
        return cleaning.clean(self.api, wanted, keep or (lambda labels: False))

    def clean_dead(self) -> dict[str, int]:
        """Remove what runs left behind whose process is no longer alive on this machine."""
        return self.clean(keep=lambda labels: owner_lives(labels.get(OWNER, "")))

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self.clean()
        except EngineGone:
            if exc[0] is None:
                raise
        finally:
            self.disk.close()
            self.api.close()
            self._close_tunnel()

    def _close_tunnel(self) -> None:
        if self._tunnel:
            self._tunnel.close()


def connect(*, run_id: str = "") -> Engine:
    """Return the engine that answers. Raises EngineNotFound with where it was looked for."""
    problems = []
    for address in addresses():
        try:
            return Engine(address, run_id=run_id or new_run_id())
        except EngineNotFound as error:
            problems.append(error.message)
    raise EngineNotFound(" ".join(problems), hint=machine.advice())


def _limits_of_builds(url: str) -> str:
    held = machine.limits_of_builds() if url == DEFAULT_SOCKET else ()
    return (
        "; ".join(held)
        if held
        else "time and disk are watched; memory, processes and network are the engine's own"
    )
