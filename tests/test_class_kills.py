"""Whoever is killed at whatever moment: nothing is lost, nothing is doubled (tests/tools/class_kills.py does it 50 times)."""

from __future__ import annotations

import os
from random import Random

from tests.tools.class_kills import killed_runs


def test_kills_lose_and_double_nothing(real_engine, tmp_path):
    rng = Random(os.urandom(8))
    told = list(killed_runs(tmp_path, submissions=4, kills=4, rng=rng))
    assert sum("killed" in line for line in told) == 4
    assert told[-1].endswith("everybody once, with full marks")
