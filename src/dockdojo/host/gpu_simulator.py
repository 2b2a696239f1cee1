"""Simulated GPUs for an engine of our own, on machines that have none: the runtime's hook, put where the engine looks for it."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from dockdojo import payloads
from dockdojo.errors import UsageError

HOOK = "nvidia-container-runtime-hook"
"""The program that an engine looks for on its PATH when GPUs are asked for."""
SIMULATED = 2
"""How many GPUs are simulated: enough to tell one from all."""


def install_hook(folder: Path, count: int) -> Path:
    """Write the simulated runtime's hook below `folder`, and return its folder, which belongs on the engine's PATH.

    Raises UsageError for a count that makes no sense.
    """
    if not 1 <= count <= 16:
        raise UsageError(f"{count} GPUs cannot be simulated; 1 to 16 can.")
    home = folder / "simulated-gpu"
    home.mkdir(parents=True, exist_ok=True)
    script = home / "gpu_hook.py"
    shutil.copyfile(payloads.path("gpu_hook"), script)
    # Not the interpreter of a virtual environment: the engine may outlive that.
    python = os.path.realpath(sys.executable)
    hook = home / HOOK
    hook.write_text(
        f'#!/bin/sh\nexec {shlex.quote(python)} -I {shlex.quote(str(script))} {count} "$@"\n'
    )
    hook.chmod(0o755)
    return home
