"""A new lab from nothing: lesson, settings, starter, grader, solution and a variant, which the self-test accepts as they are."""

from __future__ import annotations

import re
from pathlib import Path

from dockdojo.course import SLUG
from dockdojo.errors import UsageError

COURSE = 'title = "My course"\nlabs = []\n'
LESSON = """# {title}

*About 15 minutes. You need: a terminal, a Docker Engine.*

## Why it matters

Say in three sentences what goes wrong for whoever does not know this.

## What you will be able to do

- greet somebody from a container.

## The idea

One idea, with a picture or a table.

## Predict, run, explain

```console
$ docker run --rm busybox:latest echo Hello
Hello
```

## Your tasks

| what to do | points | checks |
|---|---|---|
| A container of your image prints `Hello`. | 10 | `greets` |

## Cleaning up

Nothing is left behind.
"""
SETTINGS = """title = "{title}"
summary = "Say in one line what it is about"
files = ["Dockerfile"]
images = ["busybox:latest"]
minutes = 15
"""
GRADER = '''"""{title}: what its image does."""

from dockdojo import check


@check(
    points=10,
    hints=(
        "What does `docker run` start, when you name nothing?",
        "CMD says what runs. In exec form it is a JSON array.",
        'CMD ["echo", "Hello"]',
    ),
)
def test_greets(run):
    """`docker run IMAGE` prints `Hello`."""
    done = run()
    assert done.stdout.strip() == "Hello"
'''
STARTER = "FROM busybox:latest\n# What is to run?\n"
SOLUTION = 'FROM busybox:latest\nCMD ["echo", "Hello"]\n'
WRONG = 'FROM busybox:latest\nCMD ["echo", "Goodbye"]\n'
VARIANT = 'summary = "It says something else"\nfails = ["greets"]\n'


def new_lab(root: Path, slug: str) -> list[Path]:
    """Writes the lab's files below `root`, names it in labs/course.toml (made where there is none), and returns the files.

    Never overwrites anything. Raises UsageError for a name that is none, or is there already.
    """
    if not SLUG.match(slug):
        raise UsageError(
            f"{slug!r} is no name for a lab.",
            hint="Use lowercase letters, digits and underscores.",
        )
    title = slug.replace("_", " ").capitalize()
    files = {
        f"labs/{slug}/lab.toml": SETTINGS,
        f"labs/{slug}/README.md": LESSON,
        f"labs/{slug}/starter/Dockerfile": STARTER,
        f"graders/{slug}.py": GRADER,
        f"solutions/{slug}/Dockerfile": SOLUTION,
        f"tests/variants/{slug}/says_something_else/Dockerfile": WRONG,
        f"tests/variants/{slug}/says_something_else/variant.toml": VARIANT,
    }
    order = root / "labs" / "course.toml"
    text = order.read_text(encoding="utf-8") if order.is_file() else COURSE
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
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content.replace("{title}", title), encoding="utf-8")
    order.write_text(
        text[: listed.start(1)] + labs + text[listed.end(1) :], encoding="utf-8"
    )
    return [root / name for name in files] + [order]
