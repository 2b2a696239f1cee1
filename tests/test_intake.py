from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import threading

import pytest

from dockdojo.beneath import HAS_OPENAT
from dockdojo.errors import Refused
from dockdojo.grading.intake import copy_submission
from dockdojo.model import Limits

LIMITS = Limits()


def test_a_folder_is_copied_whole_with_modes_and_inner_links(submission, tmp_path):
    folder = submission(
        {
            "Dockerfile": "FROM x",
            "a/run.sh": "#!/bin/sh\n",
            ".git/HEAD": "ref",
            ".dockdojo.json": "{}",
        }
    )
    (folder / "a" / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("a/run.sh")
    (folder / "a" / "up").symlink_to("../Dockerfile")
    checksum = copy_submission(folder, tmp_path / "copy", LIMITS)
    names = sorted(
        str(path.relative_to(tmp_path / "copy"))
        for path in (tmp_path / "copy").rglob("*")
    )
    assert names == ["Dockerfile", "a", "a/run.sh", "a/up", "link"]
    assert stat.S_IMODE((tmp_path / "copy" / "a" / "run.sh").stat().st_mode) == 0o755
    assert os.readlink(tmp_path / "copy" / "link") == "a/run.sh"
    assert len(checksum) == 64


def test_the_checksum_follows_names_modes_and_bytes(submission, tmp_path):
    folder = submission({"a": "1", "b": "2"})
    sums = [copy_submission(folder, tmp_path / "c0", LIMITS)]
    (folder / "a").chmod(0o700)
    sums.append(copy_submission(folder, tmp_path / "c1", LIMITS))
    (folder / "b").write_text("3")
    sums.append(copy_submission(folder, tmp_path / "c2", LIMITS))
    (folder / "b").rename(folder / "c")
    sums.append(copy_submission(folder, tmp_path / "c3", LIMITS))
    assert len(set(sums)) == 4
    assert copy_submission(folder, tmp_path / "c4", LIMITS) == sums[-1]


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "../outside", "a/../../outside", "/", "sub/../.."]
)
def test_a_link_that_leads_out_is_refused_by_name(submission, tmp_path, target):
    folder = submission({"Dockerfile": "FROM x"})
    (folder / "sneaky").symlink_to(target)
    with pytest.raises(Refused, match="`sneaky` is a link that leads out"):
        copy_submission(folder, tmp_path / "copy", LIMITS)


def test_pipes_sockets_and_devices_are_refused_by_name(submission, tmp_path):
    folder = submission({"Dockerfile": "FROM x"})
    os.mkfifo(folder / "pipe")
    with pytest.raises(Refused, match="`pipe` is a named pipe"):
        copy_submission(folder, tmp_path / "c1", LIMITS)
    (folder / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as sock:
        os.chdir(folder)
        sock.bind("sock")
        os.chdir("/")
        with pytest.raises(Refused, match="`sock` is a socket"):
            copy_submission(folder, tmp_path / "c2", LIMITS)
    (folder / "sock").unlink()
    if os.geteuid() == 0:
        os.mknod(folder / "null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
        with pytest.raises(Refused, match="`null` is a character device"):
            copy_submission(folder, tmp_path / "c3", LIMITS)


def test_too_many_files_and_too_many_bytes_are_refused_before_reading(
    submission, tmp_path
):
    folder = submission({f"{number}": "" for number in range(12)})
    with pytest.raises(Refused, match="more than 10 files"):
        copy_submission(folder, tmp_path / "c1", Limits(context_files=10))
    with (folder / "large").open("wb") as file:
        file.truncate(
            300_000_000_000
        )  # sparse: nothing is written, and nothing may be read
    with pytest.raises(Refused, match=r"more than 200 MB.*`large`"):
        copy_submission(folder, tmp_path / "c2", LIMITS)
    assert not (tmp_path / "c2" / "large").exists()


def test_an_empty_folder_and_a_folder_of_folders_are_refused(tmp_path):
    (tmp_path / "empty" / "deep").mkdir(parents=True)
    with pytest.raises(Refused, match="empty"):
        copy_submission(tmp_path / "empty", tmp_path / "copy", LIMITS)


def test_a_very_deep_folder_is_refused(tmp_path):
    path = tmp_path / "deep"
    for _ in range(80):
        path = path / "d"
    path.mkdir(parents=True)
    with pytest.raises(Refused, match="deep"):
        copy_submission(tmp_path / "deep", tmp_path / "copy", LIMITS)


def test_names_that_are_no_text_are_copied(submission, tmp_path):
    folder = submission({"Dockerfile": "FROM x"})
    (folder / os.fsdecode(b"caf\xe9\n")).write_text("x")
    assert copy_submission(folder, tmp_path / "copy", LIMITS)
    assert len(list((tmp_path / "copy").iterdir())) == 2


def test_what_dockerignore_leaves_out_is_neither_refused_nor_counted(
    submission, tmp_path
):
    files = {
        "Dockerfile": "FROM x",
        ".dockerignore": ".venv\ndata\n*.log\n",
        "app.py": "x",
        "a.log": "log",
        "train.py": "y",
    }
    folder = submission(files)
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").symlink_to("/usr/bin/python3")
    (folder / "data").mkdir()
    os.mkfifo(folder / "data" / "pipe")
    (folder / "data" / "out").symlink_to("/etc/passwd")
    with (folder / "data" / "large").open("wb") as file:
        file.truncate(300_000_000_000)
    for number in range(30):
        (folder / "data" / f"{number}.csv").write_text("1")
    (folder / "stays").symlink_to("app.py")
    copy_submission(folder, tmp_path / "copy", Limits(context_files=20))
    names = {path.name for path in (tmp_path / "copy").rglob("*") if not path.is_dir()}
    assert {
        "Dockerfile",
        ".dockerignore",
        "app.py",
        "a.log",
        "train.py",
        "stays",
    } <= names
    assert not names & {"python", "pipe", "out", "large"}


@pytest.mark.skipif(not HAS_OPENAT, reason="another way of opening")
def test_what_dockerignore_leaves_out_may_be_another_users(
    submission, tmp_path, monkeypatch
):
    """A database's folder, and a log that root wrote: docker does not look at them either."""
    folder = submission(
        {
            "Dockerfile": "FROM x",
            ".dockerignore": "data\n*.log\n",
            "a.log": "x",
            "main.py": "x",
        }
    )
    (folder / "data" / "base").mkdir(parents=True)
    opened = os.open

    def refuse(path, *args, **options):
        if path in ("base", "a.log", "private"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, *args, **options)

    monkeypatch.setattr(os, "open", refuse)
    copy_submission(folder, tmp_path / "copy", LIMITS)
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == [
        ".dockerignore",
        "Dockerfile",
        "data",
        "main.py",
    ]
    (folder / "private").mkdir()
    with pytest.raises(Refused, match="`private` cannot be read: permission denied"):
        copy_submission(folder, tmp_path / "second", LIMITS)


def test_a_folder_with_very_many_files_is_refused_unless_dockerignore_leaves_it_out(
    submission, tmp_path
):
    folder = submission({"Dockerfile": "FROM x", ".dockerignore": "data\n"})
    (folder / "data").mkdir()
    for number in range(250):
        (folder / "data" / str(number)).write_text("")
    limits = Limits(context_files=20)
    copy_submission(folder, tmp_path / "copy", limits)
    (folder / "data").rename(folder / "images")
    with pytest.raises(
        Refused, match="`images` holds more files than can be looked at"
    ):
        copy_submission(folder, tmp_path / "second", limits)


def test_a_file_of_the_lab_is_part_of_it_whatever_dockerignore_says(
    submission, tmp_path
):
    folder = submission({"Dockerfile": "FROM x", ".dockerignore": "*\n"})
    (folder / "answers.toml").symlink_to("/etc/passwd")
    with pytest.raises(Refused, match=r"`answers\.toml` is a link that leads out"):
        copy_submission(folder, tmp_path / "c1", LIMITS, ("answers.toml",))
    copy_submission(folder, tmp_path / "c2", LIMITS)
    assert not (tmp_path / "c2" / "answers.toml").is_symlink()


def test_a_link_behind_links_is_refused(submission, tmp_path):
    folder = submission({"a/b/c/x": "1"})
    (folder / "a" / "b" / "c" / "up").symlink_to("../../..")
    (folder / "answers.toml").symlink_to("a/b/c/up/../../etc/passwd")
    with pytest.raises(Refused, match=r"`answers\.toml` is a link that leads out"):
        copy_submission(folder, tmp_path / "copy", LIMITS)


def test_a_folder_that_is_swapped_for_a_link_while_it_is_copied_gives_nothing(
    submission, tmp_path
):
    folder = submission(
        {
            "Dockerfile": "FROM x",
            **{f"folder/{number}": "mine" for number in range(200)},
        }
    )
    outside = submission(
        {f"{number}": "secret" for number in range(200)}, name="outside"
    )
    (folder / "other").symlink_to(outside)
    done = threading.Event()

    def swap():
        while not done.is_set():
            os.rename(folder / "folder", tmp_path / "aside")
            os.rename(folder / "other", folder / "folder")
            os.rename(folder / "folder", folder / "other")
            os.rename(tmp_path / "aside", folder / "folder")

    thread = threading.Thread(target=swap)
    thread.start()
    copies = []
    try:
        for number in range(40):
            with contextlib.suppress(Refused):
                copy_submission(folder, tmp_path / f"copy-{number}", LIMITS)
                copies.append(tmp_path / f"copy-{number}")
    finally:
        done.set()
        thread.join()
    assert not any(
        path.read_text() == "secret"
        for copy in copies
        for path in copy.rglob("*")
        if path.is_file()
    )
