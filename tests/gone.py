"""Waiting for processes that are not ours to wait for."""

from __future__ import annotations

import time
from collections.abc import Iterable

import psutil

LOOK_SECONDS = 0.05


def still_there(
    processes: Iterable[psutil.Process], seconds: float
) -> list[psutil.Process]:
    """Return those that have not ended after so many seconds. By looking again: pidfd_open(2), which psutil waits by, may fail."""
    end = time.monotonic() + seconds
    left = list(processes)
    while (left := [one for one in left if _lives(one)]) and time.monotonic() < end:
        time.sleep(LOOK_SECONDS)
    return left


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
