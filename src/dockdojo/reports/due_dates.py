"""Due dates and times of submissions, also where a service tells them without a time zone."""

from __future__ import annotations

import datetime as dt
import math
import zoneinfo

from dockdojo.errors import UsageError

DAY_SECONDS = 86_400


def zone_of(name: str) -> dt.tzinfo:
    """Return a time zone, as `Europe/Paris`. Raises UsageError where there is none of that name."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(
            f"There is no time zone `{name[:80]}`.",
            hint="Names are those of the IANA database: Europe/Paris, America/New_York. They come with the system (tzdata).",
        ) from None


def earliest(at: dt.datetime, zone: dt.tzinfo | None) -> dt.datetime | None:
    """Return the first moment that a time can mean, in UTC; None for a local time whose zone is not known."""
    return min(_moments(at, zone), default=None)


def latest(at: dt.datetime, zone: dt.tzinfo | None) -> dt.datetime | None:
    """Return the last moment that a time can mean, in UTC; None for a local time whose zone is not known."""
    return max(_moments(at, zone), default=None)


def days_late(
    submitted: dt.datetime, due: dt.datetime, zone: dt.tzinfo | None = None
) -> int:
    """Return the days that were begun after the due date: until the same time by the clocks of a zone, else of 24 hours each."""
    if zone is None:
        return math.ceil(max(0.0, (submitted - due).total_seconds()) / DAY_SECONDS)
    local = due.astimezone(zone).replace(tzinfo=None)
    days = max(0, (submitted - due).days - 1)  # a day has 23, 24 or 25 hours
    while submitted > max(_moments(local + dt.timedelta(days), zone)):
        days += 1
    return days


def _moments(at: dt.datetime, zone: dt.tzinfo | None) -> list[dt.datetime]:
    """What a time can mean: where clocks go back an hour is there twice (PEP 495)."""
    if at.tzinfo is not None:
        return [at.astimezone(dt.UTC)]
    if zone is None:
        return []
    return [at.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC) for fold in (0, 1)]
