"""Runs a training script with hooks in it, and in every process of Python's that it starts.

Hooks are a text that defines `install()`. It runs in a container, in the submission's image, and is never imported here. What
hooks tell may begin with a word that is drawn anew for each run, so that no script has it in its text.
"""

from __future__ import annotations

from dockdojo.engine.container import Container
from dockdojo.training.script import Training

START = """import os, runpy, sys, tempfile
text = sys.argv.pop(1)
folder = tempfile.mkdtemp()
with open(os.path.join(folder, "sitecustomize.py"), "w") as file:
    file.write(text + "\\ninstall()\\n")
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH"))))
hooks = {"__name__": "hooks"}
exec(compile(text, "hooks", "exec"), hooks)
hooks["install"]()
sys.argv = sys.argv[1:]
sys.path[0] = os.path.dirname(sys.argv[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""The first argument is the hooks' text, the second the script; new interpreters load them as `sitecustomize`."""


def start_hooked(
    training: Training, space: str, hooks: str, *args: str, past_entrypoint: bool
) -> Container:
    """A run of the training's script in a workspace, with hooks; past the image's ENTRYPOINT, or through it."""
    options = training.options(space, training.session.digits)
    python, *script = training.command
    words = ("-c", START, hooks, *script, *args)
    if past_entrypoint:
        options["entrypoint"] = (python,)
    else:
        words = (python, *words)
    container: Container = training.session.start(*words, **options)
    return container
