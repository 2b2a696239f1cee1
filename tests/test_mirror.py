"""Wheels for builds: a CPU build of torchvision made of the other one, and an index that builds find by themselves."""

from __future__ import annotations

import sys
import zipfile

import pytest

from dockdojo.connection.types import RunSpec
from dockdojo.engine.client import connect
from dockdojo.errors import CourseError
from dockdojo.host import base_images, local_base_images, package_index, wheels
from dockdojo.model import Limits


def wheel(folder, files, version="0.28.0"):
    path = folder / f"torchvision-{version}-cp311-cp311-manylinux_2_28_x86_64.whl"
    info = f"torchvision-{version}.dist-info"
    about = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: torchvision\nVersion: {version}\n\nVersion: of the text\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: cp311-cp311-manylinux_2_28_x86_64\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as packed:
        for name, text in (files | about).items():
            packed.writestr(name, text)
    return path


def test_torchvision_becomes_a_cpu_build(tmp_path):
    old = wheel(
        tmp_path,
        {
            "torchvision/__init__.py": "",
            "torchvision/extension.py": "import torch\n\n\ndef _has_ops():\n    return False\n",
            "torchvision/version.py": "__version__ = '0.28.0+cu130'\n",
            "torchvision/_C.so": "ELF",
            "torchvision.libs/libcudart.so.13": "ELF",
        },
    )
    new = wheels.repack(old)
    assert new.name == "torchvision-0.28.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl"
    assert not old.exists()
    with zipfile.ZipFile(new) as packed:
        names = set(packed.namelist())
        assert not any(".so" in name for name in names)
        assert (
            "Version: 0.28.0+cpu\n"
            in packed.read("torchvision-0.28.0+cpu.dist-info/METADATA").decode()
        )
        assert (
            "of the text"
            in packed.read("torchvision-0.28.0+cpu.dist-info/METADATA").decode()
        )
        assert packed.read("torchvision/version.py") == b"__version__ = '0.28.0+cpu'\n"
        assert b"nms(Tensor dets" in packed.read("torchvision/extension.py")
        record = packed.read("torchvision-0.28.0+cpu.dist-info/RECORD").decode()
        assert "torchvision/extension.py,sha256=" in record
        assert ".so" not in record


def test_a_wheel_that_is_laid_out_otherwise_is_left_alone(tmp_path):
    old = wheel(tmp_path, {"torchvision/__init__.py": ""})
    with pytest.raises(CourseError, match="not laid out"):
        wheels.repack(old)
    assert old.exists()


def test_the_settings_of_pip_name_the_mirror_while_there_is_one(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKDOJO_STATE", str(tmp_path))
    recipe = tmp_path / "recipe"
    recipe.mkdir()
    (recipe / "Dockerfile").write_text("COPY site/pip.conf /etc/pip.conf\n")
    lines = ["[global]", "extra-index-url = https://other.example/simple"]
    assert local_base_images._with_mirror(lines) == lines
    before = local_base_images.fingerprint(recipe)
    (tmp_path / local_base_images.MIRROR_RECORD).write_text(
        '{"url": "http://172.17.0.1:3141/simple/"}'
    )
    assert local_base_images._with_mirror(lines) == [
        "[global]",
        "extra-index-url = http://172.17.0.1:3141/simple/ https://other.example/simple",
        "trusted-host = 172.17.0.1",
        "retries = 1",
    ]
    assert local_base_images.fingerprint(recipe) != before


DOCKERFILE = "FROM python:3.11-slim\nRUN pip install --no-cache-dir --no-compile torch==2.13.0 torchvision==0.28.0\n"
PROGRAM = """
import torch, torchvision
from torchvision import datasets, transforms
print(torch.__version__, torchvision.__version__, torch.version.cuda)
print(transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])(torchvision.transforms.functional.to_pil_image(torch.ones(1, 2, 2))).mean().item())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the stand-ins are made on Linux")
def test_an_unmodified_dockerfile_gets_cpu_builds(real_engine, course, submission):
    if not package_index.is_needed(course):
        pytest.skip(
            "python:3.11-slim is the official image here: builds use the usual indexes"
        )
    found = package_index.status()
    assert found is not None
    assert any(name.startswith("torch-2.13.0+cpu") for name in found.wheels)
    with connect() as engine:
        image = engine.build(submission({"Dockerfile": DOCKERFILE}), limits=Limits())
        spec = RunSpec(image=image.id, args=("python", "-c", PROGRAM))
        done = engine.run(spec, Limits(memory_mb=2000))
        assert done.stdout.splitlines() == [
            "2.13.0+cpu 0.28.0+cpu None",
            "1.0",
        ], done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="the stand-ins are made on Linux")
def test_down_and_up_again(real_engine, course):
    if not package_index.is_needed(course):
        pytest.skip(
            "python:3.11-slim is the official image here: builds use the usual indexes"
        )
    assert package_index.down()
    try:
        assert package_index.status() is None
        assert not package_index.down()
    finally:
        base_images.prepare(course, lambda ref, what: None)
    assert package_index.status() is not None
