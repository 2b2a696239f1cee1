"""Somebody else on the same engine: a container with a volume and a network of its own, and an image with a secret in it."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import ClassVar

from dockdojo.build.builder import the_builder

SECONDS = 60
DOCKERFILE = """FROM busybox:latest
COPY secret /secret
RUN --mount=type=cache,id=bystander,target=/c cp /secret /c/secret
"""


def docker(*words: str) -> subprocess.CompletedProcess[str]:
    command = [the_builder().cli or "docker", *words]
    env = os.environ | {"DOCKER_BUILDKIT": "1"}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, check=False, env=env
    )


def _must(*words: str) -> str:
    done = docker(*words)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout.strip()


class Bystander:
    """Made at the first use, and looked at after each case."""

    _the_one: ClassVar[Bystander | None] = None
    _lock: ClassVar[threading.Lock] = threading.Lock()

    @classmethod
    def there(cls) -> Bystander:
        """The one of this session."""
        with cls._lock:
            cls._the_one = cls._the_one or cls()
            return cls._the_one

    @classmethod
    def dismiss(cls) -> None:
        """Remove what was made here."""
        with cls._lock:
            if cls._the_one is not None:
                cls._the_one.remove()
            cls._the_one = None

    def __init__(self) -> None:
        self.secret = f"bystander-secret-{secrets.token_hex(8)}"
        self.name = f"bystander-{secrets.token_hex(4)}"
        self.image = f"{self.name}:1"
        with tempfile.TemporaryDirectory(prefix="bystander-") as folder:
            Path(folder, "secret").write_text(self.secret)
            Path(folder, "Dockerfile").write_text(DOCKERFILE)
            _must("build", "-q", "-t", self.image, folder)
        _must("network", "create", self.name)
        _must("volume", "create", self.name)
        # As if another grading had made it, which goes on: so it bears that run's label, and nobody may take it for his own.
        self.run = f"999999999-{secrets.token_hex(4)}"
        _must(
            "run",
            "-d",
            "--name",
            self.name,
            "--network",
            self.name,
            "-v",
            f"{self.name}:/data",
            "--label",
            f"dockdojo.run={self.run}",
            "--label",
            f"dockdojo.owner=elsewhere:1:{self.name}",
            self.image,
            "sh",
            "-c",
            "cp /secret /data/; exec sleep 3600",
        )

    def missing(self) -> list[str]:
        """What is not as it was; nothing where all is well."""
        found = []
        if docker("exec", self.name, "cat", "/data/secret").stdout != self.secret:
            found.append(
                "the bystander's container does not answer, or its volume has changed"
            )
        if (
            docker(
                "network", "inspect", self.name, "--format", "{{len .Containers}}"
            ).stdout.strip()
            != "1"
        ):
            found.append("the bystander is no longer in its network")
        if docker("image", "inspect", self.image).returncode != 0:
            found.append("the bystander's image is gone")
        return found

    def remove(self) -> None:
        """Removes it all."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            docker("rm", "-f", "-v", self.name)
            docker("network", "rm", self.name)
            docker("volume", "rm", self.name)
            docker("rmi", self.image)
