"""The docs are true: each command of a page is run, in its order, and each text behind one is what was printed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for page in (ROOT / "docs").rglob("*.md")
    if "\n```sh\n" in page.read_text()
)
MOST_WORDS = 500
"""Of the README: what it is, the two lines, and where to go on."""


def test_the_readme_is_a_front_door():
    assert len((ROOT / "README.md").read_text().split()) <= MOST_WORDS


def test_pages_of_the_readme_are_there():
    for text, place in (
        ((ROOT / name).read_text(), ROOT) for name in ("README.md", "CONTRIBUTING.md")
    ):
        for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
            assert (place / link).exists(), link


@pytest.mark.parametrize("page", PAGES)
def test_each_command_of_a_page_does_what_the_page_says(page, real_engine, tmp_path):
    said = ""
    for kind, text in BLOCK.findall((ROOT / page).read_text()):
        if kind == "text":
            missing = [
                line for line in text.splitlines() if line.strip() and line not in said
            ]
            assert not missing, said
            continue
        path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        env = {"PATH": path, "HOME": str(tmp_path)}
        done = subprocess.run(
            ["bash", "-euc", text],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, f"{text}\n{said}"
        assert "Traceback" not in said, said
    if (assignment := tmp_path / "assignment").exists():
        assert (assignment / "tests" / "grading.sh").is_file()
        assert not list(assignment.rglob("graders"))
        assert not list(assignment.rglob("solutions"))
