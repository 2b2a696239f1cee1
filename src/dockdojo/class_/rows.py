"""The rows of a run as they lie in its database: read by whoever wants to know, also while another process works on it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from dockdojo.errors import OurFault, UsageError

DATABASE, REPORTS = "run.db", "reports"
State = Literal["missing", "waiting", "running", "done", "not final", "refused"]
"""`refused`: it may not be graded, which is final. `not final`: our fault, tried often enough."""
TABLES = """
CREATE TABLE IF NOT EXISTS run (version INTEGER, lab TEXT, started TEXT);
CREATE TABLE IF NOT EXISTS asked (one INTEGER PRIMARY KEY CHECK (one = 1), what TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS submissions (
    name TEXT PRIMARY KEY, people TEXT NOT NULL, label TEXT NOT NULL, submitted TEXT NOT NULL, state TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '', attempt INTEGER NOT NULL DEFAULT 0, faults INTEGER NOT NULL DEFAULT 0,
    report TEXT NOT NULL DEFAULT '', depends TEXT NOT NULL DEFAULT '{}', place INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS results (
    name TEXT NOT NULL, attempt INTEGER NOT NULL, report TEXT NOT NULL, depends TEXT NOT NULL, ended TEXT NOT NULL,
    PRIMARY KEY (name, attempt)
);
CREATE TABLE IF NOT EXISTS comments (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, at TEXT NOT NULL, text TEXT NOT NULL
);
"""
ROWS = """
SELECT name, people, label, submitted, state, reason, attempt, faults, report, depends FROM submissions
WHERE ?1 = '' OR name = ?1 ORDER BY place
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One row."""

    name: str
    """What the row, its folder and its report are called."""
    people: tuple[Mapping[str, str], ...]
    """Their ids by kind (`people.KINDS`), `name` among them."""
    label: str
    """How the export calls what was handed in; empty where nothing was."""
    submitted: datetime | None
    """When it was handed in, with a time zone where the service tells one; None where it does not say."""
    state: State
    reason: str
    """Why it is not final, or refused."""
    attempt: int
    """How often it was begun."""
    faults: int
    """How often that came to nothing by our fault."""
    report: str
    """The SHA-256 of its report's bytes; empty without one."""
    depends: Mapping[str, str]
    """What the result depends on: digests by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one attempt gave: its number, the SHA-256 of its report, what it depends on, and when it ended."""

    attempt: int
    report: str
    depends: Mapping[str, str]
    ended: datetime


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[sqlite3.Connection]:
    """A run's database, to be read. Raises UsageError where there is none, OurFault where it cannot be read."""
    if not (folder / DATABASE).is_file():
        raise UsageError(
            f"{folder} is no run.", hint="Name the folder that `--to` named."
        )
    address = f"{(folder / DATABASE).resolve().as_uri()}?mode=ro"
    try:
        with contextlib.closing(
            sqlite3.connect(address, uri=True, timeout=10)
        ) as database:
            yield database
    except sqlite3.Error as error:
        raise OurFault(
            f"{folder} cannot be read: {error}.",
            hint="Is it a run of this version of dockdojo?",
        ) from error


def lab_of(folder: Path) -> str:
    """Return the lab that a run grades. Raises UsageError where there is no run."""
    with opened(folder) as database:
        row = database.execute("SELECT lab FROM run").fetchone()
    return str(row[0]) if row else ""


def asked_of(folder: Path) -> str:
    """Return what a run was asked for last, as JSON; empty where that is not known. Raises UsageError where there is no run."""
    with opened(folder) as database:
        row = database.execute("SELECT what FROM asked").fetchone()
    return str(row[0]) if row else ""


def read_rows(folder: Path) -> list[Submission]:
    """Return the rows of a run, in the order of the roster. Raises UsageError where there is none."""
    with opened(folder) as database:
        return rows_of(database)


def rows_of(database: sqlite3.Connection) -> list[Submission]:
    """Return the rows of an open run, in the order of the roster."""
    return [_submission(row) for row in database.execute(ROWS, ("",))]


def row_of(database: sqlite3.Connection, name: str) -> Submission | None:
    """Return one row of an open run."""
    row = database.execute(ROWS, (name,)).fetchone()
    return _submission(row) if row else None


def results_of(database: sqlite3.Connection, name: str) -> list[Result]:
    """Return the attempts of a row that gave a result, the oldest first."""
    query = "SELECT attempt, report, depends, ended FROM results WHERE name = ? ORDER BY attempt"
    return [
        Result(
            attempt=attempt,
            report=report,
            depends=json.loads(depends),
            ended=datetime.fromisoformat(ended),
        )
        for attempt, report, depends, ended in database.execute(query, (name,))
    ]


def read_report(folder: Path, digest: str) -> bytes:
    """Return the bytes of a report. Raises OurFault where it is not there any more, or was changed."""
    try:
        raw = (folder / REPORTS / f"{digest}.json").read_bytes()
    except OSError as error:
        raise OurFault(f"The report {digest[:12]}… of the run is gone.") from error
    if hashlib.sha256(raw).hexdigest() != digest:
        raise OurFault(f"The report {digest[:12]}… of the run was changed.")
    return raw


def _submission(row: tuple[Any, ...]) -> Submission:
    (
        name,
        people,
        label,
        submitted,
        state,
        reason,
        attempt,
        faults,
        report,
        depends,
    ) = row
    return Submission(
        name=name,
        people=tuple(json.loads(people)),
        label=label,
        submitted=datetime.fromisoformat(submitted) if submitted else None,
        state=state,
        reason=reason,
        attempt=attempt,
        faults=faults,
        report=report,
        depends=json.loads(depends),
    )
