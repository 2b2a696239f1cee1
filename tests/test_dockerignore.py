from __future__ import annotations

import pytest

from dockdojo.dockerignore import DockerIgnore, glob_matches


@pytest.mark.parametrize(
    ("text", "out", "kept"),
    [
        ("data", ["data", "data/x/y"], ["other/data", "data2"]),
        ("/data/\n# data2\n", ["data/x"], ["data2", "# data2"]),
        ("**/__pycache__", ["__pycache__", "a/b/__pycache__/c.pyc"], ["a/pycache"]),
        ("*.pyc", ["a.pyc"], ["a/b.pyc"]),
        ("**/*.pyc", ["a.pyc", "a/b.pyc"], ["a.py"]),
        ("*\n!app.py\n!src/**", ["x", ".venv/bin/python"], ["app.py", "src/a/b"]),
        ("docs/**\n!docs/README.md", ["docs/a/b"], ["docs/README.md"]),
        ("a?c", ["abc", "abc/d"], ["ac", "abbc"]),
        ("[a-c]x\n[^a]y", ["bx", "by"], ["dx", "ay"]),
        (r"a\*b", ["a*b"], ["axb"]),
        ("../outside\n..\n.\n/", [], ["outside", "a"]),
        ("a/**/b", ["a/b", "a/x/y/b/c"], ["b", "a/x"]),
    ],
)
def test_patterns_as_buildkit_reads_them(text, out, kept):
    ignore = DockerIgnore.parse(text)
    assert [path for path in out if not ignore.leaves_out(path)] == []
    assert [path for path in kept if ignore.leaves_out(path)] == []


def test_whatever_the_patterns_are_looking_is_bounded():
    ignore = DockerIgnore.parse(("*a" * 400 + "b\n") * 1_000)
    for _ in range(100_000):
        if not ignore.leaves_out("a" * 250):
            break
    assert ignore.steps_left < 0
    assert not ignore.leaves_out("b")
    assert not glob_matches("*a" * 100 + "b", "a" * 250)
