"""How long does `class similar` take for a large class, and how much memory? Submissions are made up, each with a seed.

Of the class, some hand in the starter as it is, some share a lecture's code, and PAIRS of them share their own, renamed.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dockdojo.class_.journal import Enrolled, Journal
from dockdojo.course import open_course

LAB = "mnist"
PAIRS = 10
UNCHANGED = 300
KINDS = ("call", "loop", "if", "assign", "function")


def program(chance: random.Random, lines: int, names: str) -> str:
    """Python that runs nowhere, as long and as varied as a student's; `names` is what its variables begin with."""

    def name() -> str:
        return f"{names}{chance.randrange(40)}"

    def value() -> str:
        attribute = chance.choice(ATTRIBUTES)
        return chance.choice(
            [
                f"{name()}.{attribute}({name()})",
                f"{name()}[{chance.randrange(9)}] {chance.choice('+-*/%@')} {name()}",
                f"[{name()} for {name()} in {name()}.{attribute}()]",
                f"'{attribute}'.{chance.choice(ATTRIBUTES)}({chance.randrange(99)}, {name()})",
            ]
        )

    found = ["import os", "import torch", "from torch import nn", ""]
    while len(found) < lines:
        kind = chance.choice(KINDS)
        if kind == "function":
            found += [
                f"def {name()}({name()}, {name()}=None):",
                f"    return {value()}",
                "",
            ]
        elif kind == "loop":
            found += [f"for {name()} in {value()}:", f"    {name()} = {value()}"]
        elif kind == "if":
            found += [f"if {value()}:", f"    print({value()})"]
        else:
            found += [f"{name()} = {value()}"]
    return "\n".join(found) + "\n"


ATTRIBUTES = [
    name
    for thing in (str, list, dict, set, bytes, Path)
    for name in dir(thing)
    if not name.startswith("_")
]


def make_class(folder: Path, count: int, lines: int, seed: int) -> list[set[str]]:
    """Write a class; return the pairs that are to be found."""
    starter = open_course().starter(LAB)
    lecture = program(random.Random(f"{seed} lecture"), 40, "v")
    pairs: list[set[str]] = []
    for number in range(count):
        own = folder / f"s{number:04}"
        shutil.copytree(starter, own)
        if number < UNCHANGED:
            continue
        chance = random.Random(f"{seed} {number}")
        text, names = lecture, f"a{number}_"
        if number >= count - 2 * PAIRS:
            shared = random.Random(f"{seed} pair {number // 2}")
            text += program(shared, lines, names)
            pairs += [{own.name}] if number % 2 == 0 else []
            pairs[-1].add(own.name)
        (own / "train.py").write_text(text + program(chance, lines, names))
        (own / "Dockerfile").write_text(
            "FROM python:3.11-slim\nWORKDIR /app\nCOPY . .\nRUN pip install torch\n"
            + "".join(
                f"RUN {chance.choice(ATTRIBUTES)} --{chance.choice(ATTRIBUTES)} /{chance.randrange(99)} && rm -r /tmp\n"
                for _ in range(8)
            )
            + 'CMD ["python", "train.py"]\n'
        )
    return pairs


def main() -> int:
    """Make a class, compare it in a process of its own, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_500, help="submissions")
    parser.add_argument("--lines", type=int, default=200, help="of each program")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    given = parser.parse_args()
    print(f"seed {given.seed}, {given.count} submissions of {given.lines} lines")
    with tempfile.TemporaryDirectory() as scratch:
        source, run = Path(scratch, "class"), Path(scratch, "run")
        pairs = make_class(source, given.count, given.lines, given.seed)
        with Journal(run, LAB) as journal:
            journal.enroll(
                Enrolled(name=path.name, label=path.name)
                for path in sorted(source.iterdir())
            )
        command = [sys.executable, "-m", "dockdojo", "class", "similar"]
        start = time.monotonic()
        done = subprocess.run(
            [*command, str(run), str(source), "--format", "json"],
            stdout=subprocess.PIPE,
            check=True,
        )
        seconds = time.monotonic() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = json.loads(done.stdout)
    told = [set(pair["names"]) for pair in found["pairs"]]
    print(f"{seconds:.0f} s, of processors {used.ru_utime + used.ru_stime:.0f} s")
    print(f"{used.ru_maxrss / 1_000:.0f} MB at most")
    print(f"{sum(pair in told for pair in pairs)} of {len(pairs)} pairs found")
    print(f"{sum(pair not in pairs for pair in told)} others, needed {found['needed']}")
    print(f"{len(found['too_little'])} with too little of their own")
    return 0


if __name__ == "__main__":
    sys.exit(main())
