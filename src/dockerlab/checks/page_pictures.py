"""The pictures that a web page shows."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

MAX_PICTURES = 5
"""Of one page that are looked at."""


class _Images(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        source = dict(attrs).get("src")
        if tag == "img" and source:
            self.sources.append(source)


def picture_addresses(page: str) -> list[str]:
    """Path and query of the pictures that the page at `/` loads from its server, in their order; the host is not looked at."""
    found = list[str]()
    for source in _Images(page).sources[:MAX_PICTURES]:
        try:
            url = urlsplit(urljoin("/", source))
        except ValueError:  # such as http://[
            continue
        if url.scheme in ("", "http", "https") and url.path not in ("", "/"):
            found.append(url.path + (f"?{url.query}" if url.query else ""))
    return found
