"""The digits of one grading: drawn anew, so that no number that a training prints can be known before it was counted."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from dockdojo import processes
from dockdojo.datasets import Data, drawn, read_note
from dockdojo.errors import CourseError

FOLDER = "drawn-"
"""How the folders begin in which drawn sets are; the number of the process follows, which removes them."""
WRONG_LABEL_SHARES = (0.08, 0.25)
"""The least and the largest share of wrong labels among the test images."""
MNIST_TRAIN_IMAGES = 60_000
"""Training images of the whole MNIST."""


class Drawn:
    """Sets drawn from the lab's digits; each is made when it is first asked for."""

    def __init__(self, pool: str, rng: Callable[[str], random.Random]) -> None:
        """`pool` is the folder of the lab's digits, empty where it has none; `rng` gives the source of chance for a purpose."""
        self._pool = pool
        self._rng = rng
        self._made: dict[str, Data] = {}
        self._lock = threading.Lock()
        self._is_removed = False
        self._is_begun = False

    def begin(self) -> None:
        """Draw the sets beside what else goes on; whoever asks for one meanwhile waits. What fails is told to who asks."""

        def draw() -> None:
            with contextlib.suppress(Exception):
                self.draw_noisy()
                self.draw_shuffled()

        if self._is_begun:
            return
        self._is_begun = True
        threading.Thread(target=draw, daemon=True).start()

    def draw_noisy(self) -> Data:
        """Return digits of which each bears another one's label, and some of the test images, `wrong` of them, a wrong one."""
        return self._draw(
            "noisy",
            wrong=self._rng("the share of wrong labels").uniform(*WRONG_LABEL_SHARES),
            rename=True,
        )

    def draw_shuffled(self) -> Data:
        """Return digits from which nothing can be learned: each has another one's label."""
        return self._draw("shuffled", shuffle=True)

    def draw_many_shuffled(self) -> Data:
        """Return the same, as many as MNIST has: for a training that is to last."""
        return self._draw("many-shuffled", shuffle=True, at_least=MNIST_TRAIN_IMAGES)

    def _draw(
        self,
        name: str,
        *,
        wrong: float = 0.0,
        shuffle: bool = False,
        rename: bool = False,
        at_least: int = 0,
    ) -> Data:
        found = read_note(Path(self._pool)) if self._pool else None
        if found is None:
            raise CourseError(
                'The lab has no digits to be graded with: lab.toml needs `data = "digits"`.'
            )
        with self._lock:
            if self._is_removed:
                raise CourseError("The grading is over: nothing is drawn any more.")
            if name not in self._made:
                self._sweep(found.root.parent)
                target = self._folder(found.root.parent) / name
                rng = self._rng(f"digits, {name}")
                self._made[name] = drawn(
                    found,
                    target,
                    rng,
                    wrong=wrong,
                    shuffle=shuffle,
                    rename=rename,
                    at_least=at_least,
                )
        return self._made[name]

    @staticmethod
    def _folder(beside: Path) -> Path:
        return beside / f"{FOLDER}{os.getpid()}"

    @staticmethod
    def _sweep(beside: Path) -> None:
        """Removes what processes left behind that were killed."""
        for left in beside.glob(f"{FOLDER}*"):
            pid = left.name.removeprefix(FOLDER)
            if pid.isdigit() and not processes.lives(int(pid)):
                shutil.rmtree(left, ignore_errors=True)

    def remove(self) -> None:
        """Removes what was drawn."""
        with self._lock:
            self._is_removed = True
            if self._made:
                self._made.clear()
                shutil.rmtree(self._folder(Path(self._pool).parent), ignore_errors=True)
