"""Grades solutions and variants on the engine that the environment names, as `python mark.py LAB LAB/VARIANT ...`; prints JSON.

First what answers: versions, the store, the builder. Then for each name the checks that did not pass, each with its status, and
what else is not as it must be.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

from dockdojo.commands.doctor import run_variant
from dockdojo.course import open_course
from dockdojo.engine.client import connect
from dockdojo.errors import DockdojoError
from dockdojo.grading import grade

AT_ONCE = 3
COURSE = open_course()


def marked(name: str) -> dict[str, str]:
    """The checks that are not as they must be, each with what came."""
    lab, _, variant = name.partition("/")
    try:
        if variant:
            found = run_variant(
                COURSE, next(one for one in COURSE.variants(lab) if one.name == variant)
            )
            return {} if found.ok else {variant: found.detail}
        report = grade(lab, COURSE.solution(lab), course=COURSE)
    except DockdojoError as error:
        return {"": f"{error} {error.hint}"}
    return {
        one.check: (
            f"{one.status}: {one.feedback.observed} {one.feedback.why}"
            if one.feedback
            else one.status
        )
        for one in report.outcomes
        if one.status != "passed" and not one.ungraded
    }


def answering() -> dict[str, str]:
    """What the engine says of itself, the oldest API that it speaks, and the builder here."""
    with connect() as engine:
        return asdict(engine.info()) | {
            "least_api": engine.api.version().get("MinAPIVersion", "")
        }


if __name__ == "__main__":
    with ThreadPoolExecutor(AT_ONCE) as pool:
        marks = dict(zip(sys.argv[1:], pool.map(marked, sys.argv[1:]), strict=True))
    print(json.dumps({"engine": answering(), "marks": marks}))
