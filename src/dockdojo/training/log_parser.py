"""Reads the lines that people print while they train: epochs, losses, accuracies."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from dockdojo.texts import lines_of

NUMBER = (
    r"[-+]?(?:\d{1,18}(?:\.\d{0,18})?(?!\d)(?:e[-+]?\d{1,3})?|\.\d{1,18}(?!\d)|nan|inf)"
)
"""At most 18 digits on each side: what has more is no number that a training prints."""
WORD = r"(?<![a-z])acc(?:uracy)?(?![a-z])"
FRACTION = re.compile(
    rf"{WORD}[^\d\n]{{0,20}}?(\d{{1,18}})\s{{0,4}}/\s{{0,4}}(\d{{1,18}})(?!\d)",
    re.IGNORECASE,
)
ACCURACY = re.compile(
    rf"{WORD}(?:[^\d\n.-]|-(?!\d)){{0,24}}?({NUMBER})\s{{0,4}}(%)?", re.IGNORECASE
)
FAR = re.compile(
    rf"{WORD}[^:=\n]{{0,80}}[:=]\s{{0,20}}({NUMBER})\s{{0,4}}(%)?", re.IGNORECASE
)
"""`Accuracy of the network on the 10000 test images: 97 %`."""
TESTED = re.compile(
    r"(?:test|val|valid|validation|eval)[\w ]{0,12}\W{0,2}$", re.IGNORECASE
)
"""Before the word accuracy: it is of images that were not trained on."""
LOSS = re.compile(
    rf"(?<![a-z])(?:loss|nll|cross.?entropy)(?![a-z])[^\d\n.-]{{0,24}}?({NUMBER})(?![\w/])",
    re.IGNORECASE,
)
EPOCH = re.compile(r"(?<![a-z_])epoch(?!s)[^\d\n]{0,6}?(\d{1,18})(?!\d)", re.IGNORECASE)
RESUMED = re.compile(
    r"\b(?:resum|restor|load|continu|already|nothing)\w*|\bfrom (?:the )?checkpoint",
    re.IGNORECASE,
)
AFTERWARDS = re.compile(
    rf"({NUMBER})\s{{0,4}}%\s{{1,4}}(?:\w{{1,12}} )?acc(?:uracy)?(?![a-z])",
    re.IGNORECASE,
)
"""`97.12% accuracy`, `97% test accuracy`."""
COLOURS = re.compile(r"\x1b\[[0-9;?]{0,20}[A-Za-z]")
"""Control sequences of terminals (ECMA-48, 5.4)."""
ESCAPED = re.compile(r"\\[tn]")
"""A tab or a line's end that somebody printed as it is written in a program."""
OUT_OF = re.compile(
    r"(?<![\w.])(\d{1,18}) (?:out )?of (\d{1,18})(?![\w.])", re.IGNORECASE
)
COUNTED = re.compile(
    r"(?<![\w.])\d{1,18} (?:\w{1,12} )?"
    r"(?:epochs?|images?|digits|classes|samples?|examples?|batch(?:es)?|steps?|iterations?)(?![a-z])"
    r"|(?<![a-z])epochs?\W{0,3}\d{1,18}(?:\s?/\s?\d{1,18})?(?![\d.])"
    r"|(?<=acc)@\d{1,3}|(?<=accuracy)@\d{1,3}",
    re.IGNORECASE,
)
"""Numbers beside the word accuracy that are none: of epochs, of images, the k of the k best guesses."""
WRITER = re.compile(
    r"(?:process|(?<![a-z])(?:pid|proc|worker|rank|trainer))[\s=:#(\[-]{0,3}(\d{1,9})(?![\d.%])",
    re.IGNORECASE,
)
"""Which of several processes prints a line: `[rank 1]`, `worker=1`, `SpawnProcess-1`."""
LEADING = re.compile(r"\s{0,8}[(\[]?(\d{1,9})[)\]]?(?:\s|[|:>]\s)")
"""The same, as PyTorch's own example of hogwild prints it: the number of the process, and a tab."""
BEFORE = 60
"""Characters before the word accuracy that say which images it is of."""
NOT_A_NUMBER = re.compile(r"(?<![a-z])nan(?![a-z])", re.IGNORECASE)


def _lines(text: str) -> list[str]:
    """The lines of a log, without colours, and with tabs for what was meant as one."""
    return [ESCAPED.sub(" ", COLOURS.sub("", line)) for line in lines_of(text)]


def accuracies(text: str) -> list[float]:
    """The accuracies that a log tells, in order, from 0 to 1: `Accuracy: 1290/1500 (86%)`, `accuracy=0.86`, `acc: 86%`.

    A number above 1 without a percent sign is taken for percent, as people print it, and that of `acc@1`, too. NaN is told as
    NaN. Where a line has more than one, that of the test or validation images counts.
    """
    found = []
    for line in (
        COUNTED.sub("", OUT_OF.sub(r"\1/\2", whole)) for whole in _lines(text)
    ):
        if fractions := list(FRACTION.finditer(line)):
            chosen = _tested(line, fractions)
            whole = int(chosen[2])
            found.append(int(chosen[1]) / whole if whole else math.nan)
        elif matches := list(ACCURACY.finditer(line)) or list(FAR.finditer(line)):
            chosen = _tested(line, matches)
            if float(chosen[1]) > 100:
                chosen = FAR.search(line) or chosen
            value = float(chosen[1])
            found.append(value / 100 if chosen[2] or value > 1 else value)
        elif after := AFTERWARDS.search(line):
            found.append(float(after[1]) / 100)
    return found


def _tested(line: str, matches: list[re.Match[str]]) -> re.Match[str]:
    return next(
        (
            match
            for match in matches
            if TESTED.search(line[max(0, match.start() - BEFORE) : match.start()])
        ),
        matches[0],
    )


def losses(text: str) -> list[float]:
    """All losses in a log, of any kind, in order; NaN stays NaN."""
    return [float(match[1]) for line in _lines(text) for match in LOSS.finditer(line)]


def tells_nan(text: str) -> bool:
    """Whether a log says `nan` of the work that it tells; what is said of loading and resuming is of the past."""
    return any(
        NOT_A_NUMBER.search(line) and not RESUMED.search(line) for line in _lines(text)
    )


def epochs(lines: Iterable[tuple[float, str]]) -> list[tuple[float, int]]:
    """The lines of a log that tell of work in an epoch: when (seconds, as given), and its number.

    A line counts that has a loss or an accuracy, too; where there is none such, any that names an epoch. Lines on resuming and
    loading do not count: what they name is the past.
    """
    return [(when, number) for when, number, _ in _of_work(lines)]


def epochs_by_writer(
    lines: Iterable[tuple[float, str]],
) -> dict[str, list[tuple[float, int]]]:
    """The same, apart for each process that names itself in its lines; under the empty name those that name none."""
    found: dict[str, list[tuple[float, int]]] = {}
    for when, number, line in _of_work(lines):
        named = WRITER.search(line) or LEADING.match(line)
        found.setdefault(named[1] if named else "", []).append((when, number))
    return found


def _of_work(lines: Iterable[tuple[float, str]]) -> list[tuple[float, int, str]]:
    named = [
        (when, int(match[1]), line)
        for when, whole in lines
        for line in _lines(whole)
        if (match := EPOCH.search(line)) is not None
    ]
    fresh = [match for match in named if not RESUMED.search(match[2])] or named
    measured = [
        match
        for match in fresh
        if LOSS.search(match[2])
        or ACCURACY.search(match[2])
        or FRACTION.search(match[2])
    ]
    return measured or fresh
