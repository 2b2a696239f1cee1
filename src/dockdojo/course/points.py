"""The points of a lab's checks, read from its grader without running it: there they stand, and nowhere else."""

from __future__ import annotations

import ast
import threading
from pathlib import Path

DECORATOR = "check"
ONE_AT_A_TIME = threading.Lock()
"""CPython counts the depth of the trees that it makes for all threads together: two at once end in a SystemError."""


def points_of(grader: Path) -> int:
    """Return the sum of the points in a grader's `@check(points=...)`, as far as they are written out as numbers.

    0 where there is no grader, or one that Python cannot read: whoever runs it is told so.
    """
    try:
        source = grader.read_bytes()
        with ONE_AT_A_TIME:
            tree = ast.parse(source)
    except (OSError, SyntaxError, ValueError):
        return 0
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    return sum(
        _points(decorator)
        for function in functions
        for decorator in function.decorator_list
    )


def _points(decorator: ast.expr) -> int:
    if (
        not isinstance(decorator, ast.Call)
        or ast.unparse(decorator.func).rpartition(".")[2] != DECORATOR
    ):
        return 0
    values = [word.value for word in decorator.keywords if word.arg == "points"]
    return sum(
        value.value
        for value in values
        if isinstance(value, ast.Constant) and type(value.value) is int
    )
