"""A new lab from nothing: lesson, settings, starter, grader, solution and a variant, which the self-test accepts as they are."""

from __future__ import annotations

import re
from pathlib import Path

from dockdojo import templates
from dockdojo.course import SLUG
from dockdojo.errors import UsageError


def new_lab(root: Path, slug: str) -> list[Path]:
    """Write the lab's files below `root`, names it in labs/course.toml (made where there is none), and return the files.

    Never overwrites anything. Raises UsageError for a name that is none, or is there already.
    """
    if not SLUG.match(slug):
        raise UsageError(
            f"{slug!r} is no name for a lab.",
            hint="Use lowercase letters, digits and underscores.",
        )
    title = slug.replace("_", " ").capitalize()
    files = {
        f"labs/{slug}/lab.toml": "lab.toml",
        f"labs/{slug}/README.md": "lesson.md",
        f"labs/{slug}/starter/Dockerfile": "starter.Dockerfile",
        f"graders/{slug}.py": "grader.py",
        f"solutions/{slug}/Dockerfile": "solution.Dockerfile",
        f"tests/variants/{slug}/says_something_else/Dockerfile": "wrong.Dockerfile",
        f"tests/variants/{slug}/says_something_else/variant.toml": "variant.toml",
    }
    order = root / "labs" / "course.toml"
    text = (
        order.read_text(encoding="utf-8")
        if order.is_file()
        else templates.render(__name__, "course.toml")
    )
    for name in files:
        if (root / name).exists():
            raise UsageError(
                f"{root / name} is there already.", hint="Choose another name."
            )
    listed = re.search(r"^labs\s*=\s*\[(.*?)\]", text, re.MULTILINE | re.DOTALL)
    if listed is None or f'"{slug}"' in listed[1]:
        raise UsageError(
            f"{order} has {'no list `labs`' if listed is None else f'a lab `{slug}`'}."
        )
    inside = listed[1].rstrip().rstrip(",")
    labs = f'{inside}, "{slug}"' if inside.strip() else f'"{slug}"'
    for name, template in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            templates.render(__name__, template, title=title), encoding="utf-8"
        )
    order.write_text(
        text[: listed.start(1)] + labs + text[listed.end(1) :], encoding="utf-8"
    )
    return [root / name for name in files] + [order]
