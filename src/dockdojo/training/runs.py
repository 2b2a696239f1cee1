"""Runs of a training script in containers: started in a workspace, watched, and each done once beside the checks."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from dockdojo.checks.host import Awaited, GradingHost
from dockdojo.connection.types import Image, Mount, when
from dockdojo.datasets import Data
from dockdojo.engine.container import Container
from dockdojo.errors import LimitReached, OurFault, SubmissionError
from dockdojo.probes.workspaces import Workspaces
from dockdojo.training.run import FirstRun, TrainingRun
from dockdojo.training.workers import workers

T = TypeVar("T")
RUN_WITHIN = 900
"""Seconds of one training."""
POLL_SECONDS = 0.25
"""Seconds between two looks at a log."""
CORRUPTED = ("weights", "optimizer")
"""Workspaces whose checkpoints have NaN there."""
AFTER = {name: f"after_{name}" for name in CORRUPTED}
"""Workspaces for what those runs saved."""
SPACES = (
    "first",
    "control",
    *CORRUPTED,
    *AFTER.values(),
    "again",
    "words",
    "stop",
    "restart",
    "left",
    "shuffled",
    "probe",
    "apart",
    "typed",
)
"""Workspaces, each for one piece of work: they go on at the same time."""
KILLED = ("control", *CORRUPTED, "restart")
"""Workspaces whose resumed runs were ended by SIGKILL when enough had been seen."""


class Work(Generic[T]):
    """A piece of work that is done once, beside the checks."""

    def __init__(self, session: GradingHost, work: Callable[[], T]) -> None:
        self._session = session
        self._work = work
        self._begun: Awaited[T] | None = None

    def begin(self) -> Awaited[T]:
        """Begin it, if nobody has yet; do not wait for it."""
        if self._begun is None:
            self._begun = self._session.background(self._work)
        return self._begun

    def result(self) -> T:
        """Return what it comes to; begin it, if nobody has yet, and wait for it. Its errors are raised to each who asks."""
        return self.begin().result()


class ScriptRunner:
    """The script `command`, run as `docker run -v FOLDER:workspace IMAGE command [--resume]`, in the image's working folder."""

    def __init__(
        self,
        session: GradingHost,
        *,
        command: tuple[str, ...],
        workspace: str,
        checkpoint: str,
    ) -> None:
        """`session` is the fixture of that name; `checkpoint` is a file's name in the folder that is mounted at `workspace`."""
        self.session = session
        self.first: Work[FirstRun] = Work(session, self._first)
        """A whole training, from nothing."""
        self._once: dict[str, Work[Any]] = {}
        self._workspaces: Workspaces | None = None
        self.crowd = 0
        """Processes that worked side by side in the first run, up to 2; those that only load data count, too."""
        self.command = command
        self.workspace = workspace
        self.checkpoint = checkpoint

    def build(self) -> Image:
        """Build the image of the submission's Dockerfile, if that was not done yet, and return it."""
        return self.session.build()

    def workspaces(self) -> Workspaces:
        """Make the folders that are mounted, if that was not done yet, and return them."""
        if self._workspaces is None:
            self._workspaces = self.session.workspaces(
                *SPACES, checkpoint=self.checkpoint
            )
        return self._workspaces

    # One run

    def options(
        self, name: str, data: Data, target: str = "", workdir: str = ""
    ) -> dict[str, Any]:
        """How a container with a workspace at `target` is started; the data are where such scripts look for them."""
        target = target or self.workspace
        image = self.build()
        places = {
            f"{target}/data",
            "/data",
            f"{(workdir or image.workdir).rstrip('/')}/data",
        }
        data_mounts = (
            Mount(source=str(data.root), target=place) for place in sorted(places)
        )
        return {
            "image": image,
            "mounts": (self.workspaces().mount(name, target), *data_mounts),
            "env": {"MNIST_ROOT": "/data", "PYTHONUNBUFFERED": "1"},
        }

    def start(self, name: str, *args: str, data: Data | None = None) -> Container:
        """Begins a run in a workspace."""
        return self.session.start(
            *self.command, *args, **self.options(name, data or self.session.digits)
        )

    def look(self, container: Container) -> TrainingRun:
        """What a run has shown until now."""
        state = container.engine.state(container.id)
        began = when(state["StartedAt"])
        lines = tuple(
            (began + line.seconds, line.text) for line in container.log_lines()
        )
        return TrainingRun(
            lines, None if state["Running"] else state["ExitCode"], began
        )

    def watch(
        self,
        container: Container,
        enough: Callable[[TrainingRun], bool] = lambda seen: False,
        within: float = RUN_WITHIN,
        label: str = "a training",
        *,
        counted: bool = False,
    ) -> TrainingRun:
        """Watches a run until it ends or enough was seen; then it is killed. Raises LimitReached after `within` seconds.

        `label` says what it is, for whoever waits. Where it is `counted`, the processes of it are, too: see `crowd`.
        """
        end = time.monotonic() + within
        try:
            while True:
                seen = self.look(container)
                if counted and self.crowd < 2:
                    # Where it cannot be looked at now, the next look counts.
                    with contextlib.suppress(OurFault, SubmissionError):
                        self.crowd = max(
                            self.crowd, len(workers(container.processes()))
                        )
                self.session.doing(
                    f"{label}, epoch {seen.epochs[-1]}" if seen.epochs else label
                )
                if seen.exit_code is not None or enough(seen):
                    return seen
                if time.monotonic() > end:
                    raise LimitReached(
                        f"`{' '.join(self.command)}` was not done within {within:.0f} s.",
                        hint="Does it train for very many epochs, or wait for something?",
                        detail=seen.end,
                    )
                self.session.sleep(POLL_SECONDS)
        finally:
            container.remove()

    def once(self, name: str, work: Callable[[], T]) -> T:
        """Do a piece of work once, beside the checks, and return what it comes to; it is known again by its name."""
        result: T = self._once.setdefault(name, Work(self.session, work)).result()
        return result

    def _first(self) -> FirstRun:
        self.workspaces().populate("first")
        seen = self.watch(self.start("first"), counted=True)
        return FirstRun(seen, self.workspaces().saves("first"))

    def or_for_more(
        self,
        seen: TrainingRun,
        run: Callable[..., TrainingRun],
        is_enough: Callable[[TrainingRun], bool],
    ) -> tuple[TrainingRun, tuple[str, ...]]:
        """A resumed run, and the words with which it was asked for more epochs: where all were done, perhaps it can be."""
        order = self.first.result().seen.epochs
        if seen.exit_code == 0 and not is_enough(seen) and order:
            epoch_args = ("--epochs", str(len(order) + 2))
            again = run(*epoch_args)
            if is_enough(again):
                return again, epoch_args
        return seen, ()
