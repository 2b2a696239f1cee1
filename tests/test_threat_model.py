"""Each promise of docs/explanation/threat-model.md names a test, and that test is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "explanation" / "threat-model.md").read_text(encoding="utf-8")
CASES = {path.name for path in (ROOT / "tests" / "hostile" / "cases").iterdir()}
FUNCTIONS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(
        r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE
    )
}
ROWS = [
    line
    for section in re.split(r"^###? ", TEXT, flags=re.MULTILINE)
    if "| promise | test |" in section
    for line in section.splitlines()
    if line.startswith("|") and not line.startswith(("| promise", "|---"))
]


def is_there(name: str) -> bool:
    return (
        name in CASES
        or name in FUNCTIONS
        or (name.startswith("tests/") and (ROOT / name).is_file())
    )


@pytest.mark.parametrize("row", ROWS)
def test_each_promise_names_a_test_that_is_there(row):
    named = re.findall(r"`([\w/.]+)`", row.split("|")[2])
    assert named or "every case" in row
    assert [name for name in named if not is_there(name)] == []


def test_the_page_names_many():
    assert len(ROWS) > 20
