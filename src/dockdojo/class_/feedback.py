"""Feedback: everybody's own report as a page, as Markdown and as JSON, without hidden checks and without anything of another one.

The reason why something is not final is not in it: it may name whose submission is the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dockdojo.class_.filesystems import write_whole
from dockdojo.class_.records import Record
from dockdojo.errors import OurFault, reason_of
from dockdojo.model import Outcome
from dockdojo.reports import html, markdown, pages, text
from dockdojo.reports import json as json_report
from dockdojo.reports.redaction import for_student

FOLDER = "feedback"
"""Of a run; in it a folder for each row."""
HTML, MARKDOWN, JSON = "report.html", "report.md", "report.json"
FILES = (HTML, MARKDOWN, JSON)
NOT_FINAL = "It could not be graded yet, and that is no fault of yours. It does not count yet, and costs no points."
REFUSED = "It may not be graded as it is, and has 0 points."


@dataclass(frozen=True, slots=True, kw_only=True)
class NoMark:
    """What somebody reads whose submission has no report."""

    headline: str
    words: str
    status: str
    """How the page shows it: `error` for our fault, `failed` for theirs."""
    score: int | None


@dataclass(slots=True)
class Written:
    """What became of a folder of feedback: how many of its files were written, were there already, and are gone."""

    changed: int = 0
    same: int = 0
    removed: int = 0


def for_students(records: Iterable[Record]) -> list[Record]:
    """Return the records with the hidden checks of each report in one line.

    The rules are to be applied to these, and not before: what they take or give would tell of the checks that are hidden.
    """
    return [
        replace(record, report=for_student(record.report)) if record.report else record
        for record in records
    ]


def documents(record: Record, lab: str, comments: Sequence[str]) -> dict[str, bytes]:
    """Return the files for one row by their names; none where nothing was handed in.

    Where there is no report, the JSON says why, and is none that `convert` reads.
    """
    if record.report is not None:
        made = {
            HTML: html.render(record.report, comments),
            MARKDOWN: markdown.render(record.report, comments),
            JSON: json_report.render(record.report, comments),
        }
    elif record.row.state == "missing":
        made = {}
    else:
        told = _no_mark(record)
        made = {
            HTML: pages.render(
                "no_mark",
                lab=lab,
                headline=told.headline,
                words=told.words,
                status=told.status,
                comments=list(comments),
            ),
            MARKDOWN: "\n".join(
                [
                    f"## {markdown.plain(lab)}: {markdown.plain(told.headline)}",
                    "",
                    markdown.plain(text.clean(told.words)),
                    "",
                    *markdown.comment_lines(comments),
                ]
            ),
            JSON: json_report.indented(
                {
                    "lab": lab,
                    "final": told.score is not None,
                    "score": told.score,
                    "problem": told.words,
                    "comments": list(comments),
                }
            ),
        }
    return {name: content.encode() for name, content in made.items()}


def as_text(record: Record, lab: str, comments: Sequence[str]) -> str:
    """Return the feedback for one row as plain text; empty where nothing was handed in."""
    if record.row.state == "missing":
        return ""
    if record.report is not None:
        body = text.render(record.report)
    else:
        told = _no_mark(record)
        body = f"{lab}: {told.headline}\n\n{text.clean(told.words)}\n"
    return "\n".join([body, *map(text.clean, comments)]).rstrip("\n") + "\n"


def in_a_line(record: Record, comments: Sequence[str]) -> str:
    """Return the checks that did not pass, and the comments, for a cell of a gradebook; empty where there is nothing to say."""
    words = []
    if record.report is not None:
        missed = [it.check for it in record.report.outcomes if _is_missed(it)]
        words += [f"Not passed: {', '.join(missed)}."] if missed else []
    elif record.row.state == "refused":
        words.append(_no_mark(record).words)
    return " ".join([*words, *comments])


def _is_missed(outcome: Outcome) -> bool:
    return outcome.status != "passed" and not outcome.hidden


def _no_mark(record: Record) -> NoMark:
    if record.row.state == "refused":
        return NoMark(
            headline="Not graded",
            words=f"{REFUSED} {record.row.reason}".strip(),
            status="failed",
            score=0,
        )
    return NoMark(headline="Not final", words=NOT_FINAL, status="error", score=None)


def write(place: Path, wanted: Mapping[str, Mapping[str, bytes]]) -> Written:
    """Write files into a folder for each row, those that changed, each whole or not at all; what is wanted no more is removed.

    Raises OurFault where that cannot be.
    """
    written = Written()
    try:
        place.mkdir(parents=True, exist_ok=True)
        for name, files in wanted.items():
            if not files:
                continue
            folder = place / name
            folder.mkdir(exist_ok=True)
            for file, content in files.items():
                if _is_same(folder / file, content):
                    written.same += 1
                else:
                    write_whole(folder / file, content)
                    written.changed += 1
        for path in _stale(place, wanted):
            path.unlink()
            written.removed += 1
            with contextlib.suppress(OSError):  # something of somebody else is in it
                path.parent.rmdir()
    except OSError as error:
        raise OurFault(
            f"{place} cannot be written: {reason_of(error)}.",
            hint="Make room, or take away what is in the way; the same command goes on.",
        ) from error
    return written


def _is_same(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def _stale(place: Path, wanted: Mapping[str, Mapping[str, bytes]]) -> Iterator[Path]:
    """Files that were written for rows that are no more, or that have nothing now."""
    for folder in sorted(place.iterdir()):
        if folder.is_symlink() or not folder.is_dir() or wanted.get(folder.name):
            continue
        for file in FILES:
            if (folder / file).is_file():
                yield folder / file
