"""Draws the picture of the README: a report's page in Chromium, from its score to the image's layers, at twice the size.

    dockdojo grade catgif FOLDER --format html -o report.html
    python tests/tools/picture.py report.html docs/report.png

The fonts are this machine's: those of the README are Inter and DejaVu Sans Mono. Needs Chromium and Pillow.
"""

from __future__ import annotations

import base64
import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from selenium import webdriver

WIDTH, HEIGHT = 940, 1400
"""Of the window, in CSS pixels."""
SCALE = 2
COLOURS = 128
"""A page has few; so the file is a third as large."""
LAST = ".bar.image + .key"
"""What is the last to be seen."""
ABOVE, BELOW = 16, 36
"""CSS pixels above the picture, and below what is the last to be seen."""


def picture(page: str) -> Image.Image:
    """The upper part of a page."""
    options = webdriver.ChromeOptions()
    for option in ("--headless=new", "--no-sandbox", "--hide-scrollbars"):
        options.add_argument(option)
    options.binary_location = shutil.which("chromium") or ""
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    with (
        tempfile.TemporaryDirectory() as folder,
        webdriver.Chrome(options, service) as browser,
    ):
        file = Path(folder, "report.html")
        file.write_text(page, encoding="utf-8")
        window = {
            "width": WIDTH,
            "height": HEIGHT,
            "deviceScaleFactor": SCALE,
            "mobile": False,
        }
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", window)
        browser.get(file.as_uri())
        last = browser.find_element("css selector", LAST).rect
        clip = {
            "x": 0,
            "y": ABOVE,
            "width": WIDTH,
            "height": last["y"] + last["height"] + BELOW - ABOVE,
            "scale": 1,
        }
        shot = browser.execute_cdp_cmd(
            "Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True}
        )
    drawn = Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")
    return drawn.quantize(COLOURS, dither=Image.Dither.NONE)


def main() -> None:
    """Writes the picture of the page that is named first to the path that is named second."""
    page, path = map(Path, sys.argv[1:])
    picture(page.read_text(encoding="utf-8")).save(path, optimize=True)


if __name__ == "__main__":
    main()
