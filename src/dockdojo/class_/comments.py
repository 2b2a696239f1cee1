"""Comments by hand: kept in the run beside the rows, so that they stay whatever is graded again."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dockdojo.class_.journal import Journal
from dockdojo.class_.rows import opened
from dockdojo.errors import UsageError

MAX_COMMENT_CHARACTERS = 10_000
SELECT = "SELECT number, name, at, text FROM comments ORDER BY number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """What somebody wrote about one row; a group's is the group's."""

    number: int
    """By which it can be removed; never that of another one."""
    name: str
    """The row's."""
    at: datetime
    text: str


def read_comments(folder: Path) -> dict[str, list[Comment]]:
    """Return the comments of a run by the names of the rows, the oldest first. Raises UsageError where there is no run."""
    found = defaultdict[str, list[Comment]](list)
    with opened(folder) as database:
        if _has_comments(database):
            for number, name, at, text in database.execute(SELECT):
                found[name].append(
                    Comment(
                        number=number,
                        name=name,
                        at=datetime.fromisoformat(at),
                        text=text,
                    )
                )
    return dict(found)


def _has_comments(database: sqlite3.Connection) -> bool:
    """Whether there is a table of them: a run that was begun before there were comments has none until it goes on."""
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'comments'"
    return database.execute(query).fetchone() is not None


def add(journal: Journal, name: str, text: str) -> int:
    """Keep a comment on a row; return its number. Raises UsageError where it is empty or too long."""
    text = text.strip()
    if not text:
        raise UsageError("The comment is empty.")
    if len(text) > MAX_COMMENT_CHARACTERS:
        raise UsageError(
            f"The comment has {len(text):,} characters; {MAX_COMMENT_CHARACTERS:,} are kept."
        )
    at = datetime.now(UTC).isoformat(timespec="seconds")
    with journal.transaction() as database:
        number = database.execute(
            "INSERT INTO comments (name, at, text) VALUES (?, ?, ?)", (name, at, text)
        ).lastrowid
    journal.log("comment", name=name, number=number, text=text)
    return number or 0


def remove(journal: Journal, name: str, number: int) -> None:
    """Take a comment on a row away. Raises UsageError where it has none of that number."""
    with journal.transaction() as database:
        count = database.execute(
            "DELETE FROM comments WHERE name = ? AND number = ?", (name, number)
        ).rowcount
    if not count:
        raise UsageError(
            f"{name} has no comment {number}.",
            hint="Without a text, `dockdojo class comment` lists them.",
        )
    journal.log("comment removed", name=name, number=number)
