"""What somebody asked `class grade` for: kept in the run, so that a regrade reads the same exports again."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from dockdojo.class_.plan import Which
from dockdojo.class_.rows import asked_of
from dockdojo.errors import UsageError


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The exports and rosters, and how they are to be read."""

    sources: tuple[Path, ...]
    rosters: tuple[Path, ...] = ()
    layout: str = ""
    which: Which = "in-time"
    due: datetime | None = None

    def as_json(self) -> str:
        """Return it as it is kept, with absolute paths."""
        kept = msgspec.structs.replace(
            self,
            sources=tuple(map(Path.absolute, self.sources)),
            rosters=tuple(map(Path.absolute, self.rosters)),
        )
        return msgspec.json.encode(kept, enc_hook=str).decode()


def read_asked(folder: Path) -> Asked:
    """Return what a run was asked for last. Raises UsageError where there is no run, or where it was never begun."""
    raw = asked_of(folder)
    if not raw:
        raise UsageError(
            f"{folder} does not say what was graded.",
            hint="`dockdojo class grade LAB SOURCE... --to RUN` grades it again.",
        )
    return msgspec.json.decode(
        raw, type=Asked, dec_hook=lambda kind, value: Path(value)
    )
