"""Whatever a submission says, and in whichever field of a report it ends up: it stays text in every format."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from html import unescape
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from dockdojo.cli import show
from dockdojo.model import Advice, Feedback, Outcome, Part, Point, Report, Where
from dockdojo.reports import FORMATS, canvas
from dockdojo.reports.json import SCHEMA_FILE, parse

FRAGMENTS = (
    "::error::x",
    "::stop-commands::t0ken",
    "::add-mask::a",
    " \t::warning file=a::b",
    "##[error]x",
    "###[group]y",
    "::set-output name=a::b",
    "\x1b",
    "\x1b[31m",
    "\x1b]0;title\x07",
    "\x1b]8;;http://evil.example\x07link\x1b]8;;\x07",
    "\x9b31m",
    "\x9d0;t\x9c",
    "\x90q\x9c",
    "\u202e",
    "\u2066",
    "\u2069",
    "\u061c",
    "\u200f",
    "\ufeff",
    "\x00",
    "\x7f",
    "\x85",
    "\u2028",
    "\u2029",
    "\x0b",
    "\x0c",
    "\x1c",
    "\r",
    "\n",
    "\r\n",
    "\ud800",
    "\udcff",
    "\ufffe",
    "\U0001ffff",
    "\U000e0041",
    "]]>",
    "<![CDATA[",
    "<!--",
    "-->",
    "</pre>",
    "</code>",
    "<script>alert(1)</script>",
    "<img src=x onerror=y>",
    "</title>",
    "</style>",
    "<svg onload=alert(1)>",
    "{{ 7*7 }}",
    "{% include 'x' %}",
    "{# x #}",
    "&amp;",
    "&#60;",
    '"',
    "'",
    "[a](javascript:b)",
    "![i](//evil.example/x)",
    "```",
    "~~~",
    "`",
    "``",
    "| a | b |",
    "# h",
    "- l",
    "1. n",
    "> q",
    "***b***",
    "@everyone",
    "someone@evil.example",
    "#1",
    "www.evil.example",
    "https://evil.example/",
    "=cmd|' /C calc'!A0",
    "+1",
    "-1",
    "@SUM(1)",
    "\t=1",
    "＝1",
    "%0A::error::x",
    "%25",
    "$(id)",
    "{0}",
    "{title}",
    "[bold red]x[/]",
    "[link=http://evil.example]x[/link]",
    "  ✓   10/10  forged: it passes",
    "20 of 20 points, in 0.1 s",
    "x" * 3000,
)
HOSTILE = st.lists(
    st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=5), st.just(" ")), max_size=8
).map("".join)
LINE = st.integers(min_value=-5, max_value=10**20)
NUMBER = st.one_of(st.none(), st.floats())
FEEDBACK = st.builds(
    Feedback,
    expected=HOSTILE,
    observed=HOSTILE,
    why=HOSTILE,
    hint=HOSTILE,
    detail=HOSTILE,
    where=st.one_of(
        st.none(), st.builds(Where, file=HOSTILE, line=st.integers(-5, 10**20))
    ),
)
OUTCOME = st.builds(
    Outcome,
    check=st.sampled_from(("builds", "runs")),
    title=HOSTILE,
    points=st.just(10),
    seconds=st.just(0.5),
    status=st.sampled_from(("passed", "failed", "skipped", "error")),
    feedback=st.one_of(st.none(), FEEDBACK),
)
SOURCED = Outcome(
    check="sourced",
    title="t",
    status="failed",
    points=1,
    feedback=Feedback(where=Where(file="f", line=1)),
)
REPORT = st.builds(
    Report,
    lab=st.just("sample"),
    title=st.just("Sample"),
    started=st.just("2026-01-01T00:00:00+00:00"),
    seconds=st.just(1.0),
    outcomes=st.lists(OUTCOME, min_size=1, max_size=3).map(
        lambda outcomes: (*outcomes, SOURCED)
    ),
    problem=st.one_of(st.just(""), HOSTILE),
    advice=st.lists(
        st.builds(
            Advice, file=HOSTILE, line=LINE, code=HOSTILE, level=HOSTILE, text=HOSTILE
        ),
        max_size=2,
    ).map(tuple),
    notes=st.lists(HOSTILE, max_size=2).map(tuple),
    sources=st.fixed_dictionaries({"f": HOSTILE}),
    layers=st.lists(
        st.builds(
            Part,
            instruction=HOSTILE,
            size=st.integers(0, 10**12),
            wasted=st.just(0),
            in_base=st.booleans(),
        ),
        max_size=2,
    ).map(tuple),
    curve=st.lists(
        st.builds(Point, epoch=LINE, loss=NUMBER, accuracy=NUMBER), max_size=3
    ).map(tuple),
)
thorough = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)

OBEYED = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff\U000e0000-\U000e007f]"
)
"""Controls, marks of direction, what is no character, and invisible tags."""
OURS = re.compile(
    r"::(error|warning|notice) (file=[^:,\r\n]*,(line=\d+,)?)?title=[^:,\r\n]*::"
)


def assert_quiet(rendered, command=None):
    """Nothing that a terminal or the log of a workflow obeys, but our own commands."""
    assert not OBEYED.search(rendered)
    rendered.encode("utf-8")
    assert "##[" not in rendered
    for line in rendered.splitlines():
        if line.lstrip().startswith("::"):
            assert command is not None, line
            assert command.match(line), line


@thorough
@given(REPORT)
def test_no_format_holds_what_a_terminal_or_a_workflow_obeys(report):
    for name, render in FORMATS.items():
        assert_quiet(render(report), OURS if name == "github" else None)


@thorough
@given(REPORT)
def test_what_is_json_is_read_by_everyone_and_keeps_its_sums(report):
    document = json.loads(FORMATS["json"](report))
    jsonschema.validate(document, json.loads(SCHEMA_FILE.read_text()))
    json.dumps(document, allow_nan=False).encode()
    assert parse(FORMATS["json"](report)).score == report.score
    for name in ("classroom50", "gradescope"):
        assert json.loads(FORMATS[name](report))["score"] == (
            report.score if report.final else 0
        )
    sent = json.loads(base64.b64decode(FORMATS["classroom"](report)))
    for test in sent["tests"]:
        for line in [test["name"], *test["message"].splitlines()]:
            assert not OBEYED.search(line)
            assert not line.lstrip().startswith("::")
            assert "##[" not in test["message"]
        assert 0 <= test["line_no"] <= 10**9
        assert 0 <= test["score"] <= test["max_score"]


@thorough
@given(REPORT)
def test_xml_is_whole_and_has_our_elements_only(report):
    root = ET.fromstring(FORMATS["junit"](report))
    assert {one.tag for one in root.iter()} <= {
        "testsuites",
        "testsuite",
        "testcase",
        "properties",
        "property",
        "failure",
        "error",
        "skipped",
        "system-out",
    }
    assert len(root.findall("testsuite/testcase")) == len(report.outcomes)


class Page(HTMLParser):
    """Which elements and attributes a page has."""

    def __init__(self):
        super().__init__()
        self.elements, self.attributes, self.comments = set(), set(), []

    def handle_starttag(self, tag, attributes):
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attributes}

    def handle_comment(self, data):
        self.comments.append(data)


OUR_ELEMENTS = {
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "main",
    "h1",
    "h2",
    "h3",
    "p",
    "strong",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "section",
    "dl",
    "dt",
    "dd",
    "pre",
    "code",
    "span",
    "ul",
    "li",
    "div",
    "figure",
    "figcaption",
    "svg",
    "polyline",
    "details",
    "summary",
}


@thorough
@given(REPORT)
def test_the_page_has_our_elements_only(report):
    page = Page()
    page.feed(FORMATS["html"](report))
    assert page.elements <= OUR_ELEMENTS
    assert not {
        name
        for name in page.attributes
        if name.startswith("on") or name in ("src", "href", "action")
    }
    assert not page.comments


MARKUP = re.compile(r"</?(code|span|pre)>")


@thorough
@given(REPORT)
def test_markdown_holds_our_markup_only(report):
    rendered = FORMATS["markdown"](report)
    outside = re.sub(r"<pre>.*?</pre>", "", rendered, flags=re.DOTALL)
    assert rendered.count("<pre>") == rendered.count("</pre>")
    assert "<" not in MARKUP.sub("", rendered)
    for line in outside.splitlines():
        row = re.fullmatch(r"\| [✓✗–!] \| (.*) \| \d+/\d+ \|", line)
        said = (
            row[1]
            if row
            else re.sub(r"^(## |### [✓✗–!] |- \*\*\w+:\*\* |- )", "", line)
        )
        if (
            line.startswith(("|---", "| | check", "Notes:", "Advice on"))
            or "points." in line
        ):
            continue
        said = re.sub(r"&#\d+;|</?(code|span)>", "", said)
        assert not re.search(r"[][*_~`|@#:<>\\!$^=]|www\.", said), line
    bare = unescape(
        re.sub(r"<span>.*?</span>|<pre>.*?</pre>", "\0", rendered, flags=re.DOTALL)
    )
    assert not re.search(r"\w@\w|(?<!\w)@\w", bare)


@given(st.lists(HOSTILE, min_size=5, max_size=5), HOSTILE)
@thorough
def test_no_cell_of_a_gradebook_calculates(row, assignment):
    report = Report(lab="sample", title="x", outcomes=(SOURCED,), started="", seconds=1)
    text = canvas.render(
        [(dict(zip(canvas.COLUMNS, row, strict=True)), report)], assignment
    )
    rows = list(csv.reader(io.StringIO(text)))
    assert len(rows) == 3
    for cell in (cell for line in rows for cell in line):
        assert not cell.strip().startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))
        assert not OBEYED.search(cell)


@thorough
@given(REPORT)
def test_a_terminal_is_told_the_report_and_nothing_else(report):
    out = io.StringIO()
    shown = Console(
        file=out,
        theme=show.THEME,
        force_terminal=False,
        soft_wrap=True,
        highlight=False,
        width=100,
    )
    show.feedback(shown, report)
    assert_quiet(out.getvalue())


def test_what_is_printed_means_the_same_as_before():
    report = Report(
        lab="sample",
        title="x",
        started="",
        seconds=1,
        outcomes=(SOURCED,),
        notes=("##[group]x \x7f \u202e \U000e0041 \x9b ü ✓",),
    )
    assert parse(FORMATS["json"](report)) == report
    assert "ü ✓" in FORMATS["json"](report)


@pytest.mark.parametrize("name", FORMATS)
def test_texts_without_end_come_to_one(name):
    words = "word \n" * 200_000
    endless = Report(
        lab="sample",
        title="x",
        started="",
        seconds=1,
        problem="",
        outcomes=(
            Outcome(
                check="a",
                title="t",
                status="failed",
                points=1,
                feedback=Feedback(
                    observed=words, detail=words, where=Where(file=words, line=1)
                ),
            ),
        ),
        notes=(words,) * 1000,
        sources={f"{number}": words for number in range(1000)},
        advice=(Advice(file=words, line=1, code=words, level=words, text=words),)
        * 1000,
    )
    assert len(FORMATS[name](endless)) < 12_000_000
