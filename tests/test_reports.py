from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import pytest

from dockdojo.model import Advice, EngineInfo, Feedback, Outcome, Report, Where
from dockdojo.reports import FORMATS
from dockdojo.reports.json import SCHEMA_FILE

NASTY = (
    "\x1b]0;owned\x07\x1b[31m</script> ::error::x ]]> =cmd|' \x00 \u202e \ud800 "
    + "x" * 1000
)


def outcome(name, status, **options):
    return Outcome(
        check=name,
        title=f"{name} title",
        status=status,
        points=10,
        seconds=0.5,
        **options,
    )


ENGINE = EngineInfo(
    version="20.10",
    api_version="1.41",
    storage_driver="overlay2",
    cgroup_version="1",
    builder="x",
    gpu="none",
    where="unix://",
)
PASSED = Report(
    lab="sample",
    title="Sample",
    outcomes=(outcome("a", "passed"), outcome("b", "passed")),
    started="2026-01-01T00:00:00+00:00",
    seconds=1.5,
    checksum="0" * 64,
    engine=ENGINE,
)
REPORTS = {
    "passed": PASSED,
    "advised": replace(
        PASSED,
        advice=(
            Advice(
                file="Dockerfile", line=2, code="DL3007", level="warning", text=NASTY
            ),
        ),
    ),
    "failed": replace(
        PASSED,
        outcomes=(
            outcome(
                "a",
                "failed",
                feedback=Feedback(
                    expected="e",
                    observed=NASTY,
                    why="w",
                    where=Where(file="Dockerfile", line=3),
                    hint="h",
                    detail=NASTY,
                ),
            ),
            outcome(
                "b",
                "skipped",
                feedback=Feedback(why="It needs the check `a`"),
                decided_by="a",
            ),
        ),
    ),
    "error": replace(
        PASSED,
        outcomes=(
            outcome("a", "passed"),
            outcome("b", "error", feedback=Feedback(observed="gone")),
        ),
    ),
    "refused": replace(
        PASSED,
        problem="The folder is empty.",
        checksum="",
        engine=None,
        outcomes=(
            outcome("a", "failed", feedback=Feedback(observed="The folder is empty.")),
        ),
    ),
}


@pytest.mark.parametrize("kind", REPORTS)
def test_every_report_fits_the_schema(kind):
    rendered = FORMATS["json"](REPORTS[kind])
    document = json.loads(rendered.encode("utf-8", "surrogatepass"))
    jsonschema.validate(document, json.loads(SCHEMA_FILE.read_text()))
    assert document["score"] == REPORTS[kind].score
    assert document["final"] is (kind != "error")


@pytest.mark.parametrize("kind", REPORTS)
def test_text_tells_all_and_obeys_nothing(kind):
    text = FORMATS["text"](REPORTS[kind])
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "\u202e" not in text
    assert f"{REPORTS[kind].score} of {REPORTS[kind].max_score} points" in text
    assert ("Not final" in text) is (kind == "error")
    assert max(map(len, text.splitlines())) <= 110
    text.encode("utf-8")


def test_exit_codes():
    assert {kind: report.exit_code for kind, report in REPORTS.items()} == {
        "passed": 0,
        "advised": 0,
        "failed": 1,
        "error": 3,
        "refused": 1,
    }


def test_a_report_without_outcomes_is_not_final():
    assert replace(PASSED, outcomes=()).exit_code == 3


def test_the_same_problem_is_told_once():
    same = Feedback(observed="The build stopped.", detail="tail")
    text = FORMATS["text"](
        replace(
            PASSED,
            outcomes=(
                outcome("a", "failed", feedback=same),
                outcome("b", "failed", feedback=same),
            ),
        )
    )
    assert text.count("The build stopped.") == 1
    assert "the same as at `a`" in text


@pytest.mark.parametrize(
    ("history", "plain"),
    [
        ('/bin/sh -c #(nop)  CMD ["python"]', 'CMD ["python"]'),
        ("/bin/sh -c #(nop) COPY dir:1 in /app ", "COPY dir:1 in /app"),
        ("/bin/sh -c pip install x", "RUN pip install x"),
        ("RUN /bin/sh -c pip install x # buildkit", "RUN pip install x"),
        ("RUN |1 V=a b /bin/sh -c pip install x # buildkit", "RUN pip install x"),
        ("|2 A=1 B=2 /bin/sh -c make", "RUN make"),
        ("COPY . /app # buildkit", "COPY . /app"),
        ("RUN echo '/bin/sh -c x' # buildkit", "RUN echo '/bin/sh -c x'"),
        ("RUN /bin/bash -c x # buildkit", "RUN /bin/bash -c x"),
        ('CMD ["/bin/sh" "-c" "a"]', 'CMD ["/bin/sh" "-c" "a"]'),
        ("", "(no history)"),
    ],
)
def test_instructions_are_shown_as_they_were_written(history, plain):
    from dockdojo.reports.layer_words import plain_instruction

    assert plain_instruction(history) == plain
