"""Hooks that find out whether a training script's optimizer has state, and say so: see `checks/hooks.py`.

It runs in the submission's image, with the submission's torch. What it finds is one line,
`PROBE CLASS TENSORS`. For an optimizer of torch.optim, that is said after its first step; for any other, which nobody can
hook, it is told from the tensors that live on: as many as there are parameters, in their shapes, and changed from step to step.
As long as there are none, `PROBE passed N` tells how many backward passes were seen: where none are, nothing was observed.

An optimizer may live in any of the processes that the script starts: they have the same hooks.
"""

from __future__ import annotations

import gc
import os
import types
from typing import Any, NoReturn

MARK = "PROBE"
"""How a line begins that is told; see `optimizers`, which puts another word behind this text."""
OWN = "own"
"""What is said instead of a class's name where the optimizer is none of torch's."""
PASSED = "passed"
"""What is said before the number of backward passes in which nothing was found."""
LOOKS = (3, 9, 33, 129)
"""After how many backward passes tensors are compared with those of the pass before: many may belong to one step."""


def tell(name: str, count: int) -> None:
    """One line for whoever reads the log."""
    os.write(1, f"\n{MARK} {name} {count}\n".encode())


def say(name: str, count: int) -> NoReturn:
    """Tells what was found, and ends this process."""
    tell(name, count)
    os._exit(0)


def after_step(optimizer: Any, args: Any, kwargs: Any) -> None:
    """An optimizer of torch's has made its first step."""
    import torch

    count = sum(
        torch.is_tensor(value)
        for state in optimizer.state.values()
        for value in state.values()
    )
    say(type(optimizer).__name__, count)


def candidates(torch: Any) -> list[float]:
    """The sums of tensors that may be an optimizer's state, one for each parameter; empty where some have none."""
    everything = [
        thing
        for thing in gc.get_objects()
        if isinstance(thing, torch.Tensor) and thing.is_floating_point()
    ]
    leaves = [
        tensor for tensor in everything if tensor.requires_grad and tensor.is_leaf
    ]
    trained = [
        tensor for tensor in leaves if tensor.grad is not None
    ] or leaves  # torch.autograd.grad leaves none behind
    modules = [
        thing for thing in gc.get_objects() if isinstance(thing, torch.nn.Module)
    ]
    known = {tensor.data_ptr() for tensor in trained} | {
        tensor.grad.data_ptr() for tensor in trained if tensor.grad is not None
    }
    known |= {buffer.data_ptr() for module in modules for buffer in module.buffers()}
    held: dict[tuple[int, ...], list[Any]] = {}
    for tensor in everything:
        if (
            tensor.data_ptr() not in known
            and not tensor.requires_grad
            and tensor.grad_fn is None
        ):
            held.setdefault(tuple(tensor.shape), []).append(tensor)
    needed: dict[tuple[int, ...], int] = {}
    for parameter in trained:
        needed[tuple(parameter.shape)] = needed.get(tuple(parameter.shape), 0) + 1
    if needed and any(
        len(held.get(shape, ())) < count for shape, count in needed.items()
    ):
        needed = {
            (sum(parameter.numel() for parameter in trained),): 1
        }  # or one long tensor for all parameters
    if not needed or any(
        len(held.get(shape, ())) < count for shape, count in needed.items()
    ):
        return []
    return sorted(float(tensor.sum()) for shape in needed for tensor in held[shape])


def waits(torch: Any) -> bool:
    """Whether there is an optimizer of torch's, which has made no step: gradients of many batches may be summed first."""
    return any(isinstance(thing, torch.optim.Optimizer) for thing in gc.get_objects())


def install() -> None:
    """Hooks optimizers, and backward passes for those that are not torch's."""
    try:
        import torch
    except ImportError:  # a helper in another environment
        return
    hook_steps(torch)
    passes = [0]
    before: list[list[float]] = [[]]

    def counting(function: Any) -> Any:
        def counted(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            passes[0] += 1
            if passes[0] + 1 in LOOKS:
                before[0] = candidates(torch)
            if passes[0] in LOOKS:
                after = candidates(torch) if before[0] else []
                if after and after != before[0]:
                    say(OWN, len(after))
                if passes[0] == LOOKS[-1] or not waits(torch):
                    tell(PASSED, passes[0])
            return result

        return counted

    torch.autograd.backward = counting(torch.autograd.backward)
    torch.autograd.grad = counting(torch.autograd.grad)


def hook_steps(torch: Any) -> None:
    """Has `after_step` called after each step of an optimizer of torch's; before torch 2.1, each is changed as it is made."""
    try:
        from torch.optim.optimizer import register_optimizer_step_post_hook
    except ImportError:
        made = torch.optim.Optimizer.__init__

        def making(self: Any, *args: Any, **kwargs: Any) -> None:
            made(self, *args, **kwargs)
            step = type(self).step

            def stepping(self: Any, *args: Any, **kwargs: Any) -> Any:
                result = step(self, *args, **kwargs)
                after_step(self, args, kwargs)
                return result

            self.step = types.MethodType(
                stepping, self
            )  # a method still: schedulers look for its function

        torch.optim.Optimizer.__init__ = making
    else:
        register_optimizer_step_post_hook(after_step)
