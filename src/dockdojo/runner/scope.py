"""Containers started by one check, or by one piece of work beside the checks; removed when it ends."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field

from dockdojo.engine.container import Container


@dataclass
class ContainerScope:
    """The containers that belong to one check, and the limits that they met."""

    containers: list[Container] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Limits that its containers met."""

    def add_notes(self, notes: tuple[str, ...] | list[str]) -> None:
        """Note each limit once."""
        self.notes.extend(note for note in notes if note not in self.notes)

    def close(self) -> None:
        """Remove its containers."""
        while self.containers:
            container = self.containers.pop()
            note = container.engine.disk.notes.get(container.id)
            self.notes += [note] if note else []
            # The parent's clean-up removes what is left, and says so.
            with contextlib.suppress(Exception):
                container.remove()
