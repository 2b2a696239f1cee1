"""Report formats: one module each, `Report -> str`, and one dict that names them."""

from __future__ import annotations

from collections.abc import Callable

from dockerlab.model import Report
from dockerlab.reports import json, text

FORMATS: dict[str, Callable[[Report], str]] = {
    "text": text.render,
    "json": json.render,
}
