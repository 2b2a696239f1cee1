"""The docker commands that a README tells people to type, read from its Markdown line by line."""

from __future__ import annotations

import re

from dockdojo.texts import MAX_LINE

MAX_CHARACTERS = 200_000
"""Characters of a README that are read."""
FENCE = re.compile(r"[ \t]{0,99}(```|~~~)")
PROMPT = re.compile(
    r"\s{0,99}(?:[$%>]\s{1,9}(?=\S)|#\s{1,9}(?=(?:sudo )?docker\b)"
    r"|\w[\w.-]{0,31}@\w[\w.-]{0,63}[:~/ ][:~\w/ .-]{0,99}[$#]\s{1,9}(?=\S))"
)
DOCKER = re.compile(r"\bdocker\b")
COMMAND = re.compile(r"\s{0,9}(?:sudo {1,4})?docker \S")


def script_of(text: str) -> str:
    """Return the commands of a README as one shell script: fenced blocks, indented blocks and, beside those, code in a line.

    Only what has `docker` in it counts as a block of commands. Prompts are taken away, and what only says how to build with
    Buildx, which is what `docker build` means today. The time that it takes grows with the text, and not faster.
    """
    lines = [
        line[:MAX_LINE]
        for line in text[:MAX_CHARACTERS].replace("\r\n", "\n").split("\n")
    ]
    fenced, outside = _fenced(lines)
    blocks = fenced + _indented(outside)
    chosen = [block for block in blocks if DOCKER.search(block)]
    for line in outside:
        # Between runs of backticks, every second piece is code.
        pieces = re.split("`+", line)
        chosen += [piece.strip() for piece in pieces[1:-1:2] if COMMAND.match(piece)]
    return "".join(_evaluated(number, block) for number, block in enumerate(chosen))


def _fenced(lines: list[str]) -> tuple[list[str], list[str]]:
    """The fenced blocks, and the lines outside of them; a fence that is never closed is none."""
    ends = _ends(lines)
    blocks, outside, place = [], [], 0
    while place < len(lines):
        if place in ends:
            blocks.append("\n".join(lines[place + 1 : ends[place]]) + "\n")
            outside.append("")
            place = ends[place] + 1
        else:
            outside.append(lines[place])
            place += 1
    return blocks, outside


def _ends(lines: list[str]) -> dict[int, int]:
    """The line that would close each fence: the next one of its kind that is as long, else the next of its kind."""
    found: dict[int, int] = {}
    longer: dict[str, list[tuple[int, int]]] = {
        "```": [],
        "~~~": [],
    }  # (length, line) of later fences, the nearest last
    nearest: dict[str, int] = {}
    for place in range(len(lines) - 1, -1, -1):
        if not (mark := _mark(lines[place])):
            continue
        length, later = _length(lines[place], mark), longer[mark]
        while later and later[-1][0] < length:
            later.pop()
        if later:
            found[place] = later[-1][1]
        elif mark in nearest:
            found[place] = nearest[mark]
        later.append((length, place))
        nearest[mark] = place
    return found


def _mark(line: str) -> str:
    found = FENCE.match(line)
    return found[1] if found else ""


def _length(line: str, mark: str) -> int:
    """How many characters the fence has."""
    stripped = line.lstrip(" \t")
    return len(stripped) - len(stripped.lstrip(mark[0]))


def _indented(lines: list[str]) -> list[str]:
    """Runs of lines that are indented by four spaces or a tab, without that."""
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line.startswith(("    ", "\t")):
            blocks[-1].append(
                line.removeprefix("    ") if line.startswith("    ") else line[1:]
            )
        elif blocks[-1]:
            blocks.append([])
    return ["\n".join(block) + "\n" for block in blocks if block]


def _evaluated(number: int, block: str) -> str:
    """A block whose errors end itself, and not the rest; what it sets and where it goes stays."""
    lines = []
    for line in block.split("\n"):
        words = PROMPT.sub("", line, count=1) if PROMPT.match(line) else line
        words = re.sub(r"\bdocker buildx build\b", "docker build", words)
        before, build, after = words.partition("docker build")
        lines.append(
            f"{before}{build}{after.replace(' --load', '', 1)}" if build else words
        )
    end = f"END-OF-BLOCK-{number}"
    text = "\n".join(lines)
    return f"eval \"$(cat <<'{end}'\n{text}\n{end}\n)\"\n"
