"""A class that is made up: submissions drawn from starters, solutions, variants, and mutations of them."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

from dockdojo.commands.doctor import variant_folder
from dockdojo.course import Course

INSTRUCTION_LABS = (
    "hello_world",
    "catgif",
    "layers",
    "add_vs_copy",
    "cmd_vs_entrypoint",
    "shell_vs_exec",
    "signals",
    "gpu",
    "multi_stage",
)
"""The labs in which nothing is trained."""
SHARE_MUTATED = 0.25
"""Of submissions, how many have a line of some file lost or doubled."""
TEXTS = ("Dockerfile", ".py", ".sh", ".toml", ".md", ".conf")


def make_class(
    course: Course, lab: str, count: int, rng: Random, folder: Path, *, starters: int
) -> list[Path]:
    """Write so many submissions of a lab, each another one; but each `starters`-th is an unchanged starter (0: none is)."""
    made = []
    for number in range(count):
        place = folder / f"{lab}-{number:04}"
        if starters and number % starters == 0:
            shutil.copytree(course.starter(lab), place)
        else:
            _draw(course, lab, rng, place)
            dockerfile = next(iter(sorted(place.glob("*ockerfile*"))), place / "x")
            with dockerfile.open("a") as file:
                file.write(f"\n# {rng.getrandbits(64):016x}\n")
        made.append(place)
    return made


def _draw(course: Course, lab: str, rng: Random, place: Path) -> None:
    solution, variants = course.solution(lab), course.variants(lab)
    assert solution is not None
    kind = rng.choice(["solution", "starter", *["variant"] * 4])
    if kind == "variant" and variants:
        variant_folder(course, rng.choice(variants), place)
    else:
        source = course.starter(lab) if kind == "starter" else solution
        shutil.copytree(source, place)
    if rng.random() < SHARE_MUTATED:
        _mutate(rng, place)


def _mutate(rng: Random, place: Path) -> None:
    """Lose or double a line of some text."""
    texts = sorted(
        path
        for path in place.rglob("*")
        if path.is_file() and path.name.endswith(TEXTS) and path.stat().st_size
    )
    path = rng.choice(texts)
    lines = path.read_bytes().splitlines(keepends=True)
    at = rng.randrange(len(lines))
    lines[at : at + 1] = [] if rng.random() < 0.5 else [lines[at]] * 2
    path.write_bytes(b"".join(lines))
