"""What tests share: an engine (brought up by dockdojo's own code), the course, and small courses made on the spot."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from dockdojo.connection.labels import OWNER, RUN, owner
from dockdojo.course import Course, open_course
from dockdojo.engine import client
from dockdojo.errors import OurFault
from dockdojo.grading import clean_folders
from dockdojo.grading.forks import forking
from dockdojo.host import base_images, daemon
from tests.class_graded import graded_class  # noqa: F401 -- a fixture
from tests.unusual import SideBySide

DIGITS = Path(__file__).parents[2] / "shared" / "mnist"
if DIGITS.is_dir():  # real handwriting, where it is there; else a stand-in
    os.environ.setdefault("MNIST_ROOT", str(DIGITS))
FAKE = "dockdojo.engine.fake:connect"
signal.signal(
    signal.SIGINT, signal.default_int_handler
)  # where Ctrl-C is ignored (nohup, `&`), programs inherit that


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever asks for the engine is marked so; the quick tests come first, and the hostile submissions and other engines last.

    Before the first case of a lab is asked for, nothing is graded beside the tests: those that look at all that is on the engine
    come by then.
    """
    for item in items:
        if "real_engine" in getattr(item, "fixturenames", ()):
            item.add_marker("engine")
    last = ("hostile", "tests/engines")
    items.sort(
        key=lambda item: (
            item.get_closest_marker("engine") is not None,
            *(name in item.nodeid for name in last[::-1]),
        )
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    """Says which modules' cases are to be graded side by side."""
    SideBySide.wanted |= {
        item.module.__name__
        for item in session.items
        if isinstance(item, pytest.Function)
    }


def pytest_sessionfinish() -> None:
    """After Ctrl-C, what has not begun does not begin."""
    SideBySide.pool.shutdown(wait=False, cancel_futures=True)


if sys.platform == "linux":  # elsewhere nobody tells whose the processors' time was
    from tests.costs import Costs

    COSTS = Costs()

    def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
        """Says where the time went, where cases were graded."""
        if SideBySide.seconds:
            terminalreporter.section("what the cases cost")
            for line in COSTS.lines(SideBySide.seconds):
                terminalreporter.line(line)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees, or leaves behind, what a command sets for those that it starts (`--course` does)."""
    for name in ("DOCKDOJO_COURSE", "DOCKDOJO_OWNER"):
        monkeypatch.setenv(
            name, ""
        )  # so that it is unset at the end, whatever the test set
        monkeypatch.delenv(name)


@pytest.fixture(scope="session", autouse=True)
def _forking() -> Iterator[None]:
    """What grades in a test's own process is forked; commands that tests start begin theirs as ever."""
    with forking():
        yield


@pytest.fixture(scope="session")
def course() -> Course:
    return open_course()


@pytest.fixture(scope="session")
def real_engine(course: Course) -> Iterator[str]:
    """The address of a running engine that has the base images. In the end, nothing may be there that a grading of these tests made."""
    try:
        where = daemon.up_for_course(print).where
    except OurFault as error:
        pytest.skip(f"no Docker Engine, and none could be brought up: {error}")
    base_images.prepare(course, lambda ref, what: None)
    with client.connect() as engine:
        engine.clean_dead()  # what a grading that was killed left here before: the tests count what is there
    clean_folders()
    with _someone_without_a_network():
        yield where
        SideBySide.pool.shutdown(wait=True, cancel_futures=True)
    assert left_by_us() == []


@contextlib.contextmanager
def _someone_without_a_network() -> Iterator[None]:
    """A container of nobody's on the network `none`, for as long as the tests run.

    Engine 20.10 can lock itself up when the last container of a network goes while another one of it does: libnetwork's
    processEndpointDelete holds the controller's lock and waits for the network's, and getSvcRecords has them the other way round.
    Each grading's containers are on `none`, so with one that stays there is no last one.
    """
    with client.connect() as engine:
        host = engine.api.create_host_config(network_mode="none")
        made = engine.api.create_container(
            "busybox:latest", ["sleep", "86400"], host_config=host
        )["Id"]
        try:
            engine.api.start(made)
            yield
        finally:
            with contextlib.suppress(docker.errors.NotFound):  # somebody tidied up
                engine.api.remove_container(made, force=True)


def left_by_us() -> list[str]:
    """The runs of gradings of these tests that left something on the engine; what is just being removed has some time to go."""
    mine = {"label": f"{OWNER}={owner()}"}
    with client.connect() as engine:
        for _ in range(60):
            left = engine.api.containers(all=True, filters=mine) + engine.api.networks(
                filters=mine
            )
            if not left:
                break
            time.sleep(0.5)
    return [one["Labels"][RUN] for one in left]


@pytest.fixture
def engine(real_engine: str) -> Iterator[client.Engine]:
    with client.connect() as opened:
        yield opened


@pytest.fixture
def make_course(tmp_path: Path) -> Callable[..., Course]:
    """`make_course("def test_x(): ...", lab_toml="...")`: a course of one lab, `sample`."""

    def make(grader: str, lab_toml: str = "", answers: str = "") -> Course:
        root = tmp_path / "course"
        (root / "labs" / "sample" / "starter").mkdir(parents=True)
        (root / "graders").mkdir()
        (root / "labs" / "course.toml").write_text(
            'title = "Samples"\nlabs = ["sample"]\n'
        )
        head = 'title = "Sample"\nsummary = "A sample"\nfiles = ["Dockerfile"]\n'
        (root / "labs" / "sample" / "lab.toml").write_text(head + lab_toml)
        (root / "labs" / "sample" / "starter" / "Dockerfile").write_text(
            "FROM busybox\n"
        )
        source = "from dockdojo import check, fail\n\n\n" + textwrap.dedent(grader)
        (root / "graders" / "sample.py").write_text(source)
        return open_course(root)

    return make


@pytest.fixture
def submission(tmp_path: Path) -> Callable[..., Path]:
    """`submission({"Dockerfile": "FROM busybox"})`: a folder with those files."""

    def make(files: dict[str, str | bytes], name: str = "submission") -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        for path, data in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(
                data if isinstance(data, bytes) else textwrap.dedent(data).encode()
            )
        return folder

    return make
