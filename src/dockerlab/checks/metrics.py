"""Reads the lines that people print while they train: epochs, losses, accuracies."""

from __future__ import annotations

import math
import re

NUMBER = r"[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|nan|inf)"
FRACTION = re.compile(r"acc(?:uracy)?\b[^\d\n]{0,20}?(\d+)\s*/\s*(\d+)", re.IGNORECASE)
ACCURACY = re.compile(rf"\bacc(?:uracy)?\b[^\d\n-]{{0,20}}?({NUMBER})\s*(%)?", re.IGNORECASE)


def accuracies(text: str) -> list[float]:
    """The accuracies that a log tells, in order, from 0 to 1: `Accuracy: 1290/1500 (86%)`, `accuracy=0.86`, `acc: 86%`.

    A number above 1 without a percent sign is taken for percent, as people print it. NaN is told as NaN.
    """
    found = []
    for line in text.splitlines():
        if fraction := FRACTION.search(line):
            whole = int(fraction[2])
            found.append(int(fraction[1]) / whole if whole else math.nan)
        elif match := ACCURACY.search(line):
            value = float(match[1])
            found.append(value / 100 if match[2] or value > 1 else value)
    return found
