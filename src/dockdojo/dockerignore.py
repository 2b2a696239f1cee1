"""What a `.dockerignore` leaves out of the build context, as BuildKit reads it, in time linear in the pattern and the path.

Source: https://docs.docker.com/build/concepts/context/#dockerignore-files and moby/patternmatcher, which has Go's filepath.Match
for each component, `**` for any number of components, `!` for exceptions; the last pattern that matches decides, and what lies
below a folder that is left out is left out, too.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

MAX_PATTERNS = 500
MAX_PATTERN = 1_000
"""Characters of one pattern that are read."""
MAX_STEPS = 20_000_000
"""Comparisons of characters in all; what is asked for after that counts as part of the build context."""


@dataclass(slots=True)
class DockerIgnore:
    """The patterns of one `.dockerignore`, in their order: (components, whether it is an exception)."""

    patterns: tuple[tuple[tuple[str, ...], bool], ...] = ()
    steps_left: int = MAX_STEPS

    @classmethod
    def parse(cls, text: str) -> DockerIgnore:
        """Read the text of a `.dockerignore`; lines that are empty or comments count for nothing."""
        found: list[tuple[tuple[str, ...], bool]] = []
        for line in text.splitlines()[: 10 * MAX_PATTERNS]:
            line = line.strip()[:MAX_PATTERN]
            exception = line.startswith("!")
            pattern = line[1:].strip() if exception else line
            if not pattern or line.startswith("#"):
                continue
            components = tuple(
                part
                for part in posixpath.normpath(pattern).split("/")
                if part not in ("", ".")
            )
            if components and ".." not in components and len(found) < MAX_PATTERNS:
                found.append((components, exception))
        return cls(tuple(found))

    def leaves_out(self, path: str) -> bool:
        """Return whether the path, relative and with forward slashes, is left out of the build context."""
        parts = path.split("/")
        out = False
        for components, exception in self.patterns:
            self.steps_left -= sum(map(len, components)) * len(path) // 4 + 1
            if self.steps_left < 0:
                return False
            if exception == out and _matches_or_holds(components, parts):
                out = not exception
        return out


def _matches_or_holds(components: tuple[str, ...], parts: list[str]) -> bool:
    """Whether the pattern matches the path or a folder that it lies in."""
    # reached: after how many components of the path the pattern so far may end, as a set of places.
    reached = {0}
    for component in components:
        if component == "**":
            reached = set(range(min(reached), len(parts) + 1))
        else:
            reached = {
                place + 1
                for place in reached
                if place < len(parts) and glob_matches(component, parts[place])
            }
        if not reached:
            return False
    return any(place > 0 for place in reached)


def glob_matches(pattern: str, name: str) -> bool:
    """Whether one component matches `*`, `?`, `[a-z]`, `[^a-z]` and letters behind a backslash; greedy, in place of a search."""
    place, at, star, kept = 0, 0, -1, 0
    while at < len(name):
        if place < len(pattern) and pattern[place] == "*":
            star, kept = place, at
            place += 1
            continue
        width = _takes(pattern, place, name[at])
        if width:
            place, at = place + width, at + 1
        elif star >= 0:
            kept += 1
            place, at = star + 1, kept
        else:
            return False
    return all(letter == "*" for letter in pattern[place:])


def _takes(pattern: str, place: int, letter: str) -> int:
    """How many characters of the pattern match the letter; 0 where they do not."""
    if place >= len(pattern):
        return 0
    if pattern[place] == "?":
        return 1
    if pattern[place] == "\\" and place + 1 < len(pattern):
        return 2 if pattern[place + 1] == letter else 0
    if pattern[place] != "[":
        return int(pattern[place] == letter)
    end = pattern.find("]", place + 2)
    if end < 0:
        return 0
    inside, found, at = pattern[place + 1 : end], False, 0
    negated = inside[:1] in ("^", "!")
    inside = inside[1:] if negated else inside
    while at < len(inside):
        if at + 2 < len(inside) and inside[at + 1] == "-":
            found, at = found or inside[at] <= letter <= inside[at + 2], at + 3
        else:
            found, at = found or inside[at] == letter, at + 1
    return end + 1 - place if found != negated else 0
