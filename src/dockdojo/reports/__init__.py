"""Report formats: one module each, `Report -> str`, and one dict that names them."""

from __future__ import annotations

from collections.abc import Callable

from dockdojo.model import Report
from dockdojo.reports import (
    classroom,
    classroom50,
    github,
    gradescope,
    html,
    json,
    junit,
    markdown,
    text,
)

FORMATS: dict[str, Callable[[Report], str]] = {
    "text": text.render,
    "json": json.render,
    "junit": junit.render,
    "markdown": markdown.render,
    "github": github.render,
    "classroom": classroom.render,
    "classroom50": classroom50.render,
    "gradescope": gradescope.render,
    "html": html.render,
}
"""Of one report alone. `canvas` needs a roster besides, so it is made by `convert`."""
