"""JUnit XML as pytest writes it, so that any CI shows it: a testsuite a lab, a testcase a check, points as properties.

Format: https://github.com/pytest-dev/pytest/blob/main/src/_pytest/junitxml.py (xunit2).
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from dockdojo.model import Outcome, Report
from dockdojo.reports.bounds import bounded
from dockdojo.reports.phrases import in_words, notes_in_words, points_sent, score_sent
from dockdojo.reports.text import clean, cut, tame

TAGS = {"failed": "failure", "skipped": "skipped", "error": "error"}


def render(report: Report) -> str:
    """The report as one XML document; its characters are all ones that XML allows."""
    report = bounded(report)
    count = {
        name: str(sum(outcome.status == name for outcome in report.outcomes))
        for name in TAGS
    }
    suites = ET.Element("testsuites")
    suite = ET.SubElement(
        suites,
        "testsuite",
        name=report.lab,
        tests=str(len(report.outcomes)),
        failures=count["failed"],
        skipped=count["skipped"],
        errors=count["error"],
        time=f"{report.seconds:.3f}",
        timestamp=report.started,
    )
    _properties(
        suite,
        score=score_sent(report),
        max_score=report.max_score,
        final=str(report.final).lower(),
    )
    for outcome in report.outcomes:
        _case(suite, report, outcome)
    if notes := notes_in_words(report):
        ET.SubElement(suite, "system-out").text = "\n".join(notes)
    ET.indent(suites)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        + ET.tostring(suites, encoding="unicode")
        + "\n"
    )


def _case(suite: ET.Element, report: Report, outcome: Outcome) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=report.lab,
        name=outcome.check,
        time=f"{outcome.seconds:.3f}",
    )
    _properties(
        case,
        score=points_sent(report, outcome),
        max_score=outcome.points,
        title=tame(cut(clean(outcome.title))),
    )
    if outcome.status != "passed":
        said = in_words(outcome)
        tag = ET.SubElement(
            case,
            TAGS[outcome.status],
            message=said.partition("\n")[0] or tame(cut(clean(outcome.title))),
        )
        tag.text = said


def _properties(parent: ET.Element, **values: object) -> None:
    home = ET.SubElement(parent, "properties")
    for name, value in values.items():
        ET.SubElement(home, "property", name=name, value=str(value))
