"""Templates of scripts, workflows and settings: files `templates/NAME.j2` in the package that writes them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def _environment(package: str) -> Environment:
    """What is filled in stands between `{=` and `=}`: in shells and workflows, `{{` has a meaning of its own."""
    # Slow to import, and a grading needs it only for an assignment's own files.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # No HTML: whoever fills something in quotes it for the shell or the format.
    return Environment(  # noqa: S701
        loader=PackageLoader(package),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        variable_start_string="{=",
        variable_end_string="=}",
        comment_start_string="{=#",
        comment_end_string="#=}",
    )


def render(package: str, template: str, **words: str) -> str:
    """Return a template of a package, filled in. A word that is missing is an error."""
    return _environment(package).get_template(f"{template}.j2").render(words)
