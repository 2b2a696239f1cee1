"""What flows through the house: labs, checks, outcomes and reports. Frozen, and free of behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Status = Literal["passed", "failed", "skipped", "error"]

HIDDEN = "(hidden)"
"""The name under which a student's report has all hidden checks together; no check can have it."""
CHECKS_TO_THE_LIMIT = 4
"""Checks that may use up their time before a grading's default deadline is over."""
MB = 1_000_000
"""Sizes are decimal, as registries and disk makers count them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a submission may use; lab.toml can widen each."""

    memory_mb: int = 512
    """Memory and swap of one container together, in decimal megabytes."""
    cpus: float = 1.0
    pids: int = 256
    """Processes and threads in one container."""
    output_kib: int = 1024
    """How much of a container's stdout, and of its stderr, is kept."""
    check_seconds: float = 60
    """What one check may take, without the building of images."""
    build_seconds: float = 600
    context_mb: int = 200
    """Size of the submission's folder, in decimal megabytes."""
    context_files: int = 10_000
    network: bool = False
    """Whether containers reach the outside while they are graded."""
    grading_seconds: float | None = None
    """The whole grading's deadline; None: what follows from the limits of builds and checks (see `deadline`)."""
    disk_mb: int = 2_000
    """What one container may write in all, in decimal megabytes."""
    build_disk_mb: int = 6_000
    """What one step of a build may write, in decimal megabytes, also where a file is sparse."""
    build_memory_mb: int = 6_000
    """What the processes of one step of a build may use together, in decimal megabytes."""
    build_pids: int = 1_000
    """Processes of one step of a build."""
    remote_add: bool = False
    """Whether ADD may fetch from elsewhere (`remote_add = true` in lab.toml)."""
    registries: tuple[str, ...] = ()
    """Registries with a port or a private address from which images may come, as `host:port`."""

    @property
    def deadline(self) -> float:
        """Seconds that the whole grading may take: a build, and four checks, each to its limit."""
        return (
            self.grading_seconds
            or self.build_seconds + CHECKS_TO_THE_LIMIT * self.check_seconds
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """One module of the course, as lab.toml tells it."""

    slug: str
    title: str
    summary: str
    files: tuple[str, ...]
    """What a submission consists of, relative to its folder."""
    images: tuple[str, ...] = ()
    """The base images that its lesson uses."""
    minutes: int = 30
    data: str = ""
    """What it is graded with: "digits" (see datasets), or nothing."""
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One test of a grader, as its decorator and docstring tell it."""

    name: str
    """The test's name without `test_`."""
    title: str
    """The docstring: the student's sentence."""
    points: int
    hints: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    hidden: bool = False
    """Whether the student's report tells nothing of it but its points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """A place in the submission; line 0 is the whole file."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What a student reads about a check that did not pass."""

    expected: str = ""
    observed: str = ""
    why: str = ""
    where: Where | None = None
    hint: str = ""
    detail: str = ""
    """More to read: the last lines of a build, the first of a log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one check ended."""

    check: str
    title: str
    status: Status
    points: int
    """What the check is worth."""
    seconds: float = 0.0
    feedback: Feedback | None = None
    hidden: bool = False
    """Whether the student's report tells nothing of it but its points."""
    ungraded: bool = False
    """Skipped because this machine lacks what the check needs: its points could not be earned here."""
    decided_by: str = ""
    """The earlier check that decided this one: skipped because that did not pass, or failed for the cause that it told."""
    adjustment: int = 0
    """Points given or taken beside the checks, by an instructor's rule; then this is no check."""

    @property
    def score(self) -> int:
        """Points earned: all or nothing; and what an instructor's rule gives or takes."""
        return (self.points if self.status == "passed" else 0) + self.adjustment


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What a linter says about a line; it never costs points."""

    file: str
    line: int
    code: str
    """The rule, such as DL3008."""
    level: str
    """error, warning, info or style."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One layer of the graded image, for a picture. Sizes are uncompressed bytes."""

    instruction: str
    size: int
    wasted: int
    in_base: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One epoch of a training, as its log told it; NaN and what was not told are None."""

    epoch: int
    loss: float | None = None
    accuracy: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """The engine that graded."""

    version: str
    api_version: str
    storage_driver: str
    cgroup_version: str
    builder: str
    gpu: str
    """How GPUs are granted: a runtime's name, or "none"."""
    where: str
    """The address of its API."""
    build_limits: str = ""
    """What holds for builds on it, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of grading one submission of one lab."""

    lab: str
    title: str
    outcomes: tuple[Outcome, ...]
    started: str
    """When grading began: ISO 8601, UTC."""
    seconds: float
    checksum: str = ""
    """SHA-256 over the submission's names, modes and bytes; empty where it was refused."""
    seed: str = ""
    """What the inputs of this grading were drawn from: `dockdojo grade --seed` draws the same again."""
    engine: EngineInfo | None = None
    problem: str = ""
    """One line, where something kept the whole submission from being graded."""
    advice: tuple[Advice, ...] = ()
    """A linter's words on the Dockerfiles: free, and worth no points."""
    notes: tuple[str, ...] = ()
    """What to know, a line each: files of the assignment that are not as they were handed out, what happened to the folder."""
    sources: dict[str, str] = field(default_factory=dict)
    """The text of the submission's files in which lines are at fault; bounded."""
    layers: tuple[Part, ...] = ()
    """The image, the lowest layer first; empty where no picture was asked for."""
    curve: tuple[Point, ...] = ()
    """How a training went, where the lab has one."""
    costs: dict[str, float] = field(default_factory=dict)
    """Seconds and counts of what grading cost; for the benchmark, not for marks."""
    modules: tuple[str, ...] = field(default=(), compare=False)
    """The toolkit's modules that grading needed; for whoever asks whether a result still holds, and not written down."""
    images: dict[str, str] = field(default_factory=dict, compare=False)
    """The ids of the images that it stands on, by name; likewise."""

    @property
    def score(self) -> int:
        """Points earned."""
        return sum(outcome.score for outcome in self.outcomes)

    @property
    def max_score(self) -> int:
        """Points that could be earned."""
        return sum(outcome.points for outcome in self.outcomes)

    @property
    def final(self) -> bool:
        """False while any outcome is `error` or could not be earned here: then the mark does not count yet."""
        return bool(self.outcomes) and not any(
            outcome.status == "error" or outcome.ungraded for outcome in self.outcomes
        )

    @property
    def ungraded_points(self) -> int:
        """Points that could not be earned on this machine."""
        return sum(outcome.points for outcome in self.outcomes if outcome.ungraded)

    @property
    def exit_code(self) -> int:
        """0 full marks, 1 some check failed, 3 our fault or the machine's."""
        if not self.final:
            return 3
        return (
            0
            if all(
                outcome.status == "passed" or outcome.check == HIDDEN
                for outcome in self.outcomes
            )
            else 1
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Waste:
    """Bytes of one path in one layer that a later layer overwrites or hides."""

    path: str
    size: int
    made_by: int
    """The layer that holds the bytes, from 0."""
    hidden_by: int
    """The layer that made them unreachable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerStats:
    """One layer of an image, seen against those below it. Sizes are uncompressed bytes."""

    instruction: str
    diff_id: str
    in_base: bool
    size: int
    wasted: int
    """Bytes of this layer that later layers overwrite or hide."""
    added: tuple[tuple[str, int], ...]
    """Paths of files that were not there, with their bytes."""
    changed: tuple[tuple[str, int], ...]
    """Paths of files that a lower layer has, too, with the bytes here."""
    removed: tuple[str, ...]
    """Paths that this layer takes away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageStats:
    """What an image's layers hold, and what of it nobody can reach any more."""

    image: str
    layers: tuple[LayerStats, ...]
    waste: tuple[Waste, ...]
    """Largest first."""

    @property
    def size(self) -> int:
        """Bytes of all layers."""
        return sum(layer.size for layer in self.layers)

    @property
    def wasted(self) -> int:
        """Bytes that a container of the image cannot reach."""
        return sum(waste.size for waste in self.waste)

    @property
    def efficiency(self) -> float:
        """Live bytes / all bytes, from 0 to 1; 1 for an image without a byte."""
        return (self.size - self.wasted) / self.size if self.size else 1.0

    @property
    def own(self) -> tuple[LayerStats, ...]:
        """The layers on top of the base."""
        return tuple(layer for layer in self.layers if not layer.in_base)
