"""Images that a lab needs come before it is graded."""

from __future__ import annotations

import uuid

import pytest

from dockdojo.course import open_course
from dockdojo.errors import OurFault
from dockdojo.grading import grade
from dockdojo.host import base_images

CATALOG = '[[image]]\nref = "{ref}"\nrecipe = "tiny"\nsummary = "one file"\n'
GRADER = '''
@check(points=1)
def test_builds(image):
    """It builds."""
    assert image.size
'''


@pytest.fixture
def absent(engine):
    """A name that no engine and no registry has; what gets it is removed."""
    ref = f"127.0.0.1:9/dockdojo-test-{uuid.uuid4().hex}:1"
    yield ref
    if engine.has_image(ref):
        engine.api.remove_image(ref, force=True)


def a_course(make_course, ref):
    """Its lab needs an image that only a recipe of its own catalog gives."""
    course = make_course(GRADER, f'images = ["{ref}"]\n')
    (course.root / "images" / "tiny").mkdir(parents=True)
    (course.root / "images" / "catalog.toml").write_text(CATALOG.format(ref=ref))
    (course.root / "images" / "tiny" / "Dockerfile").write_text(
        'FROM busybox\nCMD ["true"]\n'
    )
    return open_course(course.root)


def test_a_lab_gets_the_image_that_it_needs(engine, make_course, absent, monkeypatch):
    monkeypatch.setenv("DOCKDOJO_PULL", "0")
    course = a_course(make_course, absent)
    assert base_images.missing_images(course, course.lab("sample").images) == [absent]
    base_images.ready(engine, course, course.lab("sample"), lambda ref, what: None)
    assert base_images.missing_images(course, course.lab("sample").images) == []
    assert base_images.stand_ins_here(course) == [absent]


def test_grading_gets_it_before_the_submission_is_built(
    real_engine, make_course, submission, absent, monkeypatch
):
    monkeypatch.setenv("DOCKDOJO_PULL", "0")
    course = a_course(make_course, absent)
    report = grade(
        "sample", submission({"Dockerfile": "FROM busybox\n"}), course=course
    )
    assert [(one.status, one.feedback) for one in report.outcomes] == [("passed", None)]
    assert base_images.missing_images(course, course.lab("sample").images) == []


def test_an_image_that_nobody_has_is_the_machine_s_fault(engine, make_course, absent):
    course = make_course(GRADER, f'images = ["{absent}"]\n')
    with pytest.raises(OurFault, match=absent):
        base_images.ready(engine, course, course.lab("sample"), lambda ref, what: None)
