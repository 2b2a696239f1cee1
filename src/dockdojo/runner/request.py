"""What the parent asks the process that grades to do."""

from __future__ import annotations

from typing import Any

import msgspec

from dockdojo.model import Limits

UNGRADED = "ungraded"
"""The status, among checks, of one that was skipped because of this machine."""


class GradeRequest(msgspec.Struct, frozen=True):
    """What the parent asks the child to do."""

    grader: str
    submission: str
    home: str
    """An empty folder to work in."""
    run_id: str
    limits: Limits
    connect: str
    """module:function that opens the engine."""
    data: str = ""
    """Where the digits are that the lab is graded with; empty: it needs none."""
    done: dict[str, str] = {}
    """Outcomes that an earlier child brought home: check to status."""
    only: list[str] | None = None
    collect_only: bool = False
    seed: str = ""
    """What inputs are drawn from."""
    images: list[str] = []
    """Names of the course's own images."""
    cache_namespace: str = ""
    """What separates the cache mounts of this grading's builds from all others."""
    seconds_left: float = 0
    """Until the whole grading's deadline; 0: it has none."""
    failed_builds: dict[str, dict[str, Any]] = {}
    """Builds that failed in an earlier child."""
    picture: bool = False
    """Whether to look into the layers of the image in the end; that takes a while."""
