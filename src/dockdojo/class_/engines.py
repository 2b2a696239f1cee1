"""The engine that grades a class, made ready: what dead runs left is removed, and the base images are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dockdojo.class_.depends import digest
from dockdojo.connection.labels import new_run_id
from dockdojo.connection.types import RunSpec
from dockdojo.course import Course
from dockdojo.engine import observer
from dockdojo.engine.client import connect
from dockdojo.grading import clean_folders
from dockdojo.host.base_images import ready
from dockdojo.model import Limits

LOCKS_ITSELF_UP = "20.10."
"""How the versions of engines begin that do; see `held_network`."""


def prepare_engine(
    course: Course, slug: str, tell: Callable[[str], None], *, images: bool = False
) -> str:
    """Return the digest of what grades here: the engine with the images that the lab needs, which are fetched now.

    With `images`, the course's images count, too: machines on which they differ do not grade together.

    Raises OurFault where there is no engine, or an image cannot be had.
    """
    clean_folders()
    with connect() as engine:
        engine.clean_dead()
        ready(
            engine,
            course,
            course.lab(slug),
            lambda ref, what: tell(f"{ref}: {what}"),
        )
        info = engine.info()
        architecture = engine.api.version().get("Arch", "")
        ids = sorted(
            engine.image(recipe.ref).id
            for recipe in course.images()
            if images and engine.has_image(recipe.ref)
        )
    told = (
        info.version,
        info.builder,
        info.storage_driver,
        info.cgroup_version,
        info.gpu,
        architecture,
    )
    return digest(str(word).encode() for word in (*told, *ids))


@contextmanager
def held_network() -> Iterator[None]:
    """Keep one container on the network `none` for as long as this lasts, where the engine needs that.

    Engine 20.10 can lock itself up when the last container of a network goes while another of it does (in libnetwork,
    processEndpointDelete and getSvcRecords take the same two locks in different orders), and each grading's are on `none`.
    """
    with connect(run_id=new_run_id()) as engine:
        if engine.info().version.startswith(LOCKS_ITSELF_UP):
            asleep = RunSpec(image=observer.IMAGE, args=("sleep", "2147483647"))
            engine.start(asleep, Limits())
        yield


def clean_engine() -> None:
    """Remove what dead runs left. Raises OurFault where there is no engine."""
    clean_folders()
    with connect() as engine:
        engine.clean_dead()
