"""The journal of a run: what was graded, in which attempt, and what came of it. It is the truth: who dies goes on from here.

A RUN is a folder with `run.db` (SQLite), `reports/` (files named by their content) and `log.jsonl` (each line with the hash
of the one before). A report is on the disk, under its name, before a row says that it is done; and a row takes a result of its
last attempt only, so that whoever comes late, or twice, changes nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from dockdojo.class_.chained_log import ChainedLog
from dockdojo.class_.filesystems import network_filesystem, write_whole
from dockdojo.class_.rows import (
    DATABASE,
    REPORTS,
    TABLES,
    Result,
    State,
    Submission,
    read_report,
    results_of,
    row_of,
    rows_of,
)
from dockdojo.errors import OurFault, UsageError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

VERSION = 2
"""Of the tables; a run of another version is not opened."""
LOCK, LOG = "run.lock", "log.jsonl"
REPORT_MODE = 0o600
MAX_ATTEMPTS = 3
"""Of one submission in which we, or the machine, were at fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """Who has a row, and what they handed in."""

    name: str
    people: tuple[Mapping[str, str], ...] = ()
    """Their ids by kind."""
    label: str = ""
    """How the export calls what was handed in; empty where nothing was."""
    submitted: datetime | None = None
    """When it was handed in."""


class Journal:
    """An open run; one process at a time. Use as a context manager."""

    def __init__(self, folder: Path, lab: str) -> None:
        """Open a run, or begin one. Raises UsageError where it is another lab's, a newer version's, or in use."""
        self.folder = folder
        try:
            (folder / REPORTS).mkdir(parents=True, exist_ok=True)
            # Held as long as the journal.
            self._lock = open(folder / LOCK, "a")  # noqa: SIM115
        except OSError as error:
            raise _no_place(folder, error) from error
        has_locks = _lock(self._lock.fileno(), folder)
        network = network_filesystem(folder)
        self.warnings = tuple(_warnings(folder, network, has_locks=has_locks))
        """What to know of where the run lies, a sentence each."""
        self._writing = threading.Lock()
        try:
            self._database = _connect(folder / DATABASE, wal=not network)
            with self._commit() as database:
                database.executescript(TABLES)
            self._expect_ours(lab)
        except sqlite3.Error as error:
            self._lock.close()
            raise _no_place(folder, error) from error
        except (UsageError, OurFault):
            self._database.close()
            self._lock.close()
            raise
        self._log = ChainedLog(folder / LOG)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._database.close()
        self._lock.close()

    def _expect_ours(self, lab: str) -> None:
        row = self._database.execute("SELECT version, lab FROM run").fetchone()
        if row is None:
            with self._commit() as database:
                database.execute(
                    "INSERT INTO run VALUES (?, ?, ?)", (VERSION, lab, _now())
                )
            return
        version, other = row
        if version != VERSION:
            age = "a newer" if version > VERSION else "an older"
            raise UsageError(
                f"{self.folder} is a run of {age} dockdojo.",
                hint="Use the version that began it, or name another folder with --to.",
            )
        if other != lab:
            raise UsageError(
                f"{self.folder} is a run of the lab `{other}`.",
                hint="Name another folder with --to.",
            )

    @contextlib.contextmanager
    def _commit(self) -> Iterator[sqlite3.Connection]:
        with self._writing:
            try:
                yield self._database
                self._database.commit()
            except BaseException as error:
                with contextlib.suppress(sqlite3.Error):
                    self._database.rollback()
                if isinstance(error, sqlite3.Error):
                    raise _no_place(self.folder, error) from error
                raise

    # What there is

    def submissions(self) -> list[Submission]:
        """Return all rows, in the order of the roster."""
        return rows_of(self._database)

    def submission(self, name: str) -> Submission | None:
        """Return one row."""
        return row_of(self._database, name)

    def report(self, digest: str) -> bytes:
        """Return the bytes of a report, see `read_report`."""
        return read_report(self.folder, digest)

    def results(self, name: str) -> list[Result]:
        """Return the attempts of a row that gave a result, the oldest first."""
        return results_of(self._database, name)

    # What happens

    def enroll(self, rows: Iterable[Enrolled]) -> None:
        """Take in rows.

        What is known already keeps its state, unless something was handed in since; what was begun and never ended waits
        again. What was graded keeps what it is the result of, until another is taken, and also where the exports lack it.
        """
        with self._commit() as database:
            for place, row in enumerate(rows):
                database.execute(
                    "INSERT INTO submissions (name, people, label, submitted, state, place) VALUES (?, ?, ?, ?, ?, ?) "
                    "ON CONFLICT (name) DO UPDATE SET people = excluded.people, place = excluded.place, "
                    "label = CASE WHEN report = '' THEN excluded.label ELSE label END, "
                    "submitted = CASE WHEN report = '' THEN excluded.submitted ELSE submitted END, "
                    "state = CASE WHEN state = 'running' THEN 'waiting' WHEN report != '' THEN state "
                    "WHEN excluded.label = '' THEN 'missing' WHEN state = 'missing' THEN 'waiting' ELSE state END",
                    (
                        row.name,
                        json.dumps([dict(person) for person in row.people]),
                        row.label,
                        row.submitted.isoformat() if row.submitted else "",
                        "waiting" if row.label else "missing",
                        place,
                    ),
                )

    def remember(self, asked: str) -> None:
        """Keep what the run was asked for, as JSON."""
        with self._commit() as database:
            database.execute("REPLACE INTO asked VALUES (1, ?)", (asked,))

    def begin(self, name: str) -> int:
        """Begin an attempt; return its number, without which no result is taken."""
        with self._commit() as database:
            database.execute(
                "UPDATE submissions SET state = 'running', attempt = attempt + 1 WHERE name = ?",
                (name,),
            )
            (attempt,) = database.execute(
                "SELECT attempt FROM submissions WHERE name = ?", (name,)
            ).fetchone()
        self.log("begun", name=name, attempt=attempt)
        return int(attempt)

    def finish(
        self,
        name: str,
        attempt: int,
        report: bytes,
        depends: Mapping[str, str],
        *,
        refused: str = "",
        hand_in: Enrolled | None = None,
    ) -> bool:
        """Take a final report of an attempt; return whether it was the last one begun.

        `refused` says why it was not graded, `hand_in` what it is the result of, where that is not what the row has.
        """
        digest = self._keep(report)
        with self._commit() as database:
            taken = database.execute(
                "UPDATE submissions SET state = ?, reason = ?, report = ?, depends = ?, faults = 0 "
                "WHERE name = ? AND attempt = ? AND state = 'running'",
                (
                    "refused" if refused else "done",
                    refused,
                    digest,
                    json.dumps(dict(depends)),
                    name,
                    attempt,
                ),
            ).rowcount
            if taken and hand_in is not None:
                _note_hand_in(database, hand_in)
            if taken:
                database.execute(
                    "INSERT INTO results VALUES (?, ?, ?, ?, ?)",
                    (name, attempt, digest, json.dumps(dict(depends)), _now()),
                )
        self.log(
            "ended" if taken else "late", name=name, attempt=attempt, report=digest
        )
        return bool(taken)

    def note_hand_in(self, hand_in: Enrolled) -> None:
        """Take note that a result is that of another hand-in as well, which is the same."""
        with self._commit() as database:
            _note_hand_in(database, hand_in)

    def fault(self, name: str, attempt: int, reason: str) -> State:
        """Take note that an attempt came to nothing by our fault; return whether it waits again or is not final."""
        with self._commit() as database:
            database.execute(
                "UPDATE submissions SET faults = faults + 1, reason = ?, "
                "state = CASE WHEN faults + 1 >= ? THEN 'not final' ELSE 'waiting' END "
                "WHERE name = ? AND attempt = ? AND state = 'running'",
                (reason, MAX_ATTEMPTS, name, attempt),
            )
            (state,) = database.execute(
                "SELECT state FROM submissions WHERE name = ?", (name,)
            ).fetchone()
        self.log("fault", name=name, attempt=attempt, reason=reason)
        return state  # type: ignore[no-any-return]

    def leave(self, name: str, attempt: int) -> None:
        """Take note that an attempt was ended because the run was stopped: it waits again, and that is nobody's fault."""
        with self._commit() as database:
            database.execute(
                "UPDATE submissions SET state = 'waiting' WHERE name = ? AND attempt = ? AND state = 'running'",
                (name, attempt),
            )
        self.log("stopped", name=name, attempt=attempt)

    def give_up(self, name: str, attempt: int, reason: str) -> None:
        """Take note that an attempt is the last: what it is the same as is not final, either."""
        with self._commit() as database:
            database.execute(
                "UPDATE submissions SET state = 'not final', reason = ? WHERE name = ? AND attempt = ? AND state = 'running'",
                (reason, name, attempt),
            )
        self.log("not final", name=name, attempt=attempt, reason=reason)

    def wait(self, name: str, *, reason: str = "") -> None:
        """Put a row back to be graded: something that it depends on has changed, or somebody asks for it."""
        with self._commit() as database:
            database.execute(
                "UPDATE submissions SET state = 'waiting', faults = 0, reason = ? WHERE name = ? AND state != 'missing'",
                (reason, name),
            )
        self.log("again", name=name, reason=reason)

    def _keep(self, report: bytes) -> str:
        """Write a report under its name, so that it is whole whenever the name is there."""
        digest = hashlib.sha256(report).hexdigest()
        place = self.folder / REPORTS / f"{digest}.json"
        if place.exists():
            return digest
        try:
            write_whole(place, report, REPORT_MODE, durable=True)
        except OSError as error:
            raise _no_place(self.folder, error) from error
        return digest

    def transaction(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """Return the database, to change what is kept beside the rows; all of it is kept, or nothing."""
        return self._commit()

    def log(self, what: str, **values: object) -> None:
        """Add a line to the log."""
        try:
            self._log.add({"at": _now(), "what": what, **values})
        except OSError as error:
            raise _no_place(self.folder, error) from error


def _note_hand_in(database: sqlite3.Connection, hand_in: Enrolled) -> None:
    submitted = hand_in.submitted.isoformat() if hand_in.submitted else ""
    database.execute(
        "UPDATE submissions SET label = ?, submitted = ? WHERE name = ?",
        (hand_in.label, submitted, hand_in.name),
    )


def _warnings(folder: Path, network: str, *, has_locks: bool) -> Iterator[str]:
    if network:
        yield (
            f"{folder} is on a network file system ({network}): the run is kept without a write-ahead log, which takes longer. "
            "A folder on this machine's own disk is safer and quicker."
        )
    if not has_locks:
        yield f"{folder} cannot be locked: nothing keeps another process from grading into it at the same time. See to that."


def _connect(path: Path, *, wal: bool) -> sqlite3.Connection:
    """The database, safe against a power cut: WAL where the file system can do that, else a rollback journal."""
    database = sqlite3.connect(path, check_same_thread=False, timeout=10)
    database.execute("PRAGMA synchronous = FULL")
    (mode,) = database.execute(
        f"PRAGMA journal_mode = {'WAL' if wal else 'DELETE'}"
    ).fetchone()
    if wal and mode.lower() != "wal":
        database.execute("PRAGMA journal_mode = DELETE")
    return database


def _lock(descriptor: int, folder: Path) -> bool:
    """Lock a run for this process; return whether its file system has locks. Raises UsageError where another has it."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UsageError(
            f"Another process works on {folder}.",
            hint="`dockdojo class status` shows what it does. Wait for it, or end it.",
        ) from error
    except OSError:
        return False
    return True


def _no_place(folder: Path, error: Exception) -> OurFault:
    reason = getattr(error, "strerror", None) or str(error)
    return OurFault(
        f"{folder} cannot be written: {reason.lower()}.",
        hint="What is there stays. Make room, or name another folder with --to; the same command goes on.",
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
