"""The journal of a run: who dies loses nothing, who comes late or twice changes nothing."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from dockdojo.class_ import filesystems
from dockdojo.class_.chained_log import broken_line
from dockdojo.class_.filesystems import network_filesystem
from dockdojo.class_.journal import MAX_ATTEMPTS, Enrolled, Journal
from dockdojo.errors import OurFault, UsageError

ROWS = [
    Enrolled(name="ada", people=({"name": "Ada"},), label="lab-ada"),
    Enrolled(name="alan", people=({"name": "Alan"},)),
    Enrolled(name="team", people=({"name": "Bo"}, {"name": "Cy"}), label="lab-team"),
]


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path / "run", "signals") as opened:
        opened.enroll(ROWS)
        yield opened


def states(journal):
    return {row.name: row.state for row in journal.submissions()}


def test_everybody_has_a_row(journal):
    assert states(journal) == {"ada": "waiting", "alan": "missing", "team": "waiting"}
    assert journal.submission("team").people == ({"name": "Bo"}, {"name": "Cy"})


def test_a_result_of_the_last_attempt_is_taken_once(journal):
    first, second = journal.begin("ada"), journal.begin("ada")
    assert not journal.finish("ada", first, b"{}", {})
    assert journal.finish("ada", second, b"{1}", {"grader": "x"})
    assert not journal.finish("ada", second, b"{2}", {})
    row = journal.submission("ada")
    assert (row.state, journal.report(row.report), row.depends) == (
        "done",
        b"{1}",
        {"grader": "x"},
    )
    assert [result.attempt for result in journal.results("ada")] == [2]


def test_our_faults_are_tried_again_and_never_for_ever(journal):
    for turn in range(1, MAX_ATTEMPTS + 1):
        state = journal.fault("ada", journal.begin("ada"), "no space left")
        assert state == ("not final" if turn == MAX_ATTEMPTS else "waiting")
    assert journal.submission("ada").reason == "no space left"
    journal.wait("ada")
    assert journal.submission("ada").faults == 0


def test_both_reports_stay_after_a_regrade(journal):
    for raw in (b"old", b"new"):
        journal.wait("ada")
        journal.finish("ada", journal.begin("ada"), raw, {})
    assert [journal.report(result.report) for result in journal.results("ada")] == [
        b"old",
        b"new",
    ]


def test_what_was_begun_and_never_ended_waits_again(tmp_path):
    with Journal(tmp_path, "signals") as journal:
        journal.enroll(ROWS)
        journal.begin("ada")
        journal.finish("team", journal.begin("team"), b"{}", {})
    with Journal(tmp_path, "signals") as journal:
        journal.enroll([ROWS[0], replace(ROWS[1], label="late-alan"), ROWS[2]])
        assert states(journal) == {"ada": "waiting", "alan": "waiting", "team": "done"}


def test_runs_of_others_are_not_opened(tmp_path):
    with (
        Journal(tmp_path, "signals"),
        pytest.raises(UsageError, match="Another process"),
    ):
        Journal(tmp_path, "signals")
    with pytest.raises(UsageError, match="the lab `signals`"):
        Journal(tmp_path, "gpu")
    with sqlite3.connect(tmp_path / "run.db") as database:
        database.execute("UPDATE run SET version = 99")
    with pytest.raises(UsageError, match="newer"):
        Journal(tmp_path, "signals")


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OurFault, match="cannot be written"):
        Journal(tmp_path / "file" / "run", "signals")
    (tmp_path / "run.db").write_text(
        "no database, but long enough to be taken for a file of one" * 20
    )
    with pytest.raises(OurFault, match="not a database"):
        Journal(tmp_path, "signals")


def test_a_report_that_was_changed_is_not_believed(journal, tmp_path):
    journal.finish("ada", journal.begin("ada"), b"{}", {})
    digest = journal.submission("ada").report
    (tmp_path / "run" / "reports" / f"{digest}.json").write_bytes(b"{100}")
    with pytest.raises(OurFault, match="was changed"):
        journal.report(digest)


def test_nobody_takes_a_line_away_unseen(journal, tmp_path):
    for _ in range(3):
        journal.begin("ada")
    assert broken_line(tmp_path / "run" / "log.jsonl") == 0
    log = tmp_path / "run" / "log.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join([lines[0], *lines[2:]]))
    assert broken_line(tmp_path / "run" / "log.jsonl") == 2


def test_a_half_written_last_line_is_cut_off(tmp_path):
    with Journal(tmp_path, "signals") as journal:
        journal.enroll(ROWS)
        journal.begin("ada")
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"half')
    with Journal(tmp_path, "signals") as journal:
        journal.begin("ada")
    assert broken_line(tmp_path / "log.jsonl") == 0


GRADES = """
import sys, time
from pathlib import Path
from dockdojo.class_.journal import Enrolled, Journal
with Journal(Path(sys.argv[1]), "signals") as journal:
    journal.enroll([Enrolled(name=f"s{i}", label="x") for i in range(40)])
    print("ready", flush=True)
    while waiting := [row for row in journal.submissions() if row.state == "waiting"]:
        attempt = journal.begin(waiting[0].name)
        journal.finish(waiting[0].name, attempt, waiting[0].name.encode(), {})
        print(waiting[0].name, flush=True)
"""


def test_killed_at_any_moment_it_loses_and_doubles_nothing(tmp_path):
    rng, told = random.Random(os.urandom(8)), set[str]()
    while True:
        process = subprocess.Popen(
            [sys.executable, "-c", GRADES, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout.readline() == "ready\n"
        time.sleep(rng.random() * 0.1)
        process.send_signal(signal.SIGKILL)
        told |= set(process.stdout.read().split())
        if process.wait() == 0:
            break
        with Journal(tmp_path, "signals") as journal:
            done = {row.name for row in journal.submissions() if row.state == "done"}
        assert told <= done
        if len(done) == 40:
            break
    with Journal(tmp_path, "signals") as journal:
        for row in journal.submissions():
            assert journal.report(row.report) == row.name.encode()
            assert len(journal.results(row.name)) == 1
    assert broken_line(tmp_path / "log.jsonl") == 0
    assert all(
        json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()
    )


FILLS = """
import resource, signal, sys
from pathlib import Path
from dockdojo.class_.journal import Enrolled, Journal
from dockdojo.errors import OurFault
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    with Journal(Path(sys.argv[1]), "signals") as journal:
        journal.enroll([Enrolled(name=f"s{i}", label="x") for i in range(200)])
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
        for row in journal.submissions():
            if row.state != "done":
                journal.finish(row.name, journal.begin(row.name), row.name.encode() * 50, {})
                print(row.name, flush=True)
except OurFault as fault:
    print(f"fault: {fault}")
"""


def test_without_room_it_says_so_and_goes_on_when_there_is(tmp_path):
    told, rng = list[str](), random.Random(os.urandom(8))
    for room in (rng.randrange(30_000, 90_000), 10**9):
        done = subprocess.run(
            [sys.executable, "-c", FILLS, str(tmp_path), str(room)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        told += done.stdout.splitlines()
        if room < 10**9:
            assert told[-1].startswith("fault: ")
            assert "Make room" in told.pop()
    with Journal(tmp_path, "signals") as journal:
        assert {row.state for row in journal.submissions()} == {"done"}
        assert all(len(journal.results(f"s{i}")) == 1 for i in range(200))
    assert len(told) >= 199  # one may have been kept and not told
    assert broken_line(tmp_path / "log.jsonl") == 0


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/home/ada/run", "nfs4"),
        ("/home/bo/run", ""),
        ("/homework/run", ""),
        ("/mnt/share/a/b", "cifs"),
        ("/elsewhere", ""),
    ],
)
def test_a_network_file_system_is_told_by_what_is_mounted(place, kind):
    mounted = [
        ("/", "ext4"),
        ("/home", "nfs4"),
        ("/home/bo", "tmpfs"),
        ("/mnt/share", "cifs"),
    ]
    assert network_filesystem(Path(place), mounted) == kind


def test_there_it_is_kept_without_a_write_ahead_log(tmp_path, monkeypatch):
    monkeypatch.setattr(filesystems, "mounts", lambda: [(str(tmp_path), "nfs")])
    with Journal(tmp_path / "run", "signals") as journal:
        (mode,) = journal._database.execute("PRAGMA journal_mode").fetchone()
        assert mode == "delete"
        assert "network file system (nfs)" in journal.warnings[0]
        journal.enroll(ROWS)
        assert journal.finish("ada", journal.begin("ada"), b"{}", {})
    with Journal(tmp_path / "run", "signals") as journal:
        assert states(journal)["ada"] == "done"


def test_where_nothing_can_be_locked_it_is_said(tmp_path, monkeypatch):
    def refused(descriptor, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refused)
    with Journal(tmp_path, "signals") as journal:
        assert "cannot be locked" in journal.warnings[0]
