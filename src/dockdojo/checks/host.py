"""What the vocabulary asks of the grading that it serves; `runner.session.GradingSession` is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from dockdojo.connection.types import Finished, Image
from dockdojo.datasets import Data
from dockdojo.engine.client import Engine
from dockdojo.engine.container import Container
from dockdojo.probes.workspaces import Workspaces

PYTHON_IMAGE = "python:3.11-slim"
"""The course's image with Python, in which the toolkit's own programs run; a lab that needs it names it in its lab.toml."""
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Awaited(Protocol[T_co]):
    """Something that goes on beside the checks."""

    def result(self) -> T_co:
        """Return what it came to; wait for it. Its errors are raised."""


class GradingHost(Protocol):
    """A grading: its engine, the submission's images, containers of them, and digits to train on."""

    @property
    def engine(self) -> Engine:
        """The engine."""

    @property
    def digits(self) -> Data:
        """The digits that the lab is graded with; some of the test images have a wrong label."""

    @property
    def shuffled_digits(self) -> Data:
        """Digits from which nothing can be learned."""

    @property
    def many_shuffled_digits(self) -> Data:
        """The same, as many as MNIST has."""

    def build(
        self,
        dockerfile: str = "Dockerfile",
        *,
        target: str = "",
        changes: Mapping[str, bytes | None] | None = None,
    ) -> Image:
        """Return the image of a Dockerfile of the submission; built once for the same words."""

    def base(self, image: Image, dockerfile: str = "Dockerfile") -> Image | None:
        """Return the outside image that an image goes back to; None where it began from scratch."""

    def run(
        self, *args: str, image: Image | str | None = None, **options: Any
    ) -> Finished:
        """`docker run`, to the end."""

    def start(
        self, *args: str, image: Image | str | None = None, **options: Any
    ) -> Container:
        """`docker run -d`."""

    def create(self, image: Image | None = None) -> Container:
        """`docker create`: a container that never runs."""

    def workspaces(self, *names: str, checkpoint: str) -> Workspaces:
        """Return folders for containers to write to, in which the checkpoint is watched."""

    def background(self, call: Callable[[], T]) -> Awaited[T]:
        """Begin something beside the checks."""

    def doing(self, what: str) -> None:
        """Say what goes on, for whoever waits at a terminal."""

    def sleep(self, seconds: float) -> None:
        """Wait, because a container needs the time."""
