"""Examines checkpoints of a submission. It runs in the submission's own image, in the sandbox, with its own torch.

    python examiner.py JSON

The argument names what to do: {"load": [paths], "poison": [[kind, from, to], ...]}; kind is `weights` or `optimizer`. The last
line of its output is one JSON object. Loading runs whatever the checkpoint says, which is why it is done here and nowhere else.

A checkpoint has no format: a bare state dict, a dictionary of any names, whole modules, lists. What is an optimizer's state is
told by its shape: torch's own has `state` and `param_groups`; else it is what is held beside weights in the same shapes
under names such as momentum.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import types
from collections.abc import Iterator
from typing import Any

PARTS = re.compile(r"optim|momentum|exp_avg|velocity|moment|sq_avg|square_avg|adam|sgd", re.IGNORECASE)
NOT_FOUND = re.compile(r"(?:Can't get attribute|has no attribute) '(\w+)'(?: on <module '([\w.]+)')?")
NO_MODULE = re.compile(r"No module named '([\w.]+)'")
STUBS = 40
DEEPEST = 40


def stub(torch: Any, module: str, name: str) -> None:
    """A class that the checkpoint names and that is not here: enough of one to hold its contents and be saved again."""
    home = sys.modules.setdefault(module, types.ModuleType(module))

    def setstate(self: Any, state: Any) -> None:
        self.__dict__.update(state if isinstance(state, dict) else {"_state": state})

    kind: Any = type(name, (torch.nn.Module,), {"__module__": module, "__setstate__": setstate})
    kind.__init__ = lambda self, *args, **kwargs: torch.nn.Module.__init__(self)
    setattr(home, name, kind)


def load(torch: Any, path: str) -> Any:
    """Whatever torch.load gives; classes of the submission's own are made up where they are missing."""
    for _ in range(STUBS):
        try:
            return torch.load(path, map_location="cpu", weights_only=False)
        except AttributeError as error:
            found = NOT_FOUND.search(str(error))
            if not found:
                raise
            stub(torch, found[2] or "__main__", found[1])
        except ModuleNotFoundError as error:
            found = NO_MODULE.search(str(error))
            if not found:
                raise
            sys.modules[found[1]] = types.ModuleType(found[1])
    return torch.load(path, map_location="cpu", weights_only=False)


def is_optimizer(torch: Any, value: Any, name: object) -> bool:
    """Whether a part of a checkpoint is an optimizer's."""
    if isinstance(value, torch.optim.Optimizer):
        return True
    if isinstance(value, dict) and "param_groups" in value:
        return True
    if isinstance(value, dict) and value and all(isinstance(key, int) for key in value):
        return all(isinstance(one, dict) for one in value.values())
    return bool(PARTS.search(str(name))) and not isinstance(value, (int, float, str))


def tensors(
    torch: Any, value: Any, name: object = "", inside: bool = False, depth: int = 0, seen: set[int] | None = None
) -> Iterator[tuple[bool, Any]]:
    """All tensors of a checkpoint, each with whether it is an optimizer's."""
    seen = set() if seen is None else seen
    if depth > DEEPEST or id(value) in seen:
        return
    if isinstance(value, torch.Tensor):
        yield inside or bool(PARTS.search(str(name))), value
        return
    if isinstance(value, (str, bytes, int, float, bool, type(None))):
        return
    seen.add(id(value))
    inside = inside or is_optimizer(torch, value, name)
    if isinstance(value, torch.nn.Module):
        for one in list(value.__dict__.get("_parameters", {}).values()) + list(
            value.__dict__.get("_buffers", {}).values()
        ):
            if one is not None:
                yield inside, one
        for one in value.__dict__.get("_modules", {}).values():
            yield from tensors(torch, one, "", inside, depth + 1, seen)
        return
    if isinstance(value, torch.optim.Optimizer):
        value = dict(value.state)
    if isinstance(value, dict):
        for key, one in value.items():
            if not (inside and key in ("param_groups", "params")):
                yield from tensors(torch, one, key, inside, depth + 1, seen)
    elif isinstance(value, (list, tuple, set)):
        for one in value:
            yield from tensors(torch, one, name, inside, depth + 1, seen)
    elif hasattr(value, "__dict__"):
        yield from tensors(torch, vars(value), name, inside, depth + 1, seen)


def poison(torch: Any, state: Any, optimizer: bool) -> int:
    """NaN into every floating-point tensor of one side; returns how many."""
    count = 0
    with torch.no_grad():
        for mine, tensor in list(tensors(torch, state)):
            # A loss that was saved is a tensor, too, but without dimensions; an optimizer's steps are.
            if (
                mine == optimizer
                and (optimizer or tensor.dim())
                and (tensor.is_floating_point() or tensor.is_complex())
            ):
                tensor.data.fill_(float("nan"))
                count += 1
    return count


def describe(torch: Any, state: Any) -> dict[str, Any]:
    """What a checkpoint holds: floating-point numbers that are no optimizer's, and whether there is an optimizer."""
    found = list(tensors(torch, state))
    return {
        "numbers": sum(one.numel() for mine, one in found if not mine and one.is_floating_point()),
        "has_optimizer": any(mine for mine, _ in found) or names_optimizer(torch, state),
    }


def names_optimizer(torch: Any, value: Any, depth: int = 0) -> bool:
    """Whether some part is an optimizer's, though it may have no tensors (SGD without momentum)."""
    if depth > 3:
        return False
    if isinstance(value, torch.optim.Optimizer) or (isinstance(value, dict) and "param_groups" in value):
        return True
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return any(names_optimizer(torch, one, depth + 1) for one in list(parts)[:200])


def main() -> None:
    """Does what the argument says."""
    sys.path.insert(0, "/workspace")
    import torch

    order = json.loads(sys.argv[1])
    told: dict[str, Any] = {"load": {}, "poison": []}
    for path in order.get("load", ()):
        try:
            told["load"][path] = {"error": "", **describe(torch, load(torch, path))}
        except Exception as error:
            told["load"][path] = {"error": f"{type(error).__name__}: {error}"[:300]}
    for kind, source, target in order.get("poison", ()):
        done = 0
        for folder, names in [(one[0], one[2]) for one in os.walk(source)][:50]:
            if "data" in os.path.relpath(folder, source).split(os.sep):
                continue
            for name in names[:200]:
                path = os.path.join(folder, name)
                if not name.endswith((".pth", ".pt", ".ckpt", ".bin", ".tar")) or os.path.islink(path):
                    continue
                with contextlib.suppress(Exception):  # whatever torch cannot load is no part of the checkpoint
                    state = load(torch, path)
                    changed = poison(torch, state, kind == "optimizer")
                    if changed:
                        torch.save(state, os.path.join(target, os.path.relpath(path, source)))
                    done += changed
        told["poison"].append(done)
    print("\n" + json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
