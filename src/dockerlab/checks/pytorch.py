"""Questions to a PyTorch image, answered by its own Python: which build it is, and what its checkpoints hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dockerlab.checks import fail
from dockerlab.engine.objects import Finished
from dockerlab.errors import SubmissionError

BUILD = "import json, torch; print(json.dumps([torch.version.cuda, getattr(torch.version, 'hip', None), torch._C._has_cuda]))"
PACKAGES = (
    "from importlib import metadata; print(*sorted({d.metadata['Name'].lower() for d in metadata.distributions()}))"
)
FOR_GPUS = ("nvidia-", "cuda-", "triton", "pytorch-triton")
EXAMINER = Path(__file__).with_name("examiner.py")
"""Not imported: it runs in the submission's image."""
Run = Callable[..., Finished]


def expect_cpu_build(run: Run) -> None:
    """Fails the check where torch is built for GPUs, or their libraries are installed. `run` is the fixture of that name."""
    done = run("-c", BUILD, entrypoint=("python",))
    try:
        cuda, hip, has_cuda = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        fail("torch cannot be imported in the image", detail=done.stderr[-600:])
    if cuda or hip or has_cuda:
        fail(
            f"torch is built for {f'CUDA {cuda}' if cuda else f'ROCm {hip}' if hip else 'CUDA'}",
            expected="`torch.version.cuda` is None",
        )
    listed = run("-c", PACKAGES, entrypoint=("python",)).stdout.split()
    found = [one for one in listed if one.startswith(FOR_GPUS)]
    if found:
        fail(f"the image has {', '.join(found[:4])}", expected="no packages for CUDA")


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What a checkpoint holds, as torch in the submission's image loads it."""

    error: str
    """Why it cannot be loaded; empty where it can."""
    numbers: int = 0
    """Floating-point numbers of the weights."""
    has_optimizer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """The answers of one run of the examiner."""

    loaded: dict[str, Examined]
    poisoned: tuple[int, ...]
    """For each copy that was asked for, how many tensors were made NaN."""


def examine(run: Run, load: list[str], poison: list[tuple[str, str, str]], **options: Any) -> Examination:
    """Loads checkpoints, and writes poisoned copies, inside the submission's image.

    `load` has paths in the container; `poison` has (`weights` or `optimizer`, folder to read, folder to write). Raises
    SubmissionError where the image's Python does not get to an answer.
    """
    order = json.dumps({"load": load, "poison": poison})
    done = run("-c", EXAMINER.read_text(), order, entrypoint=("python",), user="root", **options)
    try:
        told = json.loads(done.stdout.strip().splitlines()[-1])
        loaded = {
            str(path): Examined(
                error=str(one["error"]), numbers=int(one.get("numbers", 0)),
                has_optimizer=bool(one.get("has_optimizer")),
            )
            for path, one in told["load"].items()
        }  # fmt: skip
        return Examination(loaded=loaded, poisoned=tuple(int(one) for one in told["poison"]))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise SubmissionError(
            "The checkpoint could not be looked at with the image's own Python.",
            detail=(done.stdout + done.stderr)[-800:],
        ) from error
