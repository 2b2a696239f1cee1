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
    "layers": lambda: render_html(STATS),
}


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
    assert len(browser.find_elements("css selector", ".stack > li")) == 3
    wasted = browser.find_elements("css selector", ".stack .wasted")[1]
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

    drawn = colours(".stack .bytes > div, .stack .bar > span")
    assert drawn
    assert drawn <= colours(".key span")


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
    for cell in browser.find_elements("css selector", "td.result"):
        lines = "const r = document.createRange(); r.selectNodeContents(arguments[0]); return r.getClientRects().length"
        assert browser.execute_script(lines, cell) == 1, cell.text
