"""Examines checkpoints of a submission, as tensors only. It runs in an image of the course, which has no torch and needs none.

Its one argument names what to do: {"load": [paths], "poison": [[kind, from, to], ...]}, and perhaps the "seconds" of the
processor that one file may take; kind is `weights` or `optimizer`. The last line of its output is one JSON object. Nothing
that a checkpoint names is imported or called: see `tensors` and `torch_files`, which are beside it. Each file is read by a
process of its own, with limits of memory and processor time, so that a file that is made to take both costs its own answer
and no other's.

A checkpoint has no format: a bare state dict, a dictionary of any names, whole modules, lists. What is an optimizer's state is
told by its shape: torch's own has `state` and `param_groups`; else it is what is held beside weights in the same shapes
under names such as momentum.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import math
import os
import re
import resource
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Any

from dockdojo.payloads.tensors import Inert, Refused, Tensor
from dockdojo.payloads.torch_files import Checkpoint, open_checkpoint

PARTS = re.compile(
    r"optim|momentum|exp_avg|velocity|moment|sq_avg|square_avg|adam|sgd", re.IGNORECASE
)
ENDINGS = (".pth", ".pt", ".ckpt", ".bin", ".tar")
MAX_DEPTH = 40
PROCESSOR_SECONDS, MEMORY_BYTES = 10, 1_500_000_000
"""For one file; one of 45 MB takes a tenth of a second."""
MAX_FOLDERS, MAX_FILES = 50, 200
"""Of a workspace that are looked through for checkpoints, and of each folder."""
MAX_ANSWER_BYTES = 100_000
SAMPLED_NUMBERS = 500
"""Numbers of each tensor: after one step with a NaN, none of a layer's is finite."""


def state_of(value: Any) -> dict[Any, Any]:
    """The attributes of an object of a class that was not imported; empty for anything else."""
    states = value.states if isinstance(value, Inert) else ()
    found: dict[Any, Any] = {}
    for state in states:
        for attributes in (
            state if isinstance(state, tuple) else (state,)
        ):  # (dict, slots) where a class has slots
            found.update(attributes if isinstance(attributes, dict) else {})
    return found


def is_optimizer(value: Any, name: object) -> bool:
    """Whether a part of a checkpoint is an optimizer's."""
    if "param_groups" in (value if isinstance(value, dict) else state_of(value)):
        return True
    if isinstance(value, dict) and value and all(isinstance(key, int) for key in value):
        return all(isinstance(entry, dict) for entry in value.values())
    return bool(PARTS.search(str(name))) and not isinstance(value, (int, float, str))


def tensors(
    value: Any,
    name: object = "",
    inside: bool = False,
    depth: int = 0,
    seen: set[int] | None = None,
) -> Iterator[tuple[bool, Tensor]]:
    """All tensors of a checkpoint, each with whether it is an optimizer's."""
    seen = set() if seen is None else seen
    if depth > MAX_DEPTH or id(value) in seen:
        return
    if isinstance(value, Tensor):
        yield inside or bool(PARTS.search(text(name))), value
        return
    if isinstance(value, (str, bytes, int, float, bool, type, type(None))):
        return
    seen.add(id(value))
    inside = inside or is_optimizer(value, text(name))
    state = state_of(value)
    if "_parameters" in state:  # a module
        for part in ("_parameters", "_buffers"):
            held = state.get(part)
            yield from (
                (inside, tensor)
                for tensor in (held.values() if isinstance(held, dict) else ())
                if isinstance(tensor, Tensor)
            )
        modules = state.get("_modules")
        for module in modules.values() if isinstance(modules, dict) else ():
            yield from tensors(module, "", inside, depth + 1, seen)
        return
    for key, part in parts(value, state, name):
        if not (inside and key in ("param_groups", "params")):
            yield from tensors(part, key, inside, depth + 1, seen)


def parts(
    value: Any, state: dict[Any, Any], name: object
) -> Iterator[tuple[object, Any]]:
    """What a container holds, each with the name that it goes by."""
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield from ((name, element) for element in value)
    elif isinstance(value, Inert):
        yield from state.items()
        yield from value.entries.items()
        yield from (
            (name, element)
            for element in (*value.args, *value.items, *value.states)
            if not isinstance(element, dict)
        )
        yield from (
            (name, element) for element in value.args if isinstance(element, dict)
        )


def text(name: object) -> str:
    """A key as a short text; keys that are no words say nothing."""
    return name[:200] if isinstance(name, str) else ""


def names_optimizer(value: Any, depth: int = 0) -> bool:
    """Whether some part is an optimizer's, though it may have no tensors (SGD without momentum)."""
    if depth > 3:
        return False
    held = value if isinstance(value, dict) else state_of(value)
    if "param_groups" in held:
        return True
    inner = held.values() if held else value if isinstance(value, (list, tuple)) else ()
    return any(names_optimizer(part, depth + 1) for part in list(inner)[:200])


def is_plain_sgd(value: Any, depth: int = 0) -> bool:
    """Whether some part is the state of torch's SGD without momentum, as far as its settings tell: that has no tensors."""
    if depth > 3:
        return False
    held = value if isinstance(value, dict) else state_of(value)
    groups = held.get("param_groups")
    if isinstance(groups, list) and groups:
        return all(
            isinstance(group, dict)
            and "dampening" in group
            and group.get("momentum") == 0
            for group in groups[:200]
        )
    inner = held.values() if held else value if isinstance(value, (list, tuple)) else ()
    return any(is_plain_sgd(part, depth + 1) for part in list(inner)[:200])


def describe(checkpoint: Checkpoint) -> dict[str, Any]:
    """What a checkpoint holds: the numbers of its weights and their fingerprint, and whether there is an optimizer."""
    found = list(tensors(checkpoint.state))
    weights = [tensor for mine, tensor in found if not mine and tensor.floating]
    digest = hashlib.sha256()
    for key in sorted({tensor.key for tensor in weights if tensor.size}):
        digest.update(checkpoint.bytes_of(key))
    return {
        "has_nan": any(has_nan(checkpoint, tensor) for tensor in weights),
        "numbers": sum(tensor.count for tensor in weights),
        "fingerprint": digest.hexdigest(),
        "has_optimizer": any(mine for mine, _ in found)
        or names_optimizer(checkpoint.state),
        "plain_sgd": is_plain_sgd(checkpoint.state),
    }


def has_nan(checkpoint: Checkpoint, tensor: Tensor) -> bool:
    """Whether one of its first numbers is not a number (IEEE 754)."""
    code = {
        "float32": "f",
        "float": "f",
        "float64": "d",
        "double": "d",
        "float16": "e",
        "half": "e",
    }.get(tensor.kind)
    if not code or not tensor.count:
        return False
    raw = checkpoint.first_bytes(tensor, SAMPLED_NUMBERS * tensor.width)
    raw = raw[: len(raw) // tensor.width * tensor.width]
    return any(math.isnan(number) for (number,) in struct.iter_unpack(f"<{code}", raw))


def poison(checkpoint: Checkpoint, optimizer: bool, target: str) -> int:
    """Writes a copy in which every floating-point tensor of one side is NaN, where there is any; returns how many."""
    chosen = [
        tensor
        for mine, tensor in tensors(checkpoint.state)
        # A loss that was saved is a tensor, too, but without dimensions; an optimizer's steps are.
        if mine == optimizer
        and (optimizer or tensor.size)
        and tensor.floating
        and tensor.count
    ]
    if chosen:
        checkpoint.write_with_nan(chosen, target)
    return len(chosen)


def alone(work: Callable[[], Any], seconds: int) -> Any:
    """Return what the work returns, done in a limited process of its own. Raises Refused if that gives no answer."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(out)
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        try:
            answer = json.dumps({"answer": work()})
        except MemoryError:
            os._exit(1)
        except Exception as error:
            known = isinstance(error, (Refused, OSError))
            reason = (
                str(error)
                if known
                else f"it is no file that torch.save wrote ({type(error).__name__})"
            )
            answer = json.dumps({"refused": reason[:300]})
        os.write(into, answer.encode()[:MAX_ANSWER_BYTES])
        os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as pipe:
        raw = pipe.read()
    os.waitpid(child, 0)
    if not raw:
        raise Refused(
            "reading it takes more memory or more time than any checkpoint should"
        )
    reply = json.loads(raw)
    if "refused" in reply:
        raise Refused(reply["refused"])
    return reply["answer"]


def load(path: str, seconds: int) -> dict[str, Any]:
    """Describe one file, or say why it cannot be read."""
    try:
        return {"error": "", **alone(lambda: describe(open_checkpoint(path)), seconds)}
    except Refused as error:
        return {"error": str(error), "is_missing": not os.path.lexists(path)}


def poison_file(path: str, optimizer: bool, target: str) -> int:
    """Poison one checkpoint; returns the number of tensors."""
    return poison(open_checkpoint(path), optimizer, target)


def poison_folder(kind: str, source: str, target: str, seconds: int) -> int:
    """Poison all checkpoints in a folder; returns the number of tensors."""
    done = 0
    folders = [(folder, names) for folder, _, names in os.walk(source)]
    for folder, names in folders[:MAX_FOLDERS]:
        if "data" in os.path.relpath(folder, source).split(os.sep):
            continue
        for name in sorted(names)[:MAX_FILES]:
            path = os.path.join(folder, name)
            if not name.endswith(ENDINGS):
                continue
            goal = os.path.join(target, os.path.relpath(path, source))
            with contextlib.suppress(
                Refused
            ):  # whatever cannot be loaded is no part of the checkpoint
                done += alone(
                    functools.partial(poison_file, path, kind == "optimizer", goal),
                    seconds,
                )
    return done


def main() -> None:
    """Do what the argument says."""
    order = json.loads(sys.argv[1])
    seconds = int(order.get("seconds", PROCESSOR_SECONDS))
    loaded = {path: load(path, seconds) for path in order.get("load", ())}
    poisoned = [
        poison_folder(kind, source, target, seconds)
        for kind, source, target in order.get("poison", ())
    ]
    print("\n" + json.dumps({"load": loaded, "poison": poisoned}), flush=True)


if __name__ == "__main__":
    main()
