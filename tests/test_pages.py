"""Pages of templates: one style sheet with names for its values, what is shown first, and texts that stay texts."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from importlib.resources import files

import pytest

from dockdojo.model import Feedback, ImageStats, LayerStats, Outcome, Part, Waste, Where
from dockdojo.reports import FORMATS, html
from dockdojo.reports.layers import render_html
from tests import samples
from tests.test_breaking_out import OUR_ELEMENTS, Page
from tests.test_formats import ESCAPES, REPORTS, outcome

TEMPLATES = files("dockdojo.reports") / "templates"
BREAKS = (
    "</style><style>main { display: none }</style>",
    "<svg onload=alert(1)>",
    "{{ 7*7 }} {{ policy }}",
    "{% include 'style.css.j2' %}{# gone #}",
    "</title></span></pre>\" style='x' &lt;",
)


def headings(page):
    return [re.sub("<.*?>", "", found) for found in re.findall("<h2>(.*?)</h2>", page)]


def test_a_grading_imports_no_templates():
    """Jinja is slow to import, and a grading needs it only where its report becomes a page."""
    script = (
        "import sys, dockdojo.grading, dockdojo.reports; print('jinja2' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_no_module_has_markup_or_style_in_it():
    modules = [
        path
        for path in files("dockdojo.reports").iterdir()
        if path.name.endswith(".py")
    ]
    assert len(modules) > 10
    for path in modules:
        if path.name != "markdown.py":
            source = path.read_text()
            assert not re.search(
                r"</\w+>|<(div|span|p|td|li|svg)\b|\bcolor:", source
            ), path


def test_colours_and_sizes_are_used_by_their_names():
    sheet = re.sub(
        r"\{#.*?#\}", "", (TEMPLATES / "style.css.j2").read_text(), flags=re.S
    )
    named = set(re.findall(r"(--[\w-]+):", sheet))
    assert set(re.findall(r"var\((--[\w-]+)", sheet)) <= named
    rules = re.sub(r"--[\w-]+:[^;]*;", "", sheet)
    assert not re.search(r"#[0-9a-f]{3,8}\b|rgb\(|hsl\(", rules)
    sizes = re.findall(r"font-size: ([^;]+);", rules)
    assert set(sizes) - {"1em", "13px"} <= {
        f"var(--{name})" for name in ("small", "text", "large", "title", "figure")
    }


@pytest.mark.parametrize("text", BREAKS)
def test_a_text_stays_a_text_wherever_it_stands(text):
    told = Feedback(
        expected=text,
        observed=text,
        why=text,
        hint=text,
        detail=text,
        where=Where(file=text, line=1),
    )
    report = replace(
        REPORTS["failing"],
        title=text,
        outcomes=(
            Outcome(check="a", title=text, status="failed", points=1, feedback=told),
            Outcome(
                check="b",
                title=text,
                status="skipped",
                points=1,
                feedback=Feedback(why=text),
            ),
            Outcome(check="c", title=text, status="passed", points=1),
        ),
        sources={text: text},
        notes=(text,),
        layers=(Part(instruction=text, size=5, wasted=1, in_base=False),),
    )
    assert_only_ours(FORMATS["html"](report))
    assert_only_ours(FORMATS["html"](replace(report, problem=text)))
    plain = FORMATS["html"](replace(report, outcomes=(outcome("a"),), title="t"))
    shown = plain.replace("&#39;", "'").replace("&#34;", '"').replace("&lt;", "<")
    assert text in shown.replace("&gt;", ">").replace("&amp;", "&")


def test_a_text_stays_a_text_in_the_page_of_layers():
    text = "".join(BREAKS) + ESCAPES
    layer = LayerStats(
        instruction=text,
        diff_id="a",
        in_base=False,
        size=5,
        wasted=1,
        added=((text, 3),),
        changed=((text, 2),),
        removed=(text,),
    )
    waste = Waste(path=text, size=1, made_by=0, hidden_by=0)
    page = render_html(
        ImageStats(image=text, layers=(layer,) * 600, waste=(waste,) * 30)
    )
    assert_only_ours(page)
    assert "… and 100 more" in page
    assert "… and 10 more" in page
    assert len(page) < 3_000_000


def assert_only_ours(page):
    seen = Page()
    seen.feed(page)
    assert seen.elements <= OUR_ELEMENTS
    assert not {name for name in seen.attributes if name.startswith("on")}
    assert not seen.comments
    assert page.count("<style>") == page.count("</style>") == 1
    assert page.count("<main>") == page.count("</main>") == 1
    assert page.count('http-equiv="Content-Security-Policy"') == 1


def test_what_to_look_at_comes_first_and_time_last():
    whole = replace(samples.catgif(), notes=("a note",))
    assert headings(FORMATS["html"](whole)) == [
        "What to look at",
        "The image",
        "8 passed checks",
        "Notes",
        "Advice on style, worth no points",
        "Time",
    ]


def test_what_others_hang_on_is_first():
    report = replace(
        REPORTS["failing"],
        outcomes=(
            outcome("early", "failed", feedback=Feedback(observed="x")),
            outcome("broken", "error", feedback=Feedback(observed="y")),
            outcome("deep", "failed", feedback=Feedback(observed="z")),
            outcome(
                "late",
                "skipped",
                feedback=Feedback(why="It needs the check `deep`, which did not pass."),
                decided_by="deep",
            ),
        ),
    )
    page = FORMATS["html"](report)
    found = re.findall(
        r'<section class="finding (\w+)">.*?<code class="quiet">(\w+)', page, re.S
    )
    assert found == [("failed", "deep"), ("failed", "early"), ("error", "broken")]
    assert "Begin with <code>deep</code>: 1 other check hangs on it." in page
    assert "On it hangs: <code>late</code>." in page


def test_a_failure_is_told_once():
    gone = Feedback(observed="The engine stopped answering.", detail="EOF")
    names = ("a", "b", "c")
    report = replace(
        REPORTS["errored"],
        outcomes=tuple(outcome(name, "error", feedback=gone) for name in names),
    )
    page = FORMATS["html"](report)
    assert page.count("The engine stopped answering.") == 1
    assert page.count("The same as at <code>a</code>.") == 2
    assert "Begin with" not in page


@pytest.mark.parametrize(
    ("line", "numbers"),
    [
        (1, [1, 2, 3, 4]),
        (4, [1, 2, 3, 4, 5, 6, 7]),
        (7, [4, 5, 6, 7]),
        (8, []),
        (0, []),
    ],
)
def test_the_lines_at_fault(line, numbers):
    told = Feedback(where=Where(file="Dockerfile", line=line))
    report = replace(
        REPORTS["failing"],
        outcomes=(outcome("a", "failed", feedback=told),),
        sources={"Dockerfile": samples.DOCKERFILE},
    )
    page = FORMATS["html"](report)
    shown = re.findall(
        r'<span( class="fault")?><span class="line">(?:▶)? (\d+)</span>', page
    )
    assert [int(number) for _, number in shown] == numbers
    assert [int(number) for fault, number in shown if fault] == (
        [line] if numbers else []
    )


def test_a_long_log_is_folded_and_a_short_one_is_not():
    for count, is_open in ((html.SHORT_LOG, True), (html.SHORT_LOG + 1, False)):
        told = Feedback(observed="x", detail="line\n" * count)
        report = replace(
            REPORTS["failing"], outcomes=(outcome("a", "failed", feedback=told),)
        )
        assert (
            f'<details open><summary class="label">More to read: {count} lines'
            in FORMATS["html"](report)
        ) is is_open


def test_passed_checks_are_folded_unless_there_is_nothing_else():
    assert '<details class="section"><summary><h2>1 passed check' in FORMATS["html"](
        REPORTS["failing"]
    )
    assert '<details class="section" open><summary><h2>2 passed checks' in FORMATS[
        "html"
    ](REPORTS["passing"])
