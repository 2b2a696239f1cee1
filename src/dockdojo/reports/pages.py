"""Pages from templates: one base and one style sheet for all of them, each page one file that fetches nothing.

What is filled in is escaped, whoever wrote it. A page that is to come extends `base.html.j2` and takes its parts from
`parts.html.j2`.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from dockdojo.reports.text import clean

if TYPE_CHECKING:
    from jinja2 import Environment

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Whatever a submission smuggles in, a browser runs and fetches nothing."""
CODE = re.compile(r"`([^`]+)`")


def render(template: str, **words: Any) -> str:
    """Return the page of a template, filled in. A word that is missing is an error."""
    page = _environment().get_template(f"{template}.html.j2").render(words)
    # Shown as it is, and no command where the page is printed to the log of a workflow.
    return page.replace("##[", "&#35;#[")


def prose(text: str) -> list[str]:
    """A text without what a terminal would obey, in parts: every second one stood between backticks, and is code."""
    return CODE.split(clean(text))


@cache
def _environment() -> Environment:
    # Slow to import, and no grading needs it before its report becomes a page.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("dockdojo.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"clean": clean, "prose": prose}
    environment.globals["policy"] = POLICY
    return environment
