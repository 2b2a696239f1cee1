from __future__ import annotations

import subprocess

import pytest

from dockdojo.connection.types import RunSpec
from dockdojo.engine.client import connect
from dockdojo.host import local_base_images
from dockdojo.model import Limits

LIMITS = Limits(check_seconds=60)


def test_only_pip_settings_that_mean_something_inside_are_carried(monkeypatch):
    listed = (
        "global.index-url='https://mirror.example.com/simple'\n"
        "global.extra-index-url='file:///srv/x https://user:secret@example.com/simple http://localhost:3141/x https://two.example.com/s'\n"
        "global.find-links='/opt/wheels'\n:env:.trusted-host='mirror.example.com'\n:env:.default-timeout='180'\nglobal.user='true'\n"
    )
    monkeypatch.setattr(
        local_base_images.subprocess,
        "run",
        lambda *a, **k: subprocess.CompletedProcess(a, 0, listed, ""),
    )
    assert local_base_images.pip_settings() == {
        "index-url": "https://mirror.example.com/simple",
        "extra-index-url": "https://two.example.com/s",
        "trusted-host": "mirror.example.com",
        "timeout": "180",
    }


@pytest.fixture
def python(engine):
    def run(script, user=""):
        return engine.run(
            RunSpec(image="python:3.11-slim", args=("sh", "-c", script), user=user),
            LIMITS,
        )

    return run


def test_the_python_image_behaves_as_the_official_one(python):
    where = python(
        "for p in python python3 pip; do command -v $p; done; python -c 'import sys; print(sys.prefix, sys.version_info[:2])'"
    ).stdout.split("\n")
    assert where[:4] == [
        "/usr/local/bin/python",
        "/usr/local/bin/python3",
        "/usr/local/bin/pip",
        "/usr/local (3, 11)",
    ]
    paths = python("python -c 'import sys; print(sys.path)'").stdout
    assert "dist-packages" not in paths
    assert "/usr/local/lib/python3.11/site-packages" in paths
    assert python("ls /usr/bin/python* /usr/lib/python3*").exit_code != 0
    assert (
        python(
            "python -c 'import ssl, sqlite3, ctypes, lzma, bz2, zlib, readline, uuid, curses, hashlib, venv, lib2to3, distutils.core'"
        ).exit_code
        == 0
    )
    assert python("find / -name EXTERNALLY-MANAGED -not -path '/proc/*'").stdout == ""
    assert (
        python("pip --version && python -c 'import setuptools'", user="1000").exit_code
        == 0
    )


def test_pip_installs_in_a_build_for_root_and_for_others(engine, submission):
    dockerfile = (
        "FROM python:3.11-slim\nRUN pip install flask==3.1.0 && python -c 'import flask; print(flask.__file__)'\n"
        "RUN useradd --create-home someone\nUSER someone\nRUN pip install gunicorn==23.0.0 && python -c 'import gunicorn'\n"
        "RUN python -m venv ~/venv && ~/venv/bin/pip --version\n"
    )
    image = engine.build(submission({"Dockerfile": dockerfile}), limits=Limits())
    assert image.size > 130_000_000


def test_sizes_and_labels(engine, course):
    sizes = {one.ref: engine.image(one.ref).size for one in course.images()}
    stand_in = local_base_images.STAND_IN in engine.image("python:3.11-slim").labels
    assert sizes["python:3.11-slim"] <= (
        125_000_000 if stand_in else 160_000_000
    )  # the official one has about as much
    assert sizes["debian:bookworm-slim"] <= 100_000_000
    assert sizes["busybox:latest"] < 10_000_000


def test_hello_world_greets_and_has_no_shell(engine):
    done = engine.run(RunSpec(image="hello-world:latest"), LIMITS)
    assert "Hello from Docker!" in done.stdout
    assert done.exit_code == 0


def test_a_second_call_gets_nothing_again(course, real_engine):
    from dockdojo.host import base_images

    assert {
        one.how for one in base_images.get_images(course, lambda ref, what: None)
    } == {"here"}
    with connect() as engine:
        stand_ins = {
            one.ref
            for one in course.images()
            if local_base_images.STAND_IN in engine.image(one.ref).labels
        }
    assert set(base_images.stand_ins_here(course)) == stand_ins
