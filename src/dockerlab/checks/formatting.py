"""Whether Python files are formatted with black, in its default settings: the submission's own are not honoured."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from dockerlab.checks import fail
from dockerlab.errors import LimitReached

SECONDS = 60
LARGEST = 1_000_000
"""Bytes of one file; a longer one is no source code that a person wrote."""
FEW = 200
"""Files in one call."""
SHOWN = 1_500


def expect_black(folder: Path) -> None:
    """Fails the check at the first file that black would change, with what it would change.

    Black reads the files and runs nothing of them; it does so in a process of its own, with a time limit.
    """
    files = sorted(one for one in folder.rglob("*.py") if one.is_file() and not one.is_symlink())
    if not files:
        fail("there is no .py file in the submission", expected="train.py")
    for one in files:
        if one.stat().st_size > LARGEST:
            fail(f"`{one.relative_to(folder)}` has more than {LARGEST // 10**6} MB", expected="source code")
    for place in range(0, len(files), FEW):
        _check(folder, files[place : place + FEW])


def _check(folder: Path, files: list[Path]) -> None:
    with tempfile.TemporaryDirectory(prefix="dockerlab-black-") as empty:
        settings = Path(empty, "black.toml")
        settings.write_text("")
        command = [
            sys.executable, "-I", "-m", "black", "--diff", "--quiet", "--no-cache", "--config", str(settings), "--workers", "1",
        ]  # fmt: skip
        try:
            done = subprocess.run(
                [*command, "--", *map(str, files)], capture_output=True, timeout=SECONDS, check=False, cwd=empty
            )
        except subprocess.TimeoutExpired:
            raise LimitReached(f"black did not come to an end within {SECONDS} s.") from None
    said, wrong = (text.decode("utf-8", "replace").replace(f"{folder}/", "") for text in (done.stdout, done.stderr))
    if said.strip():
        name = said.splitlines()[0].removeprefix("--- ").split("\t")[0]
        fail(
            f"black would change `{name}`",
            expected="`black --check .` has nothing to say, in its default settings",
            why="Code that all write alike is read faster, and its changes show what was meant.",
            file=name,
            line=_line(said),
            detail=said[:SHOWN],
        )
    if done.returncode != 0:
        reason = wrong.strip().splitlines()[0][:200] if wrong.strip() else "it says nothing"
        fail(f"black cannot read it: {reason}", expected="valid Python", file=_named(wrong, folder, files))


def _named(said: str, folder: Path, files: list[Path]) -> str:
    names = [str(one.relative_to(folder)) for one in files]
    return next((one for one in names if one in said), names[0])


def _line(diff: str) -> int:
    """The line at which the first change begins."""
    head = next((one for one in diff.splitlines() if one.startswith("@@")), "")
    try:
        return int(head.split()[1].lstrip("-").split(",")[0])
    except (IndexError, ValueError):
        return 0
