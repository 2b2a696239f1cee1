"""The instructor's own file back: filled in, and otherwise byte for byte what it was."""

from __future__ import annotations

import pytest

from dockdojo.class_.gradebooks import Mark, fill
from dockdojo.class_.tables import parse_table
from dockdojo.errors import UsageError
from tests.class_exports import canvas_gradebook, moodle_worksheet

MARKS = [
    Mark(ids={"name": "Ada", "canvas": "101"}, score=87),
    Mark(ids={"name": "Grace", "login": "grace"}, score=None),
    Mark(ids={"name": "Eve", "canvas": "666"}, score=100),
]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("title", ["Lab 1 (55)", "55"])
@pytest.mark.parametrize("split_names", [False, True])
def test_canvas(encoding, delimiter, title, split_names):
    text = (
        canvas_gradebook(delimiter, split_names=split_names).replace("Hopper", "Höpper")
        + "\r\n"
    )
    table = parse_table(text.encode(encoding), "grades.csv")
    filled = fill(table, title, MARKS, 100)
    assert (filled.count, filled.unmatched) == (1, ["Eve"])
    row = next(line for line in text.split("\r\n") if "Lovelace" in line)
    assert table.to_bytes() == text.replace(row, f"{row}87").encode(encoding)


def test_moodles_worksheet_in_german_with_half_points():
    text = moodle_worksheet({"ada": 0, "alan": 0}).replace(",", ";").replace('"', "")
    table = parse_table(text.encode(), "worksheet.csv")
    filled = fill(
        table, "Bewertung", [Mark(ids={"participant": "71"}, score=12.5)], 100
    )
    assert filled.count == 1
    assert table.to_bytes().decode().splitlines()[2].endswith("Abgegeben;12,5;100")


@pytest.mark.parametrize(
    ("title", "max_score", "said"),
    [
        ("Lab 2", 100, "no column `Lab 2`"),
        ("Lab 1 (55)", 500, "100 points are possible, and the lab has 500"),
    ],
)
def test_what_would_be_wrong_is_told_before(title, max_score, said):
    table = parse_table(canvas_gradebook().encode(), "grades.csv")
    with pytest.raises(UsageError, match=said):
        fill(table, title, MARKS, max_score)


def test_who_is_there_twice_is_not_guessed():
    table = parse_table(b"Username,Lab\nada,\nada,\n", "x.csv")
    filled = fill(table, "Lab", [Mark(ids={"name": "Ada", "login": "ada"}, score=1)], 1)
    assert (filled.count, filled.unmatched, filled.doubtful) == (0, [], ["Ada"])
