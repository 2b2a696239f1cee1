"""A training script in a container, put to the test: run, resumed from spoilt checkpoints, stopped, killed.

Nothing is believed that a script only says. Whether it resumes is seen by giving it checkpoints whose numbers are NaN; whether
its accuracy is measured, by drawing the data anew for each grading, with wrong labels among those of the test, and by giving it
data from which nothing can be learned. What takes long goes on beside the checks.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from dockerlab.checks.asked import BuildRequest, ContainerRequest
from dockerlab.checks.pytorch import Examination, Examined, examine
from dockerlab.checks.runs import (
    ENOUGH_LINES,
    Seen,
    finished_epochs,
    is_one_save_an_epoch,
    learned_more,
    saves_at_the_start,
    saves_early,
)
from dockerlab.datasets import Data
from dockerlab.engine.container import Container
from dockerlab.engine.objects import Image, Mount, when
from dockerlab.engine.workspaces import Save, Workspaces
from dockerlab.errors import LimitReached, SubmissionError
from dockerlab.texts import lines_of

T = TypeVar("T")
RUN_WITHIN = 900
"""Seconds of one training."""
SAYS_WITHIN = 120
"""Seconds until a resumed run must have said something, beyond the time that two epochs took."""
AFTER_EPOCH = 2
"""The epoch after which resumed runs begin, where there are more."""
GRACE = 10
"""Seconds, as `docker stop` gives."""
LOOK = 0.25
"""Seconds between two looks at a log."""
SPACES = ("first", "control", "weights", "optimizer", "stop", "left", "shuffled", "probe", "typed")
"""Workspaces, each for one piece of work: they go on at the same time."""
KILLED = ("control", "weights", "optimizer", "stop")
"""Workspaces whose resumed runs were ended by SIGKILL when enough had been seen."""
PROBE = """
HOOK = '''
import os, torch
from torch.optim.optimizer import register_optimizer_step_post_hook
def look(optimizer, args, kwargs):
    count = sum(torch.is_tensor(one) for state in optimizer.state.values() for one in state.values())
    os.write(1, f"\\\\nPROBE {type(optimizer).__name__} {count}\\\\n".encode())
    os._exit(0)
register_optimizer_step_post_hook(look)
'''
import os, runpy, sys, tempfile
folder = tempfile.mkdtemp()
with open(os.path.join(folder, "sitecustomize.py"), "w") as file:
    file.write(HOOK)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH"))))
exec(HOOK)
sys.argv = sys.argv[1:]
sys.path[0] = os.path.dirname(sys.argv[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs a script until its optimizer's first step, and says what that is and how many tensors it has.

Processes that it starts anew (multiprocessing's `spawn`) load the same hook: an optimizer may live in one of them.
"""
PROBED = re.compile(r"PROBE (\w{1,100}) ([0-9]{1,9})")
"""What PROBE says."""


@dataclass(frozen=True, slots=True)
class First:
    """A whole training, from nothing."""

    seen: Seen
    saves: list[Save]


@dataclass(frozen=True, slots=True)
class Start:
    """Where resumed runs begin: what was on the host after the first run's first save of an epoch."""

    finished: frozenset[int]
    """How many epochs that may be."""
    examination: Examination
    within: float
    """Seconds until a resumed run must have said something."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """Three runs with --resume: from the checkpoint as it was, and with its weights, or its optimizer's state, spoilt."""

    control: Seen
    weights: Seen
    optimizer: Seen


@dataclass(frozen=True, slots=True)
class Stop:
    """A training on shuffled labels, `docker stop` in the middle of it, and what a resumed run does then."""

    before: Seen
    after: Seen


class Training:
    """The script `command`, run as `docker run -v FOLDER:workspace IMAGE command [--resume]`, in the image's working folder."""

    def __init__(self, bench: Any, *, command: tuple[str, ...], workspace: str, checkpoint: str) -> None:
        """`bench` is the fixture of that name; `checkpoint` is a file's name in the folder that is mounted at `workspace`."""
        self.bench = bench
        self._begun: dict[str, Callable[[], Any]] = {}
        self.command = command
        self.workspace = workspace
        self.checkpoint = checkpoint

    @cached_property
    def image(self) -> Image:
        """The image of the submission's Dockerfile."""
        image: Image = self.bench.build()
        return image

    @cached_property
    def spaces(self) -> Workspaces:
        """The folders that are mounted."""
        spaces: Workspaces = self.bench.workspaces(*SPACES, checkpoint=self.checkpoint)
        return spaces

    # One run

    def options(self, name: str, data: Data, target: str = "", workdir: str = "") -> dict[str, Any]:
        """How a container with a workspace at `target` is started; the data are where such scripts look for them."""
        target = target or self.workspace
        places = {f"{target}/data", "/data", f"{(workdir or self.image.workdir).rstrip('/')}/data"}
        data_mounts = (Mount(source=str(data.root), target=place) for place in sorted(places))
        return {
            "image": self.image,
            "mounts": (self.spaces.mount(name, target), *data_mounts),
            "env": {"MNIST_ROOT": "/data", "PYTHONUNBUFFERED": "1"},
        }

    def start(self, name: str, *args: str, data: Data | None = None) -> Container:
        """Begins a run in a workspace."""
        made: Container = self.bench.start(*self.command, *args, **self.options(name, data or self.bench.digits))
        return made

    def look(self, container: Container) -> Seen:
        """What a run has shown until now."""
        state = container.engine.state(container.id)
        began = when(state["StartedAt"])
        lines = tuple((began + one.seconds, one.text) for one in container.log_lines())
        return Seen(lines, None if state["Running"] else state["ExitCode"], began)

    def watch(
        self,
        container: Container,
        enough: Callable[[Seen], bool] = lambda seen: False,
        within: float = RUN_WITHIN,
        told: str = "a training",
    ) -> Seen:
        """Watches a run until it ends or enough was seen; then it is killed. Raises LimitReached after `within` seconds.

        `told` says what it is, for whoever waits.
        """
        end = time.monotonic() + within
        try:
            while True:
                seen = self.look(container)
                self.bench.doing(f"{told}, epoch {seen.epochs[-1]}" if seen.epochs else told)
                if seen.exit_code is not None or enough(seen):
                    return seen
                if time.monotonic() > end:
                    raise LimitReached(
                        f"`{' '.join(self.command)}` was not done within {within:.0f} s.",
                        hint="Does it train for very many epochs, or wait for something?",
                        detail=seen.end,
                    )
                self.bench.pause(LOOK)
        finally:
            container.remove()

    # What is run, each once, beside the checks; each returns what waits for the result

    def _begin(self, name: str, work: Callable[[], Any]) -> None:
        if name not in self._begun:
            self._begun[name] = self.bench.soon(work)

    def _soon(self, name: str, work: Callable[[], T]) -> T:
        self._begin(name, work)
        result: T = self._begun[name]()
        return result

    def begin(self) -> None:
        """Begins everything, in its order, without waiting."""
        _ = self.image, self.spaces  # made here, once, and not by two threads
        for name, work in (
            ("first", self._first), ("start", self._start), ("resumed", self._resumed), ("stopped", self._stopped),
            ("left", self._left),
        ):  # fmt: skip
            self._begin(name, work)

    @property
    def first(self) -> First:
        """A whole training, from nothing; waits for it."""
        return self._soon("first", self._first)

    @property
    def beginning(self) -> Start:
        """What resumed runs begin with. Raises SubmissionError where no checkpoint was written."""
        return self._soon("start", self._start)

    @property
    def resumed(self) -> Resumed:
        """The runs with --resume."""
        return self._soon("resumed", self._resumed)

    @property
    def stopped(self) -> Stop:
        """The run that was stopped."""
        return self._soon("stopped", self._stopped)

    @property
    def left(self) -> dict[str, tuple[str, Examined]]:
        """What SIGKILL leaves of the checkpoint, by path: when that was, and whether torch loads it.

        The moments are those that the keeper caught in the first run, inside of writes as well, and the ends of all runs that
        were killed when enough had been seen.
        """
        return self._soon("left", self._left)

    def _first(self) -> First:
        self.spaces.lay("first")
        seen = self.watch(self.start("first"))
        return First(seen, self.spaces.saves("first"))

    def _start(self) -> Start:
        seen, saves = self.first.seen, self.first.saves
        if not saves:
            ended = f"The training ended with exit code {seen.exit_code}, and no" if seen.exit_code else "No"
            raise SubmissionError(f"{ended} `{self.checkpoint}` was written to {self.workspace}.", detail=seen.end)
        chosen = saves[saves_at_the_start(seen, saves)]
        if is_one_save_an_epoch(seen, saves) and len(seen.epochs) > AFTER_EPOCH:
            # Then to begin again, to repeat the saved epoch and to go on are three different things.
            later = saves[saves_at_the_start(seen, saves) + AFTER_EPOCH - 1]
            chosen = later if later.copied else chosen
        copy = self.spaces.copy_of("first", chosen if chosen.copied else None)
        for name in ("control", "weights", "optimizer"):
            self.spaces.lay(name, copy)
        examination = examine(
            self.bench.run,
            [f"/first/{self.checkpoint}", f"/control/{self.checkpoint}"],
            [(name, "/control", f"/{name}") for name in ("weights", "optimizer")],
            mounts=self._mounts("first", "control", "weights", "optimizer"),
        )
        done = finished_epochs(seen, saves, chosen) if chosen.copied else frozenset({len(seen.epochs)})
        return Start(done, examination, SAYS_WITHIN + 2 * seen.seconds / max(1, len(seen.epochs)))

    def _mounts(self, *names: str) -> tuple[Mount, ...]:
        return tuple(self.spaces.mount(name, f"/{name}") for name in names)

    def _resumed(self) -> Resumed:
        within, order = self.beginning.within, self.first.seen.epochs
        more: tuple[str, ...] = ()

        def resume(name: str, enough: Callable[[Seen], bool], *args: str) -> Seen:
            told = {"control": "a resumed training"}.get(name, f"a resumed training, its {name} spoilt")
            return self.watch(self.start(name, "--resume", *args), enough, within, told)

        control = resume("control", lambda seen: seen.shows_work)
        if control.exit_code == 0 and not control.epochs and order:
            # All its epochs were done. Perhaps it can be asked for more.
            asked = ("--epochs", str(len(order) + 2))
            again = resume("control", lambda seen: seen.shows_work, *asked)
            if again.epochs:
                control, more = again, asked
        weights, optimizer = (resume(name, lambda seen: seen.shows_numbers, *more) for name in ("weights", "optimizer"))
        return Resumed(control, weights, optimizer)

    def _stopped(self) -> Stop:
        within, seen, saves = self.beginning.within, self.first.seen, self.first.saves
        data = self.bench.shuffled_digits
        self.spaces.lay("stop")
        container = self.start("stop", data=data)
        try:
            self._until_the_middle(container, seen, saves)
            container.stop(grace=GRACE)
            before = self.look(container)
        finally:
            container.remove()
        resumed = self.start("stop", "--resume", data=data)
        after = self.watch(resumed, lambda seen: seen.shows_work, within, "a training after `docker stop`")
        return Stop(before, after)

    def _until_the_middle(self, container: Container, seen: Seen, saves: list[Save]) -> None:
        """Waits until it has saved and trains on; where it saves at its end only, until half its time has passed."""
        at = [when for when, _ in seen.marks]
        an_epoch = (at[-1] - at[0]) / max(1, len(seen.epochs) - 1) if at else 1.0
        before_the_first, early = saves_at_the_start(seen, saves), saves_early(seen, saves)
        waited = 0.0
        while container.running and waited < RUN_WITHIN:
            if early:
                if len(self.spaces.saves("stop")) > before_the_first:
                    break
            elif waited > 0.5 * seen.seconds and (self.look(container).marks or not at):
                break
            self.bench.pause(LOOK)
            waited += LOOK
        self.bench.pause(min(3.0, 0.3 * an_epoch))

    def _left(self) -> dict[str, tuple[str, Examined]]:
        _ = self.resumed, self.stopped  # when both have ended
        self.spaces.lay("left")
        found = self.spaces.glimpses("first", "left")
        paths = {f"/left/{name}": f"{name.partition('-')[0]}: {size:,} bytes" for name, size in found}
        paths |= {f"/{name}/{self.checkpoint}": "in a resumed run" for name in KILLED}
        loaded = examine(self.bench.run, list(paths), [], mounts=self._mounts(*KILLED, "left")).loaded
        return {path: (moment, loaded[path]) for path, moment in paths.items()}

    # What only some need

    @property
    def elsewhere(self) -> tuple[Seen, ...]:
        """Runs on shuffled labels, from which nothing can be learned; an accuracy is among what they tell, where any is told."""
        return self._soon("elsewhere", self._elsewhere)

    def _elsewhere(self) -> tuple[Seen, ...]:
        try:
            found: tuple[Seen, ...] = (self.stopped.before, self.stopped.after)
        except SubmissionError:
            found = ()
        if any(run.accuracies for run in found):
            return found
        self.spaces.lay("shuffled")
        container = self.start("shuffled", data=self.bench.shuffled_digits)
        return (*found, self.watch(container, lambda seen: bool(seen.accuracies)))

    @property
    def moves(self) -> bool:
        """Whether what it prints depends on what it is given: better numbers where there is something to be learned."""
        return learned_more(self.first.seen, self.elsewhere)

    @property
    def stored(self) -> bool:
        """Whether its checkpoint has the same weights, byte for byte, whatever it was trained on."""
        try:
            other = self.left[f"/stop/{self.checkpoint}"][1].fingerprint
        except SubmissionError:
            return False
        return self.beginning.examination.loaded[f"/first/{self.checkpoint}"].fingerprint == other

    def optimizer_state(self) -> tuple[str, int] | None:
        """The name of the script's optimizer, and how many tensors it has after a step; None where it has none."""
        self.spaces.lay("probe")
        options = self.options("probe", self.bench.digits)
        container = self.bench.start("-c", PROBE, *self.command[1:], entrypoint=(self.command[0],), **options)
        seen = self.watch(container, lambda seen: "PROBE " in seen.text or len(seen.told) >= ENOUGH_LINES)
        found = next(filter(None, map(PROBED.fullmatch, lines_of(seen.text))), None)
        return (found[1], int(found[2])) if found and int(found[2]) else None

    def as_typed(self, build: BuildRequest, one: ContainerRequest, targets: list[str]) -> tuple[str, str] | None:
        """Runs a container as a README says, with the submission's folder at the first of `targets`; it may use another stage.

        Returns what is wrong, and the end of what it printed; None where a checkpoint comes, which is enough.
        """
        if not targets:
            return "it mounts another folder than the submission's", str(one.mounts)
        try:
            image = self.bench.build(build.dockerfile, target=build.target)
        except SubmissionError as error:
            return f"its build fails: {error.message}", error.detail
        self.spaces.lay("typed")
        options = self.options("typed", self.bench.digits, targets[0], one.workdir)
        options["env"] |= dict(word.partition("=")[::2] for word in one.env)
        options |= {"image": image, "entrypoint": one.entrypoint, "workdir": one.workdir, "user": one.user}
        container = self.bench.start(*(one.args or ()), **options)
        seen = self.watch(container, lambda seen: bool(self.spaces.saves("typed")), told="the README's training")
        if seen.exit_code not in (None, 0):
            return f"it ends with exit code {seen.exit_code}", seen.end
        if not self.spaces.saves("typed"):
            return f"no `{self.checkpoint}` is in the folder afterwards", seen.end
        return None
