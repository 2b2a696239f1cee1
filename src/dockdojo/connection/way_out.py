"""Whether this machine reaches any network at all: asked where a RUN failed and its last words are of names not found."""

from __future__ import annotations

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from urllib.parse import urlsplit

HOSTS = (("example.com", 443), ("www.iana.org", 443), ("one.one.one.one", 443))
"""Hosts that every open network reaches."""
ANSWER_SECONDS = 4.0
"""Seconds for a name to be found and a connection to be made."""
PROXIES = (
    "https_proxy",
    "HTTPS_PROXY",
    "http_proxy",
    "HTTP_PROXY",
    "all_proxy",
    "ALL_PROXY",
)
EXCEPTIONS = ("no_proxy", "NO_PROXY")
"""Hosts that are asked without a proxy."""


def has_way_out() -> bool:
    """Return whether a proxy that is set here, or one of some well-known hosts, takes a connection."""
    places = {*_proxies(), *HOSTS}
    pool = ThreadPoolExecutor(len(places))
    try:
        return any(pool.map(_reaches, places, timeout=2 * ANSWER_SECONDS))
    except TooLate:
        return False
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _proxies() -> set[tuple[str, int]]:
    found = set()
    for name in PROXIES:
        value = os.environ.get(name, "")
        try:
            parts = urlsplit(value if "://" in value else f"http://{value}")
            if value and parts.hostname:
                found.add((parts.hostname, parts.port or 3128))
        except ValueError:
            continue
    return found


def _reaches(place: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(place, timeout=ANSWER_SECONDS):
            return True
    except (OSError, UnicodeError):
        return False
