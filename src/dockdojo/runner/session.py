"""What the fixtures of one grading share: the engine, the submission's images, containers, digits, and work beside the checks."""

from __future__ import annotations

import contextlib
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import wait
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from dockdojo.build.builder import Builder, the_builder
from dockdojo.checks.host import PYTHON_IMAGE
from dockdojo.connection.device_request import asking
from dockdojo.connection.types import Finished, Image, RunSpec
from dockdojo.datasets import Data
from dockdojo.engine.client import Engine
from dockdojo.engine.container import Container
from dockdojo.errors import ImageUnavailable, LimitReached, OurFault, SubmissionError
from dockdojo.events import Building, Built, Curve, Doing, Event, Waiting
from dockdojo.image.efficiency import analyse
from dockdojo.model import Limits, Part, Point
from dockdojo.probes.api_recording import Asked, record, recorder_image
from dockdojo.probes.http import Client
from dockdojo.probes.workspaces import Workspaces
from dockdojo.runner.background import Background, gather
from dockdojo.runner.bases import Bases
from dockdojo.runner.drawn import Drawn
from dockdojo.runner.scope import ContainerScope
from dockdojo.runner.submission_builds import SubmissionBuilds, rules_of
from dockdojo.submission.folder import Submission

T = TypeVar("T")
LAST_SECONDS = 15
"""For what goes on beside the checks when they have ended; a build that takes longer is ended by force."""
IDLE = {"OMP_WAIT_POLICY": "PASSIVE"}
"""For labs that train: threads that wait for each other must not take the processors from those that work (OpenMP 5.2, 21.5)."""


@dataclass
class GradingSession:
    """One grading, in the process that grades; `session` in graders."""

    open_engine: Callable[[], Engine]
    submission: Submission
    limits: Limits
    emit: Callable[[Event], None]
    closed_network: bool = False
    """Whether running containers join the run's own network, because some check asks a server."""
    deadline: float = 0.0
    data_folder: str = ""
    """Where the lab's data are."""
    seed: str = ""
    """What the inputs of this grading are drawn from; it is in the report."""
    images: tuple[str, ...] = ()
    """Names of the course's own images, which a submission may build on."""
    cache_namespace: str = ""
    """What separates the cache mounts of this grading's builds from all others."""
    ends: float = math.inf
    """When the whole grading is over (monotonic)."""
    failed_builds: dict[str, SubmissionError] = field(default_factory=dict)
    """Builds that failed in an earlier child of the same grading: they are not tried again."""
    _engine: Engine | None = None
    _shared: Container | None = None
    _begun: list[Background[Any]] = field(default_factory=list)
    _scopes: ContextVar[ContainerScope] = field(
        default_factory=lambda: ContextVar("scope")
    )
    _http: Client | None = None
    _builds_begun: int = 0

    def __post_init__(self) -> None:
        self._scopes.set(ContainerScope())
        self._drawn = Drawn(self.data_folder, self.rng)
        self._bases = Bases(lambda: self.engine)
        self._images = SubmissionBuilds(
            self.submission, self._build, self._building, self.failed_builds
        )

    @property
    def engine(self) -> Engine:
        """The engine; connected to at the first use."""
        return self._connect()

    def _connect(self) -> Engine:
        if self._engine is None:
            self._engine = self.open_engine()
        return self._engine

    @property
    def builder(self) -> Builder:
        """How images are built: the engine's way, or this machine's where no engine tells."""
        if self._engine is not None:
            with contextlib.suppress(OurFault):
                return self._engine.builder
        return the_builder()

    @property
    def notes(self) -> list[str]:
        """Limits that the running check's containers met."""
        return self._scopes.get().notes

    def rng(self, purpose: str) -> random.Random:
        """A source of inputs for one purpose: each grading's are others, and the same seed gives the same again.

        What is drawn for one purpose does not depend on the order of the checks, nor on what others draw.
        """
        # Who knows the seed has seen the report.
        return random.Random(f"{self.seed}:{purpose}")  # noqa: S311

    def begin(self) -> None:
        """A check begins: its time starts, nothing is noted yet."""
        self.deadline = min(time.monotonic() + self.limits.check_seconds, self.ends)
        self.notes.clear()

    def time_left(self) -> float:
        """Seconds that are left of the whole grading. Raises LimitReached where there are none."""
        left = self.ends - time.monotonic()
        if left <= 0:
            raise LimitReached(
                f"The whole grading reached its limit of {self.limits.deadline:.0f} s before this could be carried out.",
                hint="What took so long? Each build and each run counts.",
            )
        return left

    def end(self) -> None:
        """A check ended: remove the containers that only it used."""
        self._scopes.get().close()

    @property
    def is_waiting(self) -> bool:
        """Whether a build goes on, or a call to the engine."""
        return self._builds_begun > 0 or (
            self._engine is not None and self._engine.meter.is_waiting
        )

    @contextlib.contextmanager
    def _building(self, build: str = "", *, beside: bool = False) -> Iterator[None]:
        """Building, and waiting for work beside the checks that may build, has a time limit of its own, not the check's.

        `build` tells one build from all others. The parent is told how it ended, so that what failed is not built again.
        """
        began, failed = time.monotonic(), None
        self._builds_begun += 1
        seconds = min(self.limits.build_seconds, self.time_left())
        self.emit(
            Waiting(seconds=seconds)
            if beside
            else Building(seconds=seconds, build=build)
        )
        try:
            yield
        except SubmissionError as error:
            failed = error.as_record()
            raise
        finally:
            self._builds_begun -= 1
            self.deadline = min(self.deadline + time.monotonic() - began, self.ends)
            self.emit(Built(build=build, failed=failed))

    def build(
        self,
        dockerfile: str = "Dockerfile",
        *,
        target: str = "",
        changes: Mapping[str, bytes | None] | None = None,
    ) -> Image:
        """The image of a Dockerfile of the submission; built once for the same arguments.

        `changes` are files to write (None: to remove) in a copy of the submission first: another build context.
        A failed build is remembered, too: it fails the next check that asks for it without building again.
        """
        return self._images.get(dockerfile, target, changes or {})

    def _build(self, context: Path, dockerfile: str, target: str) -> Image:
        if self.data_folder:
            self._drawn.begin()  # the builder has the time for it
        rules = rules_of(self.limits, self.images, self.cache_namespace)
        seconds = min(self.limits.build_seconds, self.time_left())
        return self.engine.build(
            context,
            dockerfile,
            target=target,
            limits=self.limits,
            rules=rules,
            seconds=seconds,
        )

    def build_folder(self, folder: Path) -> Image:
        """The image of a folder of the course, such as a starter: what a submission is compared with."""
        with self._building():
            return self.engine.build(folder, limits=self.limits)

    def base_of(self, folder: Path) -> str:
        """The name of the image that the Dockerfile of such a folder begins from."""
        return Submission(folder).dockerfile().bases()[-1][0]

    def base(self, image: Image, dockerfile: str = "Dockerfile") -> Image | None:
        """The outside image that the image's last stage goes back to; None where it began from scratch.

        Raises ImageUnavailable where that cannot be known, because the engine does not get the image that is named.
        """
        return self._bases.base_of(image, self.submission.dockerfile(dockerfile))

    def spec(
        self,
        image: Image | str,
        args: tuple[str, ...],
        options: dict[str, Any],
        *,
        network: str,
    ) -> RunSpec:
        """What to ask the engine for; no arguments mean the image's own command."""
        ref = image if isinstance(image, str) else image.id
        options.setdefault("network", "outside" if self.limits.network else network)
        if self.data_folder:
            options["env"] = IDLE | options.get("env", {})
        if isinstance(options.get("gpus"), str):
            options["gpus"] = asking(options["gpus"])
        if isinstance(options.get("stdin"), str):
            options["stdin"] = options["stdin"].encode()
        return RunSpec(image=ref, args=args or None, **options)

    def run(
        self, *args: str, image: Image | str | None = None, **options: Any
    ) -> Finished:
        """`docker run`, to the end.

        Options: env, entrypoint, stdin, user, workdir, mounts, network, and gpus, in the words of `docker run --gpus`.
        """
        spec = self.spec(
            image if image is not None else self.build(), args, options, network="none"
        )
        done = self.engine.run(spec, self.limits, self.deadline)
        self._scopes.get().add_notes(done.notes)
        return done

    def start(
        self, *args: str, image: Image | str | None = None, **options: Any
    ) -> Container:
        """`docker run -d`: a container for this check alone, removed when the check ends."""
        made = self._start(image, args, options)
        self._scopes.get().containers.append(made)
        return made

    def create(self, image: Image | None = None) -> Container:
        """`docker create`: a container of the image that never runs, for reading its files."""
        found = image or self.build()
        # The engine makes no container without a command, not even one that never runs.
        words = () if found.cmd or found.entrypoint else ("none",)
        spec = self.spec(found, words, {}, network="none")
        made = Container(
            self.engine, self.engine.create(spec, self.limits), spec, self.limits
        )
        made.deadline = self.deadline
        self._scopes.get().containers.append(made)
        return made

    def _start(
        self, image: Image | str | None, args: tuple[str, ...], options: dict[str, Any]
    ) -> Container:
        network = "inside" if self.closed_network else "none"
        spec = self.spec(
            image if image is not None else self.build(), args, options, network=network
        )
        made = self.engine.start(spec, self.limits)
        made.deadline = self.deadline
        return made

    @property
    def digits(self) -> Data:
        """The digits that the lab is graded with, drawn anew; `.wrong` of the test images have a wrong label.

        Its lab.toml says `data = "digits"`. Raises CourseError without.
        """
        return self._drawn.draw_noisy()

    @property
    def shuffled_digits(self) -> Data:
        """Other digits, each with another one's label: nothing can be learned from them."""
        return self._drawn.draw_shuffled()

    @property
    def many_shuffled_digits(self) -> Data:
        """The same, as many as MNIST has."""
        return self._drawn.draw_many_shuffled()

    def workspaces(self, *names: str, checkpoint: str) -> Workspaces:
        """Folders for containers to write to, with the submission's files in them (see engine.workspaces)."""
        return Workspaces(
            self.engine, PYTHON_IMAGE, self.submission.path, checkpoint, names
        )

    def record_api_calls(self, script: str, name: str, text: str = "") -> Asked:
        """What a script of the submission, given an image's name, asks of the engine; it runs where there is none.

        With `text`, that is the script, and `script` says where it was found.
        """
        image = recorder_image(self.build_folder)
        return record(
            self.submission,
            script,
            name,
            image,
            lambda spec: self.engine.run(spec, self.limits, self.deadline),
            text,
        )

    @staticmethod
    def gather(*calls: Callable[[], Any]) -> list[Any]:
        """Do things side by side, such as waiting for several containers; the results in order. The first error is raised."""
        return gather(*calls)

    def background(self, call: Callable[[], T]) -> Background[T]:
        """Begin something beside the checks; `.result()` waits for it, and raises its error to each who asks.

        The containers that it starts are its own, and gone when it ends.
        """
        self._connect()  # here, once, and not by two threads at the same time
        work = Background(call, self._scopes, self)
        self._begun.append(work)
        return work

    @property
    def build_seconds(self) -> float:
        """How long one build, and one piece of work beside the checks, may take."""
        return self.limits.build_seconds

    def waiting(self) -> contextlib.AbstractContextManager[None]:
        """While the check waits for work beside it, its own time stands still."""
        return self._building(beside=True)

    def doing(self, what: str) -> None:
        """Says what goes on, for whoever waits at a terminal."""
        self.emit(Doing(what=what))

    def curve(self, points: list[Point]) -> None:
        """Puts the curve of a training into the report."""
        self.emit(Curve(points=points))

    def picture(self) -> list[Part]:
        """The layers of the Dockerfile's image, if that was built: the lowest first, with wasted bytes."""
        image = self._images.made("Dockerfile")
        if image is None:
            return []
        try:
            base = self.base(image)
        except ImageUnavailable:
            base = None
        stats = analyse(
            image.id, self.engine.layers(image.id), len(base.layers) if base else 0
        )
        return [
            Part(
                instruction=layer.instruction[:300],
                size=layer.size,
                wasted=layer.wasted,
                in_base=layer.in_base,
            )
            for layer in stats.layers
        ]

    def close(self) -> None:
        """Waits for what was begun and nobody asked for, so that it makes nothing more behind the cleaning up."""
        self.ends = min(self.ends, time.monotonic() + LAST_SECONDS)
        wait([work.future for work in self._begun], timeout=LAST_SECONDS)
        self._drawn.remove()
        self._bases.forget()

    def sleep(self, seconds: float) -> None:
        """Waits, because a container needs the time."""
        with self.engine.meter.waiting():
            time.sleep(seconds)

    def shared(self) -> Container:
        """The running container that checks share, until one of them stops or signals it, or it ends by itself."""
        if self._shared is not None and (
            self._shared.consumed or not self._shared.running
        ):
            self._scopes.get().containers.append(self._shared)
            self._shared = None
        if self._shared is None:
            self._shared = self._start(None, (), {})
        self._shared.deadline = self.deadline
        return self._shared

    @property
    def http(self) -> Client:
        """Asks servers in containers."""
        if self._http is None:
            self._http = Client(self.engine)
        return self._http

    def costs(self) -> dict[str, float]:
        """What talking to the engine cost so far."""
        return self._engine.meter.costs() if self._engine is not None else {}
