"""`dockdojo check --watch`: grades again when a file changes; keys for a hint, for everything, for the end."""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from watchfiles import Change, watch

from dockdojo.cli import show
from dockdojo.commands import student
from dockdojo.course import Course
from dockdojo.errors import UsageError
from dockdojo.grading.forks import forking
from dockdojo.model import Report
from dockdojo.reports.priority import most_useful_first

KEYS = "h: a hint   a: check everything   q: quit"
LONGEST_BAR, SHORTEST_BAR = 30, 5
"""Characters of the course's bar."""
UNSEEN = frozenset(
    {student.NOTES, "LESSON.md", ".git", "__pycache__", ".venv", ".idea", ".vscode"}
)
"""What changes without changing the work."""
SETTLE_MS = 200
"""Editors write a file in several steps: they count as one."""
Events = queue.Queue[tuple[str, str]]


def run(course: Course, lab: str, folder: Path, out: Console) -> int:
    """Watches until `q`, Ctrl-C or the end of stdin's patience; the exit code is that of the last report."""
    events: Events = queue.Queue()
    stop = threading.Event()
    threading.Thread(target=_files, args=(folder, events, stop), daemon=True).start()
    try:
        with forking(), keys(events) as has_keys:
            report = _check(course, lab, folder, out, None)
            while True:
                _footer(course, folder, out, report, has_keys)
                kind, what = events.get()
                if kind == "key" and what in ("q", "\x03", "\x04"):
                    return report.exit_code
                if kind == "key" and what == "h":
                    _hint(course, lab, folder, out, report)
                elif kind == "key" and what == "a":
                    report = _check(course, lab, folder, out, None)
                elif kind == "files":
                    show.write(out, "")
                    show.paragraph(out, f"{what} changed.")
                    report = _again(course, lab, folder, out, report)
    except KeyboardInterrupt:
        return report.exit_code if "report" in locals() else 130
    finally:
        stop.set()


def _again(
    course: Course, lab: str, folder: Path, out: Console, before: Report
) -> Report:
    """What did not pass comes first: that is what the change is about. Everything follows once that is green."""
    not_passed = [
        outcome.check for outcome in before.outcomes if outcome.status != "passed"
    ]
    if not_passed and len(not_passed) < len(before.outcomes):
        report = _check(course, lab, folder, out, not_passed, before)
        if report.exit_code != 0:
            return report
        show.write(out, "That is green now. Everything, once more:")
    return _check(course, lab, folder, out, None)


def _check(
    course: Course,
    lab: str,
    folder: Path,
    out: Console,
    only: list[str] | None,
    before: Report | None = None,
) -> Report:
    with show.live(out) as listen:
        report = student.check(course, lab, folder, listen, only=only, before=before)
    show.feedback(out, report)
    return report


def _footer(
    course: Course, folder: Path, out: Console, report: Report, has_keys: bool
) -> None:
    done = student.progress(course, folder.resolve().parent)
    if (mine := student.read_notes(folder)) is not None:
        done[report.lab] = mine
    points = sum(course.points(slug) for slug in course.slugs)
    earned = sum(notes.score for notes in done.values())
    before = f"{'All green. ' if report.exit_code == 0 else ''}The course: "
    after = f" {earned} of {points} points"
    size = max(
        SHORTEST_BAR, min(LONGEST_BAR, show.width_of(out) - len(before) - len(after))
    )
    bar = f"{'█' * round(size * earned / points):░<{size}}" if points else ""
    show.write(out, f"\n{before}{bar}{after}")
    show.paragraph(
        out,
        f"Waiting for a change in {folder.resolve().name}.  {KEYS if has_keys else 'Ctrl-C ends it.'}",
    )


def _hint(course: Course, lab: str, folder: Path, out: Console, report: Report) -> None:
    failed = most_useful_first(
        [outcome for outcome in report.outcomes if outcome.status == "failed"], report
    )
    if not failed:
        show.paragraph(out, "Nothing failed, so there is nothing to hint at.")
        return
    try:
        found = student.next_hint(course, lab, folder, failed[0].check)
    except UsageError as error:
        show.paragraph(out, str(error))
        return
    show.paragraph(
        out,
        f"{found.check.name}, hint {found.rung} of {len(found.check.hints)}: {found.text}",
    )


def _files(folder: Path, events: Events, stop: threading.Event) -> None:
    """Tells which files changed, as names relative to the folder."""

    def counts(change: Change, path: str) -> bool:
        parts = (
            Path(path).relative_to(folder.resolve()).parts
            if Path(path).is_relative_to(folder.resolve())
            else ()
        )
        return (
            bool(parts)
            and not UNSEEN & set(parts)
            and not parts[-1].endswith(("~", ".swp", ".swx", ".tmp", "4913"))
        )

    for changes in watch(
        folder.resolve(),
        watch_filter=counts,
        stop_event=stop,
        debounce=SETTLE_MS,
        raise_interrupt=False,
    ):
        names = sorted(
            {Path(path).relative_to(folder.resolve()).as_posix() for _, path in changes}
        )
        events.put(
            ("files", ", ".join(names[:3]) + (" and more" if len(names) > 3 else ""))
        )


@contextlib.contextmanager
def keys(events: Events) -> Iterator[bool]:
    """Single keys of a terminal, without Enter; gives False where there is none. The terminal is as it was afterwards."""
    if not sys.stdin.isatty() or sys.platform == "win32":
        yield False
        return
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def read() -> None:
        with contextlib.suppress(OSError):
            while key := os.read(descriptor, 1):
                events.put(("key", key.decode("ascii", "replace").lower()))
        events.put(("key", "q"))  # the terminal is gone

    try:
        tty.setcbreak(descriptor)
        threading.Thread(target=read, daemon=True).start()
        yield True
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
