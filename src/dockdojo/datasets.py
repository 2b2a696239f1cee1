"""Handwritten digits to grade with, in the layout of torchvision's MNIST: `<root>/MNIST/raw/*-ubyte`.

They come from a folder that the user has, from torchvision's mirrors, or, where none answers, from scikit-learn's
digits (1,797 images of 8 × 8 dots) brought to 28 × 28: a stand-in, and called so wherever it shows.

Formats: IDX (https://www.fon.hum.uva.nl/praat/manual/IDX_file_format.html); names, mirrors and checksums as in
https://pytorch.org/vision/stable/_modules/torchvision/datasets/mnist.html.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import importlib.util
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from dockdojo.errors import DataUnavailable, UsageError

SIDE = 28
"""Dots of an image's side."""
CLASSES = 10
"""What an image can be: a digit."""
CHECKSUMS = {
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}
"""MD5 of each file, compressed by gzip."""
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
PATIENCE = 10
"""Seconds without an answer after which a mirror counts as unreachable."""
LARGEST = 60_000_000
"""Bytes of one file, unpacked; MNIST's largest has 47 MB."""
SEED = 20_130_313
"""Of every shuffle: the same set each time."""
SMALL = {"train": 8500, "test": 1500}
"""The small set, with which labs are graded."""
REAL, STAND_IN = "MNIST", "stand-in: scikit-learn's digits at 28 x 28, not MNIST"
NOTE = "SOURCE.json"
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Digits:
    """Images and their labels: each image 784 bytes, row by row, 0 is background; each label 0 to 9."""

    images: tuple[bytes, ...]
    labels: bytes

    def __len__(self) -> int:
        return len(self.labels)

    def pick(self, places: list[int]) -> Digits:
        """Those at the places, in that order."""
        return Digits(
            tuple(self.images[place] for place in places),
            bytes(self.labels[place] for place in places),
        )


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


def prepare(
    target: Path,
    *,
    source: Path | None = None,
    limit: dict[str, int] | None = None,
    tell: Tell,
) -> Data:
    """Makes the set at `target`, from `source`, from $MNIST_ROOT, from a mirror, or as a stand-in.

    `limit` has numbers for `train` and `test`; the same numbers of the same source give the same files. Raises UsageError
    for a source without digits, DataUnavailable where not even a stand-in can be made.
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
    """`train=8500,test=1500` as numbers; None for None. Raises UsageError for anything else."""
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
    """The small set for grading, below `folder`; made once a source."""
    origin = os.environ.get("MNIST_ROOT", "")
    name = "small-" + hashlib.sha256(origin.encode()).hexdigest()[:12]
    here = read_note(folder / name)
    return here or prepare(folder / name, limit=SMALL, tell=tell)


LEFT_OUT = 16
"""One image of so many is not drawn."""


def drawn(
    data: Data,
    target: Path,
    rng: random.Random,
    *,
    wrong: float = 0.0,
    shuffle: bool = False,
    rename: bool = False,
    at_least: int = 0,
) -> Data:
    """A set drawn from another, at `target`: most of its images, in another order.

    `wrong` is the share of the test images that get a wrong label: whoever names them all rightly is told to be wrong so
    often. With `shuffle`, all labels are each other's, and who trains on them stays at about 10 %. With `rename`, each digit
    bears another one's label, the same in both parts: there is as much to be learned, and who knows digits from elsewhere
    knows nothing of these. Training images come again and again until there are `at_least` so many.
    """
    by = rng.randint(1, CLASSES - 1) if rename else 0
    made = {}
    for part, digits in from_folder(data.root).items():
        places = rng.sample(range(len(digits)), len(digits) - len(digits) // LEFT_OUT)
        again = -(-at_least // len(places)) if part == "train" else 1
        picked = digits.pick(places * max(1, again))
        named = bytes((label + by) % CLASSES for label in picked.labels)
        made[part] = Digits(
            picked.images, bytes(rng.sample(named, len(picked))) if shuffle else named
        )
    test = made["t10k"]
    labels = bytearray(test.labels)
    chosen = rng.sample(range(len(labels)), round(wrong * len(labels)))
    for place in chosen:
        labels[place] = (labels[place] + rng.randint(1, CLASSES - 1)) % CLASSES
    written = write(
        target, made["train"], Digits(test.images, bytes(labels)), data.source
    )
    return replace(written, wrong=len(chosen))


def read_note(root: Path) -> Data | None:
    """The set at `root`; None where there is none that was finished."""
    try:
        raw = json.loads((root / NOTE).read_text())
        return Data(root, raw["source"], raw["train"], raw["test"])
    except (OSError, ValueError, KeyError):
        return None


# Where digits come from


def from_folder(folder: Path) -> dict[str, Digits]:
    """`train` and `t10k`, as far as the folder (or its MNIST/raw) has them. Raises UsageError for a broken file."""
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
            raw: bytes = file.read(LARGEST + 1)
        except (OSError, EOFError) as error:
            raise UsageError(f"{path} cannot be read: {error}.") from error
    if len(raw) > LARGEST:
        raise UsageError(f"{path} is larger than any file of MNIST.")
    return raw


def parse(images: bytes, labels: bytes, name: str) -> Digits:
    """Two IDX files as digits. Raises UsageError where they are none, or do not belong together."""
    count = int.from_bytes(images[4:8], "big")
    good = (
        images[:4] == b"\0\0\x08\x03"
        and images[8:16] == SIDE.to_bytes(4, "big") * 2
        and labels[:4] == b"\0\0\x08\x01"
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


def from_mirrors(tell: Tell) -> dict[str, Digits]:
    """`train` and `t10k` from the first mirror that answers with the right bytes; empty where none does."""
    for mirror in MIRRORS:
        tell(f"asking {mirror.split('/')[2]}")
        try:
            files = {
                name: _fetch(f"{mirror}{name}.gz", checksum)
                for name, checksum in CHECKSUMS.items()
            }
        except (OSError, ValueError):
            continue
        return {
            part: parse(
                files[f"{part}-images-idx3-ubyte"],
                files[f"{part}-labels-idx1-ubyte"],
                mirror,
            )
            for part in ("train", "t10k")
        }
    return {}


def _fetch(url: str, checksum: str) -> bytes:
    import urllib.request  # takes long to load, and is needed once on a machine

    # The mirrors are https.
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310
        packed: bytes = answer.read(LARGEST)
    if hashlib.md5(packed, usedforsecurity=False).hexdigest() != checksum:
        raise ValueError(f"{url} gave other bytes than MNIST's")
    return gzip.decompress(packed)


def stand_in(tell: Tell) -> dict[str, Digits]:
    """Scikit-learn's digits, 8 × 8 dots of 0 to 16, brought to 28 × 28 of 0 to 255 as MNIST's are."""
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
    """digits.csv, from scikit-learn where that is installed, else out of its wheel; nothing is installed."""
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


INNER = 20
"""Dots of the box that a digit of MNIST fills; the rest is a margin."""


def enlarge(dots: list[int]) -> bytes:
    """One image of 8 × 8, values to 16, as 28 × 28: bilinear to 20 × 20, in the middle, values to 255."""
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
    """Which of the eight dots lies before the place, and how far the next one is in."""
    at = min(max((place + 0.5) * 8 / INNER - 0.5, 0.0), 7.0)
    return int(at), at - int(at)


def shifted(image: bytes, right: int, down: int) -> bytes:
    """The image moved by so many dots; what leaves it is lost."""
    rows = [image[SIDE * row : SIDE * (row + 1)] for row in range(SIDE)]
    empty = bytes(SIDE)
    moved = [rows[y - down] if 0 <= y - down < SIDE else empty for y in range(SIDE)]
    if right >= 0:
        return b"".join(bytes(right) + row[: SIDE - right] for row in moved)
    return b"".join(row[-right:] + bytes(-right) for row in moved)


# What is made of them


def split(
    found: dict[str, Digits], limit: dict[str, int] | None
) -> tuple[Digits, Digits]:
    """A training set and a test set without an image in common, by `limit`. Raises UsageError where there are too few.

    Where both parts of MNIST are there, each gives its own; where one is, it is parted. A stand-in has too few images:
    they are moved by a dot or two, those of the test set apart from those of the training set.
    """
    shuffle = random.Random(SEED)  # noqa: S311 -- the same each time is the point
    if "digits" in found:
        return _stretched(
            found["digits"], limit or {"train": 1500, "test": 297}, shuffle
        )
    if len(found) == 2:
        return tuple(  # type: ignore[return-value]  # two parts
            _some(found[part], limit[name] if limit else None, shuffle, part)
            for part, name in (("train", "train"), ("t10k", "test"))
        )
    (part, all_of_it), *_ = found.items()
    wanted = limit or {
        "train": len(all_of_it) * 85 // 100,
        "test": len(all_of_it) - len(all_of_it) * 85 // 100,
    }
    both = _some(all_of_it, wanted["train"] + wanted["test"], shuffle, part)
    places = list(range(len(both)))
    return both.pick(places[: wanted["train"]]), both.pick(places[wanted["train"] :])


def _some(
    digits: Digits, count: int | None, shuffle: random.Random, name: str
) -> Digits:
    if count is None:
        return digits
    if count > len(digits):
        raise UsageError(
            f"{count} images are asked for, and the {name} files have {len(digits)}."
        )
    return digits.pick(shuffle.sample(range(len(digits)), count))


def _stretched(
    digits: Digits, wanted: dict[str, int], shuffle: random.Random
) -> tuple[Digits, Digits]:
    places = list(range(len(digits)))
    shuffle.shuffle(places)
    cut = len(places) * 5 // 6
    made = []
    for name, own in (("train", places[:cut]), ("test", places[cut:])):
        images: list[bytes] = []
        labels = bytearray()
        for number in range(wanted[name]):
            place = own[number % len(own)]
            first = number < len(own)
            right, down = (
                (0, 0) if first else (shuffle.randint(-2, 2), shuffle.randint(-2, 2))
            )
            images.append(shifted(digits.images[place], right, down))
            labels.append(digits.labels[place])
        made.append(Digits(tuple(images), bytes(labels)))
    return made[0], made[1]


def write(root: Path, train: Digits, test: Digits, source: str) -> Data:
    """Writes the four files and a note of what they are; whatever was at `root/MNIST` is replaced."""
    raw = root / "MNIST" / "raw"
    shutil.rmtree(root / "MNIST", ignore_errors=True)
    (root / NOTE).unlink(missing_ok=True)
    raw.mkdir(parents=True)
    for part, digits in (("train", train), ("t10k", test)):
        count, side = len(digits).to_bytes(4, "big"), SIDE.to_bytes(4, "big")
        (raw / f"{part}-images-idx3-ubyte").write_bytes(
            b"\0\0\x08\x03" + count + side + side + b"".join(digits.images)
        )
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(
            b"\0\0\x08\x01" + count + digits.labels
        )
    note = {"source": source, "train": len(train), "test": len(test)}
    (root / NOTE).write_text(
        json.dumps(note) + "\n"
    )  # last: without it, the set is not finished
    return Data(root, source, len(train), len(test))
