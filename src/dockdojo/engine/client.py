"""The Docker Engine, as dockdojo uses it. Everything that it makes bears the run's label."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import docker
import requests

from dockdojo.build.builder import Builder
from dockdojo.build.builds import BuildOptions, Builds
from dockdojo.connection import device_request, machine
from dockdojo.connection.blame import once_more
from dockdojo.connection.connect import (
    DEFAULT_SOCKET,
    Address,
    addresses,
    brief,
    open_client,
    speaking,
)
from dockdojo.connection.labels import OWNER, RUN, new_run_id, owner, owner_lives
from dockdojo.connection.metrics import Meter
from dockdojo.connection.streams import Deadline, Frames, collect
from dockdojo.connection.tunnel import Tunnel
from dockdojo.connection.types import (
    ExitCode,
    Finished,
    Image,
    Layer,
    Mount,
    RunSpec,
    Step,
)
from dockdojo.engine import cleaning, guards, hardening
from dockdojo.engine.container import Container
from dockdojo.engine.disk_watch import DiskWatch
from dockdojo.engine.observer import IMAGE as OBSERVERS
from dockdojo.engine.observer import Observer, ObserverLost
from dockdojo.engine.volumes import Volumes
from dockdojo.errors import (
    DockdojoError,
    EngineGone,
    EngineNotFound,
    LimitReached,
    NoGpu,
)
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
        self._lock = threading.Lock()
        self._network = ""
        self.images = Images(self.api, self.meter)
        self._builds = Builds(self.api, self.address, self.meter, run_id)
        self._volumes = Volumes(self.api, run_id, lambda: self.labels)
        self.disk = DiskWatch(self.api)
        """Ends containers that write too much."""
        self._configs: dict[str, dict[str, Any]] = {}
        """Settings of images that were looked at, by name or id."""
        self._checked: set[str] = set()
        """Images whose files the engine may open."""

    @property
    def builder(self) -> Builder:
        """How images are built; looked for at the first build."""
        return self._builds.builder

    @property
    def is_podman(self) -> bool:
        """Whether Podman answers, with Docker's API."""
        return self._builds.is_podman

    @property
    def labels(self) -> dict[str, str]:
        """What marks everything of this run."""
        return {RUN: self.run_id, OWNER: owner()}

    def info(self, builder: str = "") -> EngineInfo:
        """What answers here; the builder is looked for unless it is named."""
        with speaking("describe itself"):
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
        """The image that the Dockerfile makes; see `Builds.build`. Raises a SubmissionError for what it is to blame for."""
        marked = self.labels if labels is None else labels
        return self.image(
            self._builds.build(
                context, dockerfile, limits=limits, labels=marked, **options
            )
        )

    def has_image(self, ref: str) -> bool:
        """Whether the engine has that image already."""
        return self.images.has(ref)

    def image(self, ref: str) -> Image:
        """The image of that name or id."""
        return self.images.get(ref)

    def history(self, ref: str) -> list[Step]:
        """The steps that made the image, the first one first."""
        return self.images.history(ref)

    def layers(
        self, ref: str, needles: tuple[bytes, ...] = (), *, thorough: bool = False
    ) -> list[Layer]:
        """What each layer holds, the base's first; `needles` are looked for in every file, `thorough`ly or as they are."""
        return self.images.layers(ref, needles, thorough=thorough)

    def pull(self, ref: str, *, as_guest: bool = False) -> None:
        """Fetches the image, with the user's logins or `as_guest`. Raises EngineGone with the registry's words."""
        self.images.pull(ref, as_guest=as_guest)

    def forget(self, ref: str) -> None:
        """Takes a name from an image, and the image where it has no other and nothing uses it."""
        self.images.forget(ref)

    # Containers

    def create(self, spec: RunSpec, limits: Limits) -> str:
        """Makes a container, with every limit on it, and returns its id; it does not run yet."""
        return once_more(lambda: self._create(spec, limits), starts=True)

    @guards.before_start()
    def _create(self, spec: RunSpec, limits: Limits) -> str:
        options: dict[str, Any] = {}
        if spec.network == "inside":
            network = self.network()
            options["networking_config"] = {"EndpointsConfig": {network: {}}}
        else:
            network = {"outside": "bridge"}.get(spec.network, spec.network)
        mounts = tuple(
            self._engines_own(mount, spec.image, limits) for mount in spec.mounts
        )
        host = self.api.create_host_config(
            **hardening.host_options(replace(spec, mounts=mounts), limits, network)
        )
        config = self._config(spec.image)
        self.meter.containers += 1
        with self._starting(spec.image):
            made = self.api.create_container(
                spec.image,
                command=list(spec.args) if spec.args is not None else None,
                entrypoint=(
                    list(spec.entrypoint) if spec.entrypoint is not None else None
                ),
                environment=dict(spec.env) or None,
                user=spec.user or None,
                working_dir=spec.workdir or None,
                stdin_open=bool(spec.stdin),
                labels=self.labels,
                host_config=host,
                healthcheck=hardening.healthcheck(config),
                **options,
            )
        container = str(made["Id"])
        if spec.image not in self._checked:
            try:
                guards.check_opened_files(self.api, container)
            except BaseException:
                self.remove(container)
                raise
            self._checked.add(spec.image)
        return container

    def _engines_own(self, mount: Mount, image: str, limits: Limits) -> Mount:
        """The mount as the engine can make it, wherever it is: a volume with what the folder holds."""
        if mount.volume or not mount.read_only:
            return mount

        def hold(volume: str, place: str) -> str:
            own = Mount(source=volume, target=place, read_only=False, volume=True)
            return self.create(
                RunSpec(image=image, args=("none",), mounts=(own,)), limits
            )

        return Mount(
            source=self._volumes.of(mount.source, hold, self.remove),
            target=mount.target,
            volume=True,
        )

    def _config(self, image: str) -> dict[str, Any]:
        """The settings of an image: Healthcheck, Volumes and so on."""
        if image not in self._configs:
            with speaking(f"inspect the image {image}"):
                self._configs[image] = self.api.inspect_image(image).get("Config") or {}
        return self._configs[image]

    @contextlib.contextmanager
    def _starting(self, image: str) -> Iterator[None]:
        """What goes wrong where a container is made or started, in terms of whose fault it is."""
        try:
            yield
        except docker.errors.APIError as error:
            raise self._start_error(image, error) from error
        except (
            docker.errors.DockerException,
            requests.RequestException,
            OSError,
        ) as error:
            raise EngineGone(
                f"The engine stopped answering: {brief(error)}."
            ) from error

    def _start_error(self, image: str, error: docker.errors.APIError) -> DockdojoError:
        text = brief(error)
        if device_request.none_to_grant(text):
            return NoGpu(
                "The engine here has no GPU to grant.", hint=device_request.advice()
            )
        return guards.start_error(
            text,
            pings=guards.pings(self.api),
            volumes=bool(image and self._config(image).get("Volumes")),
        )

    def launch(
        self, container: str, spec: RunSpec | None = None, limits: Limits | None = None
    ) -> None:
        """Starts a made container; one of ours needs no limits. Raises SubmissionError where what it is to run is not there."""
        self._launch(container, spec.image if spec else "")
        if spec and limits:
            self.disk.add(
                container,
                limits.disk_mb,
                volumes=bool(self._config(spec.image).get("Volumes")),
            )

    @guards.before_start()
    def _launch(self, container: str, image: str) -> None:
        with self._starting(image), self.meter.waiting():
            self.api.start(container)

    def run(
        self, spec: RunSpec, limits: Limits, until: float | None = None
    ) -> Finished:
        """Runs a container to its end and removes it. Raises LimitReached when `until` (monotonic) passes."""
        end = until if until is not None else time.monotonic() + limits.check_seconds

        def once() -> Finished:
            container = self._create(spec, limits)
            try:
                return self._run(container, spec, limits, end)
            finally:
                self.remove(container)

        return once_more(once, starts=True)

    def _run(
        self, container: str, spec: RunSpec, limits: Limits, end: float
    ) -> Finished:
        with speaking("attach to a container"):
            params = {
                "stdout": 1,
                "stderr": 1,
                "stream": 1,
                "stdin": 1 if spec.stdin else 0,
            }
            frames = Frames(self.api.attach_socket(container, params=params))
        began = time.monotonic()
        self.launch(container, spec, limits)
        late = False
        try:
            if spec.stdin:
                with contextlib.suppress(OSError):
                    frames.send(spec.stdin)
                    frames.shut()
            with self.meter.waiting():
                out, err = collect(frames, end, limits.output_kib * 1024)
        except Deadline as passed:
            late, (out, err) = True, passed.args
        except OSError as error:
            raise EngineGone(
                f"The engine closed the output of a container: {brief(error)}."
            ) from error
        finally:
            frames.close()
        seconds = time.monotonic() - began
        state = self.state(container) if late else self.wait(container, end)
        if late:
            raise LimitReached(
                f"The container did not end within {limits.check_seconds:.0f} s, the lab's time limit for a check "
                f"(on {limits.cpus:g} CPU).",
                hint="Does the program wait for input, loop, or start a server where it should print and end?",
                detail=hardening.excerpt(out.text(), err.text()),
            )
        notes = hardening.notes(
            state,
            out.cut or err.cut,
            out.text() + err.text(),
            limits,
            offline=spec.network != "outside",
        )
        if container in self.disk.notes:
            notes = (self.disk.notes[container], *notes)
        return Finished(
            exit_code=ExitCode(state["ExitCode"]),
            stdout=out.text(),
            stderr=err.text(),
            seconds=seconds,
            oom_killed=bool(state["OOMKilled"]),
            notes=notes,
        )

    def wait(self, container: str, end: float) -> dict[str, Any]:
        """The state of a container after it ended. Raises Deadline when `end` passes first."""
        left = max(0.1, end - time.monotonic())
        try:
            self.api.wait(container, timeout=left)
        except (
            requests.exceptions.ReadTimeout,
            requests.exceptions.ConnectionError,
        ) as error:
            if time.monotonic() >= end - 0.05:
                raise Deadline from error
            raise EngineGone(
                f"The engine stopped answering: {brief(error)}."
            ) from error
        except docker.errors.APIError as error:
            raise EngineGone(f"The engine lost a container: {brief(error)}.") from error
        return self.state(container)

    def state(self, container: str) -> dict[str, Any]:
        """The engine's record of a container's state: Running, ExitCode, OOMKilled, Pid."""
        with speaking("look at a container"):
            return dict(self.api.inspect_container(container)["State"])

    def start(self, spec: RunSpec, limits: Limits) -> Container:
        """Starts a container that goes on running; see Container."""

        def once() -> Container:
            made = self._create(spec, limits)
            try:
                self.launch(made, spec, limits)
            except BaseException:
                self.remove(made)
                raise
            return Container(self, made, spec, limits)

        return once_more(once, starts=True)

    def starts_observers(self) -> bool:
        """Whether it starts an observer beside a container of ours; then one that it did not start was ended."""
        ours = self.start(RunSpec(image=OBSERVERS, args=("sleep", "60")), Limits())
        try:
            Observer.beside(self, ours.id).close()
        except ObserverLost:
            return False
        finally:
            ours.remove()
        return True

    def remove(self, container: str) -> None:
        """Kills and removes the container with its anonymous volumes; fine where it is gone already."""
        self.disk.remove(container)
        cleaning.remove_container(self.api, container)

    def network(self) -> str:
        """The run's own network: its containers reach each other, and neither the host nor the outside."""
        with self._lock:
            if not self._network:
                with speaking("make a network"):
                    # A name of its own: a process of the same run that died has left one. And without an address on the
                    # bridge, the host cannot be reached over it.
                    made = self.api.create_network(
                        f"dockdojo-{self.run_id}-{secrets.token_hex(4)}",
                        driver="bridge",
                        internal=True,
                        labels=self.labels,
                        options={"com.docker.network.bridge.inhibit_ipv4": "true"},
                    )
                self._network = str(made["Id"])
        return self._network

    # Cleaning up

    def clean(
        self, keep: Callable[[dict[str, str]], bool] | None = None
    ) -> dict[str, int]:
        """Removes what bears this run's label; with `keep`, what any run made and `keep` does not want. Counts it."""
        wanted = [f"{RUN}={self.run_id}"] if keep is None else [RUN]
        return cleaning.clean(self.api, wanted, keep or (lambda labels: False))

    def clean_dead(self) -> dict[str, int]:
        """Removes what runs left behind whose process is no longer alive on this machine."""
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
    """The engine that answers. Raises EngineNotFound with where it was looked for."""
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
