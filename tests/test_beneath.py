from __future__ import annotations

import os
import threading

import pytest

from dockdojo.beneath import check_inside, has_file, open_file, write_file
from dockdojo.errors import NoDockerfile, Refused, SubmissionError
from dockdojo.submission.folder import Submission


def read(root, name):
    with open_file(root, name) as file:
        return file.read()


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../outside", "a/../../outside", "a/..", "C:/x", "C:x", "a\0b"],
)
def test_names_that_lie_outside_are_refused_whoever_asks(tmp_path, name):
    (tmp_path / "a").mkdir()
    for call in (read, check_inside, lambda root, name: write_file(root, name, b"")):
        with pytest.raises(Refused, match="lies outside"):
            call(tmp_path, name)
    assert not has_file(tmp_path, name)
    submission = Submission(tmp_path)
    with pytest.raises(SubmissionError):
        submission.dockerfile(name)
    with pytest.raises(SubmissionError):
        submission.read(name)
    assert not submission.has(name)


def test_links_are_walked_and_never_judged_by_their_words(tmp_path):
    root = tmp_path / "root"
    (root / "a" / "b" / "c").mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    (root / "inner").write_text("inner")
    (root / "a" / "b" / "c" / "up").symlink_to("../../..")  # the folder itself
    (root / "leads").symlink_to(
        "a/b/c/up/../secret"
    )  # by its words inside, in truth not
    (root / "a" / "b" / "c" / "further").symlink_to("../../../..")
    (root / "stays").symlink_to("a/b/c/up/inner")
    assert read(root, "stays") == b"inner"
    assert read(root, "a/b/c/up/inner") == b"inner"
    for name in ("leads", "a/b/c/further", "a/b/c/further/secret"):
        with pytest.raises(Refused, match="leads out"):
            check_inside(root, name)
        assert not has_file(root, name)
    with pytest.raises(Refused, match="leads out"):
        write_file(root, "a/b/c/further/new", b"x")
    assert not (tmp_path / "new").exists()


def test_loops_pipes_and_folders_are_no_files(tmp_path):
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    for name in ("one", "pipe", "folder", "dangling", "missing", "pipe/x"):
        assert not has_file(tmp_path, name)
        with pytest.raises(OSError):  # noqa: PT011 -- of several kinds
            open_file(tmp_path, name)
        check_inside(tmp_path, name)
    with pytest.raises(NoDockerfile):
        Submission(tmp_path).dockerfile("pipe")


def test_writing_replaces_whatever_is_there(tmp_path):
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "outside").write_text("mine")
    (tmp_path / "link").symlink_to("outside")
    write_file(tmp_path, "folder", b"now a file")
    write_file(tmp_path, "link", b"now a file")
    write_file(tmp_path, "new/deep/file", b"new")
    write_file(tmp_path, "missing/file", None)
    write_file(tmp_path, "new/deep/file", None)
    assert read(tmp_path, "folder") == read(tmp_path, "link") == b"now a file"
    assert (tmp_path / "outside").read_text() == "mine"
    assert not has_file(tmp_path, "new/deep/file")
    assert not (tmp_path / "missing").exists()


def test_a_folder_that_becomes_a_link_while_it_is_read_gives_nothing(tmp_path):
    root = tmp_path / "root"
    (root / "folder").mkdir(parents=True)
    (root / "folder" / "file").write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_text("secret")
    (root / "other").symlink_to("../elsewhere")
    done = threading.Event()

    def swap():
        while not done.is_set():
            os.rename(root / "folder", root / "aside")
            os.rename(root / "other", root / "folder")
            os.rename(root / "folder", root / "other")
            os.rename(root / "aside", root / "folder")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        seen = set()
        for _ in range(2_000):
            try:
                seen.add(read(root, "folder/file"))
            except (OSError, Refused):
                seen.add(b"")
    finally:
        done.set()
        thread.join()
    assert b"secret" not in seen
