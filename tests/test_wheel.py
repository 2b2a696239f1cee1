"""A wheel carries the course, never the solutions or the variants; installed apart, it starts and grades a lab."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def ran(*command, **options):
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def built(source, target):
    """The wheel of a folder, in another."""
    done = ran(
        sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", target, source
    )
    assert done.returncode == 0, done.stderr
    return next(target.glob("*.whl"))


def test_built_in_two_folders_it_has_the_same_bytes(wheel, tmp_path):
    """Whoever pins its SHA-256 can build it again."""
    copy = tmp_path / "elsewhere"
    copy.mkdir()
    for name in (
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "src",
        "labs",
        "graders",
        "images",
    ):
        one = ROOT / name
        if one.is_dir():
            shutil.copytree(
                one,
                copy / name,
                ignore=shutil.ignore_patterns("__pycache__"),
                copy_function=shutil.copy,
            )
        else:
            shutil.copy(one, copy / name)
    for name in ("graders", "src/dockdojo"):
        (copy / name / "__pycache__").mkdir()
        (copy / name / "__pycache__" / "x.cpython-311.pyc").write_bytes(
            b"compiled on this machine"
        )
    again = built(copy, tmp_path / "again")
    assert (again.name, again.read_bytes()) == (wheel.name, wheel.read_bytes())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return built(ROOT, tmp_path_factory.mktemp("wheel"))


def test_the_wheel_carries_the_course_and_no_answers(wheel, course):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        texts = b"\0".join(archive.read(name) for name in names)
    for slug in course.slugs:
        assert f"dockdojo/_course/labs/{slug}/lab.toml" in names
        assert f"dockdojo/_course/graders/{slug}.py" in names
    assert "dockdojo/_course/images/catalog.toml" in names
    assert "dockdojo/reports/report.schema.json" in names
    for page in ("base.html.j2", "style.css.j2", "report.html.j2", "layers.html.j2"):
        assert f"dockdojo/reports/templates/{page}" in names
    assert not [
        name
        for name in names
        if "solutions" in name or "variants" in name or name.startswith("tests")
    ]
    for slug in course.slugs:
        for path in (
            one
            for one in course.solution(slug).rglob("*")
            if one.is_file() and "__pycache__" not in one.parts
        ):
            given = course.starter(slug) / path.relative_to(course.solution(slug))
            if not given.is_file() or given.read_bytes() != path.read_bytes():
                assert path.read_bytes() not in texts, path


def test_an_installed_wheel_starts_and_grades_a_lab_from_another_folder(
    wheel, tmp_path, real_engine
):
    place = tmp_path / "venv"
    venv.create(place, with_pip=False, system_site_packages=False)
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    assert (
        ran(
            sys.executable, "-m", "pip", "--python", python, "install", "-q", wheel
        ).returncode
        == 0
    )
    script = python.with_name("dockdojo.exe" if os.name == "nt" else "dockdojo")
    listed = ran(script, "list", cwd=tmp_path)
    assert "hello_world" in listed.stdout
    assert ran(script, "start", "hello_world", cwd=tmp_path).returncode == 0
    workspace = tmp_path / "hello_world"
    (workspace / "greet.sh").write_text("echo 'Hello, world!'\n")
    (workspace / "Dockerfile").write_text(
        "FROM busybox\nCOPY greet.sh /\nCMD sh /greet.sh\n"
    )
    graded = ran(script, "check", cwd=workspace)
    assert graded.returncode == 1, graded
    assert "20/20  greets" in graded.stdout
