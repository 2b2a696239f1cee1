"""A class on several machines: a scheduler, and a worker beside each machine's Docker Engine (dask.distributed).

The coordinator's journal is the truth, and the attempt's number the fence: here, everything may die.
"""

from __future__ import annotations

import importlib

from dockdojo.errors import CannotInstall

EXTRA = ("cryptography", "dask", "distributed")


def expect_extra() -> None:
    """Return where the extra is installed. Raises CannotInstall with the command that installs it."""
    for name in EXTRA:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise CannotInstall(
                f"Several machines need {name}, which is not installed.",
                hint="pip install 'dockdojo[cluster]'",
            ) from error
