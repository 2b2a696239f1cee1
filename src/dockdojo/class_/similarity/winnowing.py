"""Fingerprints of texts: winnowing.

Source: Schleimer, Wilkerson, Aiken, "Winnowing: Local Algorithms for Document Fingerprinting", SIGMOD 2003. Each run of k tokens
has a hash; of each w hashes in a row, the smallest is a fingerprint. What two texts share in t = w + k - 1 tokens in a row is
always found, and what is shorter than k tokens never is.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from dockdojo.class_.similarity.tokens import Kind, Tokens

PRIME = 2**61 - 1
BASE = 0x1F3D_5B79_A2C4_E681 % PRIME
"""Of the rolling hash; any large number."""
MAX_CACHED_TOKENS = 100_000


@dataclass(frozen=True, slots=True)
class Scheme:
    """How long a run of tokens has to be."""

    size: int
    """k, in tokens: nothing shorter is ever found."""
    window: int
    """w, in hashes."""

    @property
    def always_found(self) -> int:
        """Return t, the tokens in a row that are never missed."""
        return self.size + self.window - 1


SCHEMES: dict[Kind, Scheme] = {
    "program": Scheme(size=12, window=8),
    "words": Scheme(size=8, window=4),
}
"""Two to three lines of a program; an instruction and a half of a Dockerfile."""


def hashes_of(tokens: Tokens) -> list[int]:
    """Return the hash of each run of k tokens, by where it begins; none where the text is shorter."""
    size = SCHEMES[tokens.kind].size
    values = [_hash(tokens.kind, word) for word in tokens.words]
    if len(values) < size:
        return []
    highest = pow(BASE, size - 1, PRIME)
    rolling = 0
    for value in values[:size]:
        rolling = (rolling * BASE + value) % PRIME
    found = [rolling]
    for gone, value in zip(values, values[size:], strict=False):
        rolling = ((rolling - gone * highest) * BASE + value) % PRIME
        found.append(rolling)
    return found


def winnowed(hashes: Sequence[int], window: int) -> set[int]:
    """Return the smallest of each window of hashes, the last one of several that are as small."""
    if len(hashes) <= window:
        return {min(hashes)} if hashes else set()
    found = set[int]()
    candidates = deque[int]()  # places, with hashes that rise
    for place, value in enumerate(hashes):
        while candidates and hashes[candidates[-1]] >= value:
            candidates.pop()
        candidates.append(place)
        if candidates[0] <= place - window:
            candidates.popleft()
        if place >= window - 1:
            found.add(hashes[candidates[0]])
    return found


def fingerprints(texts: Iterable[Tokens]) -> set[int]:
    """Return the fingerprints of several texts together."""
    found = set[int]()
    for tokens in texts:
        found |= winnowed(hashes_of(tokens), SCHEMES[tokens.kind].window)
    return found


@lru_cache(MAX_CACHED_TOKENS)
def _hash(kind: Kind, word: str) -> int:
    raw = hashlib.blake2b(
        word.encode("utf-8", "replace"), digest_size=8, person=kind.encode()
    )
    return int.from_bytes(raw.digest(), "big") % PRIME
