"""The fixtures that a grader's checks ask for. `docs` for people who write graders are their docstrings."""

from __future__ import annotations

import random
from typing import Any

import pytest

from dockdojo.build.dockerfile import Dockerfile
from dockdojo.connection.types import Image
from dockdojo.engine.container import Container
from dockdojo.probes.http import Client
from dockdojo.runner.old_names import OldNames, warn
from dockdojo.runner.session import GradingSession
from dockdojo.submission.folder import Submission


class Fixtures:
    """A pytest plugin that hands out one session."""

    def __init__(self, session: GradingSession) -> None:
        self._session = session

    @pytest.fixture(scope="session")
    def session(self) -> GradingSession:
        """Everything below; for checks that need what no other fixture gives."""
        return self._session

    @pytest.fixture(scope="session")
    def bench(self) -> OldNames:
        """The old name of `session`; it goes with the next release."""
        warn("bench", "session")
        return OldNames(self._session)

    @pytest.fixture(scope="session")
    def engine(self) -> Any:
        """The Docker Engine: layers, history, images."""
        return self._session.engine

    @pytest.fixture(scope="session")
    def submission(self) -> Submission:
        """The submission's folder: `submission.read("main.py")`, `submission.has(...)`."""
        return self._session.submission

    @pytest.fixture
    def rng(self, request: pytest.FixtureRequest) -> random.Random:
        """Inputs drawn anew for each grading: `rng.choice(...)`, `rng.randrange(...)`, `rng.getrandbits(32)`.

        `dockdojo grade --seed` repeats them. In a session fixture: `session.rng("what they are for")`.
        """
        return self._session.rng(request.node.name)

    @pytest.fixture
    def dockerfile(self) -> Dockerfile:
        """The parsed Dockerfile, with line numbers. Where it is missing or does not parse, the check fails."""
        return self._session.submission.dockerfile()

    @pytest.fixture
    def build(self) -> Any:
        """`build("cmd.Dockerfile", target="test", changes={"app.py": b"..."})`: an image, built once for the same words."""
        return self._session.build

    @pytest.fixture
    def image(self) -> Image:
        """The image of the submission's Dockerfile, built once. Where the build fails, the check fails."""
        return self._session.build()

    @pytest.fixture
    def run(self) -> Any:
        """`run("a", "b", env={...}, entrypoint=(...), stdin="...")`: a finished container of the image.

        It has exit_code, stdout, stderr, seconds and oom_killed. Without arguments the image's own command runs.
        """
        return self._session.run

    @pytest.fixture
    def start(self) -> Any:
        """`start("a", env={...})`: a running container for this check alone."""
        return self._session.start

    @pytest.fixture
    def container(self) -> Container:
        """A running container of the image, shared by the checks until one stops or signals it."""
        return self._session.shared()

    @pytest.fixture
    def host(self, container: Container) -> Any:
        """Testinfra's host on the running container: `host.file("/etc/passwd").exists`."""
        from dockdojo.probes.testinfra_host import testinfra_host

        return testinfra_host(container)

    @pytest.fixture
    def http(self) -> Client:
        """Asks a running container: `http.get(container, "/", port=5000).status`."""
        return self._session.http
