"""From what services export to who is graded with what: each layout, rosters of each kind, and what is nobody's."""

from __future__ import annotations

import io
import stat
import zipfile
from datetime import UTC, datetime

import pytest

from dockdojo.class_.archives import Archive, Budget, unpack
from dockdojo.class_.layouts import tell_layout
from dockdojo.class_.people import read_rosters
from dockdojo.class_.plan import make_plan, read_source
from dockdojo.class_.tables import parse_table
from dockdojo.class_.trees import open_tree
from dockdojo.class_.unpacking import prepare
from dockdojo.errors import Refused, UsageError
from dockdojo.model import Limits
from tests.class_exports import (
    FILES,
    STUDENTS,
    blackboard_files,
    canvas_gradebook,
    canvas_zip,
    gradescope_export,
    moodle_folders,
    moodle_worksheet,
    written,
    zipped,
)

FLAT = {"Dockerfile": b"FROM busybox\n", "greet.sh": b"echo hi\n"}
TWO = {"ada": FLAT, "grace": FLAT}


def roster(*texts):
    return read_rosters(
        parse_table(
            text if isinstance(text, bytes) else text.encode(), f"roster{i}.csv"
        )
        for i, text in enumerate(texts)
    )


def planned(source, people, **options):
    tree = open_tree(source)
    return make_plan([read_source(source, tree)], people, **options)


def found(plan):
    """Who is graded with which files, who is missing, and what is nobody's."""
    rows = {
        "+".join(person.name for person in row.people): (
            sorted(row.chosen.hand_in.files)
            if row.chosen.hand_in.files
            else row.chosen.hand_in.folder.name
        )
        for row in plan.rows
        if row.chosen
    }
    return (
        rows,
        [row.people[0].name for row in plan.missing],
        [stray.candidate.hand_in.label for stray in plan.strays],
    )


def test_canvas(tmp_path):
    people = roster(canvas_gradebook())
    plan = planned(canvas_zip(tmp_path / "submissions.zip", TWO, late="grace"), people)
    assert found(plan) == (
        {
            "Lovelace, Ada": ["Dockerfile", "greet.sh"],
            "Hopper, Grace": ["Dockerfile", "greet.sh"],
        },
        ["Turing, Alan"],
        [],
    )
    assert [row.chosen.hand_in.is_late for row in plan.rows if row.chosen] == [
        False,
        True,
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("split_names", [False, True])
def test_gradebooks_in_any_encoding_with_any_delimiter(encoding, split_names):
    text = canvas_gradebook(";", split_names=split_names).replace("Hopper", "Höpper")
    people = roster(text.encode(encoding))
    assert [person.name for person in people.people] == [
        "Lovelace, Ada",
        "Turing, Alan",
        "Höpper, Grace",
    ]
    (grace,) = people.find("canvas", "103")
    assert grace.ids["login"] == "grace"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_is_written_as_it_was_read(encoding, delimiter):
    raw = canvas_gradebook(delimiter).replace("Ada", "Adä").encode(encoding)
    table = parse_table(
        raw + ("\r\n".encode("utf-16-le") if encoding == "utf-16" else b"\r\n"), "x"
    )
    assert table.to_bytes() == raw + (
        "\r\n".encode("utf-16-le") if encoding == "utf-16" else b"\r\n"
    )


@pytest.mark.parametrize("as_zip", [False, True])
def test_moodle(tmp_path, as_zip):
    files = moodle_folders({"ada": FILES, "alan": FILES})
    source = tmp_path / "Lab 1.zip"
    if as_zip:
        source.write_bytes(zipped(files))
    else:
        source = written(tmp_path / "Lab 1", files)
    plan = planned(source, roster(moodle_worksheet(STUDENTS)))
    assert found(plan)[0] == {
        "Ada Lovelace": ["Dockerfile", "app/main.py"],
        "Alan Turing": ["Dockerfile", "app/main.py"],
    }
    assert found(plan)[1:] == (["Grace Hopper"], [])


def test_moodles_participants_are_nobodys_without_the_worksheet(tmp_path):
    source = tmp_path / "Lab.zip"
    source.write_bytes(zipped(moodle_folders({"ada": FILES})))
    plan = planned(source, roster("Username,First Name,Last Name\nada,Ada,Lovelace\n"))
    assert found(plan) == ({}, ["Ada Lovelace"], ["Ada Lovelace_70"])
    assert "participant" in plan.strays[0].reason.lower()


def test_blackboard_takes_the_attempt_that_counts(tmp_path):
    source = tmp_path / "gradebook.zip"
    source.write_bytes(zipped(blackboard_files({"ada": FLAT})))
    people = roster(
        "Last Name\tFirst Name\tUsername\tStudent ID\nLovelace\tAda\tada\ts-1\n".encode(
            "utf-16"
        )
    )
    first = datetime(2026, 11, 1, 12, tzinfo=UTC)
    for options, day in (
        ({}, 2),
        ({"due": first}, 1),
        ({"due": first, "which": "last"}, 2),
    ):
        (row,) = planned(source, people, **options).rows
        assert row.chosen.hand_in.at.day == day
        assert len(row.others) == 1


def test_gradescope(tmp_path):
    source = gradescope_export(
        tmp_path / "assignment_1_export", {"ada": FILES, "alan": FILES}
    )
    plan = planned(
        source,
        roster("Name,SID,Email\nAda Lovelace,s-1,\nAlan Turing,,alan@example.org\n"),
    )
    assert found(plan)[0] == {
        "Ada Lovelace": ["Dockerfile", "app/main.py"],
        "Alan Turing": ["Dockerfile", "app/main.py"],
    }


def test_clones_of_github_classroom_belong_to_whom_the_grades_name(tmp_path):
    source = tmp_path / "lab-1-submissions"
    for name in ("lab-1-ada-l", "lab-1-team-a", "lab-1-who"):
        written(source / name, {**FILES, ".git/HEAD": b"ref: x"})
    grades = (
        "assignment_name,github_username,roster_identifier,student_repository_name,submission_timestamp\n"
        "Lab,ada-l,ada,lab-1-ada-l,x\nLab,alan-t,alan,lab-1-team-a,x\nLab,grace-h,grace,lab-1-team-a,x\n"
    )
    names = "identifier,github_username,github_id,name\nada,ada-l,1,Ada\nalan,alan-t,2,Alan\ngrace,,,Grace\n"
    plan = planned(source, roster(names, grades))
    assert found(plan) == (
        {"Ada": "lab-1-ada-l", "Alan+Grace": "lab-1-team-a"},
        [],
        ["lab-1-who"],
    )


def test_classroom50_clones_leave_its_own_files_out(tmp_path):
    source = tmp_path / "cs50-lab_submissions_2026_11_02_T_10_00_00"
    written(source / "cs50-lab-ada", {**FILES, "result.json": b"{}"})
    people = roster(
        "\ufeffusername,first_name,last_name,email,section,github_id,role\nada,Ada,L,a@b.c,1,5,student\nboss,B,O,b@b.c,1,6,teacher\n"
    )
    (row,) = planned(source, people).rows
    assert row.chosen.hand_in.folder.name == "cs50-lab-ada"
    assert "result.json" in row.chosen.hand_in.left_out


def test_a_zip_of_zips(tmp_path):
    source = tmp_path / "lab.zip"
    source.write_bytes(zipped({"ada.zip": zipped({"ada/Dockerfile": b"x"})}))
    (row,) = planned(source, roster("username,github_id\nada,5\n")).rows
    assert row.chosen.hand_in.files == {"ada.zip": "ada.zip"}


def test_folders_are_looked_up_by_any_id(tmp_path):
    for name in ("S-1", "alan@example.org", "nobody"):
        written(tmp_path / "lab" / name, FILES)
    people = roster("Name,SID,Email\nAda,s-1,\nAlan,s-2,alan@example.org\nGrace,s-3,\n")
    assert found(planned(tmp_path / "lab", people)) == (
        {"Ada": "S-1", "Alan": "alan@example.org"},
        ["Grace"],
        ["nobody"],
    )


def test_without_a_roster_everybody_is_in_the_class(tmp_path):
    for name in ("ada", "alan"):
        written(tmp_path / "lab" / name, FILES)
    plan = planned(tmp_path / "lab", read_rosters([]))
    assert [row.key for row in plan.rows] == ["ada", "alan"]


def test_what_has_the_marks_of_no_service_is_told(tmp_path):
    source = tmp_path / "x.zip"
    source.write_bytes(zipped({"a/b": b"", "c": b""}))
    with pytest.raises(UsageError, match="no service"):
        tell_layout(source, open_tree(source))
    with pytest.raises(UsageError, match="no layout"):
        tell_layout(source, open_tree(source), "moddle")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "no column tells who"),
        ("Name,Email\nAda,a@b.c\nAlan,a@b.c\n", "have the same email address"),
        ("\0\0", "no text has"),
    ],
)
def test_rosters_that_are_none(text, said):
    with pytest.raises(UsageError, match=said):
        roster(text)


# Archives of strangers


def archive(raw):
    return Archive(io.BytesIO(raw), "x.zip")


def with_link():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        info = zipfile.ZipInfo("link")
        info.create_system = 3
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        made.writestr(info, "/etc/passwd")
    return out.getvalue()


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (zipped({"../x": b""}), "outside"),
        (zipped({"/etc/x": b""}), "outside"),
        (zipped({"a/..\\..\\x": b""}), "outside"),
        (zipped({"C:x": b""}), "outside"),
        (zipped({"a" * 2_000: b""}), "too long"),
        (zipped({"/".join("a" * 100): b""}), "too long"),
        (with_link(), "a link"),
        (b"PK\x05\x06", "no zip"),
        (b"", "no zip"),
        (b"PK\x05\x06" + b"\xff" * 18, "more files than"),
        (zipped({"a": b"x" * 100})[:-30], "no zip"),
    ],
)
def test_hostile_archives_are_refused_by_name(raw, said):
    with pytest.raises(Refused, match=said):
        archive(raw)


def test_bombs_are_refused_before_they_are_unpacked(tmp_path):
    bomb = archive(zipped({"zeros": bytes(50_000_000)}))
    with pytest.raises(Refused, match="50 MB"):
        unpack(bomb, bomb.members, tmp_path, Budget(files=10, size=1_000_000))
    many = archive(zipped({str(i): b"" for i in range(11)}))
    with pytest.raises(Refused, match="more files"):
        unpack(many, many.members, tmp_path / "many", Budget(files=10, size=1))


def test_a_size_that_is_a_lie_is_refused(tmp_path):
    raw = bytearray(zipped({"zeros": bytes(1_000_000)}))
    place = raw.rindex(b"PK\x01\x02")
    raw[place + 24 : place + 28] = (10).to_bytes(4, "little")
    lying = archive(bytes(raw))
    with pytest.raises(Refused, match=r"size|damaged"):
        unpack(lying, lying.members, tmp_path, Budget(files=10, size=1_000))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2_000


def test_one_top_folder_is_stripped_and_litter_is_left(tmp_path):
    files = {
        "lab/Dockerfile": b"FROM x",
        "lab/._Dockerfile": b"",
        "__MACOSX/lab/x": b"",
        "lab/.DS_Store": b"",
        "lab/sub/é.txt": b"1",
    }
    made = archive(zipped(files, mode=0o755))
    assert not unpack(made, made.members, tmp_path, Budget(files=10, size=1_000))
    assert sorted(
        path.relative_to(tmp_path).as_posix()
        for path in tmp_path.rglob("*")
        if path.is_file()
    ) == [
        "Dockerfile",
        "sub/é.txt",
    ]
    assert (tmp_path / "Dockerfile").stat().st_mode & 0o111


def test_archives_of_windows_have_lost_their_modes(tmp_path):
    made = archive(zipped({"lab\\run.sh": b""}, system=0))
    assert unpack(made, made.members, tmp_path, Budget(files=10, size=1_000))
    assert (tmp_path / "run.sh").exists()


def test_names_in_utf8_that_do_not_say_so(tmp_path):
    raw = zipped({"grüße.txt": b""})
    plain = raw.replace(b"\x00\x08", b"\x00\x00")
    names = {member.path for member in archive(plain).members} | {
        member.path for member in archive(raw).members
    }
    assert names == {"grüße.txt"}


# From the export to a folder


STARTER = {"Dockerfile": b"FROM busybox\n", "greet.sh": b"#!/bin/sh\n"}


@pytest.fixture
def starter(tmp_path):
    folder = written(tmp_path / "starter", STARTER)
    (folder / "greet.sh").chmod(0o755)
    return folder


def prepared(source, people, target, starter, **limits):
    tree = open_tree(source)
    plan = make_plan([read_source(source, tree)], people)
    (row,) = [row for row in plan.rows if row.chosen]
    return prepare(row.chosen, target, Limits(**limits), starter)


def names_in(folder):
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file()
    )


def test_what_canvas_numbered_has_its_name_again(tmp_path, starter):
    files = {"Dockerfile-1": b"x", "greet-2.sh": b"y", "other-1.txt": b"z"}
    source = canvas_zip(tmp_path / "s.zip", {"ada": files})
    made = prepared(source, roster(canvas_gradebook()), tmp_path / "t", starter)
    assert names_in(made.folder) == ["Dockerfile", "greet.sh", "other-1.txt"]
    assert (made.folder / "greet.sh").stat().st_mode & 0o111
    assert len(made.notes) == 3


def test_a_zip_that_was_handed_in_is_unpacked(tmp_path, starter):
    inner = zipped(
        {"lab/Dockerfile": b"x", "lab/greet.sh": b"", "__MACOSX/x": b""}, system=0
    )
    source = canvas_zip(tmp_path / "s.zip", {"ada": {"lab.zip": inner}})
    made = prepared(source, roster(canvas_gradebook()), tmp_path / "t", starter)
    assert names_in(made.folder) == ["Dockerfile", "greet.sh"]
    assert (made.folder / "greet.sh").stat().st_mode & 0o111


def test_a_mode_that_a_student_took_away_stays_away(tmp_path, starter):
    inner = zipped({"Dockerfile": b"x", "greet.sh": b""}, mode=0o644)
    source = tmp_path / "c.zip"
    source.write_bytes(zipped({"ada.zip": inner}))
    made = prepared(
        source, roster("username,github_id\nada,5\n"), tmp_path / "t", starter
    )
    assert not (made.folder / "greet.sh").stat().st_mode & 0o111
    assert not made.notes


def test_a_bomb_costs_one_row(tmp_path, starter):
    source = canvas_zip(
        tmp_path / "s.zip", {"ada": {"lab.zip": zipped({"0": bytes(30_000_000)})}}
    )
    with pytest.raises(Refused, match="more than the lab allows"):
        prepared(
            source, roster(canvas_gradebook()), tmp_path / "t", starter, context_mb=1
        )


def test_moodles_folder_in_a_folder(tmp_path, starter):
    source = tmp_path / "m.zip"
    source.write_bytes(
        zipped(moodle_folders({"ada": {"lab/Dockerfile": b"x", "lab/a/b": b""}}))
    )
    made = prepared(
        source, roster(moodle_worksheet({"ada": 0})), tmp_path / "t", starter
    )
    assert names_in(made.folder) == ["Dockerfile", "a/b"]


def test_a_folder_full_of_files_hinders_nobody_else(tmp_path, monkeypatch):
    monkeypatch.setattr("dockdojo.class_.trees.MAX_FILES", 1)
    for name in ("ada", "alan"):
        written(tmp_path / "lab" / name, FILES)
    assert len(planned(tmp_path / "lab", read_rosters([])).rows) == 2


def test_ids_with_letters_before_their_number_are_no_moodle_worksheet():
    people = roster("id,Name,Email,Section\ns1001,Ada,ada@x,A\ns1002,Bo,bo@x,A\n")
    assert [person.ids["roster"] for person in people.people] == ["s1001", "s1002"]


def test_moodles_worksheet_without_addresses_and_for_blind_marking():
    blind = roster("Identifier,Status,Grade,Maximum Grade\nParticipant 7,x,,100\n")
    (person,) = blind.people
    assert (person.name, dict(person.ids)) == ("", {"participant": "7"})
    named = roster("Identifier,Full name,Status,Grade\nParticipant 7,Ada,x,\n")
    assert named.people.popitem()[0].name == "Ada"
