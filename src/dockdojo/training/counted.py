"""Whether an accuracy was counted: it must be what can be had with the data of this grading, and move with them."""

from __future__ import annotations

from collections.abc import Callable

from dockdojo.checks import fail
from dockdojo.datasets import Data

BY_CHANCE = 0.01
"""So much worse an accuracy may come out, as the wrong labels happen to fall."""
NOT_COUNTED = 0.03
"""So much better than all that can be right, also where some of the test images are left out."""
INVENTED = 0.5
"""An accuracy that cannot be had where labels are shuffled: 0.1 is chance."""
WHY = "An accuracy is the share of the test images that the model names as their labels do: counted, not written down."


def expect_counted(
    accuracies: list[float],
    digits: Data,
    *,
    goal: float,
    elsewhere: Callable[[], list[float]],
    detail: str = "",
    file: str = "",
) -> None:
    """Fails the check unless the last of the `accuracies` is good enough, and was counted.

    `goal` is what is asked for where all labels are right. `elsewhere` gives the accuracies of runs on shuffled labels.
    """
    if not accuracies:
        fail(
            "no accuracy is printed",
            expected="a line such as `Accuracy: 1290/1500 (86%)`, `accuracy=0.86` or `acc: 86%`",
            detail=detail,
            file=file,
        )
    last, least = accuracies[-1], goal * digits.highest
    wrong = f"{digits.wrong} of {digits.test} test images have a wrong label here: {digits.highest:.3f} is all that can be right."
    if not least - BY_CHANCE <= last <= digits.highest + NOT_COUNTED:
        fail(
            f"the last accuracy is {last:.3f}, after training on {digits.train} images ({digits.source})",
            expected=f"between {least:.3f} and {digits.highest:.3f}; with right labels, that is {goal} or more",
            why=f"{wrong} {WHY}" if last > digits.highest else wrong,
            detail=detail,
            file=file,
        )
    highest = max(elsewhere(), default=0.0)
    if highest >= INVENTED:
        fail(
            f"with labels that are shuffled, from which nothing can be learned, the accuracy is {highest:.3f}",
            expected="about 0.1, which is chance",
            why=WHY,
            file=file,
        )
