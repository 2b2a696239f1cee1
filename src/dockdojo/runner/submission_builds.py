"""Images of one submission: each built once for the same words, and a build that failed is not tried again."""

from __future__ import annotations

import hashlib
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from dockdojo.build.policy import BuildRules
from dockdojo.connection.types import Image
from dockdojo.errors import SubmissionError
from dockdojo.model import Limits
from dockdojo.submission.folder import Submission

Changes = Mapping[str, bytes | None]
"""Files to write (None: to remove) in a copy of the submission."""
Build = Callable[[Path, str, str], Image]
"""Builds a folder: the context, the Dockerfile's name and the stage."""
Key = tuple[Any, ...]


class SubmissionBuilds:
    """Images of a submission's Dockerfiles, by what they were built of."""

    def __init__(
        self,
        submission: Submission,
        build: Build,
        building: Callable[[str], AbstractContextManager[None]],
        failed: Mapping[str, SubmissionError],
    ) -> None:
        """`building` is told each build by its name; `failed` are builds that failed in an earlier child of the same grading."""
        self._submission = submission
        self._build_folder = build
        self._building = building
        self._failed = failed
        self._images: dict[Key, Image | SubmissionError] = {}
        self._locks: dict[Key, threading.Lock] = defaultdict(threading.Lock)

    def get(self, dockerfile: str, target: str, changes: Changes) -> Image:
        """Return the image. Raises SubmissionError where the build fails, also where it failed before."""
        key = (
            dockerfile,
            target,
            tuple(sorted(changes.items(), key=lambda item: item[0])),
        )
        with self._locks[key]:
            if key not in self._images:
                self._images[key] = self._build(dockerfile, target, changes)
        found = self._images[key]
        if isinstance(found, SubmissionError):
            raise found
        return found

    def made(self, dockerfile: str) -> Image | None:
        """Return the first image that was built of a Dockerfile to its end, with changed files or without; None without one."""
        found = next(
            (
                image
                for key, image in self._images.items()
                if key[:2] == (dockerfile, "")
            ),
            None,
        )
        return found if isinstance(found, Image) else None

    def _build(
        self, dockerfile: str, target: str, changes: Changes
    ) -> Image | SubmissionError:
        name = name_of(dockerfile, target, changes)
        if name in self._failed:
            return self._failed[name]
        try:
            self._submission.dockerfile(dockerfile)
            with (
                self._building(name),
                tempfile.TemporaryDirectory(prefix="dockdojo-context-") as scratch,
            ):
                context = self._submission.path
                if changes:
                    context = self._submission.copy(Path(scratch, "context"), changes)
                return self._build_folder(context, dockerfile, target)
        except SubmissionError as error:
            return error


def name_of(dockerfile: str, target: str, changes: Changes) -> str:
    """Return what tells one build of a grading from all others, in every child of it."""
    digest = hashlib.sha256()
    for name, data in sorted(changes.items()):
        digest.update(
            repr((name, data is None, len(data or b""))).encode("utf-8", "replace")
            + (data or b"")
        )
    return f"{dockerfile}:{target}:{digest.hexdigest()}"


def rules_of(
    limits: Limits, images: tuple[str, ...], cache_namespace: str
) -> BuildRules:
    """Return what the submission's builds may do, by the lab's limits."""
    return BuildRules(
        registries=limits.registries,
        remote_add=limits.remote_add,
        images=frozenset(images),
        cache_namespace=cache_namespace,
    )
