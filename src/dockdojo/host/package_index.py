"""A package index for builds, on machines whose containers find no wheels: pypiserver in a container of its own.

Builds find it through the pip configuration of the stand-in images; no Dockerfile has to know of it.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dockdojo.connection.connect import engine_errors
from dockdojo.course import Course
from dockdojo.engine.client import Engine, connect
from dockdojo.engine.volumes import put_folder
from dockdojo.errors import CourseError
from dockdojo.host import wheels
from dockdojo.host.local_base_images import MIRROR_RECORD, STAND_IN
from dockdojo.model import Limits
from dockdojo.paths import state_folder

BASE = "python:3.11-slim"
IMAGE = "dockdojo/mirror:1"
NAME = "dockdojo-mirror"
LABEL = "dockdojo.mirror"
PORT, INSIDE = 3141, 8080
DOCKERFILE = f"""FROM {BASE}
RUN pip install --no-cache-dir --no-compile pypiserver==2.4.2
USER 65534:65534
EXPOSE {INSIDE}
CMD ["pypi-server", "run", "--port", "{INSIDE}", "--disable-fallback", "--hash-algo", "sha256", "/wheels"]
"""
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Mirror:
    """The index that runs: where builds find it, and what it has."""

    url: str
    wheels: tuple[str, ...]


def folder() -> Path:
    """Return the folder of the wheels."""
    return state_folder() / "wheelhouse"


def is_needed(course: Course) -> bool:
    """Return whether builds of the course need it: it names wheels, and the images that they install in are stand-ins."""
    if not course.wheels().requirements:
        return False
    with connect() as engine:
        return engine.has_image(BASE) and STAND_IN in engine.image(BASE).labels


def up(course: Course, tell: Tell) -> Mirror:
    """Fetch the wheels and start the index; fine if it runs already. Raises OurFault if that is impossible."""
    wanted = course.wheels()
    if not wanted.requirements:
        raise CourseError("This course names no wheels (images/wheels.toml).")
    filled = wheels.fill(folder(), tuple(wanted.requirements), wanted.cpu_index, tell)
    with connect() as engine:
        url = f"http://{gateway(engine)}:{PORT}/simple/"
        names = "\n".join(sorted(wheel.name for wheel in filled))
        held = hashlib.sha256(names.encode()).hexdigest()
        if not _runs(engine, f"{LABEL}={held}"):
            tell("starting the index")
            if not engine.has_image(IMAGE):
                _build(engine)
            _start(engine, gateway(engine), held)
    (state_folder() / MIRROR_RECORD).write_text(json.dumps({"url": url}))
    return Mirror(url, tuple(wheel.name for wheel in filled))


def _build(engine: Engine) -> None:
    with tempfile.TemporaryDirectory(prefix="dockdojo-image-") as scratch:
        Path(scratch, "Dockerfile").write_text(DOCKERFILE)
        engine.build(Path(scratch), limits=Limits(), tag=IMAGE, labels={LABEL: "1"})


def _start(engine: Engine, address: str, held: str) -> None:
    """Start the index with the wheels in it; `held` marks which these are. It may be on another machine, so nothing is bound."""
    api = engine.api
    engine.remove(NAME)
    host = api.create_host_config(
        port_bindings={INSIDE: (address, PORT)},
        restart_policy={"Name": "unless-stopped"},
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        mem_limit="512m",
        pids_limit=128,
    )
    with engine_errors("start the index of packages"):
        made = api.create_container(
            IMAGE, name=NAME, labels={LABEL: held}, ports=[INSIDE], host_config=host
        )
        put_folder(api, made["Id"], folder(), "/", "wheels")
        api.start(made["Id"])


def gateway(engine: Engine) -> str:
    """Return the host's address on the engine's own bridge, which builds can reach."""
    found = engine.api.inspect_network("bridge")["IPAM"]["Config"]
    return str(found[0].get("Gateway") or found[0]["Subnet"].rpartition(".")[0] + ".1")


def _runs(engine: Engine, label: str = LABEL) -> bool:
    return bool(engine.api.containers(filters={"label": label, "status": "running"}))


def down() -> bool:
    """End the index; the wheels stay. Return whether it ran."""
    (state_folder() / MIRROR_RECORD).unlink(missing_ok=True)
    with connect() as engine:
        ran = bool(engine.api.containers(all=True, filters={"label": LABEL}))
        engine.remove(NAME)
    return ran


def status() -> Mirror | None:
    """Return the running index, or None."""
    wheels = tuple(path.name for path in sorted(folder().glob("*.whl")))
    with connect() as engine:
        return (
            Mirror(f"http://{gateway(engine)}:{PORT}/simple/", wheels)
            if _runs(engine)
            else None
        )
