"""A stand-in for MNIST where it cannot be had: scikit-learn's digits, 1,797 images of 8 × 8 dots, brought to 28 × 28."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from dockdojo.datasets.idx import SIDE, Digits
from dockdojo.errors import DataUnavailable

INNER = 20
"""Dots of the box that a digit of MNIST fills; the rest is a margin."""
Tell = Callable[[str], None]


def stand_in(tell: Tell) -> dict[str, Digits]:
    """Return scikit-learn's digits, 8 × 8 dots of 0 to 16, brought to 28 × 28 of 0 to 255 as MNIST's are."""
    rows = [
        [int(float(value)) for value in row]
        for row in csv.reader(io.StringIO(_sklearn_digits(tell).decode()))
    ]
    return {
        "digits": Digits(
            tuple(enlarge(row[:64]) for row in rows), bytes(row[64] for row in rows)
        )
    }


def _sklearn_digits(tell: Tell) -> bytes:
    """Return digits.csv, from scikit-learn where that is installed, else out of its wheel; nothing is installed."""
    inside = "datasets/data/digits.csv.gz"
    spec = importlib.util.find_spec("sklearn")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (file := Path(folder, inside)).is_file():
            return gzip.decompress(file.read_bytes())
    tell("fetching the wheel of scikit-learn, for the digits in it")
    with tempfile.TemporaryDirectory(prefix="dockdojo-data-") as scratch:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--only-binary=:all:",
            "-d",
            scratch,
        ]
        done = subprocess.run(
            [*command, "scikit-learn"], capture_output=True, text=True, check=False
        )
        wheel = next(Path(scratch).glob("*.whl"), None)
        if done.returncode or wheel is None:
            raise DataUnavailable(
                "There are no digits: no mirror of MNIST answers, and scikit-learn's cannot be had either.",
                hint="Give a folder that has MNIST: `dockdojo data --from DIR`, or MNIST_ROOT.",
            )
        with zipfile.ZipFile(wheel) as packed:
            return gzip.decompress(packed.read(f"sklearn/{inside}"))


def enlarge(dots: list[int]) -> bytes:
    """Bring an image of 8 × 8, values to 16, to 28 × 28: bilinear to 20 × 20, in the middle, values to 255."""
    out = bytearray(SIDE * SIDE)
    edge = (SIDE - INNER) // 2
    for y in range(INNER):
        top, down = _between(y)
        for x in range(INNER):
            left, right = _between(x)
            value = sum(
                dots[8 * row + column] * row_share * column_share
                for row, row_share in ((top, 1 - down), (min(top + 1, 7), down))
                for column, column_share in (
                    (left, 1 - right),
                    (min(left + 1, 7), right),
                )
            )
            out[(y + edge) * SIDE + x + edge] = min(255, round(value * 255 / 16))
    return bytes(out)


def _between(place: int) -> tuple[int, float]:
    """Return which of the eight dots lies before the place, and how far the next one is in."""
    at = min(max((place + 0.5) * 8 / INNER - 0.5, 0.0), 7.0)
    return int(at), at - int(at)


def shifted(image: bytes, right: int, down: int) -> bytes:
    """Move the image by so many dots; what leaves it is lost."""
    rows = [image[SIDE * y : SIDE * (y + 1)] for y in range(SIDE)]
    empty = bytes(SIDE)
    moved = [rows[y - down] if 0 <= y - down < SIDE else empty for y in range(SIDE)]
    if right >= 0:
        return b"".join(bytes(right) + row[: SIDE - right] for row in moved)
    return b"".join(row[-right:] + bytes(-right) for row in moved)
