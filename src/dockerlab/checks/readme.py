"""The docker commands that a README tells people to type, and what they really ask an engine for."""

from __future__ import annotations

import re

from dockerlab.checks.asked import WORK, Asked, BuildRequest, ContainerRequest

FENCE = re.compile(r"^[ \t]*(```+|~~~+)[^\n]*\n(.*?)^[ \t]*\1", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^(?: {4}|\t)[^\n]*\n)+", re.MULTILINE)
INLINE = re.compile(r"`+\s*((?:sudo +)?docker [^`\n]+?)\s*`+")
PROMPT = re.compile(r"^\s*(?:[$%>]\s+(?=\S)|#\s+(?=(?:sudo )?docker\b)|[\w.-]+@[\w.-]+[:~\w/ .-]*[$#]\s+(?=\S))")
LARGEST = 200_000
"""Characters of a README that are read."""


def script_of(text: str) -> str:
    """The commands of a README as one shell script: fenced blocks, indented blocks and, where those have none, code in a line.

    Only what has `docker` in it counts as a block of commands. Prompts are taken away, and what only says how to build with
    Buildx, which is what `docker build` means today.
    """
    text = text[:LARGEST].replace("\r\n", "\n")
    blocks = [match[2] for match in FENCE.finditer(text)]
    outside = FENCE.sub("\n", text)
    blocks += [re.sub(r"^(?: {4}|\t)", "", match[0], flags=re.MULTILINE) for match in INDENTED.finditer(outside)]
    chosen = [one for one in blocks if re.search(r"\bdocker\b", one)]
    chosen += [match[1] for match in INLINE.finditer(outside)]
    return "".join(_evaluated(number, one) for number, one in enumerate(chosen))


def _evaluated(number: int, block: str) -> str:
    """A block whose errors end itself, and not the rest; what it sets and where it goes stays."""
    lines = [PROMPT.sub("", line) for line in block.split("\n")]
    words = re.sub(r"\bdocker buildx build\b", "docker build", "\n".join(lines))
    words = re.sub(r"(\bdocker build\b[^\n]*?) --load\b", r"\1", words)
    end = f"END-OF-BLOCK-{number}"
    return f"eval \"$(cat <<'{end}'\n{words}\n{end}\n)\"\n"


def full_name(reference: str) -> str:
    """An image's name with its tag: `latest` where it has none."""
    name = reference.removeprefix("docker.io/").removeprefix("library/")
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def pairs(asked: Asked) -> list[tuple[BuildRequest, ContainerRequest]]:
    """Each container that was started from an image that was built, with a folder or a volume in it."""
    return [
        (build, one)
        for one in asked.containers
        for build in asked.builds
        if one.started and one.mounts and full_name(one.image) in {full_name(tag) for tag in build.tags}
    ]


def of_the_folder(request: ContainerRequest) -> list[str]:
    """Where in the container the submission's own folder is mounted."""
    return [target for source, target in request.mounts if source.rstrip("/") in (WORK, ".", f"{WORK}/.")]
