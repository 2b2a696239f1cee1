"""Names that graders of 0.1 knew. They go on working for one release, with a warning."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from dockdojo.connection.types import Image
from dockdojo.engine.container import Container
from dockdojo.probes.api_recording import Asked

if TYPE_CHECKING:
    from dockdojo.runner.session import GradingSession

T = TypeVar("T")


def warn(old: str, new: str) -> None:
    """Say that a name is another one now."""
    warnings.warn(
        f"`{old}` is called `{new}` now; the old name goes with the next release.",
        FutureWarning,
        stacklevel=3,
    )


class OldNames:
    """The fixture `bench`: a session whose methods have their old names, too."""

    def __init__(self, session: GradingSession) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def soon(self, call: Callable[[], T]) -> Callable[[], T]:
        """Begin something beside the checks, and return what waits for it: `session.background(...).result`."""
        warn("bench.soon", "session.background")
        return self._session.background(call).result

    def together(self, *calls: Callable[[], Any]) -> list[Any]:
        """Do things side by side: `session.gather`."""
        warn("bench.together", "session.gather")
        return self._session.gather(*calls)

    def pause(self, seconds: float) -> None:
        """Wait: `session.sleep`."""
        warn("bench.pause", "session.sleep")
        self._session.sleep(seconds)

    def still(self, image: Image | None = None) -> Container:
        """Make a container that never runs: `session.create`."""
        warn("bench.still", "session.create")
        return self._session.create(image)

    def asked(self, script: str, name: str, text: str = "") -> Asked:
        """Record what a script asks of the engine: `session.record_api_calls`."""
        warn("bench.asked", "session.record_api_calls")
        return self._session.record_api_calls(script, name, text)
