"""The legacy builder: the last resort, on machines where no docker CLI has BuildKit."""

from __future__ import annotations

import pytest

from dockdojo.build.builder import LEGACY
from dockdojo.build.builds import Builds
from dockdojo.errors import BuildFailed, DockerfileInvalid, EngineGone
from dockdojo.model import Limits

pytestmark = pytest.mark.engine


@pytest.fixture
def built(engine, submission, monkeypatch):
    """Builds a Dockerfile beside a file `f`, without BuildKit."""
    monkeypatch.setattr(Builds, "builder", LEGACY)
    assert engine.builder is LEGACY
    return lambda text: engine.build(
        submission({"Dockerfile": text, "f": "x"}), limits=Limits()
    )


def test_it_builds(built):
    assert built('FROM busybox\nCOPY f /\nCMD ["cat", "/f"]\n').cmd == ("cat", "/f")


def test_links_of_copies_are_no_mistake(built):
    assert built('FROM busybox\nCOPY --link f /g\nCMD ["cat", "/g"]\n').cmd == (
        "cat",
        "/g",
    )


@pytest.mark.parametrize("line", ["RUN <<EOF\necho hi\nEOF", "COPY --parents f /g/"])
def test_what_only_a_newer_frontend_knows_is_the_machines_fault_where_the_dockerfile_asks_for_one(
    built, line
):
    with pytest.raises(EngineGone, match="there is no BuildKit here"):
        built(f"# syntax=docker/dockerfile:1\nFROM busybox\n{line}\n")


def test_an_option_that_is_too_new_is_told_with_the_way_out(built):
    with pytest.raises(DockerfileInvalid, match="checksum") as caught:
        built("FROM busybox\nCOPY --checksum=sha256:1 f /\n")
    assert "# syntax=docker/dockerfile:1" in caught.value.hint


def test_mistakes_stay_mistakes(built):
    with pytest.raises(DockerfileInvalid):
        built("# syntax=docker/dockerfile:1\nFROM busybox\nRUNN x\n")
    with pytest.raises(BuildFailed):
        built("FROM busybox\nRUN false\n")
