"""The command line as people run it: through pipes whose encoding lacks our characters, and with half a TLS set-up."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from dockdojo.reports import FORMATS

SAVED = Path(__file__).with_name("golden") / "errored.json"


def dockdojo(*words, **env) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "dockdojo", *map(str, words)],
        env=os.environ | env,
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_through_every_pipe(name, encoding):
    done = dockdojo("convert", SAVED, "--format", name, PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    golden = SAVED.with_name(f"errored.{name}").read_text(encoding="utf-8")
    if name != "text" or encoding != "cp1252":
        # The documents say of themselves that they are UTF-8; and click takes ASCII for a setting that nobody meant.
        assert done.stdout.decode("utf-8") == golden
    else:
        shown = done.stdout.decode(encoding)
        assert "10/10  a:" in shown
        assert "\N{CHECK MARK}" not in shown


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
@pytest.mark.parametrize(
    "words",
    [("list",), ("--help",), ("grade", "hello_world", "/no/f\u00f6lder \u2713")],
)
def test_no_encoding_makes_a_traceback(words, encoding):
    done = dockdojo(*words, PYTHONIOENCODING=encoding)
    assert done.returncode == (2 if "grade" in words else 0)
    assert b"Traceback" not in done.stderr
    assert done.stdout or done.stderr


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_what_an_engine_is_asked_for_goes_through_every_pipe(
    real_engine, submission, encoding
):
    """A grading with its marks, a look at a folder and an image's layers, with names that the encoding lacks."""
    folder = submission(
        {
            "Dockerfile": "FROM busybox:latest\nRUN echo ✓\nCMD echo ✓\n",
            "greet.sh": "#!/bin/sh\r\necho ✓\r\n",
        },
        "ordner ✓",
    )
    for words, code in (
        (("grade", "hello_world", folder), 1),
        (("look", folder), 1),
        (("layers", "busybox:latest"), 0),
    ):
        done = dockdojo(*words, PYTHONIOENCODING=encoding)
        assert done.returncode == code, done.stderr
        assert done.stdout
        assert b"Traceback" not in done.stderr
        done.stdout.decode(encoding if encoding != "ascii" else "utf-8")


@pytest.mark.skipif(os.name != "posix", reason="names that are no text are POSIX's")
def test_a_name_that_is_no_text():
    done = dockdojo("grade", "hello_world", "/no/b\udcff", PYTHONIOENCODING="utf-8")
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("doctor",),
        ("images",),
        ("grade", "hello_world", Path(__file__).parent / "golden"),
    ],
)
def test_tls_without_certificates_is_a_line(words, tmp_path):
    done = dockdojo(
        *words,
        DOCKER_HOST="tcp://127.0.0.1:1",
        DOCKER_TLS_VERIFY="1",
        DOCKER_CERT_PATH=str(tmp_path),
    )
    assert done.returncode == 3
    said = done.stderr.decode() + done.stdout.decode()
    assert "Traceback" not in said
    assert "has no ca.pem, cert.pem, key.pem" in said


def test_certificates_that_are_none_are_a_line(tmp_path):
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).write_text("nothing")
    done = dockdojo(
        "images",
        DOCKER_HOST="tcp://127.0.0.1:1",
        DOCKER_TLS_VERIFY="1",
        DOCKER_CERT_PATH=str(tmp_path),
    )
    assert done.returncode == 3
    assert b"Traceback" not in done.stderr


def test_releases_of_docker_py_that_cannot_work_are_not_asked_for():
    """7.0 fails with requests 2.32 and newer, in each call; of 8 nobody knows."""
    from packaging.requirements import Requirement

    asked = [Requirement(line) for line in metadata.requires("dockdojo") or ()]
    (docker,) = [one.specifier for one in asked if one.name == "docker"]
    assert not {"6.1.3", "7.0.0", "8.0.0"} & set(
        docker.filter(["6.1.3", "7.0.0", "8.0.0"])
    )
    assert metadata.version("docker") in docker
