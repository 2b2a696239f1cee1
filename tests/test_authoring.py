"""A lab from nothing, in a course outside this repository; its guide is docs/how-to/write-a-lab.md (see test_docs)."""

from __future__ import annotations

import pytest

from dockdojo.commands.doctor import inspect_course
from dockdojo.course import open_course
from dockdojo.errors import UsageError
from dockdojo.scaffold import new_lab


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
