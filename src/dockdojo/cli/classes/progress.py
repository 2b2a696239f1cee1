"""How a run goes, while it goes: a line for each submission in a pipe; on a terminal, below the lines, a table, and keys."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from dockdojo.class_.records import read_records
from dockdojo.class_.run import Control, Told
from dockdojo.cli import show
from dockdojo.cli.watching import Events, keys
from dockdojo.reports import text

SIGNS = {
    "done": "✓",
    "same": "✓",
    "unchanged": "=",
    "refused": "✗",
    "fault": "!",
    "not final": "!",
    "begun": "…",
}
WORDS = {
    "same": "as another one's",
    "unchanged": "unchanged",
    "refused": "may not be graded",
    "fault": "our fault, tried again",
    "not final": "not final",
}
KEYS = "p: pause   l: look at the last one   s: stop"
GOES_ON = "p: go on   l: look at the last one   s: stop"
REFRESHES_PER_SECOND = 2
SETTLED = ("done", "same", "refused", "not final", "unchanged")
"""What ends a submission's turn."""


class Progress:
    """What is known of a run as it goes; told each event, from any thread."""

    def __init__(
        self,
        out: Console,
        total: int,
        control: Control,
        folder: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`total` is how many submissions there are, `folder` that of the run, `clock` tells seconds."""
        self._clock = clock
        self._out = out
        self._total = total
        self._control = control
        self._folder = folder
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._with_all = 0
        """Of those that are done, how many have all points."""
        self._running: dict[str, float] = {}
        """The names, and when each was begun (monotonic)."""
        self._first_begun: float | None = None
        self._last = ""

    def tell(self, told: Told) -> None:
        """Take note of what happened, and write a line where it is more than a beginning."""
        with self._lock:
            if told.what == "begun":
                self._running[told.name] = self._clock()
                self._first_begun = (
                    self._clock() if self._first_begun is None else self._first_begun
                )
                return
            self._running.pop(told.name, None)
            self._counts[told.what] += 1
            if told.what in ("done", "same"):
                self._with_all += told.score == told.max_score
                self._last = told.name
            line = self._line(told)
            self._out.print(line, markup=False, highlight=False, soft_wrap=True)

    @property
    def settled(self) -> int:
        """How many submissions are through."""
        return sum(self._counts[what] for what in SETTLED)

    def _line(self, told: Told) -> str:
        points = f"{told.score}/{told.max_score}" if told.max_score else ""
        words = WORDS.get(told.what, "")
        about = ": ".join(part for part in (words, told.reason) if part)
        place = f"{self.settled:>{len(str(self._total))}}/{self._total}"
        tail = f"  ({about})" if about else ""
        line = f"{SIGNS[told.what]} {place}  {points:>9}  {told.name}{tail}"
        return text.tame(text.clean(line))

    def seconds_left(self) -> float | None:
        """Return how long it may take yet, by what was graded until now; None where nothing was."""
        graded = self.settled - self._counts["unchanged"]
        if not graded or self._first_begun is None:
            return None
        took = self._clock() - self._first_begun
        return took / graded * (self._total - self.settled)

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Show the table and listen to keys for as long as this lasts, where there is a terminal."""
        if not self._out.is_terminal:
            yield
            return
        events: Events = queue.Queue()
        ended = threading.Event()
        with (
            keys(events) as has_keys,
            Live(
                get_renderable=lambda: self._table(has_keys),
                console=self._out,
                refresh_per_second=REFRESHES_PER_SECOND,
                transient=True,
            ),
        ):
            listening = threading.Thread(
                target=self._listen, args=(events, ended), daemon=True
            )
            listening.start()
            try:
                yield
            finally:
                ended.set()
                events.put(("key", ""))
                listening.join()

    def _listen(self, events: Events, ended: threading.Event) -> None:
        while not ended.is_set():
            _, key = events.get()
            if ended.is_set():
                return
            if key == "s":
                self._control.stopping.set()
            elif key == "p" and self._control.pausing.is_set():
                self._control.pausing.clear()
            elif key == "p":
                self._control.pausing.set()
            elif key == "l":
                self._look()

    def _look(self) -> None:
        """Print the report of the submission that was done last."""
        found = [
            record
            for record in read_records(self._folder, names={self._last})
            if record.report
        ]
        for record in found:
            assert record.report is not None
            show.write(self._out, f"{record.row.name}:")
            for line in text.render(record.report).splitlines():
                show.write(self._out, line)

    def _table(self, has_keys: bool) -> Group:
        with self._lock:
            counts, running = Counter(self._counts), dict(self._running)
            done = counts["done"] + counts["same"]
            with_all, settled, left = self._with_all, self.settled, self.seconds_left()
        table = Table(box=None, padding=(0, 2, 0, 0))
        cells = {
            "all points": with_all,
            "less": done - with_all,
            "unchanged": counts["unchanged"],
            "refused": counts["refused"],
            "not final": counts["not final"],
            "waiting": self._total - settled - len(running),
            "about": _span(left),
        }
        for title in cells:
            table.add_column(title, justify="right")
        table.add_row(*map(str, cells.values()))
        now = self._clock()
        names = "  ".join(
            f"{name} {_span(now - began)}" for name, began in running.items()
        )
        state = "stopping" if self._control.stopping.is_set() else "running"
        if self._control.pausing.is_set():
            state = "paused, and these go on"
        lines = [
            Text(f"{state}: {text.tame(names)}", overflow="ellipsis", no_wrap=True)
        ]
        if has_keys:
            shown = GOES_ON if self._control.pausing.is_set() else KEYS
            lines.append(Text(shown, style="dim"))
        return Group(table, *lines)


def _span(seconds: float | None) -> str:
    """Seconds as a person says them."""
    if seconds is None:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{rest} s"
    return f"{minutes} min" if minutes >= 10 else f"{minutes} min {rest:02} s"
