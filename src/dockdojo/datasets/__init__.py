"""Handwritten digits to grade with, in the layout of torchvision's MNIST.

They come from a folder that the user has, from torchvision's mirrors, or, where none answers, from scikit-learn's
digits: a stand-in, and called so wherever it shows.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from dockdojo.datasets.drawing import drawn, split
from dockdojo.datasets.idx import from_folder
from dockdojo.datasets.mirrors import from_mirrors
from dockdojo.datasets.scikit_digits import stand_in
from dockdojo.datasets.stored import REAL, STAND_IN, Data, read_note, write
from dockdojo.errors import UsageError

__all__ = ["Data", "drawn", "limits", "prepare", "read_note", "small"]

SMALL = {"train": 8500, "test": 1500}
"""The small set, with which labs are graded."""
Tell = Callable[[str], None]


def prepare(
    target: Path,
    *,
    source: Path | None = None,
    limit: dict[str, int] | None = None,
    tell: Tell,
) -> Data:
    """Make the set at `target`, from `source`, from $MNIST_ROOT, from a mirror, or as a stand-in.

    `limit` has numbers for `train` and `test`; the same numbers of the same source give the same files. Raises UsageError
    for a source without digits, DataUnavailable if not even a stand-in can be made.
    """
    given = source or (
        Path(os.environ["MNIST_ROOT"]) if os.environ.get("MNIST_ROOT") else None
    )
    if given is not None:
        tell(f"reading the digits in {given}")
        found, what = from_folder(given), REAL
        if not found:
            raise UsageError(
                f"{given} holds no MNIST.",
                hint="It needs files such as t10k-images-idx3-ubyte, packed (.gz) or not.",
            )
    else:
        found, what = from_mirrors(tell), REAL
        if not found:
            tell("no mirror answers: making a stand-in of scikit-learn's digits")
            found, what = stand_in(tell), STAND_IN
    train, test = split(found, limit)
    return write(target, train, test, what)


def limits(words: str | None) -> dict[str, int] | None:
    """Return `train=8500,test=1500` as numbers, None as None. Raises UsageError for anything else."""
    if words is None:
        return None
    found = dict(word.partition("=")[::2] for word in words.split(","))
    if set(found) != {"train", "test"} or not all(
        number.isdigit() and int(number) > 0 for number in found.values()
    ):
        raise UsageError(
            f"--limit {words}: that should read like train=8500,test=1500."
        )
    return {name: int(number) for name, number in found.items()}


def small(folder: Path, tell: Tell) -> Data:
    """Return the small set for grading, below `folder`; made once for each source."""
    origin = os.environ.get("MNIST_ROOT", "")
    name = "small-" + hashlib.sha256(origin.encode()).hexdigest()[:12]
    here = read_note(folder / name)
    return here or prepare(folder / name, limit=SMALL, tell=tell)
