"""Solutions as people hand them in, on a real engine: docker and pip take them as they are, and so does the grader."""

from __future__ import annotations

import shutil

import pytest

from dockdojo.course import open_course
from dockdojo.grading import grade

pytestmark = pytest.mark.engine
COURSE = open_course()
TEXTS = (".py", ".txt", ".toml", ".html", ".yaml", "Dockerfile", ".dockerignore")


def crlf(folder):
    for path in folder.rglob("*"):
        if path.is_file() and path.name.endswith(TEXTS):
            path.write_bytes(
                path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            )


def bom(folder):
    for path in folder.rglob("*"):
        if path.is_file() and path.name.endswith(TEXTS):
            path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())


def windows(folder):
    """CRLF and an UTF-8 BOM in each text, requirements in UTF-16: Notepad and PowerShell."""
    crlf(folder)
    bom(folder)
    requirements = folder / "requirements.txt"
    if requirements.is_file():
        requirements.write_bytes(
            requirements.read_text(encoding="utf-8-sig").encode("utf-16")
        )


def linux(folder):
    """The other name, and a comment in Latin-1."""
    (folder / "Dockerfile").rename(folder / "dockerfile")
    (folder / "dockerfile").write_bytes(
        "# für den Kurs, café\n".encode("latin-1")
        + (folder / "dockerfile").read_bytes()
    )


def mac(folder):
    """What Finder and its archives leave."""
    (folder / "__MACOSX").mkdir()
    for name in ("._Dockerfile", ".DS_Store", "__MACOSX/._Dockerfile", "Thumbs.db"):
        (folder / name).write_bytes(b"\0\5\x16\7")
    with (folder / ".dockerignore").open("a") as file:
        file.write("\n.venv\nnode_modules\n")
    for name in (".venv", "node_modules"):
        (folder / name).mkdir()
        (folder / name / "link").symlink_to("/usr/bin/python3")
        with (folder / name / "large").open("wb") as file:
            file.truncate(300_000_000)


@pytest.mark.parametrize("change", [windows, linux, mac])
@pytest.mark.parametrize("slug", ["hello_world", "catgif"])
def test_a_solution_so_changed_has_full_marks(slug, change, real_engine, tmp_path):
    folder = tmp_path / slug
    shutil.copytree(COURSE.solution(slug), folder)
    change(folder)
    report = grade(slug, folder, course=COURSE)
    assert [
        (one.check, one.feedback) for one in report.outcomes if one.status != "passed"
    ] == []
    assert report.notes == ()


def test_a_script_with_crlf_fails_and_the_report_says_why(real_engine, tmp_path):
    folder = tmp_path / "hello_world"
    shutil.copytree(COURSE.solution("hello_world"), folder)
    crlf(folder)
    (folder / "greet.sh").write_bytes(
        (folder / "greet.sh").read_bytes().replace(b"\n", b"\r\n")
    )
    report = grade("hello_world", folder, course=COURSE)
    assert report.exit_code == 1
    (note,) = report.notes
    assert note.startswith("greet.sh, line 1: The lines of `greet.sh` end in CR and LF")
