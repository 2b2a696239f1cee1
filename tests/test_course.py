from __future__ import annotations

import gc
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dockdojo.commands.doctor import long_chains
from dockdojo.course import Variant, open_course, tasks
from dockdojo.errors import CourseError, UsageError
from dockdojo.model import Check

CHECK = '@check(points=100)\ndef test_it():\n    """It."""\n'


def test_the_own_course_is_found_and_every_lab_reads(course):
    assert "hello_world" in course.slugs
    for slug in course.slugs:
        lab = course.lab(slug)
        assert lab.files
        assert course.grader(slug).is_file()
        assert course.starter(slug).is_dir()


def test_a_misspelled_lab_gets_the_nearest_name(course):
    with pytest.raises(UsageError, match="hello_world") as caught:
        course.lab("hello-wrld")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ('minutes = "many"\n', "`minutes`"),
        ("[limits]\nmemory = 3\n", "`limits`"),
        ("[limits]\nmemory_mb = true\n", "limits.memory_mb"),
        ("[limits]\nmemory_mb = 0\n", "limits.memory_mb"),
        ("colour = 1\n", "colour"),
        ("minutes = \n", "not valid TOML"),
    ],
)
def test_a_broken_lab_toml_names_file_and_field(make_course, extra, said):
    made = make_course(CHECK, lab_toml=extra)
    with pytest.raises(CourseError) as caught:
        made.lab("sample")
    assert "lab.toml" in str(caught.value)
    assert said in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_long_chain_of_checks_is_a_warning():
    """One check that fails alone, and because of it others are skipped that are worth more than 15 points."""
    checks = [
        Check(name=name, title=name, points=points)
        for name, points in (("a", 10), ("b", 10), ("c", 6))
    ]

    def variant(name, fails, skips):
        return Variant("sample", name, Path(), "", fails, skips, ())

    found = list(
        long_chains(
            [
                variant("long", ("a",), ("b", "c")),
                variant("short", ("a",), ("b",)),
                variant("two", ("a", "b"), ("c",)),
            ],
            checks,
        )
    )
    assert [one.partition(" fails")[0] for one in found] == ["warning: variant long"]
    assert "skips 16 points" in found[0]


def test_files_may_not_lie_outside_the_folder(make_course):
    made = make_course(CHECK)
    path = made.lab_toml("sample")
    path.write_text('title = "x"\nsummary = "x"\nfiles = ["../x"]\n')
    with pytest.raises(CourseError, match="outside"):
        made.lab("sample")


def test_a_course_names_labs_that_are_there(make_course):
    made = make_course(CHECK)
    (made.root / "labs" / "course.toml").write_text(
        'title = "x"\nlabs = ["sample", "other"]\n'
    )
    with pytest.raises(CourseError, match="other"):
        open_course(made.root)


def test_a_folder_without_a_course_is_told(tmp_path):
    with pytest.raises(CourseError, match="not a course"):
        open_course(tmp_path)


LESSON = "# Sample\n\n| what to do | points | checks |\n|---|---|---|\n| This. | 10 | `a` |\n| And that. | 16 | `b`, `c` |\n\n| `x` | 1 |\n"


@pytest.mark.parametrize(
    ("lesson", "said"),
    [
        (LESSON, []),
        (
            LESSON.replace("| 16 |", "| 15 |"),
            ["its table of tasks says 15 points for b, c, and the grader 16"],
        ),
        (
            LESSON.replace(", `c`", "").replace("16", "10"),
            ["its table of tasks lacks c (6 points)"],
        ),
        (
            LESSON.replace("`a`", "`d`"),
            [
                "its table of tasks names d, which is no check",
                "its table of tasks lacks a (10 points)",
                "its table of tasks says 10 points for d, and the grader 0",
            ],
        ),
        ("# Sample\n", ["its lesson has no table `| what to do | points | checks |`"]),
    ],
)
def test_the_table_of_tasks_is_held_against_the_grader(lesson, said):
    checks = [
        Check(name=name, title=name, points=points)
        for name, points in (("a", 10), ("b", 10), ("c", 6))
    ]
    assert (
        list(
            tasks.problems(
                lesson, [*checks, Check(name="h", title="h", points=1, hidden=True)]
            )
        )
        == said
    )


def test_points_are_read_from_the_grader(make_course, course):
    made = make_course(
        '@check(points=7)\ndef test_a():\n    """A."""\n\n\n@check(points=5, hidden=True)\ndef test_b():\n    """B."""\n'
    )
    assert made.points("sample") == 12
    assert course.points("mnist") == 500
    assert {
        slug for slug in course.slugs if course.points(slug) not in (100, 500)
    } == set()


def test_points_are_read_by_several_threads(course):
    """CPython 3.11 counts the depth of all trees together; the collector lets another thread in while one is made."""

    def let_others_in(phase, info):
        time.sleep(0.0001)

    threshold = gc.get_threshold()
    gc.callbacks.append(let_others_in)
    gc.set_threshold(10)
    try:
        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(course.points, ["hogwild"] * 40)) == {100}
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(let_others_in)
