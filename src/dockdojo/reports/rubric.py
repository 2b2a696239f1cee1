"""A lab's checks before anything is graded: what is asked, what it is worth, and what it hangs on."""

from __future__ import annotations

import json
from collections.abc import Sequence

from dockdojo.model import Check, Lab


def as_text(lab: Lab, checks: Sequence[Check]) -> str:
    """A line a check for a terminal: points, name, number of hints, the sentence, and the checks that it needs."""
    longest = max((len(check.name) for check in checks), default=0)
    lines = [f"{lab.title} ({lab.slug}): {_sum(checks)} points, {len(checks)} checks"]
    for check in checks:
        lines.append(
            f"{check.points:>5}  {check.name:<{longest}}  {_hints(check):<7}  {check.title}{_needs(check)}"
        )
    return "\n".join(lines) + "\n"


def as_markdown(lab: Lab, checks: Sequence[Check]) -> str:
    """The same as a table of GitHub's Markdown."""
    lines = [
        f"# {lab.title}",
        "",
        "| check | points | needs | hints | what it asks |",
        "|---|--:|---|--:|---|",
    ]
    for check in checks:
        needs, title = ", ".join(
            f"`{name}`" for name in check.needs
        ), check.title.replace("|", "\\|")
        lines.append(
            f"| `{check.name}`{_hidden(check)} | {check.points} | {needs} | {len(check.hints)} | {title} |"
        )
    return "\n".join([*lines, f"| together | {_sum(checks)} | | | |"]) + "\n"


def as_json(lab: Lab, checks: Sequence[Check]) -> str:
    """The same for programs."""
    listed = [
        {
            "name": check.name,
            "title": check.title,
            "points": check.points,
            "needs": list(check.needs),
            "hints": len(check.hints),
            "hidden": check.hidden,
        }
        for check in checks
    ]
    whole = {
        "lab": lab.slug,
        "title": lab.title,
        "points": _sum(checks),
        "checks": listed,
    }
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _sum(checks: Sequence[Check]) -> int:
    return sum(check.points for check in checks)


def _hints(check: Check) -> str:
    return f"{len(check.hints)} hint{'' if len(check.hints) == 1 else 's'}"


def _needs(check: Check) -> str:
    return (f" Needs {', '.join(check.needs)}." if check.needs else "") + _hidden(check)


def _hidden(check: Check) -> str:
    return " (hidden)" if check.hidden else ""


FORMATS = {"text": as_text, "markdown": as_markdown, "json": as_json}
"""How a rubric is written."""
