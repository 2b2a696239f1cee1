"""Which kind of web server answers: one for production, or the one that frameworks bring along for development.

Told by what it does, never by what it says of itself, in a log or in a header. Measured on flask run, app.run with and
without threads, and wsgiref on one side; gunicorn (sync, gthread, gevent), waitress, uvicorn, hypercorn, granian, uwsgi,
gevent, eventlet, cheroot and tornado on the other.
"""

from __future__ import annotations

import posixpath
import random
from collections.abc import Sequence

from dockdojo.connection.types import Process
from dockdojo.engine.container import Container
from dockdojo.probes.http import Client

MAX_WAIT_SECONDS = 8
"""Seconds that a request may wait for another one. A server for production that reads one at a time gives up sooner
(uwsgi: 4 s), or another process ends the one that is held up (gunicorn)."""
MAX_PORTS = 4
"""Ports in one container that are asked."""
WARM_UP_SECONDS = 10
"""Seconds after the start until which a server may say that it is not ready."""
RAW_SECONDS = 3
"""For bytes that may get no answer."""
WRAPPERS = frozenset(
    {
        "sh",
        "bash",
        "dash",
        "ash",
        "tini",
        "dumb-init",
        "docker-init",
        "catatonit",
        "s6-svscan",
    }
)
"""What starts a program and waits for it: none of them looks after a server that hangs."""


def sign_of_development(
    container: Container, http: Client, *, port: int, loopback: bool, rng: random.Random
) -> str:
    """Return what shows that the development server serves the container's `port`, or stands behind it; empty for none."""
    processes = container.processes()
    for process in processes:
        if runs_flask(process.argv):
            return f"process {process.pid} is `{' '.join(process.argv)[:100]}`"
    if sign := manners_of_http_server(container, http, port, loopback, rng):
        return sign
    if others := [
        other for where, other in sorted(http.listeners(container)) if other != port
    ][:MAX_PORTS]:
        for other in others:  # a proxy asks it there
            if shows_page(container, http, other) and manners_of_http_server(
                container, http, other, True, rng
            ):
                return f"behind port {port}, the page comes from Python's http.server on port {other}"
    if len(working(processes)) == 1 and http.is_held_up(
        container, port=port, within=MAX_WAIT_SECONDS, loopback=loopback
    ):
        return f"while one slow request was under way, a second one had no answer for {MAX_WAIT_SECONDS} seconds"
    return ""


def runs_flask(argv: Sequence[str]) -> bool:
    """Whether a command is `flask run`, also as `python -m flask --app x run`."""
    return any(
        posixpath.basename(word) == "flask" and "run" in argv[place:]
        for place, word in enumerate(argv)
    )


def manners_of_http_server(
    container: Container, http: Client, port: int, loopback: bool, rng: random.Random
) -> str:
    """Return how a port shows that it is served by Python's http.server, on which the development server is based.

    That answers to the first HTTP without a status line, and takes for a header what is none; a server for production does
    not do both.
    """
    words = (
        " ".join(rng.choices(("purr", "meow", "hiss", "chirp"), k=2))
        + f" {rng.randrange(10**6)}"
    )
    head = f"GET / HTTP/1.1\r\nHost: cat\r\n{words}\r\nConnection: close\r\n\r\n"
    garbled, old, odd = (
        http.raw(
            container, text.encode(), port=port, loopback=loopback, timeout=RAW_SECONDS
        )
        for text in (f"{words}\r\n\r\n", "GET /\r\n\r\n", head)
    )
    if b"<p>Error code: 400" in garbled and words.encode() in garbled:
        return f"a request that is none, `{words}`, is answered in the words of Python's http.server"
    if old and not old.startswith(b"HTTP/") and b" 200 " in odd[:16]:
        return "it answers HTTP/0.9, and takes a header that is none, as Python's http.server does"
    return ""


def shows_page(container: Container, http: Client, port: int) -> bool:
    """Whether a port within the container serves a page with a picture, unlike a port for metrics."""
    # It may still say 503.
    page = http.wait(
        container, port=port, loopback=True, within=WARM_UP_SECONDS, status=200
    )
    return page.status == 200 and "<img" in page.text.lower()


def working(processes: Sequence[Process]) -> list[Process]:
    """Return the processes that are no mere wrapper around others."""
    return [
        process
        for process in processes
        if process.argv and posixpath.basename(process.argv[0]) not in WRAPPERS
    ]
