"""An engine for tests that need none: it builds and runs what labels in a Dockerfile say.

    FROM busybox
    LABEL fake.stdout="Hello" fake.stderr="" fake.exit="0"

It keeps no containers, so nothing can be left behind. It lies in the package, and not among the tests, because the process
that grades is isolated (`python -I`) and opens the engine by the name of an installed module.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dockdojo.build.builder import LEGACY, Builder
from dockdojo.build.dockerfile import Dockerfile
from dockdojo.connection.metrics import Meter
from dockdojo.connection.types import ExitCode, Finished, Image, RunSpec
from dockdojo.errors import BuildFailed, EngineGone, ImageUnavailable
from dockdojo.model import EngineInfo, Limits


class FakeEngine:
    """Stands in for Engine where a test is about grading, not about Docker."""

    def __init__(self, run_id: str = "fake") -> None:
        self.meter = Meter()
        self.run_id = run_id
        self.builder: Builder = LEGACY
        self.images: dict[str, Image] = {}
        self.runs: list[RunSpec] = []

    def info(self, builder: str = "") -> EngineInfo:
        """Say that it is the fake one."""
        return EngineInfo(
            version="0-fake",
            api_version="0",
            storage_driver="none",
            cgroup_version="none",
            builder="none",
            gpu="none",
            where="fake://",
        )

    def build(
        self,
        context: Path,
        dockerfile: str = "Dockerfile",
        *,
        limits: Limits,
        on_line: Callable[[str], None] | None = None,
        **options: Any,
    ) -> Image:
        """Read the labels; `LABEL fake.build=...` fails the build with that reason, `fake.gone` ends the engine."""
        parsed = Dockerfile.read(context, dockerfile)
        labels: dict[str, str] = {}
        for label in parsed.all("LABEL"):
            words = (
                shlex.split(" ".join(label.args))
                if len(label.args) == 1
                else list(label.args)
            )
            pairs = (
                zip(words[::3], words[1::3], strict=False)
                if words and words[-1] == "="
                else zip(words[::2], words[1::2], strict=False)
            )
            labels.update({key.strip('"'): value.strip('"') for key, value in pairs})
        if "fake.gone" in labels:
            raise EngineGone("The engine stopped answering.")
        if "fake.build" in labels:
            raise BuildFailed(
                f"The build stopped: {labels['fake.build']}", file=dockerfile, line=1
            )
        self.meter.builds += 1
        image = Image(
            id="sha256:" + hashlib.sha256(parsed.text.encode()).hexdigest(),
            measure=lambda: 0,
            cmd=None,
            entrypoint=None,
            env={},
            labels=labels,
            user="",
            workdir="/",
            ports=(),
            volumes=(),
            stop_signal="",
            layers=(),
        )
        self.images[image.id] = image
        return image

    def image(self, ref: str) -> Image:
        """Return an image that was built here. Raises ImageUnavailable for another."""
        if ref not in self.images:
            raise ImageUnavailable(f"The engine has no image {ref}.")
        return self.images[ref]

    def run(
        self, spec: RunSpec, limits: Limits, until: float | None = None
    ) -> Finished:
        """Return what the image's labels say that it prints."""
        self.runs.append(spec)
        self.meter.containers += 1
        labels = self.images[spec.image].labels
        return Finished(
            exit_code=ExitCode(int(labels.get("fake.exit", "0"))),
            stdout=labels.get("fake.stdout", ""),
            stderr=labels.get("fake.stderr", ""),
            seconds=0.0,
        )

    def clean(self) -> dict[str, int]:
        """Count what was left behind: nothing ever is."""
        return {"containers": 0, "images": 0, "networks": 0, "volumes": 0}

    def __enter__(self) -> FakeEngine:
        return self

    def __exit__(self, *exc: object) -> None:
        return None


def connect(*, run_id: str = "fake", **options: Any) -> FakeEngine:
    """Return a fake engine, where `client.connect` returns a real one."""
    return FakeEngine(run_id)
