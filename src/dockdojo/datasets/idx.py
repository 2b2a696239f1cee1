"""Handwritten digits, and the IDX files that hold them in the layout of torchvision's MNIST: `<root>/MNIST/raw/*-ubyte`.

Format: https://www.fon.hum.uva.nl/praat/manual/IDX_file_format.html.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

from dockdojo.errors import UsageError

SIDE = 28
"""Dots of an image's side."""
CLASSES = 10
"""What an image can be: a digit."""
MAX_FILE_BYTES = 60_000_000
"""Of one file, unpacked; MNIST's largest has 47 MB."""
IMAGES_MAGIC, LABELS_MAGIC = b"\0\0\x08\x03", b"\0\0\x08\x01"
"""How IDX files of unsigned bytes begin: with three dimensions, and with one."""


@dataclass(frozen=True, slots=True)
class Digits:
    """Images and their labels: each image 784 bytes, row by row, 0 is background; each label 0 to 9."""

    images: tuple[bytes, ...]
    labels: bytes

    def __len__(self) -> int:
        return len(self.labels)

    def pick(self, places: list[int]) -> Digits:
        """Return those at the places, in that order."""
        return Digits(
            tuple(self.images[place] for place in places),
            bytes(self.labels[place] for place in places),
        )


def from_folder(folder: Path) -> dict[str, Digits]:
    """Read `train` and `t10k`, as far as the folder (or its MNIST/raw) has them. Raises UsageError for a broken file."""
    found = {}
    for place in (folder, folder / "raw", folder / "MNIST" / "raw"):
        for part in ("train", "t10k"):
            images, labels = (
                _file(place, f"{part}-{kind}")
                for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
            )
            if part not in found and images and labels:
                found[part] = parse(_content(images), _content(labels), str(images))
    return found


def _file(folder: Path, name: str) -> Path | None:
    return next(
        (file for file in (folder / name, folder / f"{name}.gz") if file.is_file()),
        None,
    )


def _content(path: Path) -> bytes:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        try:
            raw: bytes = file.read(MAX_FILE_BYTES + 1)
        except (OSError, EOFError) as error:
            raise UsageError(f"{path} cannot be read: {error}.") from error
    if len(raw) > MAX_FILE_BYTES:
        raise UsageError(f"{path} is larger than any file of MNIST.")
    return raw


def parse(images: bytes, labels: bytes, name: str) -> Digits:
    """Return two IDX files as digits. Raises UsageError if they are none, or do not belong together."""
    count = int.from_bytes(images[4:8], "big")
    good = (
        images[:4] == IMAGES_MAGIC
        and images[8:16] == SIDE.to_bytes(4, "big") * 2
        and labels[:4] == LABELS_MAGIC
    )
    if (
        not good
        or len(images) != 16 + count * SIDE * SIDE
        or labels[4:8] != images[4:8]
        or len(labels) != 8 + count
    ):
        raise UsageError(
            f"{name} and the labels beside it are no IDX files of {SIDE} x {SIDE} images and as many labels."
        )
    size = SIDE * SIDE
    return Digits(
        tuple(
            images[16 + size * number : 16 + size * (number + 1)]
            for number in range(count)
        ),
        labels[8:],
    )


def to_folder(root: Path, parts: dict[str, Digits]) -> None:
    """Write the digits of each part (`train`, `t10k`) as two files in `root/MNIST/raw`, which must not exist."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, digits in parts.items():
        count, side = len(digits).to_bytes(4, "big"), SIDE.to_bytes(4, "big")
        (raw / f"{part}-images-idx3-ubyte").write_bytes(
            IMAGES_MAGIC + count + side + side + b"".join(digits.images)
        )
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(
            LABELS_MAGIC + count + digits.labels
        )
