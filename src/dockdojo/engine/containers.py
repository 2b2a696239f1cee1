"""Containers on one engine, by their ids: made with every limit, started, run to their end, looked at, removed.

Whose fault it is when one cannot be made or started is decided here, from the engine's words (see guards).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import docker
import requests

from dockdojo.connection import device_request
from dockdojo.connection.blame import once_more
from dockdojo.connection.connect import brief, engine_errors
from dockdojo.connection.metrics import Meter
from dockdojo.connection.streams import Deadline, Frames, collect
from dockdojo.connection.types import ExitCode, Finished, Mount, RunSpec
from dockdojo.engine import cleaning, guards, hardening
from dockdojo.engine.disk_watch import DiskWatch
from dockdojo.engine.network import RunNetwork
from dockdojo.engine.volumes import Volumes
from dockdojo.errors import DockdojoError, EngineGone, LimitReached, NoGpu
from dockdojo.model import Limits


class Containers:
    """The containers of one run. `client.Engine` is what others use; a running one is a `container.Container`."""

    def __init__(
        self,
        api: Any,
        meter: Meter,
        run_id: str,
        labels: Callable[[], dict[str, str]],
    ) -> None:
        self._api = api
        self._meter = meter
        self._labels = labels
        self._volumes = Volumes(api, run_id, labels)
        self.network = RunNetwork(api, run_id, labels)
        self.disk = DiskWatch(api)
        """Ends containers that write too much."""
        self._configs: dict[str, dict[str, Any]] = {}
        """Settings of images that were looked at, by name or id."""
        self._checked: set[str] = set()
        """Images whose files the engine may open."""

    def create(self, spec: RunSpec, limits: Limits) -> str:
        """Make a container, with every limit on it, and return its id; it does not run yet."""
        return once_more(lambda: self._create(spec, limits), starts=True)

    @guards.before_start()
    def _create(self, spec: RunSpec, limits: Limits) -> str:
        options: dict[str, Any] = {}
        if spec.network == "inside":
            network = self.network.id()
            options["networking_config"] = {"EndpointsConfig": {network: {}}}
        else:
            network = {"outside": "bridge"}.get(spec.network, spec.network)
        mounts = tuple(
            self._engines_own(mount, spec.image, limits) for mount in spec.mounts
        )
        host = self._api.create_host_config(
            **hardening.host_options(replace(spec, mounts=mounts), limits, network)
        )
        config = self._config(spec.image)
        self._meter.containers += 1
        with self._starting(spec.image):
            made = self._api.create_container(
                spec.image,
                command=list(spec.args) if spec.args is not None else None,
                entrypoint=(
                    list(spec.entrypoint) if spec.entrypoint is not None else None
                ),
                environment=dict(spec.env) or None,
                user=spec.user or None,
                working_dir=spec.workdir or None,
                stdin_open=bool(spec.stdin),
                labels=self._labels(),
                host_config=host,
                healthcheck=hardening.healthcheck(config),
                **options,
            )
        container = str(made["Id"])
        if spec.image not in self._checked:
            try:
                guards.check_opened_files(self._api, container)
            except BaseException:
                self.remove(container)
                raise
            self._checked.add(spec.image)
        return container

    def _engines_own(self, mount: Mount, image: str, limits: Limits) -> Mount:
        """Return the mount as the engine can make it, wherever it is: a volume with what the folder holds."""
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
        """Return the settings of an image: Healthcheck, Volumes and so on."""
        if image not in self._configs:
            with engine_errors(f"inspect the image {image}"):
                self._configs[image] = (
                    self._api.inspect_image(image).get("Config") or {}
                )
        return self._configs[image]

    @contextlib.contextmanager
    def _starting(self, image: str) -> Iterator[None]:
        """Raise what goes wrong while a container is made or started as the error of whose fault it is."""
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
            pings=guards.pings(self._api),
            volumes=bool(image and self._config(image).get("Volumes")),
        )

    def launch(
        self, container: str, spec: RunSpec | None = None, limits: Limits | None = None
    ) -> None:
        """Start a made container; one of ours needs no limits. Raises SubmissionError if its program is missing."""
        self._launch(container, spec.image if spec else "")
        if spec and limits:
            self.disk.add(
                container,
                limits.disk_mb,
                volumes=bool(self._config(spec.image).get("Volumes")),
            )

    @guards.before_start()
    def _launch(self, container: str, image: str) -> None:
        with self._starting(image), self._meter.waiting():
            self._api.start(container)

    def start(self, spec: RunSpec, limits: Limits) -> str:
        """Make and start a container that goes on running; return its id."""

        def once() -> str:
            container = self._create(spec, limits)
            try:
                self.launch(container, spec, limits)
            except BaseException:
                self.remove(container)
                raise
            return container

        return once_more(once, starts=True)

    def run(
        self, spec: RunSpec, limits: Limits, until: float | None = None
    ) -> Finished:
        """Run a container to its end and remove it. Raises LimitReached when `until` (monotonic) passes."""
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
        with engine_errors("attach to a container"):
            params = {
                "stdout": 1,
                "stderr": 1,
                "stream": 1,
                "stdin": 1 if spec.stdin else 0,
            }
            frames = Frames(self._api.attach_socket(container, params=params))
        began = time.monotonic()
        self.launch(container, spec, limits)
        late = False
        try:
            if spec.stdin:
                with contextlib.suppress(OSError):
                    frames.send(spec.stdin)
                    frames.shut()
            with self._meter.waiting():
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
        """Return the state of a container after it ended. Raises Deadline when `end` passes first."""
        left = max(0.1, end - time.monotonic())
        try:
            self._api.wait(container, timeout=left)
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
        """Return the engine's record of a container's state: Running, ExitCode, OOMKilled, Pid."""
        with engine_errors("look at a container"):
            return dict(self._api.inspect_container(container)["State"])

    def remove(self, container: str) -> None:
        """Kill and remove the container with its anonymous volumes; fine if it is gone already."""
        self.disk.remove(container)
        cleaning.remove_container(self._api, container)
