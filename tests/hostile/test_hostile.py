"""Nothing that is handed in can win, leak, hang or harm: each case is graded as it would be, and what is left is looked at."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from pathlib import Path

import pytest

from dockdojo.reports import FORMATS
from dockdojo.reports.json import parse
from tests.hostile import submissions as cases
from tests.hostile.support import busy_share, cache_in_use, work
from tests.unusual import SideBySide

NAMES = cases.names()
GRADED = SideBySide(__name__, NAMES, work)
OBEYED = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
OURS = re.compile(r"::(error|warning|notice) ")
LOOKS = 60
"""Of two seconds each."""
BUSY = 0.5
"""The share of one processor that an idle engine stays below."""

pytestmark = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0,
    reason="cases make devices, which only root may",
)


@pytest.mark.parametrize("name", NAMES)
def test_case(real_engine, name):
    case, graded = cases.read(name), GRADED[name]
    said = f"{case.summary}\n{graded.terminal[-2000:]}\n{graded.rendered[:6000]}"
    assert graded.exit_code == case.exit_code, said
    report = parse(graded.rendered)
    assert not [one.check for one in report.outcomes if one.status == "error"], said
    ended = {one.check: one.status for one in report.outcomes}
    for check in case.fails:
        assert ended[check] == "failed", said
    for check in case.passes:
        assert ended[check] == "passed", said
    told = json.dumps(graded.report, ensure_ascii=False)
    for words in case.says:
        assert words in told, said
    for words in (*case.silent, *graded.secrets):
        assert words not in told + graded.terminal, said
    assert not graded.left, said
    assert not graded.harmed, said
    for style, render in FORMATS.items():
        rendered = render(report)
        assert not OBEYED.search(rendered), style
        forged = [
            line for line in rendered.splitlines() if line.lstrip().startswith("::")
        ]
        assert all(style == "github" and OURS.match(line) for line in forged), style
        assert "##[" not in rendered, style


def test_afterwards_the_engine_has_nothing_to_do(real_engine):
    """What a submission began in the engine does not go on: in some moment it is idle, once nobody else grades."""
    for name in NAMES:
        assert GRADED[name]
    shares: list[float] = []
    for _ in range(LOOKS):
        share = busy_share(2)
        if share is None:
            pytest.skip("the engine's process cannot be seen from here")
        if others_grade():
            continue  # the engine works for them
        if share <= BUSY:
            return
        shares.append(share)
    if len(shares) < LOOKS // 2:
        pytest.skip("other gradings kept the engine at work all the time")
    pytest.fail(
        f"nobody grades, and the engine takes {min(shares):.0%} of a processor or more"
    )


def test_afterwards_no_build_goes_on(real_engine):
    """The engine's build cache has nothing in use, in some moment in which nobody else grades."""
    for name in NAMES:
        assert GRADED[name]
    used: list[str] = []
    for _ in range(LOOKS):
        used = cache_in_use()
        if not used:
            return
        time.sleep(2)
    if others_grade():
        pytest.skip("other gradings build")
    pytest.fail(f"nobody grades, and the engine's cache is in use: {used[:3]}")


def others_grade() -> bool:
    """Whether some grading's child runs on this machine."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if b"dockdojo.runner.process" in (folder / "cmdline").read_bytes():
                return True
    return False


def test_there_are_cases_of_every_kind():
    kinds = [cases.read(name).kind for name in NAMES]
    assert len(NAMES) >= 70
    assert all(kinds.count(kind) >= 8 for kind in cases.KINDS)
