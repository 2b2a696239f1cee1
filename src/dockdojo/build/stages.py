"""Names of stages that no stage of a Dockerfile has: `COPY --from=typo`, `RUN --mount=from=typo`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dockdojo.build.dockerfile import Dockerfile, Instruction


@dataclass(frozen=True, slots=True)
class LostStage:
    """A name behind `--from=` that is no earlier stage's, in one word, so that hardly an image is meant."""

    word: str
    line: int
    what: str
    """What is wrong with it, as a sentence."""

    @property
    def is_image(self) -> bool:
        """Whether Docker Hub has an image of that name: one word is the name of an official image, or of none."""
        return self.word.lower() in official_images()


WAY_OUT = (
    "Name the stage where it begins: `FROM python:3.11-slim AS build`, then `COPY --from=build …`. If you mean an image, "
    "write its tag, too."
)


@cache
def official_images() -> frozenset[str]:
    """Return the names of Docker's official images (https://github.com/docker-library/official-images/tree/master/library)."""
    text = Path(__file__).with_name("official_images.txt").read_text(encoding="ascii")
    return frozenset(text.split())


def lost_stages(
    dockerfile: Dockerfile, images: Collection[str] = ()
) -> Iterator[LostStage]:
    """Yield the names that no earlier stage has, each once. `images` are names of images that may stand there without a tag."""
    stages = dockerfile.all("FROM")
    names = {
        start.args[2].lower(): start.stage
        for start in stages
        if len(start.args) == 3 and start.args[1].lower() == "as"
    }
    seen: set[str] = set()
    for instruction, word in _taken_from(dockerfile):
        low = word.lower()
        if (
            low in seen
            or not word
            or re.search(r"[/:@$.]", word)
            or word in images
            or word == "scratch"
        ):
            continue
        place = int(word) if word.isdecimal() and len(word) < 6 else names.get(low)
        if place is not None and place < instruction.stage:
            continue
        seen.add(low)
        if place is not None and place < len(stages):
            what = f"`--from={word}` names a stage that is not built yet at this line."
        elif word.isdecimal():
            what = f"`--from={word[:20]}`: there are {len(stages)} stages, and they are counted from 0."
        else:
            near = difflib.get_close_matches(low, names, n=1, cutoff=0.5)
            what = f"`--from={word[:60]}` names no stage of this file."
            what += f" Did you mean `{near[0]}`?" if near else ""
        yield LostStage(word, instruction.line, what)


def outside_images(dockerfile: Dockerfile) -> list[str]:
    """Return the images that a Dockerfile names, each once: behind FROM, `--from=` and `--mount=from=`; no stages of its own."""
    stages = {
        start.args[2].lower()
        for start in dockerfile.all("FROM")
        if len(start.args) == 3 and start.args[1].lower() == "as"
    }
    found = [ref for ref, _ in dockerfile.bases()]
    found += [
        word
        for _, word in _taken_from(dockerfile)
        if word.lower() not in stages and not word.isdecimal() and word != "scratch"
    ]
    return list(dict.fromkeys(found))


def _taken_from(dockerfile: Dockerfile) -> Iterator[tuple[Instruction, str]]:
    for instruction in dockerfile.instructions:
        for flag in instruction.flags:
            name, _, value = flag.removeprefix("--").partition("=")
            if name.lower() == "from" and instruction.name in ("COPY", "ADD"):
                yield instruction, value.strip("\"'")
            if name.lower() == "mount" and instruction.name == "RUN":
                for option in value.replace('"', "").split(","):
                    key, _, source = option.partition("=")
                    if key.strip().lower() == "from":
                        yield instruction, source.strip()
