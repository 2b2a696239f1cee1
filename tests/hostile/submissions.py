"""Cases of hostile submissions: what each consists of, and what must be true after its grading.

A case is a folder with a `case.toml` and, where it has some that git and every file system can hold, the files of the submission
in `submission/`. They are laid over the lab's honest submission, so that only what is hostile about it can fail.

    summary = "A link whose words are harmless leads to a file of the host."
    kind = "folder"          # folder, texts, builds, containers or forgery
    lab = "box"              # of tests/hostile/course; or of the course itself
    [want]
    exit = 1                 # 0 where it is harmless
    fails = ["builds"]       # checks that fail
    passes = []              # checks that pass all the same
    says = ["leads out"]     # words in the report
    silent = []              # words that are not in it; secrets never are
    [[make]]                 # what is no plain file
    kind = "link"
    path = "a/up"
    to = "../../.."

In texts and targets of links, `@SECRET@` is a file of the host with a secret, `@BYSTANDER@` somebody else's image, `@RUN@` somebody
else's run, `@SOLUTION@` the lab's honest submission, and `@MARK@` what marks this one grading.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOME = Path(__file__).with_name("cases")
COURSE = Path(__file__).with_name("course")
KINDS = ("folder", "texts", "builds", "containers", "forgery")
MOST_BYTES = 30_000_000
"""What one thing that is made may take on the disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One hostile submission, and what must be true after its grading."""

    name: str
    summary: str
    kind: str
    lab: str
    exit_code: int
    fails: tuple[str, ...]
    passes: tuple[str, ...]
    says: tuple[str, ...]
    silent: tuple[str, ...]
    make: tuple[Mapping[str, Any], ...]

    @property
    def submission(self) -> Path:
        """Its files; the folder may be missing."""
        return HOME / self.name / "submission"


def read(name: str) -> Case:
    """The case of that name."""
    raw = tomllib.loads((HOME / name / "case.toml").read_text(encoding="utf-8"))
    want = raw.pop("want", {})
    case = Case(
        name=name,
        summary=raw.pop("summary"),
        kind=raw.pop("kind"),
        lab=raw.pop("lab"),
        make=tuple(raw.pop("make", ())),
        exit_code=want.pop("exit", 1),
        fails=tuple(want.pop("fails", ())),
        passes=tuple(want.pop("passes", ())),
        says=tuple(want.pop("says", ())),
        silent=tuple(want.pop("silent", ())),
    )
    assert not raw, f"{name}: unknown {list(raw)}"
    assert not want, f"{name}: unknown {list(want)}"
    assert case.kind in KINDS, name
    return case


def names() -> list[str]:
    """All cases, by name."""
    return sorted(one.parent.name for one in HOME.glob("*/case.toml"))


def lay_out(case: Case, honest: Path, folder: Path, words: Mapping[str, str]) -> None:
    """The submission in `folder`: the lab's honest one, the case's files over it, and what is made."""
    shutil.copytree(honest, folder)
    if case.submission.is_dir():
        shutil.copytree(case.submission, folder, dirs_exist_ok=True)
    for path in [one for one in folder.rglob("*") if one.is_file()]:
        path.write_bytes(
            _filled(path.read_bytes().decode("utf-8", "surrogateescape"), words).encode(
                "utf-8", "surrogateescape"
            )
        )
    for one in case.make:
        path = os.path.join(
            os.fsencode(folder),
            (
                bytes.fromhex(one["path_hex"])
                if "path_hex" in one
                else os.fsencode(one["path"])
            ),
        )
        if one["kind"] not in ("many", "deep", "remove"):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if os.path.lexists(path):
                os.unlink(path)
        MAKERS[one["kind"]](
            path,
            {
                key: _filled(value, words) if isinstance(value, str) else value
                for key, value in one.items()
            },
        )


def mark(folder: Path, token: str) -> None:
    """Images that come of it bear a label of their own, so that what is left of them is found, whatever else was forged."""
    for path in folder.glob("*ockerfile"):
        if (
            path.is_file()
            and not path.is_symlink()
            and path.stat().st_size < 20_000
            and b"FROM" in path.read_bytes()
        ):
            with path.open("ab") as file:
                file.write(f"\nLABEL hostile.case={token}\n".encode())


def _filled(text: str, words: Mapping[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def _repeat(path: bytes, one: Mapping[str, Any]) -> None:
    text = one.get("head", "") + one["text"] * one["times"] + one.get("tail", "")
    assert len(text) <= MOST_BYTES
    _write(path, text.encode())


def _write(path: bytes, data: bytes, mode: int = 0o644) -> None:
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, mode)


def _sparse(path: bytes, one: Mapping[str, Any]) -> None:
    with open(path, "wb") as file:
        file.truncate(one["size"])


def _socket(path: bytes, one: Mapping[str, Any]) -> None:
    """A socket in a folder whose path may be too long to bind to."""
    before = os.open(".", os.O_RDONLY)
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(
            f"/proc/self/fd/{os.open(os.path.dirname(path), os.O_RDONLY)}/{os.fsdecode(os.path.basename(path))}"
        )
    finally:
        listener.close()
        os.close(before)


def _deep(path: bytes, one: Mapping[str, Any]) -> None:
    os.makedirs(path)
    here = os.open(path, os.O_RDONLY)
    for _ in range(one["levels"]):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)


def _many(path: bytes, one: Mapping[str, Any]) -> None:
    os.makedirs(path)
    for number in range(one["count"]):
        _write(os.path.join(path, b"%d" % number), b"")


MAKERS: dict[str, Callable[[bytes, Mapping[str, Any]], object]] = {
    "text": lambda path, one: _write(
        path, one["text"].encode(), one.get("mode", 0o644)
    ),
    "bytes": lambda path, one: _write(path, bytes.fromhex(one["hex"])),
    "repeat": _repeat,
    "link": lambda path, one: os.symlink(one["to"], path),
    "fifo": lambda path, one: os.mkfifo(path),
    "device": lambda path, one: os.mknod(
        path, stat.S_IFCHR | 0o666, os.makedev(1, 5)
    ),  # /dev/zero
    "socket": _socket,
    "sparse": _sparse,
    "deep": _deep,
    "many": _many,
    "remove": lambda path, one: os.unlink(path),
}
