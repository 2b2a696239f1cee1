"""Questions to a PyTorch image and to its checkpoints, answered from bytes: no program of the image is asked.

Which build of torch it has is read from its files. What a checkpoint holds, the checkpoint inspector tells, in an image of ours.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from dockdojo import payloads
from dockdojo.checks import fail
from dockdojo.checks.host import PYTHON_IMAGE, GradingHost
from dockdojo.connection.types import Finished
from dockdojo.engine.files import head, listing
from dockdojo.errors import SubmissionError

FOR_GPUS = re.compile(
    r"(?:nvidia|cuda|triton|pytorch_triton|pytorch-triton)[-_.\w]*", re.IGNORECASE
)
"""Packages that a build for processors does not need, as their dist-info folders are called."""
LIBRARIES = re.compile(
    r"lib(?:torch_cuda|c10_cuda|torch_hip|c10_hip|cudart|cublas|cublasLt|cudnn)\b.*\.so.*"
)
PACKAGE = re.compile(r"(?P<name>[\w.]+?)-(?P<version>\d[^/]*)\.(?:dist|egg)-info")
BUILT_FOR = re.compile(
    r"^(cuda|hip)\s*(?::[^=\n]{0,60})?=\s*(?:'([^'\n]{0,40})'|\"([^\"\n]{0,40})\"|None)",
    re.MULTILINE,
)
"""What torch/version.py says of the build, as torch's own setup writes it."""
VERSION_FILE, CORE = "torch/version.py", "torch/lib/libtorch_cpu.so"
CORE_BYTES = 50_000_000
"""The library without which no torch runs has at least so many; 345 MB, where its symbols are stripped."""
ELF = b"\x7fELF"
INSPECTOR = ("tensors", "torch_files", "checkpoint_inspector")
START = """import json, sys, types
for name, text in json.loads(sys.argv.pop(1)).items():
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
module.main()
"""
"""Makes modules of their texts, in order, and runs the last."""
Run = Callable[..., Finished]


@dataclass(frozen=True, slots=True, kw_only=True)
class Torch:
    """The torch that an image has, by its files."""

    folders: tuple[str, ...]
    """Where packages are that hold a torch, such as `/usr/local/lib/python3.11/site-packages`."""
    built_for: str
    """`CUDA 12.1`, `ROCm 6.0`; empty for processors alone."""
    gpu_files: tuple[str, ...]
    """Packages and libraries for GPUs, wherever they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What is in an image, as far as a lab with torch asks."""

    files: dict[str, int]
    """All plain files, with their bytes."""
    torch: Torch | None
    """None where no torch is that could run."""
    problem: str
    """What Python says where it is to import torch; empty where it can."""


def look_into(session: GradingHost, *, any_python: bool = False) -> Contents:
    """What is in the image of the submission. Its files are read from a container that never runs.

    Its `python` is to import torch; with `any_python`, that of the virtual environment where torch is, or `python3`, may as well.
    """
    bare = session.create()
    files = listing(bare)
    folders = sorted(
        path.removesuffix("/" + VERSION_FILE)
        for path in files
        if path.endswith("/" + VERSION_FILE)
    )
    folders = [
        folder for folder in folders if files.get(f"{folder}/{CORE}", 0) >= CORE_BYTES
    ]
    folders = [
        folder for folder in folders if head(bare, f"{folder}/{CORE}", len(ELF)) == ELF
    ]
    if not folders:
        return Contents(files=files, torch=None, problem="")
    texts = [
        bare.read(f"{folder}/{VERSION_FILE}").decode("utf-8", "replace")
        for folder in folders
    ]
    built_for = [
        f"{'CUDA' if kind == 'cuda' else 'ROCm'} {version or other}"
        for text in texts
        for kind, version, other in BUILT_FOR.findall(text)
        if version or other
    ]
    found = Torch(
        folders=tuple(folders),
        built_for=next(iter(built_for), ""),
        gpu_files=tuple(_for_gpus(files)),
    )
    return Contents(
        files=files,
        torch=found,
        problem=_import_problem(session, folders if any_python else None),
    )


def _import_problem(session: GradingHost, folders: list[str] | None) -> str:
    """What Python says where it is to import torch; empty where it can. Several are asked where `folders` of torch are given."""
    pythons = ["python"]
    if folders is not None:
        pythons += [
            posixpath.normpath(posixpath.join(folder, "../../../bin/python"))
            for folder in folders
        ] + ["python3"]
    problem = ""
    for python in pythons:
        try:
            done = session.run("-c", "import torch", entrypoint=(python,))
        except SubmissionError as error:  # there is no such program
            if folders is None:
                raise
            problem = problem or str(error)
            continue
        if not done.exit_code:
            return ""
        problem = problem or done.stderr[-600:] or f"exit code {done.exit_code}"
    return problem


def _for_gpus(files: Iterable[str]) -> list[str]:
    found = set()
    for path in files:
        folder, _, name = path.rpartition("/")
        if LIBRARIES.fullmatch(name):
            found.add(name)
        elif name in ("METADATA", "PKG-INFO") and (
            package := PACKAGE.fullmatch(folder.rpartition("/")[2])
        ):
            found |= {package["name"]} if FOR_GPUS.fullmatch(package["name"]) else set()
    return sorted(found)


def expect_torch(contents: Contents) -> Torch:
    """The torch in the image, by its files. Fails the check where there is none, or Python cannot import it."""
    if contents.torch is None:
        fail(
            "no torch is in the image",
            expected=f"`{VERSION_FILE}` and `{CORE}`, as pip installs them",
            why="Files are looked for in the image itself; its programs are not asked.",
            hint="Does a RUN install torch, and is it the last stage that has it?",
            file="Dockerfile",
        )
    if contents.problem:
        fail(
            "torch cannot be imported in the image",
            expected="`import torch` works",
            detail=contents.problem,
            hint='`docker run --rm --entrypoint python IMAGE -c "import torch"` shows the same: what is missing?',
        )
    return contents.torch


def expect_cpu_build(contents: Contents) -> None:
    """Fails the check where torch is built for GPUs, or their libraries are in the image."""
    found = expect_torch(contents)
    if found.built_for:
        fail(
            f"torch is built for {found.built_for} (`{posixpath.join(found.folders[0], VERSION_FILE)}`)",
            expected="`torch.version.cuda` is None",
            file="Dockerfile",
        )
    if found.gpu_files:
        fail(
            f"the image has {', '.join(found.gpu_files[:4])}",
            expected="no packages for CUDA",
            file="Dockerfile",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What a checkpoint holds."""

    error: str
    """Why it cannot be loaded; empty where it can."""
    is_missing: bool = False
    """Whether there is no such file."""
    numbers: int = 0
    """Floating-point numbers of the weights."""
    fingerprint: str = ""
    """SHA-256 of the weights' bytes."""
    has_optimizer: bool = False
    plain_sgd: bool = False
    """Whether the optimizer in it is torch's SGD without momentum, which has no state."""
    has_nan: bool = False
    """Whether weights are not numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """The answers of one run of the checkpoint inspector."""

    loaded: dict[str, Examined]
    poisoned: tuple[int, ...]
    """For each copy that was asked for, how many tensors were made NaN."""


def examine(
    run: Run, load: list[str], poison: list[tuple[str, str, str]], **options: Any
) -> Examination:
    """Reads checkpoints, and writes poisoned copies, in an image of the course; `run` is `session.run`.

    `load` has paths in the container; `poison` has (`weights` or `optimizer`, folder to read, folder to write). Raises
    SubmissionError where a checkpoint keeps the inspector from an answer.
    """
    order = json.dumps({"load": load, "poison": poison})
    texts = json.dumps(
        {f"dockdojo.payloads.{name}": payloads.source(name) for name in INSPECTOR}
    )
    done = run(
        "-I",
        "-c",
        START,
        texts,
        order,
        image=PYTHON_IMAGE,
        entrypoint=("python",),
        user="root",
        **options,
    )
    try:
        answer = json.loads(done.stdout.strip().splitlines()[-1])
        loaded = {
            str(path): Examined(
                error=str(checkpoint["error"]),
                is_missing=bool(checkpoint.get("is_missing")),
                numbers=int(checkpoint.get("numbers", 0)),
                fingerprint=str(checkpoint.get("fingerprint", "")),
                has_optimizer=bool(checkpoint.get("has_optimizer")),
                has_nan=bool(checkpoint.get("has_nan")),
                plain_sgd=bool(checkpoint.get("plain_sgd")),
            )
            for path, checkpoint in answer["load"].items()
        }
        return Examination(
            loaded=loaded, poisoned=tuple(int(value) for value in answer["poison"])
        )
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise SubmissionError(
            "The checkpoint could not be looked at.",
            detail=(done.stdout + done.stderr)[-800:],
        ) from error
