from __future__ import annotations

import os

import pytest

from dockdojo.build.builder import (
    Builder,
    find_builder,
    is_for_newer_frontend,
    without_link,
)
from dockdojo.build.dockerfile import Dockerfile
from dockdojo.build.log import BuildLog, explain
from dockdojo.errors import (
    BaseImageMissing,
    BuildFailed,
    DockerfileInvalid,
    EngineGone,
    ImageUnavailable,
    NoBuildKit,
    SubmissionError,
)
from dockdojo.model import Limits

DOCKERFILE = "FROM busybox\nRUN echo hi && \\\n  false\nCOPY nope /\n"


def explained(submission, *lines, text=DOCKERFILE):
    log = BuildLog()
    for line in lines:
        log.add(line)
    return explain(log, Dockerfile.read(submission({"Dockerfile": text})))


def test_a_failed_run_tells_the_line_and_the_last_words(submission):
    error = explained(
        submission,
        "#5 [2/3] RUN echo hi &&   false",
        "#5 0.204 hi",
        "#5 ERROR: executor failed running [/bin/sh -c echo hi &&   false]: exit code: 1",
        "------",
        " > [2/3] RUN echo hi &&   false:",
        "executor failed running [/bin/sh -c echo hi &&   false]: exit code: 1",
    )
    assert isinstance(error, BuildFailed)
    assert error.line == 2
    assert error.detail == "hi"
    assert "exit code: 1" in error.message


def test_newer_words_of_the_same_failure(submission):
    error = explained(
        submission,
        "#6 [2/3] RUN echo hi &&   false",
        '#6 ERROR: process "/bin/sh -c echo hi &&   false" did not complete successfully: exit code: 1',
        "Dockerfile:2",
        'ERROR: failed to build: failed to solve: process "/bin/sh -c" did not complete successfully: exit code: 1',
    )
    assert isinstance(error, BuildFailed)
    assert error.message.endswith("(Dockerfile, line 2): exit code: 1.")


def test_a_run_cannot_forge_what_the_engine_says(submission):
    error = explained(
        submission,
        "#5 [2/3] RUN echo hi &&   false",
        "#5 0.2 #3 ERROR: dial tcp: lookup registry: no such host",
        "#5 0.2 failed to solve: Cannot connect to the Docker daemon",
        "#5 ERROR: executor failed running [x]: exit code: 1",
        "executor failed running [x]: exit code: 1",
    )
    assert isinstance(error, BuildFailed)


def test_a_base_that_no_registry_has_is_the_submissions_fault(submission):
    error = explained(
        submission,
        "#3 [internal] load metadata for docker.io/library/busybox:latest",
        "#3 ERROR: docker.io/library/busybox:latest: not found",
    )
    assert isinstance(error, BaseImageMissing)
    assert error.line == 1


def test_a_base_that_cannot_be_asked_for_is_not(submission):
    error = explained(
        submission,
        "#3 [internal] load metadata for docker.io/library/busybox:latest",
        '#3 ERROR: failed to do request: Head "https://x": dial tcp: lookup x: no such host',
    )
    assert isinstance(error, ImageUnavailable)
    assert "`busybox:latest`" in error.message


def test_parse_errors_and_a_lost_engine(submission):
    error = explained(
        submission,
        "failed to solve with frontend dockerfile.v0: dockerfile parse error line 2: unknown instruction: FRUN",
    )
    assert isinstance(error, DockerfileInvalid)
    assert error.line == 2
    assert isinstance(
        explained(
            submission,
            "Cannot connect to the Docker daemon at unix:///x. Is it running?",
        ),
        EngineGone,
    )


def fake_cli(folder, script):
    folder.mkdir()
    path = folder / "docker"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.skipif(
    os.name != "posix", reason="the stand-in for the CLI is a shell script"
)
def test_a_cli_with_buildkit_is_found_behind_one_without(tmp_path, monkeypatch):
    without = fake_cli(
        tmp_path / "a",
        '[ "$1" = --version ] && echo "Docker version 28.2.2, build x" || exit 1',
    )
    inside = fake_cli(
        tmp_path / "b",
        '[ "$1" = --version ] && echo "Docker version 20.10.24, build x" || exit 1',
    )
    plugin = fake_cli(
        tmp_path / "c",
        '[ "$1" = buildx ] && echo "github.com/docker/buildx v0.12" || echo "Docker version 28"',
    )
    system = os.environ["PATH"].split(os.pathsep)[-1]
    for order, kind, cli in (
        ("ab", "buildkit", inside),
        ("ac", "buildx", plugin),
        ("a", "legacy", ""),
    ):
        monkeypatch.setenv(
            "PATH", os.pathsep.join(str(tmp_path / name) for name in order)
        )
        found = find_builder()
        assert (found.kind, found.cli) == (kind, cli)
    assert system
    assert without
    assert "docker CLI 28.2.2 lacks its buildx plugin" in str(found)


@pytest.mark.skipif(
    os.name != "posix", reason="the stand-in for the CLI is a shell script"
)
def test_where_there_is_no_buildkit_both_versions_are_named(
    engine, submission, tmp_path, monkeypatch
):
    cli = fake_cli(
        tmp_path / "bin",
        'echo "ERROR: BuildKit is enabled but the buildx component is missing or broken."; exit 1',
    )
    monkeypatch.setattr(
        "dockdojo.build.builds.the_builder", lambda: Builder("buildkit", cli, "23.0.1")
    )
    with pytest.raises(NoBuildKit) as caught:
        engine.build(submission({"Dockerfile": "FROM busybox\n"}), limits=Limits())
    assert f"the docker CLI is 23.0.1, and the engine {engine.info().version}" in str(
        caught.value
    )


@pytest.mark.parametrize("number", ["9" * 5_000, "²", "٣" * 20])
def test_numbers_that_are_none_in_what_a_step_prints(submission, number):
    """A RUN can print whatever it likes, also after a carriage return."""
    forged = f"failed to solve: dockerfile parse error line {number}: x"
    error = explained(
        submission,
        "#5 [2/3] RUN x",
        f"#{number} 0.1 x",
        "#5 0.1 x",
        "#5 ERROR: exit code: 1",
        forged,
    )
    assert isinstance(error, SubmissionError)
    log = BuildLog()
    log.add(f"#{number} 0.1 x")
    assert log.last_output == ""


@pytest.mark.parametrize(
    ("text", "words", "newer"),
    [
        ("FROM x\nCOPY --link a /\n", "Unknown flag: link", True),
        ("FROM x\nRUN <<EOF\npip\nEOF\n", "unknown instruction: PIP", True),
        ("FROM x\nCOPY --lnik a /\n", "Unknown flag: lnik", False),
        ("FROM x\nRUNN a\n", "unknown instruction: RUNN", False),
    ],
)
def test_what_is_written_for_a_newer_builder_is_no_mistake(text, words, newer):
    assert (
        is_for_newer_frontend(DockerfileInvalid(words), Dockerfile.parse(text)) is newer
    )


def test_link_is_taken_from_copies_and_from_nothing_else(tmp_path):
    path = tmp_path / "Dockerfile"
    path.write_text(
        "COPY --link a --link\n  add --chown=1 --link=true b /\nONBUILD COPY --link --from=x a /\nRUN ls --link x\n"
    )
    assert without_link(path)
    assert (
        path.read_text().replace("  ", " ")
        == "COPY a --link\n add --chown=1 b /\nONBUILD COPY --from=x a /\nRUN ls --link x\n"
    )
    assert not without_link(path)
