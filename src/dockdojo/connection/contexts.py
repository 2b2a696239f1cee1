"""Docker's contexts, as the docker CLI keeps them: `contexts/meta/<SHA-256 of the name>/meta.json` in its configuration folder.

docker-py finds them only beside a config.json, which `docker context create` does not write, and takes a context that is not
there for the default one.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from docker.tls import TLSConfig

from dockdojo.errors import EngineNotFound


@dataclass(frozen=True, slots=True)
class Context:
    """An engine's address under a name of the user's."""

    name: str
    host: str
    """Empty: the default socket."""
    tls: TLSConfig | None


def configuration_folder() -> Path:
    """Return the folder of the docker CLI's configuration."""
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")


def chosen_context() -> Context | None:
    """Return the context in use, if one other than `default` is chosen. Raises EngineNotFound if it cannot be read."""
    home = configuration_folder()
    name, chooser = os.environ.get("DOCKER_CONTEXT") or "", "DOCKER_CONTEXT"
    if not name:
        chooser = f"`currentContext` in {home / 'config.json'}"
        try:
            name = str(
                json.loads((home / "config.json").read_text(encoding="utf-8")).get(
                    "currentContext"
                )
                or ""
            )
        except (OSError, ValueError, AttributeError):
            return None  # there is none, or none that docker could read
    if name in ("", "default"):
        return None
    identity = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
    try:
        about = json.loads(
            (home / "contexts" / "meta" / identity / "meta.json").read_text(
                encoding="utf-8"
            )
        )
        endpoint = about["Endpoints"]["docker"]
        host, unverified = str(endpoint.get("Host") or ""), bool(
            endpoint.get("SkipTLSVerify")
        )
    except FileNotFoundError:
        raise EngineNotFound(
            f"There is no docker context `{name}`, which {chooser} names.",
            hint="`docker context ls` lists them; `docker context use default` chooses this machine's own engine.",
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngineNotFound(
            f"The docker context `{name}` cannot be read.",
            hint=f"Does `docker context inspect {name}` work?",
        ) from error
    return Context(
        name,
        host,
        _certificates(
            home / "contexts" / "tls" / identity / "docker", verify=not unverified
        ),
    )


def _certificates(folder: Path, *, verify: bool) -> TLSConfig | None:
    ca, cert, key = (folder / f"{name}.pem" for name in ("ca", "cert", "key"))
    if not (ca.is_file() or cert.is_file()):
        return None
    return TLSConfig(
        client_cert=(str(cert), str(key)) if cert.is_file() and key.is_file() else None,
        ca_cert=str(ca) if ca.is_file() else None,
        verify=verify,
    )
