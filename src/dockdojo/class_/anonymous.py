"""Feedback for whoever grades by hand and shall not know whose work it is: numbers instead of names, also in what is quoted.

A number is drawn from a row's name by a secret that lies in the run (HMAC, RFC 2104): it tells nothing, and stays the same when
others come in.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import hmac
import io
import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dockdojo.class_.records import Record
from dockdojo.errors import OurFault, reason_of
from dockdojo.model import Report
from dockdojo.reports import json as json_report
from dockdojo.reports.canvas import safe_cell

FOLDER = "feedback-anonymous"
DRAWN_FROM = "anonymous.secret"
SECRET_BYTES = 32
NUMBER_DIGITS = 8
MIN_CHARACTERS = 3
"""Of a word that is taken out; shorter ones stand in every text."""
MIN_INSIDE_CHARACTERS = 6
"""Of a word that is taken out also where it stands inside another one."""
COVER = "[…]"
DATE_CHARACTERS = 10
"""Of a time in ISO 8601: what is graded in the order of the roster must not be told by the minute."""


def secret_of(folder: Path) -> bytes:
    """Return the secret of a run, which is made the first time, and which only its owner can read. Raises OurFault."""
    path = folder / DRAWN_FROM
    try:
        if not path.exists():
            descriptor, spare = tempfile.mkstemp(dir=folder, prefix=".")  # mode 0600
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(SECRET_BYTES))
            with contextlib.suppress(FileExistsError):  # another process was quicker
                os.link(spare, path)
            os.unlink(spare)
        secret = path.read_bytes()
    except OSError as error:
        raise OurFault(f"{path} cannot be used: {reason_of(error)}.") from error
    if len(secret) != SECRET_BYTES:
        raise OurFault(
            f"{path} was changed.", hint="Remove it; then all numbers are drawn anew."
        )
    return secret


def numbers_of(names: Iterable[str], secret: bytes) -> dict[str, str]:
    """Return a number of its own for each name."""
    found: dict[str, str] = {}
    taken = set[str]()
    for name in sorted(names):
        turn, number = 0, _number(name, 0, secret)
        while number in taken:
            turn += 1
            number = _number(name, turn, secret)
        taken.add(number)
        found[name] = number
    return found


def _number(name: str, turn: int, secret: bytes) -> str:
    drawn = hmac.digest(secret, f"{turn} {name}".encode(), "sha256")
    return f"{int.from_bytes(drawn) % 10**NUMBER_DIGITS:0{NUMBER_DIGITS}}"


def without_names(record: Record, secret: bytes) -> Record:
    """Return a record that does not tell whose it is; what the submission itself says of its author is covered, too."""
    covered = re.compile(_pattern(record), re.IGNORECASE)
    row = replace(
        record.row,
        people=(),
        label="",
        submitted=None,
        reason=covered.sub(COVER, record.row.reason),
    )
    report = _covered(record.report, covered, secret) if record.report else None
    return replace(record, row=row, report=report)


def cover(record: Record, text: str) -> str:
    """Return a text without the names and ids of whose record it is."""
    return re.sub(_pattern(record), COVER, text, flags=re.IGNORECASE)


def as_key(records: Iterable[Record], numbers: Mapping[str, str]) -> str:
    """Return the table that tells whose each number is."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["number", "row", "name"])
    for record in sorted(records, key=lambda record: numbers[record.row.name]):
        names = " + ".join(ids.get("name", "") for ids in record.row.people)
        cells = [safe_cell(record.row.name), safe_cell(names)]
        writer.writerow([numbers[record.row.name], *cells])
    return out.getvalue()


def _pattern(record: Record) -> str:
    """Whatever tells who it is: ids, names and their words; the longest first."""
    words = {record.row.name, record.row.label}
    for ids in record.row.people:
        words.update(ids.values())
        words.update(re.split(r"[\s,]+", ids.get("name", "")))
        words.add(ids.get("email", "").partition("@")[0])
    long = sorted(
        (word.strip() for word in words if len(word.strip()) >= MIN_CHARACTERS),
        key=lambda word: (-len(word), word),
    )
    patterns = [
        (
            re.escape(word)
            if len(word) >= MIN_INSIDE_CHARACTERS
            else rf"(?<![^\W_]){re.escape(word)}(?![^\W_])"
        )
        for word in long
    ]
    return "|".join(patterns) or r"(?!)"


def _covered(report: Report, covered: re.Pattern[str], secret: bytes) -> Report:
    found = json_report.as_dict(report)
    for key in ("problem", "notes", "advice", "layers"):
        found[key] = _in_all(found[key], covered)
    found["sources"] = {
        covered.sub(COVER, name): covered.sub(COVER, content)
        for name, content in report.sources.items()
    }
    for check in found["checks"]:
        check["feedback"] = _in_all(check["feedback"], covered)
    found["started"] = report.started[:DATE_CHARACTERS]
    found["seed"] = ""
    if report.checksum:  # the same for the same work, and no other table has it
        found["checksum"] = hmac.new(
            secret, report.checksum.encode(), hashlib.sha256
        ).hexdigest()
    return json_report.parse(json.dumps(found))


def _in_all(value: Any, covered: re.Pattern[str]) -> Any:
    """The value with each text in it covered, at whatever depth."""
    if isinstance(value, str):
        return covered.sub(COVER, value)
    if isinstance(value, dict):
        return {key: _in_all(part, covered) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_in_all(part, covered) for part in value]
    return value
