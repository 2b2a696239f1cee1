"""Reads the lines that people print while they train: epochs, losses, accuracies."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from dockerlab.texts import lines_of

NUMBER = r"[-+]?(?:\d{1,18}(?:\.\d{0,18})?(?!\d)(?:e[-+]?\d{1,3})?|\.\d{1,18}(?!\d)|nan|inf)"
"""At most 18 digits on each side: what has more is no number that a training prints."""
WORD = r"(?<![a-z])acc(?:uracy)?(?![a-z])"
FRACTION = re.compile(rf"{WORD}[^\d\n]{{0,20}}?(\d{{1,18}})\s{{0,4}}/\s{{0,4}}(\d{{1,18}})(?!\d)", re.IGNORECASE)
ACCURACY = re.compile(rf"{WORD}(?:[^\d\n.-]|-(?!\d)){{0,24}}?({NUMBER})\s{{0,4}}(%)?", re.IGNORECASE)
FAR = re.compile(rf"{WORD}[^:=\n]{{0,80}}[:=]\s{{0,20}}({NUMBER})\s{{0,4}}(%)?", re.IGNORECASE)
"""`Accuracy of the network on the 10000 test images: 97 %`."""
TESTED = re.compile(r"(?:test|val|valid|validation|eval)[\w ]{0,12}\W{0,2}$", re.IGNORECASE)
"""Before the word accuracy: it is of images that were not trained on."""
LOSS = re.compile(
    rf"(?<![a-z])(?:loss|nll|cross.?entropy)(?![a-z])[^\d\n.-]{{0,24}}?({NUMBER})(?![\w/])", re.IGNORECASE
)
EPOCH = re.compile(r"(?<![a-z_])epoch(?!s)[^\d\n]{0,6}?(\d{1,18})(?!\d)", re.IGNORECASE)
RESUMED = re.compile(r"\b(?:resum|restor|load|continu|already|nothing)\w*|\bfrom (?:the )?checkpoint", re.IGNORECASE)
BEFORE = 60
"""Characters before the word accuracy that say which images it is of."""
NOT_A_NUMBER = re.compile(r"(?<![a-z])nan(?![a-z])", re.IGNORECASE)


def accuracies(text: str) -> list[float]:
    """The accuracies that a log tells, in order, from 0 to 1: `Accuracy: 1290/1500 (86%)`, `accuracy=0.86`, `acc: 86%`.

    A number above 1 without a percent sign is taken for percent, as people print it. NaN is told as NaN. Where a line has more
    than one, that of the test or validation images counts.
    """
    found = []
    for line in lines_of(text):
        if fractions := list(FRACTION.finditer(line)):
            chosen = _tested(line, fractions)
            whole = int(chosen[2])
            found.append(int(chosen[1]) / whole if whole else math.nan)
        elif matches := list(ACCURACY.finditer(line)):
            chosen = _tested(line, matches)
            if float(chosen[1]) > 100:
                chosen = FAR.search(line) or chosen
            value = float(chosen[1])
            found.append(value / 100 if chosen[2] or value > 1 else value)
    return found


def _tested(line: str, matches: list[re.Match[str]]) -> re.Match[str]:
    return next((one for one in matches if TESTED.search(line[max(0, one.start() - BEFORE) : one.start()])), matches[0])


def losses(text: str) -> list[float]:
    """The losses that a log tells, in order, of any kind; NaN is told as NaN."""
    return [float(one[1]) for line in lines_of(text) for one in LOSS.finditer(line)]


def tells_nan(text: str) -> bool:
    """Whether a log says `nan` of the work that it tells; what is said of loading and resuming is of the past."""
    return any(NOT_A_NUMBER.search(line) and not RESUMED.search(line) for line in lines_of(text))


def epochs(lines: Iterable[tuple[float, str]]) -> list[tuple[float, int]]:
    """The lines of a log that tell of work in an epoch: when (seconds, as given), and its number.

    A line counts that has a loss or an accuracy, too; where there is none such, any that names an epoch. Lines on resuming and
    loading do not count: what they name is the past.
    """
    named = [
        (when, int(match[1]), line)
        for when, whole in lines
        for line in lines_of(whole)
        if (match := EPOCH.search(line)) is not None
    ]
    fresh = [one for one in named if not RESUMED.search(one[2])] or named
    measured = [one for one in fresh if LOSS.search(one[2]) or ACCURACY.search(one[2]) or FRACTION.search(one[2])]
    return [(when, number) for when, number, _ in measured or fresh]
