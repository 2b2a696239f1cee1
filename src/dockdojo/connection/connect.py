"""Finding the engine that `docker` would use: DOCKER_HOST, DOCKER_CONTEXT, the context in use, the usual sockets."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import requests
from docker.tls import TLSConfig

from dockdojo.connection.contexts import chosen_context, configuration_folder
from dockdojo.connection.metrics import Meter
from dockdojo.errors import EngineGone, EngineNotFound

DEFAULT_SOCKET = (
    "npipe:////./pipe/docker_engine"
    if sys.platform == "win32"
    else "unix:///var/run/docker.sock"
)
ANSWER_SECONDS = 5
CALL_SECONDS = 120
"""How long one call may stay without an answer; long waits (wait, attach) set their own."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where an engine may be, and how that was found out."""

    url: str
    source: str
    tls: TLSConfig | None = None

    @property
    def options(self) -> list[str]:
        """What tells the docker CLI of it; a context's name would not, since its configuration is another one."""
        found = ["--host", self.url]
        if self.tls:
            cert, key = self.tls.cert or ("", "")
            files = {
                "--tlscacert": self.tls.ca_cert,
                "--tlscert": cert,
                "--tlskey": key,
            }
            found += ["--tlsverify"] if self.tls.verify else ["--tls"]
            found += [
                word
                for option, file in files.items()
                if file
                for word in (option, str(file))
            ]
        return found


def addresses() -> list[Address]:
    """Return where to look for an engine, best first. What DOCKER_HOST or a chosen context names is looked at alone.

    Raises EngineNotFound where a context is chosen that is not there.
    """
    if url := os.environ.get("DOCKER_HOST"):
        tls = None
        if os.environ.get("DOCKER_TLS_VERIFY"):
            tls = _certificates(
                Path(os.environ.get("DOCKER_CERT_PATH") or configuration_folder())
            )
        return [Address(url, "DOCKER_HOST", tls)]
    context = chosen_context()
    if context is not None and context.host:
        return [
            Address(context.host, f"the docker context `{context.name}`", context.tls)
        ]
    places = [Address(DEFAULT_SOCKET, "the default socket")]
    others = [
        (Path.home() / ".docker" / "run" / "docker.sock", "Docker Desktop's socket")
    ]
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        others.append((Path(runtime, "docker.sock"), "the socket of a rootless engine"))
    places += [
        Address(f"unix://{path}", source) for path, source in others if path.exists()
    ]
    return places


def _certificates(home: Path) -> TLSConfig:
    """What DOCKER_TLS_VERIFY asks for. Raises EngineNotFound where a file is missing."""
    missing = [
        name
        for name in ("ca.pem", "cert.pem", "key.pem")
        if not (home / name).is_file()
    ]
    try:
        return TLSConfig(
            client_cert=(str(home / "cert.pem"), str(home / "key.pem")),
            ca_cert=str(home / "ca.pem"),
            verify=True,
        )
    except (docker.errors.DockerException, OSError, ValueError) as error:
        raise EngineNotFound(
            f"DOCKER_TLS_VERIFY is set, and {home} has no {', '.join(missing) or 'usable certificates'}.",
            hint="DOCKER_CERT_PATH names the folder of ca.pem, cert.pem and key.pem; without TLS, unset DOCKER_TLS_VERIFY.",
        ) from error


class MeteredClient(docker.APIClient):  # type: ignore[misc]  # docker-py has no types
    """docker-py's client, with the time of every call counted."""

    def __init__(self, meter: Meter, **options: Any) -> None:
        self._meter = meter
        super().__init__(**options)

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        """One HTTP exchange."""
        with self._meter.waiting():
            answer: requests.Response = super().send(*args, **kwargs)
        return answer


def open_client(address: Address, meter: Meter) -> docker.APIClient:
    """Return a client for that address. Raises EngineNotFound if nothing answers."""
    try:
        client = MeteredClient(
            meter,
            base_url=address.url,
            tls=address.tls or False,
            timeout=ANSWER_SECONDS,
            version="auto",
        )
        client.ping()
    except (
        docker.errors.DockerException,
        requests.RequestException,
        OSError,
        ValueError,
    ) as error:
        raise EngineNotFound(
            f"No Docker Engine answers at {address.url} ({address.source}): {brief(error)}."
        ) from error
    client.timeout = CALL_SECONDS
    return client


@contextmanager
def engine_errors(what: str) -> Iterator[None]:
    """Turn whatever docker-py raises into EngineGone, with what was being done."""
    try:
        yield
    except docker.errors.APIError as error:
        raise EngineGone(f"The engine could not {what}: {brief(error)}.") from error
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        raise EngineGone(
            f"The engine stopped answering while it was to {what}: {brief(error)}.",
            hint="`dockdojo engine status` tells whether it still runs.",
        ) from error


def brief(error: BaseException) -> str:
    """Return the heart of an error of docker-py or requests, in one line."""
    if isinstance(error, docker.errors.APIError) and error.explanation:
        text = str(error.explanation)
    else:
        text = str(error)
        for known in (
            "No such file or directory",
            "Connection refused",
            "Permission denied",
            "Connection aborted",
        ):
            if known in text:
                text = known.lower()
                break
    return " ".join(text.split())[:300].rstrip(".")


def is_podmans(version: dict[str, Any]) -> bool:
    """Return whether an engine's answer to `/version` is Podman's, which speaks Docker's API."""
    return any(
        "podman" in str(part.get("Name")).lower()
        for part in version.get("Components") or ()
    )
