"""The instructor's own file back: filled in, and otherwise byte for byte what it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockdojo.class_.gradebooks import Mark, fill
from dockdojo.class_.services import tell_service
from dockdojo.class_.tables import parse_table
from dockdojo.errors import UsageError
from tests.class_exports import (
    STUDENTS,
    blackboard_gradebook,
    canvas_gradebook,
    classroom50_table,
    gradescope_grades,
    moodle_gradebook,
    moodle_worksheet,
)

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


EVERYBODY = [
    Mark(
        ids={
            "name": f"{first} {last}",
            "canvas": str(number),
            "login": login,
            "github": login,
            "sis": sis,
            "email": email.upper(),
            "participant": str(place),
        },
        score=score,
    )
    for place, (score, (login, (last, first, number, sis, email))) in enumerate(
        zip((87.5, None, 40), STUDENTS.items(), strict=True), 70
    )
]
"""Ada has 87.5, Alan nothing that counts, Grace 40."""
EXPORTS = {
    "canvas": (canvas_gradebook().encode() + b"\r\n", "Lab 1"),
    "moodle": (moodle_worksheet(STUDENTS).encode(), "Bewertung"),
    "blackboard": (blackboard_gradebook(), "12345"),
    "gradescope": (gradescope_grades().encode(), "Lab 1"),
    "classroom50": (classroom50_table().encode(), "lab-1"),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_each_services_file_comes_back_filled_in(name):
    raw, title = EXPORTS[name]
    table, before = parse_table(raw, "x.csv"), parse_table(raw, "x.csv")
    filled = fill(table, title, EVERYBODY, 100, service=tell_service(table, name))
    assert (filled.count, filled.unmatched, filled.doubtful) == (2, [], [])
    changed = [
        (new[0], new[place])
        for old, new in zip(before.rows, table.rows, strict=True)
        for place in range(len(new))
        if place >= len(old) or old[place] != new[place]
    ]
    assert sorted(mark for _, mark in changed) == ["40", "87.5"]
    assert len(parse_table(table.to_bytes(), "x.csv").header) == len(before.header)


@pytest.mark.parametrize("name", EXPORTS)
def test_a_file_of_another_service_is_refused(name):
    for other, (raw, _) in EXPORTS.items():
        table = parse_table(raw, "x.csv")
        assert tell_service(table) is tell_service(table, other)
        if other != name:
            with pytest.raises(UsageError, match=r"x\.csv is not a "):
                tell_service(table, name)


def test_moodles_gradebook_has_only_who_got_a_mark():
    table = parse_table(moodle_gradebook({"Lab 1": "", "Lab 2": "7"}).encode(), "g.csv")
    service = tell_service(table, "moodle")
    filled = fill(table, "Lab 1", EVERYBODY, 100, service=service)
    assert (filled.count, filled.left_out) == (2, 1)
    rows = [line.split(",")[:8] for line in table.to_bytes().decode().splitlines()]
    assert [(row[0], *row[6:8]) for row in rows[1:]] == [
        ("Ada", "87.5", "7"),
        ("Grace", "40", "7"),
    ]


def test_moodles_comments_go_into_their_column_and_calculate_nothing():
    text = (
        "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Feedback comments\n"
        "Participant 70,Ada,ada@example.org,Submitted,,100.00,\n"
        "Participant 71,Alan,alan@example.org,Submitted,,100.00,kept\n"
    )
    marks = [
        Mark(ids={"participant": "70"}, score=9, comment='=1+1, "so"'),
        Mark(ids={"participant": "71"}, score=8),
    ]
    table = parse_table(text.encode(), "w.csv")
    assert fill(table, "", marks, 100).count == 2
    assert table.to_bytes().decode().splitlines()[1:] == [
        """Participant 70,Ada,ada@example.org,Submitted,9,100.00,"'=1+1, ""so\"\"\"""",
        "Participant 71,Alan,alan@example.org,Submitted,8,100.00,kept",
    ]
    with pytest.raises(UsageError, match=r"100\.00 points are possible, .* has 20"):
        fill(parse_table(text.encode(), "w.csv"), "", marks, 20)
    translated = parse_table(text.replace("Grade,", "Note,").encode(), "w.csv")
    with pytest.raises(UsageError, match="Which column"):
        fill(translated, "", marks, 100)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("canvas", "100 points"),
        ("blackboard", "100 points"),
        ("gradescope", "100.0 points"),
    ],
)
def test_points_that_differ_are_told_for_each_service(name, said):
    raw, title = EXPORTS[name]
    with pytest.raises(UsageError, match=f"{said} are possible, and the lab has 50"):
        fill(parse_table(raw, "x.csv"), title, EVERYBODY, 50)


@pytest.mark.parametrize(
    "title",
    ["Lab 1", "12345", "Lab 1 [Total Pts: 100 Score] |12345"],
)
def test_a_title_that_another_one_begins_with_is_no_guess(title):
    table = parse_table(blackboard_gradebook(), "gc.xls")
    fill(table, title, EVERYBODY, 100)
    assert [row[7:] for row in table.rows[1:]] == [["87.5", ""], ["", ""], ["40", ""]]


def test_ids_of_two_rows_are_named_and_nothing_is_written():
    text = canvas_gradebook().replace("s-2", "s-1x")
    table = parse_table(text.encode(), "g.csv")
    both = Mark(ids={"name": "Ada", "canvas": "101", "sis": "s-1x"}, score=1)
    test_student = Mark(ids={"name": "Test", "canvas": "999"}, score=1)
    filled = fill(table, "55", [both, test_student], 100)
    assert (filled.count, filled.doubtful, filled.unmatched) == (0, ["Ada"], ["Test"])


def test_one_row_of_two_people_is_named_and_nothing_is_written():
    table = parse_table(b"Username,Email,Lab\nada,bo@x,\n", "x.csv")
    marks = [
        Mark(ids={"name": "Ada", "login": "ada"}, score=1),
        Mark(ids={"name": "Bo", "email": "bo@x"}, score=1),
    ]
    filled = fill(table, "Lab", marks, 1)
    assert (filled.count, filled.doubtful) == (0, ["Ada", "Bo"])
    assert table.to_bytes() == b"Username,Email,Lab\nada,bo@x,\n"


CELL = st.tuples(st.text("aä \"',;\t|=.0\n", max_size=6), st.booleans())
"""What a cell says, and whether it stands between quotation marks without need."""


@given(
    st.lists(st.lists(CELL, min_size=4, max_size=4), max_size=6),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    st.booleans(),
    st.integers(0, 1000),
)
def test_nothing_else_is_touched_byte_for_byte(
    rows, delimiter, newline, encoding, ends, score
):
    def written(cell):
        text, is_quoted = cell
        if is_quoted or any(sign in text for sign in f'"\n\r{delimiter}'):
            doubled = text.replace('"', '""')
            return f'"{doubled}"'
        return text

    names = ["Username", "Lab", "Notes", "More", "Äny"]
    cells = [[(name, False) for name in names]]
    cells += [[(f"u{place}", False), *row] for place, row in enumerate(rows)]
    lines = [delimiter.join(map(written, row)) for row in cells]
    text = newline.join(lines) + (newline if ends else "")
    table = parse_table(text.encode(encoding), "x.csv")
    assert table.rows == [[said for said, _ in row] for row in cells]
    assert table.to_bytes() == text.encode(encoding)
    filled = fill(table, "Lab", [Mark(ids={"login": "u0"}, score=score)], 10)
    if not rows:
        assert filled.unmatched == ["u0"]
        return
    before = f"{lines[0]}{newline}u0{delimiter}"
    after = text[len(before) + len(written(rows[0][0])) :]
    assert table.to_bytes() in (
        f"{before}{score}{after}".encode(encoding),
        f'{before}"{score}"{after}'.encode(encoding),
    )
