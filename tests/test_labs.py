"""The course tests itself: starters do not pass, solutions do, and every variant fails exactly the checks that it names."""

from __future__ import annotations

import base64
import json

import jsonschema
import pytest

from dockdojo.commands.doctor import inspect_course, run_variant
from dockdojo.course import open_course
from dockdojo.grading import grade
from dockdojo.model import Report
from dockdojo.reports import FORMATS, canvas
from dockdojo.reports.json import SCHEMA_FILE, parse
from tests.unusual import SideBySide

COURSE = open_course()
VARIANTS = [variant for slug in COURSE.slugs for variant in COURSE.variants(slug)]


def test_the_course_is_whole():
    """Lessons, starters and points are there, no variant names what is no check, and every check can fail."""
    problems = [f"{finding.what}: {finding.detail}" for finding in inspect_course(COURSE) if not finding.ok]
    assert not problems


@pytest.mark.parametrize("slug", COURSE.slugs)
def test_a_lab_has_variants(slug):
    assert COURSE.variants(slug)


WORK = {
    f"{slug} solution": lambda slug=slug: grade(slug, COURSE.solution(slug), course=COURSE) for slug in COURSE.slugs
}
WORK |= {f"{slug} starter": lambda slug=slug: grade(slug, COURSE.starter(slug), course=COURSE) for slug in COURSE.slugs}
WORK |= {f"{one.lab} {one.name}": lambda one=one: run_variant(COURSE, one) for one in VARIANTS}
TRAINS = tuple(f"{slug} " for slug in COURSE.slugs if COURSE.lab(slug).data)
GRADED = SideBySide(__name__, WORK, lambda name: WORK[name](), trains=lambda name: name.startswith(TRAINS))


@pytest.fixture(scope="module")
def graded(real_engine):
    return GRADED


@pytest.mark.parametrize("slug", COURSE.slugs)
def test_the_solution_scores_everything(slug, graded):
    report = graded[f"{slug} solution"]
    assert all(one.status == "passed" or one.ungraded for one in report.outcomes), report.outcomes
    if report.ungraded_points:
        pytest.skip(f"{report.ungraded_points} points cannot be earned on this engine, which grants no GPU")
    assert report.exit_code == 0
    assert report.score == report.max_score == COURSE.points(slug)


@pytest.mark.parametrize("slug", COURSE.slugs)
def test_the_starter_does_not_pass(slug, graded):
    report = graded[f"{slug} starter"]
    assert not any(one.status == "error" for one in report.outcomes), report.outcomes
    assert any(one.status == "failed" for one in report.outcomes)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: f"{variant.lab}-{variant.name}")
def test_a_variant_fails_exactly_its_checks(variant, graded):
    finding = graded[f"{variant.lab} {variant.name}"]
    assert finding.ok, finding.detail


STUDENT = {"Student": "Ada", "ID": "1", "SIS User ID": "", "SIS Login ID": "", "Section": ""}


@pytest.mark.parametrize("name", WORK)
def test_every_format_of_every_report(name, graded):
    """The ten formats of each solution's, starter's and variant's report; the totals of each are the report's."""
    found = graded[name]
    report = found if isinstance(found, Report) else found.report
    made = {style: render(report) for style, render in FORMATS.items()}
    made["canvas"] = canvas.render([(STUDENT, report)])
    assert len(made) == 10
    assert all(made.values())
    jsonschema.validate(json.loads(made["json"]), json.loads(SCHEMA_FILE.read_text()))
    assert parse(made["json"]) == report
    score = report.score
    assert json.loads(made["gradescope"])["score"] == json.loads(made["classroom50"])["score"] == score
    assert sum(one["score"] for one in json.loads(base64.b64decode(made["classroom"]))["tests"]) == score
    assert made["canvas"].strip().rpartition(",")[2] == (str(score) if report.final else "")
    for style in ("text", "markdown", "html", "github"):
        assert f"{score} of {report.max_score} points" in made[style]
