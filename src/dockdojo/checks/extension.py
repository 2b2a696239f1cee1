"""Recognizing a C extension: it is built from a source made for one grading, and called in a clean image of the course."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

from dockdojo.checks.host import PYTHON_IMAGE, GradingHost
from dockdojo.connection.types import Image
from dockdojo.errors import CourseError

DOC = "Sums numbers, quickly."
"""In the source that is given: the extension's own description, which becomes part of the compiled file."""
BEGINS, ADDS = "long long sum = 0;", "sum += value;"
"""Statements of that source: before the numbers, and for each of them."""
ELF = b"\x7fELF"
MODULE = "fastsum"
MAX_NUMBER = 10**14
"""Numbers that are drawn are below it, so that sums of them fit into 64 bits."""
CALL = """import importlib.machinery, importlib.util, json, sys
path = "/tmp/" + sys.argv[1] + ".so"
with open(path, "wb") as file:
    file.write(sys.stdin.buffer.read())
loader = importlib.machinery.ExtensionFileLoader(sys.argv[1], path)
module = importlib.util.module_from_spec(importlib.util.spec_from_loader(sys.argv[1], loader))
loader.exec_module(module)
print(json.dumps([module.total(numbers) for numbers in json.loads(sys.argv[2])]))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The extension's source code, made for one grading."""

    text: str
    mark: bytes
    """What the compiled file holds, and the source."""
    comment: bytes
    """What the source alone holds."""
    trigger: int
    """The number for which it adds something."""
    extra: int
    """What it adds then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """Where the compiled extension was found, and whether it worked."""

    files: tuple[str, ...]
    """Compiled files that hold the mark."""
    problem: str
    """What was wrong with it in a clean image; empty where nothing was."""


def marked_source(given: str, rng: random.Random) -> Source:
    """Return the given source with a mark in it, and with one number for which its sum is wrong on purpose.

    Unit tests do not meet that number, so they pass. Raises CourseError where the given source is another one.
    """
    if any(given.count(part) != 1 for part in (DOC, BEGINS, ADDS)):
        raise CourseError(
            "The source of the extension is not the one that its grader knows."
        )
    mark = f"mark-{rng.getrandbits(96):024x}"
    trigger, extra = rng.randint(MAX_NUMBER // 2, MAX_NUMBER), rng.randint(1, 10**6)
    text = given.replace(DOC, mark).replace(
        ADDS, f"{ADDS}\n        if (value == {trigger}LL)\n            sum += {extra};"
    )
    comment = f"source-{rng.getrandbits(96):024x}"
    return Source(
        text=f"/* {comment} */\n{text}",
        mark=mark.encode(),
        comment=comment.encode(),
        trigger=trigger,
        extra=extra,
    )


def call(
    session: GradingHost,
    image: Image,
    paths: list[str],
    source: Source,
    numbers: list[int],
) -> Built:
    """Find the extension among the files at `paths` in the image, and call it in a clean image.

    It is not called where the submission's image is not built on the course's Python image: no clean image is at hand then.
    """
    bare = session.create(image)
    files = {
        path: bare.read(path) for path in dict.fromkeys(paths) if bare.members(path)
    }
    compiled = {path: data for path, data in files.items() if data.startswith(ELF)}
    if not compiled:
        return Built(files=(), problem="")
    base = session.base(image)
    if base is None or base.layers != session.engine.image(PYTHON_IMAGE).layers:
        return Built(files=tuple(compiled), problem="")
    wanted = [sum(numbers), sum(numbers) + source.trigger + source.extra]
    questions = json.dumps([numbers, [*numbers, source.trigger]])
    problem = ""
    # A copy that was left in the image is as good as the one that is imported.
    for data in compiled.values():
        done = session.run(
            "-I",
            "-c",
            CALL,
            MODULE,
            questions,
            image=PYTHON_IMAGE,
            entrypoint=("python",),
            stdin=data,
        )
        if done.exit_code == 0 and done.stdout.strip() == json.dumps(wanted):
            return Built(files=tuple(compiled), problem="")
        if not problem:
            lines = done.stderr.strip().splitlines()
            lines = lines or [done.stdout.strip() or str(done.exit_code)]
            problem = lines[-1][:200]
    return Built(files=tuple(compiled), problem=problem)
