"""`dockdojo layers`: an image, layer by layer."""

from __future__ import annotations

from dockdojo.course import Course
from dockdojo.engine.client import connect
from dockdojo.errors import UsageError
from dockdojo.image.efficiency import analyse
from dockdojo.model import ImageStats


def look_into(course: Course, ref: str) -> ImageStats:
    """What the image's layers hold and waste. Its base is told by the course's images. Raises UsageError."""
    with connect() as engine:
        if not engine.has_image(ref):
            raise UsageError(
                f"There is no image `{ref}` on the engine.",
                hint="`docker images` shows what is there.",
            )
        image = engine.image(ref)
        bases = [
            engine.image(base.ref).layers
            for base in course.images()
            if engine.has_image(base.ref)
        ]
        below = [
            len(layers)
            for layers in bases
            if len(layers) < len(image.layers) and image.layers[: len(layers)] == layers
        ]
        return analyse(ref, engine.layers(ref), max(below, default=0))
