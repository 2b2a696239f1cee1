"""The engine's words for a container that it could not start: whether the image is to blame for it."""

from __future__ import annotations

import re

from dockdojo.connection.blame import QUOTED

IMAGES_WORDS = (
    "unable to find user",
    "no such user",
    "unknown user",
    "chdir to cwd",
    "cannot mkdir",
    "uids and gids must be in range",
    "unable to find group",
    "no such group",
    "no command specified",
    "duplicate mount point",
    "invalid mount",
    "inside /proc",
    "argument list too long",
    "file name too long",
    "too many levels of symbolic links",
    "exec format error",
    "is not an absolute path",
    "working directory",
    "invalid environment variable",
    "no matching entries in passwd",
    "no matching entries in group",
    "invalid user",
    "setup user",
)
"""What the engine says where nothing but the image can be to blame for a container that does not start, in lower case."""
MARKS = (
    "unable to start container process: ",
    "starting container process caused: ",
    "container init caused: ",
    "error during container init: ",
)
"""Behind these, runc says what was wrong."""
IMAGES_PLACE = re.compile(r"/merged/.*: (?:not a directory|file exists|is a directory)")
"""A place in the image's own files, as the engine sees it, where a folder should be."""
PROGRAM = re.compile(r"exec:? (?:\"\"|\S{1,300}):")
"""How it begins where the program that the image names cannot be executed."""


def is_images_fault(text: str, *, volumes: bool = False) -> bool:
    """Return whether the engine's words say that a container was not started for the image's sake."""
    # Between quotation marks are names that the image chose.
    whole, said = QUOTED.sub('""', text.lower()), QUOTED.sub('""', heart(text).lower())
    return (
        (any(mark in whole for mark in MARKS) and PROGRAM.match(said) is not None)
        or any(word in said for word in IMAGES_WORDS)
        or IMAGES_PLACE.search(said) is not None
        # A VOLUME may be named as the submission likes, but the machine's own mounts are never of a volume's data.
        or (
            volumes
            and "mount" in said
            and ("/_data" in text or "cgroup" not in text)
            and "no space left" not in said
        )
    )


def heart(text: str) -> str:
    """Return the end of runc's chain of messages, which says what was wrong."""
    for mark in MARKS:
        text = text.split(mark)[-1]
    return text.removesuffix(": unknown")
