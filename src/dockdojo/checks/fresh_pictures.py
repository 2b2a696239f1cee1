"""The pictures that a lab gives, with bytes that nobody has seen: who shows them has them from the folder that was built."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from pathlib import Path

from dockdojo.submission.folder import Submission

GIF_TRAILER = b"\x3b"
GIF_COMMENT, GIF_BLOCK_END = b"\x21\xfe", b"\0"
"""Of the format GIF89a, sections 24 and 27."""
COMMENT_BYTES = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshPictures:
    """A submission's copies of the pictures that were given, each with another comment in it."""

    files: dict[str, bytes]
    """The changed bytes, by the place in the submission."""
    digests: dict[str, str]
    """The names under which they were given, by the SHA-256 of the changed bytes."""
    missing: list[str]
    """Names of pictures that are not in the submission any more."""
    share: int
    """How many pictures the submission has for each that was given: with more, each appears less often."""


def fresh_gifs(
    submission: Submission, given_folder: Path, rng: random.Random
) -> FreshPictures:
    """Return the given GIFs with fresh comments, wherever the submission keeps them."""
    given = {path.read_bytes(): path.name for path in given_folder.glob("*.gif")}
    files, digests = dict[str, bytes](), dict[str, str]()
    found = sorted(submission.path.rglob("*.gif"))
    for path in found:
        place = path.relative_to(submission.path).as_posix()
        if submission.has(place) and (data := submission.read_bytes(place)) in given:
            files[place] = with_comment(data, rng.randbytes(COMMENT_BYTES))
            digests[hashlib.sha256(files[place]).hexdigest()] = given[data]
    return FreshPictures(
        files=files,
        digests=digests,
        missing=sorted(set(given.values()) - set(digests.values())),
        share=max(1, -(-len(found) // len(given))),
    )


def with_comment(gif: bytes, comment: bytes) -> bytes:
    """Return the same animation with a comment of at most 255 bytes before its trailer."""
    block = GIF_COMMENT + bytes([len(comment)]) + comment + GIF_BLOCK_END
    return gif.removesuffix(GIF_TRAILER) + block + GIF_TRAILER
