"""A training script in a container, put to the test: run, resumed from corrupted checkpoints, stopped, killed.

Nothing is believed that a script only says. Whether it resumes is seen by giving it checkpoints whose numbers are NaN; whether
its accuracy is measured, by drawing the data anew for each grading, with wrong labels among those of the test, and by giving it
data from which nothing can be learned. What takes long goes on beside the checks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from dockdojo.checks.host import GradingHost
from dockdojo.connection.types import Mount
from dockdojo.errors import SubmissionError
from dockdojo.probes.workspaces import Save
from dockdojo.training.run import (
    StoppedRun,
    TrainingRun,
    finished_epochs,
    learned_more,
    save_to_resume_from,
    saves_at_the_start,
)
from dockdojo.training.runs import AFTER, CORRUPTED, KILLED, ScriptRunner, Work
from dockdojo.training.stopping import stop_and_resume
from dockdojo.training.torch_image import Examined, examine

T = TypeVar("T")
SAYS_WITHIN = 120
"""Seconds until a resumed run must have said something, beyond the time that two epochs took."""


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """Where resumed runs begin: what was on the host after the first run's first save of an epoch."""

    finished: frozenset[int]
    """How many epochs that may be."""
    first: Examined
    """What the first run left in the end."""
    control: Examined
    """What resumed runs begin with."""
    corrupted_tensors: dict[str, int]
    """For `weights` and `optimizer`, how many tensors of the control's were made NaN."""
    within: float
    """Seconds until a resumed run must have said something."""
    copy: str
    """What was kept of the first run's workspace at that save."""


@dataclass(frozen=True, slots=True)
class LeftCheckpoint:
    """What SIGKILL left of a checkpoint."""

    space: str
    """The run's workspace; `left` for what was caught while the first run wrote."""
    moment: str
    """When that was, in words."""
    found: Examined


@dataclass(frozen=True, slots=True)
class CorruptedRun:
    """A run with --resume from a checkpoint in which a part was made NaN."""

    seen: TrainingRun
    saved: Examined | None
    """What it saved itself until enough was seen; None where that is nothing that can be loaded."""

    def shows(self, control: TrainingRun) -> bool:
        """Whether the NaN reached it, unlike `control`: what it saved is NaN, or its log or its end says so."""
        return (
            self.saved is not None and self.saved.has_nan
        ) or self.seen.shows_corruption(control)

    @property
    def tells_nothing(self) -> bool:
        """Whether nothing can be seen: it printed no numbers, and saved none."""
        return not self.seen.metric_lines and self.saved is None


@dataclass(frozen=True, slots=True)
class ResumedRuns:
    """Three runs with --resume: from the checkpoint as it was, and with its weights, or its optimizer's state, corrupted."""

    control: TrainingRun
    weights: CorruptedRun
    optimizer: CorruptedRun
    epoch_args: tuple[str, ...] = ()
    """Words with which they were asked for more epochs; none where they had some left to do."""

    def corrupted(self, name: str) -> CorruptedRun:
        """The run whose `weights`, or whose `optimizer`, were made NaN."""
        return {"weights": self.weights, "optimizer": self.optimizer}[name]


class Training(ScriptRunner):
    """A training script, put to the test: each run is begun once, beside the checks."""

    def __init__(self, session: GradingHost, **options: Any) -> None:
        """`session` is the fixture of that name; `options` are those of ScriptRunner."""
        super().__init__(session, **options)
        self.beginning: Work[ResumePoint] = Work(session, self._start)
        """What resumed runs begin with. Its result raises SubmissionError where no checkpoint was written."""
        self.resumed: Work[ResumedRuns] = Work(session, self._resumed)
        """The runs with --resume."""
        self.stopped: Work[StoppedRun] = Work(session, self._stop)
        """The run that was stopped."""
        self.left: Work[tuple[LeftCheckpoint, ...]] = Work(session, self._left)
        """What SIGKILL leaves of the checkpoint: when that was, and whether torch loads it.

        The moments are those that the watcher caught in the first run, inside of writes as well, and the ends of all runs that
        were killed when enough had been seen.
        """
        self.elsewhere: Work[tuple[TrainingRun, ...]] = Work(session, self._elsewhere)
        """Runs on shuffled labels, from which nothing can be learned; an accuracy is among what they tell, where any is told."""
        self._one_again = threading.Lock()

    # What is run, each once, beside the checks

    def begin(self) -> None:
        """Begin what every check looks at, in its order, without waiting."""
        self.build()  # and the folders: made here, once, and not by two threads
        self.workspaces()
        self.first.begin()
        self.beginning.begin()
        self.resumed.begin()
        self.stopped.begin()
        self.left.begin()

    def examine_left_by_stop(self) -> Examined:
        """Return what `docker stop` left of the checkpoint; wait for it."""
        return next(left.found for left in self.left.result() if left.space == "stop")

    def _stop(self) -> StoppedRun:
        return stop_and_resume(self, self.beginning.result().within)

    def _start(self) -> ResumePoint:
        first_run = self.first.result()
        seen, saves = first_run.seen, first_run.saves
        if not saves:
            ended = (
                f"The training ended with exit code {seen.exit_code}, and no"
                if seen.exit_code
                else "No"
            )
            raise SubmissionError(
                f"{ended} `{self.checkpoint}` was written to {self.workspace}.",
                detail=seen.end,
            )
        chosen = save_to_resume_from(seen, saves)
        copy = self.workspaces().copy_of("first", chosen)
        for name in ("control", *CORRUPTED):
            self.workspaces().populate(name, copy)
        first, control = (f"/{name}/{self.checkpoint}" for name in ("first", "control"))
        examination = examine(
            self.session.run,
            [first, control],
            [(name, "/control", f"/{name}") for name in CORRUPTED],
            mounts=self._mounts("first", "control", *CORRUPTED),
        )
        done = (
            finished_epochs(seen, saves, chosen)
            if chosen
            else frozenset({len(seen.epochs)})
        )
        return ResumePoint(
            finished=done,
            first=examination.loaded[first],
            control=examination.loaded[control],
            corrupted_tensors=dict(zip(CORRUPTED, examination.poisoned, strict=True)),
            within=SAYS_WITHIN + 2 * seen.seconds / max(1, len(seen.epochs)),
            copy=copy,
        )

    def _mounts(self, *names: str) -> tuple[Mount, ...]:
        return tuple(self.workspaces().mount(name, f"/{name}") for name in names)

    def _resumed(self) -> ResumedRuns:
        within, whole = self.beginning.result().within, self.first.result().seen

        def resume(
            name: str, enough: Callable[[TrainingRun], bool], *args: str
        ) -> TrainingRun:
            label = {"control": "a resumed training"}.get(
                name, f"a resumed training, its {name} spoilt"
            )
            return self.watch(
                self.start(name, "--resume", *args), enough, within, label
            )

        works = partial(
            resume, "control", lambda seen: seen.shows_work and seen.tells_all_of(whole)
        )
        control, more = self.or_for_more(works(), works, lambda seen: bool(seen.epochs))
        corrupted = {
            name: resume(name, partial(self._decides, name), *more)
            for name in CORRUPTED
        }
        saved = self._saved(corrupted)
        weights, optimizer = (
            CorruptedRun(corrupted[name], saved.get(name)) for name in CORRUPTED
        )
        return ResumedRuns(control, weights, optimizer, more)

    def _decides(self, name: str, seen: TrainingRun) -> bool:
        """Whether a run from a corrupted checkpoint has shown enough, in its log or in what it saved."""
        return seen.shows_numbers or self._own_save(name, seen) is not None

    def _own_save(self, name: str, seen: TrainingRun) -> Save | None:
        """The last save of a run that was kept, after it had trained; what was laid into its workspace came before its start."""
        own = [save for save in self.workspaces().saves(name) if save.at > seen.began]
        first = self.first.result()
        trained = own[saves_at_the_start(first.seen, first.saves) :]
        return next((save for save in reversed(trained) if save.copied), None)

    def _saved(self, runs: dict[str, TrainingRun]) -> dict[str, Examined]:
        """What the checkpoints hold that the runs saved, as far as they can be loaded."""
        saves = {name: self._own_save(name, seen) for name, seen in runs.items()}
        spaces = {name: AFTER.get(name, name) for name, save in saves.items() if save}
        paths = {name: f"/{space}/{self.checkpoint}" for name, space in spaces.items()}
        for name, space in spaces.items():
            self.workspaces().populate(
                space, self.workspaces().copy_of(name, saves[name])
            )
        mounts = self._mounts(*spaces.values())
        loaded = (
            examine(self.session.run, list(paths.values()), [], mounts=mounts).loaded
            if paths
            else {}
        )
        found = {name: loaded[path] for name, path in paths.items()}
        return {
            name: examined
            for name, examined in found.items()
            if not examined.error and examined.numbers
        }

    def _left(self) -> tuple[LeftCheckpoint, ...]:
        self.resumed.result()
        self.stopped.result()
        self.workspaces().populate("left")
        found = self.workspaces().snapshots("first", "left")
        moments = {
            f"/left/{name}": ("left", f"{name.partition('-')[0]}: {size:,} bytes")
            for name, size in found
        }
        for name in KILLED:
            moments[f"/{name}/{self.checkpoint}"] = (name, "in a resumed run")
        at_the_end = ("stop", "at the end of `docker stop`")
        moments[f"/stop/{self.checkpoint}"] = at_the_end
        loaded = examine(
            self.session.run,
            list(moments),
            [],
            mounts=self._mounts(*KILLED, "stop", "left"),
        ).loaded
        return tuple(
            LeftCheckpoint(space, moment, loaded[path])
            for path, (space, moment) in moments.items()
        )

    # What only some need

    def _elsewhere(self) -> tuple[TrainingRun, ...]:
        try:
            stopped = self.stopped.result()
            found: tuple[TrainingRun, ...] = (stopped.before, stopped.after)
        except SubmissionError:
            found = ()
        if any(run.accuracies for run in found):
            return found
        self.workspaces().populate("shuffled")
        container = self.start("shuffled", data=self.session.shuffled_digits)
        return (*found, self.watch(container, lambda seen: bool(seen.accuracies)))

    def reacts_to_data(self) -> bool:
        """Return whether what it prints depends on what it is given: better numbers where there is something to be learned.

        Waits for the runs that tell.
        """
        return learned_more(self.first.result().seen, self.elsewhere.result())

    def carries(self, name: str) -> bool:
        """Whether the NaN of a corrupted checkpoint are in what a resumed run saves after it has trained: seen in files alone.

        For runs whose numbers prove nothing, because they do not depend on what they are given.
        """
        if self.beginning.result().control.has_nan:
            return False  # whatever it saves has them
        saved = self.resumed.result().corrupted(name).saved
        if saved is None:  # it was ended before it had saved
            saved = self.once(f"again {name}", partial(self._again, name))
        return saved is not None and saved.has_nan

    def _again(self, name: str) -> Examined | None:
        with self._one_again:
            start = self.beginning.result()
            self.workspaces().populate("again", start.copy)
            examine(
                self.session.run,
                [],
                [(name, "/again", "/again")],
                mounts=self._mounts("again"),
            )
            label = f"a resumed training, its {name} spoilt, until it saves"
            run = self.start("again", "--resume", *self.resumed.result().epoch_args)
            seen = self.watch(
                run,
                lambda seen: self._own_save("again", seen) is not None,
                start.within,
                label,
            )
            return self._saved({"again": seen}).get("again")

    def saves_stored_weights(self) -> bool:
        """Return whether its checkpoint has the same weights, byte for byte, whatever it learns from or goes on from.

        Waits for the runs that tell.
        """
        try:
            other = self.examine_left_by_stop().fingerprint
            same = self.beginning.result().first.fingerprint == other
            return same and not self.carries("weights")
        except SubmissionError:
            return False
