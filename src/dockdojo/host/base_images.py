"""The base images of the course: from the registry where it answers, else stand-ins built here."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from dockdojo.course import Course, ImageRecipe
from dockdojo.engine import observer
from dockdojo.engine.client import Engine, connect
from dockdojo.errors import OurFault
from dockdojo.host import local_base_images, package_index
from dockdojo.model import Lab

_one_at_a_time = threading.Lock()
Tell = Callable[[str, str], None]
"""Called with an image's name and what is being done to it."""


@dataclass(frozen=True, slots=True)
class Got:
    """One base image that is ready."""

    ref: str
    how: str
    """`here` (was there already), `pulled`, or `built` (a stand-in)."""
    stand_in: bool
    size: int
    """Uncompressed bytes."""


def get_images(
    course: Course, tell: Tell, *, rebuild: bool = False, pull: bool | None = None
) -> list[Got]:
    """Make sure that every image of the catalog is on the engine. `pull=False` does not ask the registry.

    Raises ImageUnavailable, CannotInstall or CourseError where one can be had in neither way.
    """
    ask = pull if pull is not None else os.environ.get("DOCKDOJO_PULL", "1") != "0"
    wanted = course.images()
    with connect() as engine:
        missing = list(wanted) if rebuild else _missing(engine, course, wanted)
        pulled = _pull_all(engine, missing, tell) if ask else set()
        got = []
        for recipe in wanted:
            how = "here"
            if recipe in missing:
                how = "pulled" if recipe.ref in pulled else "built"
                if how == "built":
                    local_base_images.build(
                        engine,
                        recipe.ref,
                        course.recipe(recipe),
                        partial(tell, recipe.ref),
                    )
            image = engine.image(recipe.ref)
            got.append(
                Got(
                    recipe.ref,
                    how,
                    local_base_images.STAND_IN in image.labels,
                    image.size,
                )
            )
            tell(recipe.ref, how)
        return got


def prepare(course: Course, tell: Tell) -> list[Got]:
    """Make sure of the images; if they are stand-ins and the course names wheels, also of an index that has those."""
    got = get_images(course, tell)
    if package_index.is_needed(course) and not (
        local_base_images.mirror_url() and package_index.status()
    ):
        package_index.up(course, lambda what: tell("wheels", what))
        got = get_images(course, tell)
    return got


def _missing(
    engine: Engine, course: Course, wanted: list[ImageRecipe]
) -> list[ImageRecipe]:
    """What is not there, and stand-ins whose recipe has changed, with the stand-ins that are built after those."""
    found = []
    stale = False
    for recipe in wanted:
        if not engine.has_image(recipe.ref):
            found.append(recipe)
            continue
        made_by = engine.image(recipe.ref).labels.get(local_base_images.STAND_IN)
        stale = stale or (
            made_by is not None
            and made_by != local_base_images.fingerprint(course.recipe(recipe))
        )
        if made_by is not None and stale:
            found.append(recipe)
    return found


def _pull_all(engine: Engine, missing: list[ImageRecipe], tell: Tell) -> set[str]:
    """Pull what the registry has, side by side; where it does not answer for the first, it is not asked again."""
    if not missing:
        return set()
    first, *rest = missing

    def pulled(image: ImageRecipe) -> bool:
        why = local_base_images.pull(engine, image.ref)
        if why:
            tell(image.ref, f"no registry gives it: {why}")
        return not why

    tell(first.ref, "asking the registry")
    if not pulled(first):
        return set()
    with ThreadPoolExecutor(max_workers=3) as pool:
        for recipe in rest:
            tell(recipe.ref, "pulling")
        came = list(pool.map(pulled, rest))
    return {
        first.ref,
        *(image.ref for image, here in zip(rest, came, strict=True) if here),
    }


def ready(engine: Engine, course: Course, lab: Lab, tell: Tell) -> None:
    """Make sure that the engine has every image that grading the lab needs, before the submission's time runs.

    Raises ImageUnavailable, CannotInstall or CourseError where one cannot be had.
    """
    with _one_at_a_time:
        missing = [
            ref for ref in (*lab.images, observer.IMAGE) if not engine.has_image(ref)
        ]
        if missing:
            (prepare if lab.data else get_images)(
                course, tell
            )  # labs with data train, and install what the index has
        for ref in missing:
            if not engine.has_image(ref):  # none of the catalog's
                tell(ref, "pulling")
                engine.pull(ref)


def missing_images(course: Course, refs: tuple[str, ...]) -> list[str]:
    """Return which of those images the engine does not have."""
    with connect() as engine:
        return [ref for ref in refs if not engine.has_image(ref)]


def stand_ins_here(course: Course) -> list[str]:
    """Return which images of the catalog are stand-ins on this engine; none if no engine answers."""
    try:
        with connect() as engine:
            have = [
                recipe.ref for recipe in course.images() if engine.has_image(recipe.ref)
            ]
            return [
                ref
                for ref in have
                if local_base_images.STAND_IN in engine.image(ref).labels
            ]
    except OurFault:
        return []
