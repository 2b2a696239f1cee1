"""Programs that run elsewhere: with the standard library alone, of the oldest Python that our base images have."""

from __future__ import annotations

import ast
import sys

import pytest

from dockdojo import payloads

OLDEST = (3, 11)
"""The Python of the image in which the labs' programs run (images/python)."""
NAMES = sorted(
    file.stem
    for file in payloads.path("x").parent.glob("*.py")
    if file.stem != "__init__"
)


@pytest.mark.parametrize("name", NAMES)
def test_it_needs_the_standard_library_alone(name):
    tree = ast.parse(payloads.source(name), feature_version=OLDEST)
    named = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    named |= {
        node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
    }
    beside = {f"dockdojo.payloads.{other}" for other in NAMES}
    torch = {"torch"} if name in ("optimizer_probe",) else set()
    assert {
        module.split(".")[0] for module in named - beside
    } <= sys.stdlib_module_names | torch
