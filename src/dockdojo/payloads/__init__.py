"""Programs that run elsewhere: in containers, as hooks in a training script, or as the engine's own hook.

They need the standard library alone, of the oldest Python that our base images have. They are copied out and never imported:
what they run among is not trusted.
"""

from __future__ import annotations

from pathlib import Path


def path(name: str) -> Path:
    """Return the file of a program, to be copied to where it runs."""
    return Path(__file__).with_name(f"{name}.py")


def source(name: str) -> str:
    """Return the text of a program, to be handed to a Python elsewhere."""
    return path(name).read_text(encoding="utf-8")
