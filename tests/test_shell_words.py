"""Where a shell's words hold its commands."""

from __future__ import annotations

import pytest

from dockdojo.checks.shell_words import commands_at


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (["/bin/sh", "-c", "a b"], 2),
        (["bash", "-ec", "a"], 2),
        (["bash", "-o", "pipefail", "-c", "a"], 4),
        (["bash", "-euxo", "pipefail", "-c", "a"], 4),
        (["bash", "-ceo", "pipefail", "a"], 3),
        (["bash", "--login", "-c", "a", "--", "b"], 3),
        (["bash", "--rcfile", "x", "-c", "--", "a"], 5),
        (["sh", "script.sh", "-c", "a"], 0),
        (["sh", "-e", "script.sh"], 0),
        (["sh", "-c"], 0),
        (["sh"], 0),
        (["bash", "+c", "a"], 0),
    ],
)
def test_the_place_of_the_commands(words, place):
    assert commands_at(words) == place
