"""The pictures that a web page shows."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from dockdojo.checks.web_causes import LAST_WORDS
from dockdojo.engine.container import Container
from dockdojo.probes.http import Client, Response

MAX_PICTURES = 5
"""Of one page that are looked at."""
OK, NOT_FOUND = 200, 404
GIF = b"GIF8"
READ_THE_LOG = "A server answers, and something in it, or behind it, fails. Read what it said: `docker logs CONTAINER`."
NOT_THERE = (
    "The pictures must be in the image, where the app looks for them: "
    "`docker run --rm --entrypoint ls IMAGE -l static` lists them."
)
LOOK_AT_IT = (
    "Open that address in your browser. Which program answers there, and with what?"
)


class _Images(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.sources: list[str] = []
        # Python's parser gives up at some marks that browsers skip.
        with contextlib.suppress(AssertionError):
            self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        source = dict(attrs).get("src")
        if tag == "img" and source:
            self.sources.append(source)


def picture_addresses(page: str) -> list[str]:
    """Return path and query of the pictures that the page at `/` loads, in order; the host is ignored."""
    found = list[str]()
    for source in _Images(page).sources[:MAX_PICTURES]:
        try:
            url = urlsplit(urljoin("/", source))
        except ValueError:  # such as http://[
            continue
        if url.scheme in ("", "http", "https") and url.path not in ("", "/"):
            found.append(url.path + (f"?{url.query}" if url.query else ""))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What pages showed."""

    places: dict[str, str]
    """Where each picture is, by the SHA-256 of its bytes."""
    wrong: str = ""
    """What is wrong with the page or its pictures; empty where nothing is."""
    hint: str = ""
    """What to try next; empty where it is nothing in particular."""
    detail: str = ""
    status: int = 0
    """The page's status, where it is that which is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where a page is asked for."""

    http: Client
    container: Container
    port: int
    loopback: bool
    """Whether it answers on the container's loopback only."""
    within: float
    """Seconds after the start until which it may say that it is not ready, on each request."""

    def get(self, place: str = "/") -> Response:
        """Return the answer with status 200; when the time is over, the last answer with another status."""
        answer = self.http.get(
            self.container, place, port=self.port, loopback=self.loopback
        )
        if answer.status == OK:
            return answer
        return self.http.wait(
            self.container,
            place,
            port=self.port,
            within=self.within,
            loopback=self.loopback,
            status=OK,
        )

    @property
    def last_words(self) -> str:
        """The end of the container's log."""
        return self.container.logs()[-LAST_WORDS:]


def pictures_shown(
    server: Server, wanted: Collection[str], *, times: int, rounds: int
) -> Shown:
    """Load `times` pages in each of `rounds` rounds; return their pictures. Stops once all digests of `wanted` were seen."""
    seen, cache = dict[str, str](), dict[str, Loaded]()
    for _ in range(rounds):
        for page in server.http.pages(
            server.container, port=server.port, times=times, loopback=server.loopback
        ):
            places = picture_addresses(page)
            if not places:
                # It may have answered 502 or 503, as a proxy does now and then.
                again = server.get()
                if again.status != OK:
                    return _wrong_page(server, seen, again)
                places = picture_addresses(again.text)
                if not places:
                    return Shown(
                        places=seen,
                        wrong="the page has no <img> that shows a file of the server",
                        detail=again.text[:800],
                    )
            loaded = []
            for place in places:
                if place not in cache or len(cache) <= len(places):
                    # Where all pictures have one address, what it gives may differ each time.
                    cache[place] = load(server, place)
                loaded.append(cache[place])
                if cache[place].body:
                    seen[hashlib.sha256(cache[place].body).hexdigest()] = place
            # A logo beside the picture may be no GIF.
            if all(picture.wrong for picture in loaded):
                first = loaded[0]
                return Shown(
                    places=seen,
                    wrong=first.wrong,
                    hint=first.hint,
                    detail=server.last_words,
                )
        if set(wanted) <= seen.keys():
            break
    return Shown(places=seen)


def _wrong_page(server: Server, seen: dict[str, str], page: Response) -> Shown:
    said = (
        f"the page answers with status {page.status}"
        if page.status
        else f"the page has no answer: {page.error}"
    )
    return Shown(
        places=seen,
        wrong=said,
        hint=READ_THE_LOG,
        detail=server.last_words,
        status=page.status,
    )


@dataclass(frozen=True, slots=True)
class Loaded:
    """A picture: its bytes, or what is wrong with it."""

    body: bytes
    wrong: str = ""
    hint: str = ""


def load(server: Server, place: str) -> Loaded:
    """Load the GIF at an address of the server."""
    answer, shown = server.get(place), place[:200]
    if answer.status != OK:
        said = (
            f"answers with status {answer.status}"
            if answer.status
            else f"has no answer: {answer.error}"
        )
        return Loaded(
            b"",
            f"`{shown}` {said}",
            NOT_THERE if answer.status == NOT_FOUND else READ_THE_LOG,
        )
    if answer.body[: len(GIF)] != GIF:
        return Loaded(b"", f"`{shown}` is no GIF: {beginning(answer.body)}", LOOK_AT_IT)
    return Loaded(answer.body)


def beginning(data: bytes) -> str:
    """Return the first bytes for people to read; what is not printable ASCII is a dot."""
    if not data:
        return "it is empty"
    return (
        'it begins with "'
        + "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data[:12])
        + '"'
    )
