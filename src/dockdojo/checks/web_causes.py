"""Feedback for a server that does not answer as it should: the same cause is told in the same words by each check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

from dockdojo.checks import fail
from dockdojo.engine.container import Container
from dockdojo.probes.http import Client, Response

LAST_WORDS = 1_500
"""Characters of a log that are told."""
FIRST_CLIENT_PORT = 30_000
"""Ports from here on belong to whoever asks, not to who listens."""


def listening(http: Client, container: Container) -> list[int]:
    """The ports on which something in the container listens."""
    return sorted(
        {port for _, port in http.listeners(container) if port < FIRST_CLIENT_PORT}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Where something in a container answers, and what."""

    page: Response
    """Its answer at `/`; of status 0 where nothing answers anywhere."""
    port: int
    loopback: bool
    """Whether it answers on the container's loopback only."""


def where_it_answers(
    http: Client, container: Container, *, port: int, within: float
) -> Served:
    """Look for an answer at the port, until that many seconds after the start; then at each other on which something listens."""
    page = http.wait(container, port=port, within=within, loopback=True, status=200)
    others = listening(http, container) if not page.status else []
    for other in others:
        page = http.wait(
            container, port=other, within=within, loopback=True, status=200
        )
        port = other
        if page.status:
            break
    return Served(
        page=page,
        port=port,
        loopback=bool(page.status) and not http.get(container, port=port).status,
    )


def listed(ports: list[int]) -> str:
    """Return ports for a sentence."""
    return ", ".join(map(str, ports))


class Causes:
    """Remembers the first feedback for each cause: a log grows from check to check, and differs between containers."""

    def __init__(self, http: Client, *, port: int, within: int) -> None:
        """The page is expected at `port`, `within` seconds after the start."""
        self._http, self._port, self._within = http, port, within
        self._told: dict[str, dict[str, Any]] = {}

    def _tell(self, cause: str, observed: str, **more: str) -> NoReturn:
        fail(**self._told.setdefault(cause, {"observed": observed, **more}))

    def no_answer(self, container: Container) -> NoReturn:
        """Fails the check because nothing answered: the container has ended, or nothing listens where it should."""
        if not container.running:
            self._tell(
                "ended",
                "the container has ended",
                why="A container lives as long as its program.",
                hint="`docker ps -a` shows it with its exit code, `docker logs CONTAINER` what it said.",
                detail=container.logs()[-LAST_WORDS:],
            )
        ports = listening(self._http, container)
        self._tell(
            "silent",
            f"no answer on port {self._port}: "
            + (
                f"it listens on port {listed(ports)}"
                if ports
                else "nothing listens in the container"
            ),
            detail=container.logs()[-LAST_WORDS:],
        )

    def wrong_status(self, container: Container, page: Response) -> NoReturn:
        """Fails the check because the page answers with another status than 200."""
        self._tell(
            "status",
            f"the page answers with status {page.status}, also {self._within} seconds after the start",
            expected="status 200",
            why="A server answers, and the app, or what stands before it, is in trouble.",
            hint="Read what it said: `docker logs CONTAINER`.",
            detail=container.logs()[-LAST_WORDS:],
        )
