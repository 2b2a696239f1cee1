"""A lab from nothing: every command of docs/authoring.md, and a course outside this repository."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dockdojo.commands.doctor import inspect_course
from dockdojo.course import open_course
from dockdojo.errors import UsageError
from dockdojo.scaffold import new_lab

GUIDE = Path(__file__).parents[1] / "docs" / "authoring.md"
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.engine
def test_the_guide_is_true(real_engine, tmp_path):
    """Each block of commands is run; what the text block behind it says is what was printed."""
    said = ""
    for kind, text in BLOCK.findall(GUIDE.read_text()):
        if kind == "text":
            missing = [line for line in text.splitlines() if line.strip() and line not in said]
            assert not missing, said
            continue
        path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        done = subprocess.run(
            ["bash", "-euc", text], cwd=tmp_path, env={"PATH": path, "HOME": str(tmp_path)}, capture_output=True, text=True, check=False
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
    assert "grades itself" in said
    assert (tmp_path / "assignment" / "tests" / "grading.sh").is_file()
    assert not list((tmp_path / "assignment").rglob("*healthcheck.py"))


def test_a_new_lab_joins_the_course(tmp_path):
    new_lab(tmp_path, "one")
    new_lab(tmp_path, "two")
    course = open_course(tmp_path)
    assert course.slugs == ("one", "two")
    assert all(finding.ok for finding in inspect_course(course))


@pytest.mark.parametrize("name", ["One", "1st", "a-b", "../x", ""])
def test_a_name_that_is_none(tmp_path, name):
    with pytest.raises(UsageError):
        new_lab(tmp_path, name)


def test_nothing_is_overwritten(tmp_path):
    new_lab(tmp_path, "one")
    (tmp_path / "graders" / "one.py").write_text("mine")
    with pytest.raises(UsageError):
        new_lab(tmp_path, "one")
    assert (tmp_path / "graders" / "one.py").read_text() == "mine"
