"""The workers of a run: who grades as this machine would, who does not and why, and who is taken out."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dockdojo.class_.cluster.worker import PROTOCOL
from dockdojo.class_.depends import what_changed

Say = Callable[[str], None]
COMPARED = {
    "lab": "lab.toml",
    "grader": "grader",
    "digits": "digits",
    "toolkit": "toolkit",
    "libraries": "libraries",
}
"""What must be as it is here, as `depends` calls it and as it is told."""


@dataclass(slots=True)
class _Member:
    name: str
    slots: int
    engine: str
    out: str = ""
    """Why it is given nothing; empty where it is."""
    faults: set[str] = field(default_factory=set)
    """Submissions that came to nothing there since the last one that did not."""


class Crew:
    """Who is there, by address. Any thread may ask."""

    def __init__(self, common: Mapping[str, str], max_faults: int, say: Say) -> None:
        """`common` is what results depend on here, without an engine: theirs must be the same."""
        self._common = common
        self._max_faults = max_faults
        self._say = say
        self._members: dict[str, _Member] = {}
        self._lock = threading.Lock()
        self.engine = ""
        """The digest of the engines that grade; empty until the first is chosen."""

    @property
    def addresses(self) -> set[str]:
        """Return all who are there."""
        with self._lock:
            return set(self._members)

    @property
    def fit(self) -> set[str]:
        """Return those who are given work."""
        with self._lock:
            return {
                address for address, member in self._members.items() if not member.out
            }

    @property
    def slots(self) -> int:
        """Return how many submissions they grade at a time."""
        with self._lock:
            return sum(
                member.slots for member in self._members.values() if not member.out
            )

    def leave(self, addresses: set[str]) -> None:
        """Forget who is gone."""
        with self._lock:
            gone = [
                member
                for address in addresses
                if (member := self._members.pop(address, None)) and not member.out
            ]
        for member in gone:
            self._say(f"The worker {member.name} is gone.")

    def join(
        self,
        told: Mapping[str, Mapping[str, str] | BaseException],
        slots: Mapping[str, int],
    ) -> None:
        """Take in who told what its results depend on; who differs is refused, and named. The first chooses the engine."""
        members = {
            address: self._judged(address, words, slots.get(address, 1))
            for address, words in told.items()
        }
        with self._lock:
            engines = Counter[str]()
            for member in members.values():
                if not member.out:
                    engines[member.engine] += member.slots
            if not self.engine and engines:
                self.engine = max(engines, key=lambda engine: (engines[engine], engine))
            for member in members.values():
                if not member.out and member.engine != self.engine:
                    member.out = "its engine or its base images are not the others'"
            self._members.update(members)
        for member in members.values():
            self._say(
                f"The worker {member.name} is refused: {member.out}."
                if member.out
                else f"The worker {member.name} grades, {member.slots} at a time."
            )

    def _judged(
        self, address: str, words: Mapping[str, str] | BaseException, slots: int
    ) -> _Member:
        if isinstance(words, BaseException) or "protocol" not in words:
            return _Member(address, slots, "", "its dockdojo is not ours")
        member = _Member(words.get("name", address), slots, words.get("engine", ""))
        if words["protocol"] != PROTOCOL:
            member.out = "its dockdojo is not ours"
        elif "fault" in words:
            member.out = words["fault"].rstrip(".")
        else:
            theirs = {name: words.get(name, "") for name in COMPARED}
            ours = {name: self._common.get(name, "") for name in COMPARED}
            if differing := what_changed(ours, theirs):
                names = [COMPARED[name] for name in differing]
                member.out = f"not the same as here: {', '.join(names)}"
        return member

    def good(self, address: str) -> None:
        """Take note that a grading there came to something."""
        with self._lock:
            if member := self._members.get(address):
                member.faults.clear()

    def bad(self, address: str, submission: str, reason: str) -> None:
        """Take note that a submission came to nothing there by our fault; whoever does that again and again is taken out."""
        with self._lock:
            member = self._members.get(address)
            if member is None or member.out:
                return
            member.faults.add(submission)
            if len(member.faults) < self._max_faults:
                return
            member.out = reason
        self._say(
            f"The worker {member.name} is taken out: {self._max_faults} submissions in a row came to nothing there, the last one"
            f" because of this: {reason}"
        )
