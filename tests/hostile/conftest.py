"""Cases hold files that pytest must not take for its own."""

from __future__ import annotations

from tests.hostile.bystander import Bystander

collect_ignore = ["cases", "course"]


def pytest_sessionfinish() -> None:
    """What looked on is removed, and nothing else."""
    Bystander.dismiss()
