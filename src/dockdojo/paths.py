"""Where dockdojo keeps what outlives a command."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_state_path


def state_folder() -> Path:
    """Return the folder for an engine's log and pid, digits, wheels: $DOCKDOJO_STATE, else the platform's usual place."""
    if named := os.environ.get("DOCKDOJO_STATE"):
        return Path(named).absolute()
    return user_state_path("dockdojo", appauthor=False)
