"""Whether the engine's runtime can start anything in a build: asked where what a RUN printed looks like the runtime's own words.

BuildKit lets runc write into the output of the RUN that it could not start, where a RUN can write the same. So a build of ours
is tried that has nothing of the submission in it, and no program: a runtime that works gets as far as to miss that.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dockdojo.build.log import BuildLog
from dockdojo.build.process import Stopper, follow
from dockdojo.connection.blame import find_trouble, unknown
from dockdojo.errors import LimitReached, OurFault

PROGRAM = "/dockdojo-probe"
TEXT = f'FROM scratch\nRUN ["{PROGRAM}"]\n'
PROBE_SECONDS = 60.0


def runtime_trouble(
    command: list[str], folder: Path, env: Mapping[str, str]
) -> OurFault | None:
    """Return the trouble of the runtime, or None if it works. `command` is the CLI's `build`, to which a folder is added."""
    folder.mkdir()
    (folder / "Dockerfile").write_text(TEXT, encoding="ascii")
    log = BuildLog()
    try:
        follow(
            [*command, "--no-cache", str(folder)],
            log,
            PROBE_SECONDS,
            None,
            env,
            Stopper(),
        )
    except LimitReached:
        return unknown(
            "The engine could not start a command in a build",
            "it did not within a minute",
        )
    said = "\n".join(line for lines in log.output.values() for line in lines)
    if (
        PROGRAM in said
        or PROGRAM in log.last.partition("did not complete successfully: ")[2]
    ):
        return None
    words = " ".join(said.split()) or log.last
    return find_trouble(words) or unknown(
        "The engine could not start a command in a build", words
    )
