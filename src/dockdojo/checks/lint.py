"""hadolint as free advice: it never costs points. The submission's own settings and pragmas are not honoured."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from dockdojo.build.dockerfile import MAX_DOCKERFILE_BYTES
from dockdojo.model import Advice

MAX_SECONDS = 10
MAX_ADVICE = 20
"""Pieces of advice for one submission: more is not read."""


class _Finding(msgspec.Struct):
    line: int
    code: str
    message: str
    level: str


def hadolint() -> str | None:
    """The program, from its wheel beside this interpreter, else from PATH."""
    beside = Path(sys.executable).parent
    return shutil.which("hadolint", path=str(beside)) or shutil.which("hadolint")


def advise(folder: Path, scratch: Path) -> tuple[Advice, ...]:
    """What hadolint says about the folder's Dockerfiles; nothing where it is not installed or has nothing to say.

    `scratch` is a folder for its temporary files.
    """
    program = hadolint()
    if program is None:
        return ()
    found: list[Advice] = []
    for path in sorted(folder.glob("*ockerfile*")):
        if (
            path.is_file()
            and not path.is_symlink()
            and path.stat().st_size <= MAX_DOCKERFILE_BYTES
            and _is_dockerfile(path.name)
        ):
            found += [
                Advice(
                    file=path.name,
                    line=finding.line,
                    code=finding.code,
                    level=finding.level,
                    text=finding.message,
                )
                for finding in _lint(program, path.read_bytes(), scratch)
            ]
    return tuple(found[:MAX_ADVICE])


def _is_dockerfile(name: str) -> bool:
    return (
        name == "Dockerfile"
        or name.endswith(".Dockerfile")
        or name.startswith("Dockerfile.")
    )


def _lint(program: str, text: bytes, scratch: Path) -> list[_Finding]:
    """The Dockerfile goes in over stdin, from an empty folder, so that no settings are found beside it."""
    with tempfile.TemporaryDirectory(dir=scratch) as empty:
        settings = Path(empty, "hadolint.yaml")
        settings.write_text("{}\n")
        command = [
            program,
            "--no-color",
            "--no-fail",
            "--format",
            "json",
            "--disable-ignore-pragma",
            "--config",
            str(settings),
            "-",
        ]
        try:
            done = subprocess.run(
                command,
                input=text,
                capture_output=True,
                cwd=empty,
                timeout=MAX_SECONDS,
                check=False,
            )
            return msgspec.json.decode(done.stdout, type=list[_Finding])
        except (OSError, subprocess.TimeoutExpired, msgspec.DecodeError):
            return []  # advice that cannot be had is no reason to grade less
