"""The formats that others read: golden files, totals that agree, and output of a submission that tries to break out.

`DOCKDOJO_GOLDEN=write pytest tests/test_formats.py` writes the golden files anew; read the difference before you commit it.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from dockdojo.cli import main
from dockdojo.errors import UsageError
from dockdojo.model import HIDDEN, Advice, EngineInfo, Feedback, Outcome, Report, Where
from dockdojo.reports import FORMATS, canvas, classroom50, redaction
from dockdojo.reports.json import parse

GOLDEN = Path(__file__).with_name("golden")
ENGINE = EngineInfo(
    version="20.10",
    api_version="1.41",
    storage_driver="overlay2",
    cgroup_version="1",
    builder="BuildKit",
    gpu="none",
    where="unix:///x",
)
WHERE = Where(file="Dockerfile", line=4)
TOLD = Feedback(
    expected="`exit_code` is 0",
    observed="`exit_code` is 137",
    why="SIGTERM was not heard.",
    where=WHERE,
    hint="Look at `docker top`.",
    detail="line one\nline two",
)


def outcome(name, status="passed", points=10, **options):
    return Outcome(
        check=name,
        title=f"`{name}` does what it should",
        status=status,
        points=points,
        seconds=0.25,
        **options,
    )


PASSED = Report(
    lab="sample",
    title="Sample lab",
    outcomes=(outcome("a"), outcome("b", points=20)),
    started="2026-01-01T00:00:00+00:00",
    seconds=1.5,
    checksum="0" * 64,
    engine=ENGINE,
)
GONE = Feedback(observed="The engine stopped answering.", why="Is it running?")
LACKS = Feedback(
    why="The engine here has no GPU to grant. Its points cannot be earned here."
)
REPORTS = {
    "passing": PASSED,
    "failing": replace(
        PASSED,
        outcomes=(
            outcome("a"),
            outcome("b", "failed", feedback=TOLD),
            outcome(
                "c",
                "skipped",
                feedback=Feedback(why="It needs the check `b`, which did not pass."),
                decided_by="b",
            ),
        ),
        advice=(
            Advice(
                file="Dockerfile",
                line=2,
                code="DL3007",
                level="warning",
                text="Using latest is prone to errors",
            ),
        ),
    ),
    "unearnable": replace(
        PASSED,
        outcomes=(
            outcome("a"),
            outcome("b", "skipped", feedback=LACKS, ungraded=True),
        ),
    ),
    "errored": replace(
        PASSED, outcomes=(outcome("a"), outcome("b", "error", feedback=GONE))
    ),
    "refused": replace(
        PASSED,
        outcomes=(
            outcome("a", "failed", feedback=Feedback(observed="The folder is empty.")),
        ),
        problem="The folder is empty.",
        checksum="",
        engine=None,
    ),
}
ESCAPES = (
    "</script><script>alert(1)</script> <img src=x onerror=alert(1)> ]]> <!-- </pre> </table> & &amp;\n"
    "::error file=x::forged\n::notice title=Autograding report::100/100\n%0A::set-output name=x::y\n##[error]x\n"
    "=cmd|' /C calc'!A0 | a | b |\n```\n# heading [link](javascript:alert(1)) ![i](http://evil.example/x.png) @everyone www.evil.example\n"
    "\x1b]0;owned\x07\x1b[31mred \x9b31m \x00 \u202e \u2066 \ufffe \ud800 \r\n"
    + "x" * 1_000_000
)
HOSTILE = replace(
    PASSED,
    outcomes=(
        outcome(
            "a",
            "failed",
            feedback=Feedback(
                expected=ESCAPES,
                observed=ESCAPES,
                why=ESCAPES,
                where=Where(file="a,b::c%\n::error::x", line=1),
                hint="h",
                detail=ESCAPES,
            ),
        ),
        outcome("b", "error", feedback=Feedback(observed=ESCAPES)),
    ),
    advice=(Advice(file="Dockerfile", line=2, code="X", level="info", text=ESCAPES),),
    problem="",
)


@pytest.mark.parametrize("kind", REPORTS)
@pytest.mark.parametrize("name", FORMATS)
def test_golden(name, kind):
    rendered = FORMATS[name](REPORTS[kind])
    file = GOLDEN / f"{kind}.{name}"
    if os.environ.get("DOCKDOJO_GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        file.write_text(rendered, encoding="utf-8")
    assert rendered == file.read_text(encoding="utf-8")


# What each consumer adds up


@pytest.mark.parametrize("kind", REPORTS)
def test_the_totals_of_every_consumer_are_ours(kind):
    report = REPORTS[kind]
    score = report.score if report.final else 0
    sent = json.loads(base64.b64decode(FORMATS["classroom"](report)))
    assert (
        sent["max_score"]
        == report.max_score
        == sum(one["max_score"] for one in sent["tests"])
    )
    # The reporter's table adds up passing tests, its annotation the scores of all of them.
    assert sum(one["score"] for one in sent["tests"]) == score
    assert (
        sum(one["score"] for one in sent["tests"] if one["status"] == "pass") == score
    )
    assert all(
        one["score"] <= one["max_score"] and one["line_no"] >= 0
        for one in sent["tests"]
    )
    fifty = json.loads(FORMATS["classroom50"](report))
    assert (fifty["score"], fifty["max-score"]) == (score, report.max_score)
    assert sum(one["score"] for one in fifty["tests"]) == score
    scope = json.loads(FORMATS["gradescope"](report))
    assert scope["score"] == score == sum(one["score"] for one in scope["tests"])
    assert sum(one["max_score"] for one in scope["tests"]) == report.max_score
    suite = ET.fromstring(FORMATS["junit"](report)).find("testsuite")
    points = [
        one.get("value")
        for one in suite.findall("testcase/properties/property[@name='score']")
    ]
    assert sum(map(int, points)) == score
    assert int(suite.get("tests")) == len(report.outcomes)
    for name in ("text", "markdown", "html", "github"):
        assert f"{report.score} of {report.max_score} points" in re.sub(
            r"&#(\d+);", lambda m: chr(int(m[1])), FORMATS[name](report)
        )


@pytest.mark.parametrize("kind", ["unearnable", "errored"])
@pytest.mark.parametrize("shown", [False, True])
def test_a_report_that_is_not_final_yields_no_points(kind, shown):
    """Whatever a consumer adds up: scores of tests, tests that pass, or the score of the whole."""
    assert_no_points(redaction.for_student(REPORTS[kind]) if shown else REPORTS[kind])


@pytest.mark.parametrize("kind", ["unearnable", "errored"])
def test_a_hidden_check_that_was_not_carried_out_keeps_the_students_report_from_being_final(
    kind,
):
    """The visible checks alone are not the mark: their points would count as if the hidden ones had failed."""
    report = REPORTS[kind]
    seen, lost = report.outcomes
    shown = redaction.for_student(
        replace(report, outcomes=(seen, replace(lost, hidden=True)))
    )
    assert [one.check for one in shown.outcomes] == ["a", HIDDEN]
    assert not shown.final
    assert shown.exit_code == 3
    assert_no_points(shown)


def assert_no_points(report):
    assert report.score > 0
    sent = json.loads(base64.b64decode(FORMATS["classroom"](report)))
    assert {one["status"] for one in sent["tests"]} == {"error"}
    assert [one["score"] for one in sent["tests"]] == [0] * len(report.outcomes)
    assert all(one["message"] for one in sent["tests"])
    fifty = json.loads(FORMATS["classroom50"](report))
    assert (fifty["score"], fifty["final"]) == (0, False)
    assert not any(one["score"] or one["passed"] for one in fifty["tests"])
    scope = json.loads(FORMATS["gradescope"](report))
    assert (scope["score"], scope["extra_data"]["final"]) == (0, False)
    assert not any(one["score"] or one["status"] == "passed" for one in scope["tests"])
    for one in ET.fromstring(FORMATS["junit"](report)).iter("property"):
        assert one.get("name") != "score" or one.get("value") == "0"
    rows = list(
        csv.reader(
            io.StringIO(canvas.render([(dict.fromkeys(canvas.COLUMNS, "1"), report)]))
        )
    )
    assert rows[-1][-1] == ""
    assert json.loads(FORMATS["json"](report))["final"] is False
    assert parse(FORMATS["json"](report)).exit_code == 3


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_format_tells_the_notes(name):
    said = FORMATS[name](replace(REPORTS["failing"], notes=("The folder is nested",)))
    told = base64.b64decode(said).decode() if name == "classroom" else said
    assert "The folder is nested" in " ".join(told.split())


def test_what_is_not_final_is_told_as_an_error():
    for kind in ("unearnable", "errored"):
        assert (
            json.loads(base64.b64decode(FORMATS["classroom"](REPORTS[kind])))["status"]
            == "error"
        )
        for name in ("text", "markdown", "html", "github", "gradescope"):
            assert "Not final" in FORMATS[name](REPORTS[kind])


# Output that tries to break out

FORBIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


@pytest.mark.parametrize(
    "name", [one for one in FORMATS if one not in ("json", "classroom")]
)
def test_no_control_character_gets_out_and_a_megabyte_is_cut(name):
    rendered = FORMATS[name](HOSTILE)
    assert not FORBIDDEN.search(rendered)
    rendered.encode("utf-8")
    if name != "text":
        assert len(rendered) < 200_000


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen, self.attributes, self.open = [], [], []

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        self.attributes += attributes
        if tag not in ("meta", "link", "br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_html_has_our_elements_only():
    page = Tags()
    page.feed(FORMATS["html"](HOSTILE))
    assert not page.open
    assert not {"script", "img", "a", "iframe", "link", "object", "form"} & set(
        page.seen
    )
    assert not [
        key
        for key, _ in page.attributes
        if key.startswith("on") or key in ("src", "href")
    ]
    assert FORMATS["html"](HOSTILE).count("<main>") == 1


def test_markdown_has_our_markup_only():
    rendered = FORMATS["markdown"](HOSTILE)
    lines = rendered.splitlines()
    assert not [line for line in lines if line.startswith("# ") or "```" in line]
    assert "javascript:" not in rendered.partition("<pre>")[0]
    assert "](" not in rendered.partition("<pre>")[0]
    assert "<script" not in rendered
    assert "<img" not in rendered
    assert rendered.count("<pre>") == rendered.count("</pre>") == 1
    table = [line for line in lines if line.startswith("|")]
    assert all(line.count("|") == 4 for line in table)


def test_github_has_our_commands_only():
    lines = FORMATS["github"](HOSTILE).splitlines()
    assert len(lines) == 2 + 1 + 1
    assert all(
        re.match(
            r"::(error|warning|notice) (file=[^:,\n]*(,line=\d+)?,)?title=[^:,\n]*::",
            line,
        )
        for line in lines
    )
    assert "file=a%2Cb%3A%3Cc" not in lines[0]
    assert lines[0].startswith(
        "::error file=a%2Cb%3A%3Ac%25 %3A%3Aerror%3A%3Ax,line=1,title="
    )


def test_xml_stays_whole():
    case = ET.fromstring(FORMATS["junit"](HOSTILE)).find("testsuite/testcase/failure")
    assert "]]>" in case.text
    assert "<script>" in case.text


# Canvas

ROSTER = (
    "\ufeffStudent,ID,SIS User ID,SIS Login ID,Section,Other (1),Sample lab (77)\r\n    Points Possible,,,,,10,30\r\n"
    '"Lovelace, Ada",11,s1,ada,A,,\r\n"=HYPERLINK(1)",12,s2,@mallory,A,,\r\n'
)


def converted(folder, report, *words):
    """The gradebook with the mark of a report in it; empty where the command refused."""
    (folder / "report.json").write_text(FORMATS["json"](report))
    (folder / "roster.csv").write_bytes(ROSTER.encode())
    paths = [str(folder / name) for name in ("report.json", "roster.csv", "out.csv")]
    more = ["--format", "canvas", "--roster", paths[1], "-o", paths[2], *words]
    (folder / "out.csv").unlink(missing_ok=True)
    code = main(["convert", paths[0], *more])
    return (folder / "out.csv").read_bytes().decode() if code == 0 else ""


@pytest.mark.parametrize("assignment", ["Sample lab (77)", "77", "Sample lab"])
@pytest.mark.parametrize("student", ["11", "s1", "ada"])
def test_canvas(tmp_path, assignment, student):
    words = ("--assignment", assignment, "--student", student)
    filled = ROSTER.replace("11,s1,ada,A,,", "11,s1,ada,A,,30")
    assert converted(tmp_path, PASSED, *words) == filled
    first, *others = PASSED.outcomes
    open_one = replace(PASSED, outcomes=(replace(first, status="error"), *others))
    assert converted(tmp_path, open_one, *words) == ROSTER, "not final: no mark"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_canvas_without_sis_ids_with_semicolons_and_names_apart(tmp_path, encoding):
    text = (
        "LastName;FirstName;ID;SIS Login ID;Section;Sample lab (77)\r\n;;;;;Manual Posting\r\n"
        "    Points Possible;;;;;30\r\nLövelace;Ada;11;ada;A;\r\nStudent;Test;99;;A;\r\n"
    )
    (tmp_path / "report.json").write_text(FORMATS["json"](PASSED))
    (tmp_path / "g.csv").write_bytes(text.encode(encoding))
    out = tmp_path / "out.csv"
    words = ["--roster", str(tmp_path / "g.csv"), "--student", "11", "-o", str(out)]
    report = str(tmp_path / "report.json")
    assert main(["convert", report, "--format", "canvas", *words]) == 0
    filled = text.replace("Ada;11;ada;A;", "Ada;11;ada;A;30")
    assert out.read_bytes() == filled.encode(encoding)


def test_a_student_is_found_by_an_id_and_by_nothing_else(tmp_path, capsys):
    for wrong in ("Lovelace, Ada", "nobody", ""):
        assert not converted(tmp_path, PASSED, "--student", wrong)
        assert "nobody with the id" in capsys.readouterr().err
    assert not converted(tmp_path, PASSED, "--student", "11", "--assignment", "New")
    assert "no column `New`" in capsys.readouterr().err


# From JSON to the others


@pytest.mark.parametrize("kind", REPORTS)
def test_a_report_comes_back_from_json_as_it_was(kind):
    assert parse(FORMATS["json"](REPORTS[kind])) == REPORTS[kind]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"schema": "dockdojo/report/v2"}',
        '{"schema": "dockdojo/report/v1"}',
        "[" * 9999,
    ],
)
def test_what_is_no_report(text):
    with pytest.raises(UsageError, match=r"no (whole )?report"):
        parse(text)


def test_a_changed_score_is_noticed():
    changed = FORMATS["json"](REPORTS["failing"]).replace(
        '"score": 10,', '"score": 40,', 1
    )
    with pytest.raises(UsageError, match="was changed"):
        parse(changed)


@pytest.mark.parametrize("name", [*FORMATS, "canvas"])
def test_convert(name, tmp_path, capsys):
    (tmp_path / "report.json").write_text(FORMATS["json"](PASSED))
    (tmp_path / "roster.csv").write_bytes(ROSTER.encode())
    more = (
        ["--roster", str(tmp_path / "roster.csv"), "--student", "11"]
        if name == "canvas"
        else []
    )
    out = tmp_path / "out"
    assert (
        main(
            [
                "convert",
                str(tmp_path / "report.json"),
                "--format",
                name,
                "-o",
                str(out),
                *more,
            ]
        )
        == 0
    )
    wanted = (
        ROSTER.replace("11,s1,ada,A,,", "11,s1,ada,A,,30")
        if name == "canvas"
        else FORMATS[name](PASSED)
    )
    assert out.read_bytes().decode().replace("\r\n", "\n") == wanted.replace(
        "\r\n", "\n"
    )


def test_convert_says_what_is_missing(tmp_path, capsys):
    (tmp_path / "report.json").write_text(FORMATS["json"](PASSED))
    path = str(tmp_path / "report.json")
    assert main(["convert", path, "--format", "canvas"]) == 2
    assert (
        main(["convert", path, "--format", "classroom50", "--about", "color=red"]) == 2
    )
    assert main(["convert", str(tmp_path / "none.json"), "--format", "text"]) == 2
    assert (
        main(
            [
                "convert",
                path,
                "--format",
                "classroom50",
                "--about",
                "owner=ada",
                "--about",
                "commit=abc",
            ]
        )
        == 0
    )
    found = json.loads(capsys.readouterr().out)
    assert (found["owner"], found["commit"], found["assignment"]) == (
        "ada",
        "abc",
        "sample",
    )
    assert set(classroom50.ABOUT) - {"submitted_by"} <= set(found)


@pytest.mark.parametrize("name", ["text", "github", "junit", "gradescope"])
def test_no_line_of_a_log_is_a_command_of_the_submissions(name):
    rows = FORMATS[name](HOSTILE).splitlines()
    ours = {"::error", "::warning", "::notice"} if name == "github" else set()
    assert not [
        row
        for row in rows
        if row.lstrip().startswith("::") and row.split(" ")[0] not in ours
    ]
    assert "##[" not in FORMATS[name](HOSTILE)


def test_a_wrapped_line_is_no_command():
    told = Feedback(
        observed="x" * 79 + " ::error title=forged::y",
        detail="::notice title=Autograding report::100/100",
    )
    text = FORMATS["text"](
        replace(PASSED, outcomes=(outcome("a", "failed", feedback=told),))
    )
    assert not [row for row in text.splitlines() if row.strip().startswith("::")]
    assert "\\::error" in text
    sent = json.loads(base64.b64decode(FORMATS["classroom"](HOSTILE)))
    for one in sent["tests"]:
        assert not [
            row
            for row in one["message"].splitlines()
            if row.strip().startswith("::") or "##[" in row
        ]
