"""The HTML pages in a real browser: they render, say nothing on the console, and pass axe-core's rules, light and dark."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dockdojo.model import (
    Feedback,
    ImageStats,
    LayerStats,
    Outcome,
    Part,
    Point,
    Waste,
    Where,
)
from dockdojo.reports import FORMATS
from dockdojo.reports.layers import render_html
from tests import class_pages, samples
from tests.test_formats import ESCAPES, HOSTILE, REPORTS

PROGRAMS = ("chromium", "chromedriver")
PACKAGES = ("chromium", "chromium-driver")
DOCKERFILE = "FROM python:3.11-slim\nCOPY . /app\nWORKDIR /app\nRUN pip install -r requirements.txt\nEXPOSE 5000\nCMD python app.py\n"
WHOLE = replace(
    REPORTS["failing"],
    outcomes=(
        *REPORTS["failing"].outcomes,
        Outcome(
            check="d",
            title="`CMD` is in exec form",
            status="failed",
            points=5,
            seconds=12.5,
            feedback=Feedback(
                expected="a JSON array",
                observed="CMD python app.py",
                why="A shell keeps signals to itself.",
                where=Where(file="Dockerfile", line=6),
                hint='CMD ["python", "app.py"]',
            ),
        ),
    ),
    sources={"Dockerfile": DOCKERFILE},
    layers=(
        Part(instruction="ADD rootfs.tar /", size=74_500_000, wasted=0, in_base=True),
        Part(
            instruction="COPY . /app", size=30_000_000, wasted=12_000_000, in_base=False
        ),
        Part(
            instruction="RUN pip install -r requirements.txt",
            size=9_000_000,
            wasted=0,
            in_base=False,
        ),
    ),
    curve=tuple(
        Point(epoch=one, loss=1.2 / one, accuracy=1 - 0.3 / one) for one in range(1, 9)
    ),
    notes=(
        "tests/grading.sh was CHANGED since it was handed out (SHA-256 0000). This report was made without it.",
    ),
)
BROKEN_OUT = replace(
    HOSTILE,
    sources={"a,b::c%\n::error::x": ESCAPES},
    notes=(ESCAPES,),
    layers=(Part(instruction=ESCAPES, size=5, wasted=1, in_base=False),),
)
STATS = ImageStats(
    image="mine",
    layers=(
        LayerStats(
            instruction="COPY a /",
            diff_id="a",
            in_base=True,
            size=100,
            wasted=40,
            added=(("a", 100),),
            changed=(),
            removed=(),
        ),
        LayerStats(
            instruction="RUN rm /b",
            diff_id="b",
            in_base=False,
            size=0,
            wasted=0,
            added=(),
            changed=(),
            removed=("b",),
        ),
    ),
    waste=(Waste(path="b", size=40, made_by=0, hidden_by=1),),
)
PAGES = {
    "everything": lambda: FORMATS["html"](WHOLE),
    "hostile": lambda: FORMATS["html"](BROKEN_OUT),
    "passing": lambda: FORMATS["html"](REPORTS["passing"]),
    "refused": lambda: FORMATS["html"](REPORTS["refused"]),
    "errored": lambda: FORMATS["html"](REPORTS["errored"]),
    "sample": lambda: FORMATS["html"](samples.catgif()),
    "layers": lambda: render_html(STATS),
    "fifteen layers": lambda: render_html(samples.fifteen_layers()),
    "similar": lambda: class_pages.similar_page(),
    "similar, hostile": lambda: class_pages.similar_page(hostile=True),
    "similar, none": lambda: class_pages.similar_page(alike=False),
    "class": lambda: class_pages.overview_page(),
    "class, hostile": lambda: class_pages.overview_page(hostile=True),
    "class, one": lambda: class_pages.overview_page(count=1, linked=False),
    "class, empty": lambda: class_pages.overview_page(count=0),
}
TYPE_SIZES = 5
"""How many sizes of type the style sheet has."""


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    """Chromium without a window; where there is none, root on Debian or Ubuntu gets it from the distribution."""
    if (
        not all(map(shutil.which, PROGRAMS))
        and os.geteuid() == 0
        and shutil.which("apt-get")
    ):
        quiet = {
            "stdout": subprocess.DEVNULL,
            "stderr": subprocess.DEVNULL,
            "check": False,
        }
        subprocess.run(["apt-get", "update"], **quiet)
        subprocess.run(
            ["apt-get", "install", "-y", "--no-install-recommends", *PACKAGES], **quiet
        )
    if not all(map(shutil.which, PROGRAMS)):
        pytest.skip(f"no browser: install {' and '.join(PACKAGES)}")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for word in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--window-size=1000,1600",
    ):
        options.add_argument(word)
    options.binary_location = shutil.which("chromium") or ""
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(
        options, webdriver.ChromeService(shutil.which("chromedriver"))
    )
    yield driver
    driver.quit()


@pytest.fixture
def shown(browser, tmp_path):
    """Shows a page of PAGES, at so many pixels' width."""

    def show(page, width=1000):
        file = tmp_path / f"{page}.html"
        file.write_text(PAGES[page](), encoding="utf-8", errors="replace")
        screen = {
            "width": width,
            "height": 1600,
            "deviceScaleFactor": 1,
            "mobile": False,
        }
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        browser.get(file.as_uri())
        return browser

    yield show
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


def unfold(browser):
    browser.execute_script(
        "document.querySelectorAll('details').forEach(folded => { folded.open = true })"
    )


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_in_a_browser(page, colours, browser, tmp_path):
    from axe_core_python.selenium import Axe

    file = tmp_path / f"{page}.html"
    file.write_text(PAGES[page](), encoding="utf-8", errors="replace")
    scheme = {"features": [{"name": "prefers-color-scheme", "value": colours}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)
    browser.get(file.as_uri())
    assert browser.find_element("css selector", "h1").is_displayed()
    assert browser.get_log("browser") == []
    assert (
        browser.find_elements("css selector", "script, img, iframe, link, object") == []
    )
    found = Axe().run(browser)
    assert [
        (one["id"], [node["html"][:200] for node in one["nodes"]])
        for one in found["violations"]
    ] == []
    kept = os.environ.get("DOCKDOJO_SCREENSHOTS")
    if kept:
        height = browser.execute_script("return document.documentElement.scrollHeight")
        browser.set_window_size(1000, min(height + 150, 4000))
        browser.save_screenshot(str(Path(kept, f"{page}-{colours}.png")))


def test_pictures_are_in_the_page(browser, tmp_path):
    """The line at fault is marked, the layers are bars, the curve is a drawing with words."""
    file = tmp_path / "whole.html"
    file.write_text(FORMATS["html"](WHOLE), encoding="utf-8")
    browser.get(file.as_uri())
    faults = [
        one.text for one in browser.find_elements("css selector", ".source .fault")
    ]
    assert any("CMD python app.py" in one for one in faults)
    assert len(browser.find_elements("css selector", ".layers tbody tr")) == 3
    for where in (".bar.image .wasted", ".layers .wasted"):
        (wasted,) = browser.find_elements("css selector", where)
        assert wasted.size["width"] > 10
    assert [
        one.accessible_name.split(" ")[0]
        for one in browser.find_elements("css selector", "svg")
    ] == [
        "loss",
        "accuracy",
    ]


@pytest.mark.parametrize("page", ["everything", "layers"])
def test_each_colour_of_the_stack_is_in_the_legend(page, browser, tmp_path):
    file = tmp_path / f"{page}.html"
    file.write_text(PAGES[page](), encoding="utf-8")
    browser.get(file.as_uri())

    def colours(where):
        places = browser.find_elements("css selector", where)
        return {
            one.value_of_css_property("background-color")
            for one in places
            if one.size["width"]
        }

    for where in (".bar.image > span", ".layers .bar > span"):
        drawn = colours(where)
        assert drawn
        assert drawn <= colours(".key .swatch")


def test_a_result_is_one_line_at_1200_pixels(browser, tmp_path):
    file = tmp_path / "whole.html"
    outcomes = (
        *WHOLE.outcomes,
        Outcome(check="long", title="word " * 80, status="passed", points=5),
    )
    file.write_text(
        FORMATS["html"](replace(WHOLE, outcomes=outcomes)), encoding="utf-8"
    )
    browser.set_window_size(1200, 1600)
    browser.get(file.as_uri())
    unfold(browser)
    cells = browser.find_elements("css selector", "td.result")
    assert {cell.text for cell in cells} >= {"✓ passed", "– skipped"}
    for cell in cells:
        lines = "const r = document.createRange(); r.selectNodeContents(arguments[0]); return r.getClientRects().length"
        assert browser.execute_script(lines, cell) == 1, cell.text


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("width", [320, 375, 1200])
def test_nothing_is_wider_than_the_window(width, page, shown):
    browser = shown(page, width)
    unfold(browser)
    widest = browser.execute_script("return document.documentElement.scrollWidth")
    assert widest <= width


def test_the_type_has_a_scale(shown):
    sizes = set()
    for page in ("everything", "fifteen layers"):
        browser = shown(page)
        unfold(browser)
        sizes |= set(
            browser.execute_script(
                "return [...document.body.querySelectorAll('*')]"
                ".filter(element => [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim()))"
                ".map(element => getComputedStyle(element).fontSize)"
            )
        )
    assert len(sizes) == TYPE_SIZES, sizes


def test_on_paper_what_is_folded_is_open_and_colours_are_those_of_a_light_screen(shown):
    """Where a browser knows ::details-content; Chromium does since 131."""
    browser = shown("sample")
    if not browser.execute_script("return CSS.supports('selector(::details-content)')"):
        pytest.skip("This browser does not know ::details-content.")
    rows = browser.find_elements("css selector", "details td.result")
    assert rows
    is_visible = "return arguments[0].checkVisibility()"
    assert not any(browser.execute_script(is_visible, row) for row in rows)
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    paper = {"media": "print", "features": dark}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", paper)
    assert all(browser.execute_script(is_visible, row) for row in rows)
    body = browser.find_element("css selector", "body")
    assert body.value_of_css_property("background-color").startswith(
        ("rgb(255, 255, 255", "rgba(255, 255, 255")
    )
    for bar in browser.find_elements("css selector", ".bar"):
        assert bar.value_of_css_property("print-color-adjust") == "exact"
