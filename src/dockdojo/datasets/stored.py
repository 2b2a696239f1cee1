"""A set of digits on disk: its files, and a note of what they are."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from dockdojo.datasets import idx
from dockdojo.datasets.idx import Digits

REAL, STAND_IN = "MNIST", "stand-in: scikit-learn's digits at 28 x 28, not MNIST"
"""What a set can be made of."""
NOTE = "SOURCE.json"


@dataclass(frozen=True, slots=True)
class Data:
    """A set of digits on disk."""

    root: Path
    """The folder that torchvision is given: `MNIST(root, train=True)`."""
    source: str
    """What it is made of; says so where it is a stand-in."""
    train: int
    test: int
    """Numbers of images."""
    wrong: int = 0
    """How many of the test images have a wrong label, on purpose: no program can name more than the others as it is told to."""

    @property
    def highest(self) -> float:
        """The accuracy of one who names every test image rightly: some of the labels that it is compared with are wrong."""
        return 1 - self.wrong / self.test

    @property
    def stand_in(self) -> bool:
        """Whether it is not MNIST."""
        return self.source == STAND_IN


def read_note(root: Path) -> Data | None:
    """Return the set at `root`, or None if there is none that was finished."""
    try:
        raw = json.loads((root / NOTE).read_text())
        return Data(root, raw["source"], raw["train"], raw["test"])
    except (OSError, ValueError, KeyError):
        return None


def write(root: Path, train: Digits, test: Digits, source: str) -> Data:
    """Write the four files and a note of what they are; whatever was at `root/MNIST` is replaced."""
    shutil.rmtree(root / "MNIST", ignore_errors=True)
    (root / NOTE).unlink(missing_ok=True)
    idx.to_folder(root, {"train": train, "t10k": test})
    note = {"source": source, "train": len(train), "test": len(test)}
    # Last: without it, the set is not finished.
    (root / NOTE).write_text(json.dumps(note) + "\n")
    return Data(root, source, len(train), len(test))
