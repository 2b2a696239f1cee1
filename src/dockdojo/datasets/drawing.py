"""Smaller, larger and other sets of digits that are drawn from what there is; a source of chance decides, and is given."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

from dockdojo.datasets.idx import CLASSES, Digits, from_folder
from dockdojo.datasets.scikit_digits import shifted
from dockdojo.datasets.stored import Data, write
from dockdojo.errors import UsageError

SEED = 20_130_313
"""Of every shuffle in `split`: the same set each time."""
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
    """Draw a set from another and write it to `target`: most of its images, in another order.

    `wrong` is the share of the test images that get a wrong label: who names them all rightly is counted wrong so often.
    With `shuffle`, all labels are each other's, and who trains on them stays at about 10 %. With `rename`, each digit bears
    another one's label, the same in both parts: there is as much to be learned, and who knows digits from elsewhere knows
    nothing of these. Training images come again and again until there are `at_least` so many.
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


def split(
    found: dict[str, Digits], limit: dict[str, int] | None
) -> tuple[Digits, Digits]:
    """Return a training set and a test set without an image in common, by `limit`. Raises UsageError if there are too few.

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
