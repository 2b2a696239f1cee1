"""A folder of wheels for builds: filled by pip on the host, for the Python in the stand-in images.

Formats: wheels (https://packaging.python.org/specifications/binary-distribution-format/).
"""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path

from dockdojo.errors import CourseError, DataUnavailable

PYTHON = "3.11"
"""The Python of the stand-in images."""
LINUX = (
    "manylinux_2_36",
    "manylinux_2_28",
    "manylinux_2_27",
    "manylinux_2_17",
    "manylinux2014",
)
"""Platforms whose wheels run on Debian 12."""
LOCAL = "+cpu"
ANSWER_SECONDS = 5
SCHEMAS = """

# Added when this wheel was made into a build for a torch without CUDA: the compiled operators are left out, and two of
# them must at least be known by name, or nothing here can be imported.
if not _has_ops():
    _schemas = torch.library.Library("torchvision", "DEF")
    _schemas.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _schemas.define(
        "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
    )
"""
Tell = Callable[[str], None]


def fill(
    folder: Path, requirements: tuple[str, ...], cpu_index: str, tell: Tell
) -> list[Path]:
    """Download the wheels of the requirements, and of what those need; return all that are there.

    What is there already is not fetched again. Raises DataUnavailable in pip's words.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--dest",
        str(folder),
        "--find-links",
        str(folder),
    ]
    command += ["--only-binary=:all:", *_platform()]
    if cpu_index and _answers(cpu_index):
        command += ["--extra-index-url", cpu_index]
    tell(f"fetching {', '.join(requirements)}, and what they need")
    done = subprocess.run(
        [*command, *requirements], capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = [
            line for line in done.stderr.splitlines() if line.startswith("ERROR")
        ] or done.stderr.splitlines()[-1:]
        raise DataUnavailable(f"pip could not fetch the wheels: {' '.join(last)[:400]}")
    wheels = {path.name.split("-")[0]: path for path in sorted(folder.glob("*.whl"))}
    torch, vision = wheels.get("torch"), wheels.get("torchvision")
    if torch is not None and LOCAL not in torch.name:
        torch.unlink()
        raise DataUnavailable(
            f"pip finds no CPU build of torch here, only {torch.name}.",
            hint=f"Does {cpu_index} answer?",
        )
    if torch is not None and vision is not None and LOCAL not in vision.name:
        tell("making a CPU build of torchvision")
        repack(vision)
    return sorted(folder.glob("*.whl"))


def _platform() -> list[str]:
    machine = {"AMD64": "x86_64", "arm64": "aarch64"}.get(
        platform.machine(), platform.machine()
    )
    found = ["--python-version", PYTHON, "--implementation", "cp"]
    for tag in LINUX:
        found += ["--platform", f"{tag}_{machine}"]
    return found


def _answers(index: str) -> bool:
    try:
        # The course names it.
        with urllib.request.urlopen(index, timeout=ANSWER_SECONDS):  # noqa: S310
            return True
    except (OSError, ValueError):
        return False


def repack(wheel: Path) -> Path:
    """Replace torchvision's wheel for CUDA by one for a torch without; return the new one. Its version ends in +cpu."""
    name, version, *tags = wheel.stem.split("-")
    with tempfile.TemporaryDirectory(prefix="dockdojo-wheel-") as scratch:
        shutil.unpack_archive(wheel, scratch, "zip")
        root = Path(scratch)
        for gone in [*root.glob("torchvision/*.so"), *root.glob("torchvision.libs/*")]:
            gone.unlink()
        extension = root / "torchvision" / "extension.py"
        if not extension.is_file():
            raise CourseError(
                f"{wheel.name} is not laid out as torchvision's wheels are."
            )
        extension.write_text(extension.read_text() + SCHEMAS)
        about = root / "torchvision" / "version.py"
        about.write_text(
            re.sub(
                r"__version__ = '[^']*'",
                f"__version__ = '{version}{LOCAL}'",
                about.read_text(),
            )
        )
        info = root / f"{name}-{version}.dist-info"
        metadata = (info / "METADATA").read_text()
        (info / "METADATA").write_text(
            re.sub(r"(?m)^Version: .*", f"Version: {version}{LOCAL}", metadata, count=1)
        )
        info.rename(root / f"{name}-{version}{LOCAL}.dist-info")
        command = [
            sys.executable,
            "-m",
            "wheel",
            "pack",
            scratch,
            "--dest-dir",
            str(wheel.parent),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CourseError(
                f"{wheel.name} could not be made into a CPU build: {done.stderr.strip()[-300:]}"
            )
    wheel.unlink()
    return next(wheel.parent.glob(f"{name}-{version}{LOCAL}-{'-'.join(tags)}.whl"))
