"""What the fixtures of one grading share: the engine, the submission, images built once, a running container."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dockerlab.checks.submission import Submission
from dockerlab.engine.client import Engine
from dockerlab.engine.container import Container
from dockerlab.engine.http import Client
from dockerlab.engine.objects import Finished, Image, RunSpec
from dockerlab.errors import SubmissionError
from dockerlab.model import Limits

SIDE_BY_SIDE = 6
"""Calls to the engine that go on at once; more make none of them quicker on two processors."""
Event = Callable[[dict[str, Any]], None]


@dataclass
class Bench:
    """One grading's workbench, in the child process."""

    open_engine: Callable[[], Engine]
    submission: Submission
    limits: Limits
    emit: Event
    closed_network: bool = False
    """Whether running containers join the run's own network, because some check asks a server."""
    deadline: float = 0.0
    notes: list[str] = field(default_factory=list)
    """Limits that the running check's containers met."""
    _engine: Engine | None = None
    _images: dict[tuple[Any, ...], Image | SubmissionError] = field(default_factory=dict)
    _shared: Container | None = None
    _own: list[Container] = field(default_factory=list)
    _http: Client | None = None

    @property
    def engine(self) -> Engine:
        """The engine; connected to at the first use."""
        if self._engine is None:
            self._engine = self.open_engine()
        return self._engine

    def begin(self) -> None:
        """A check begins: its time starts, nothing is noted yet."""
        self.deadline = time.monotonic() + self.limits.check_seconds
        self.notes.clear()

    def end(self) -> None:
        """A check ended: the containers that only it used are removed."""
        while self._own:
            with contextlib.suppress(Exception):  # the parent's clean-up removes what is left, and says so
                self._own.pop().remove()

    @contextlib.contextmanager
    def _building(self) -> Iterator[None]:
        """Building has a time limit of its own: it does not count against the check's."""
        began = time.monotonic()
        self.emit({"event": "building", "seconds": self.limits.build_seconds})
        try:
            yield
        finally:
            self.deadline += time.monotonic() - began
            self.emit({"event": "built"})

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
        key = (dockerfile, target, tuple(sorted((changes or {}).items(), key=lambda item: item[0])))
        if key not in self._images:
            self.submission.dockerfile(dockerfile)
            try:
                with (
                    self._building(),
                    tempfile.TemporaryDirectory(prefix="dockerlab-context-") as scratch,
                ):
                    context = self.submission.path
                    if changes:
                        context = self.submission.copy(Path(scratch, "context"), changes)
                    self._images[key] = self.engine.build(context, dockerfile, target=target, limits=self.limits)
            except SubmissionError as error:
                self._images[key] = error
        found = self._images[key]
        if isinstance(found, SubmissionError):
            raise found
        return found

    def build_folder(self, folder: Path) -> Image:
        """The image of a folder of the course, such as a starter: what a submission is compared with."""
        with self._building():
            return self.engine.build(folder, limits=self.limits)

    def base_of(self, folder: Path) -> str:
        """The name of the image that the Dockerfile of such a folder begins from."""
        return Submission(folder).dockerfile().bases()[-1][0]

    def base(self, image: Image, dockerfile: str = "Dockerfile") -> Image | None:
        """The outside image that the image's last stage goes back to; None where it began from scratch."""
        bases = {ref for ref, _ in self.submission.dockerfile(dockerfile).bases()}
        found = [self.engine.image(ref) for ref in bases if self.engine.has_image(ref)]
        fitting = [one for one in found if image.layers[: len(one.layers)] == one.layers]
        return max(fitting, key=lambda one: len(one.layers), default=None)

    def spec(self, image: Image | str, args: tuple[str, ...], options: dict[str, Any], *, network: str) -> RunSpec:
        """What to ask the engine for; no arguments mean the image's own command."""
        ref = image if isinstance(image, str) else image.id
        options.setdefault("network", "outside" if self.limits.network else network)
        if isinstance(options.get("stdin"), str):
            options["stdin"] = options["stdin"].encode()
        return RunSpec(image=ref, args=args or None, **options)

    def run(self, *args: str, image: Image | str | None = None, **options: Any) -> Finished:
        """`docker run`, to the end. Options: env, entrypoint, stdin, user, workdir, mounts, network."""
        spec = self.spec(image if image is not None else self.build(), args, options, network="none")
        done = self.engine.run(spec, self.limits, self.deadline)
        self.notes.extend(note for note in done.notes if note not in self.notes)
        return done

    def start(self, *args: str, image: Image | str | None = None, **options: Any) -> Container:
        """`docker run -d`: a container for this check alone, removed when the check ends."""
        made = self._start(image, args, options)
        self._own.append(made)
        return made

    def still(self, image: Image | None = None) -> Container:
        """A container of the image that never runs: for reading its files."""
        found = image or self.build()
        # The engine makes no container without a command, not even one that never runs.
        words = () if found.cmd or found.entrypoint else ("none",)
        spec = self.spec(found, words, {}, network="none")
        made = Container(self.engine, self.engine.create(spec, self.limits), spec, self.limits)
        made.deadline = self.deadline
        self._own.append(made)
        return made

    def _start(self, image: Image | str | None, args: tuple[str, ...], options: dict[str, Any]) -> Container:
        network = "inside" if self.closed_network else "none"
        spec = self.spec(image if image is not None else self.build(), args, options, network=network)
        made = self.engine.start(spec, self.limits)
        made.deadline = self.deadline
        return made

    @staticmethod
    def together(*calls: Callable[[], Any]) -> list[Any]:
        """Does things side by side, such as waiting for several containers; the results in order. The first error is raised."""
        with ThreadPoolExecutor(max_workers=SIDE_BY_SIDE) as pool:
            return [one.result() for one in [pool.submit(call) for call in calls]]

    def shared(self) -> Container:
        """The running container that checks share, until one of them stops or signals it, or it ends by itself."""
        if self._shared is not None and (self._shared.touched or not self._shared.running):
            self._own.append(self._shared)
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
