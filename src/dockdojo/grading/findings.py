"""What happened to a folder on its way here: found before anything is built, with a way to repair it.

A finding costs no points; it tells why checks fail that look as if the work were wrong. It is looked for in the safe copy, with
bounded reads, and each cause is told once: what follows from another finding is not told beside it.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from shlex import quote

from dockdojo.beneath import has_file, open_file, parts_of, printable
from dockdojo.checks import answers
from dockdojo.errors import DockdojoError
from dockdojo.grading.folder import Folder, ignore_patterns, regular_files

MAX_POINTER_BYTES = 1_024
"""A Git LFS pointer has some 130 bytes (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md)."""
MAX_LINK_BYTES = 255
"""Of the path that a link became."""
MAX_NAMED = 3
"""Files that one finding names beside the first; of more it tells the number."""
MAX_SUBMODULES = 50
NESTED_DEPTH = 3
"""Folders deep: an archive in an archive of a folder."""
LFS = b"version https://git-lfs.github.com/spec/"
COMPOSE_NAMES = (
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
)
"""In the order in which `docker compose` looks for them."""
PATHS_INSIDE = re.compile(
    r"\.dockerignore$|^\.git|requirements|constraints", re.IGNORECASE
)
"""Files whose one line may well be a path: patterns, and requirements such as `./wheels/a.whl`."""
SUBMODULE_PATH = re.compile(r"[ \t]{0,20}path[ \t]{0,20}=(.*)")
GIVES_ALL = re.compile(r"chmod\s+-R|--chmod=|chmod\s[^\n*]{0,200}\*")
"""A mode for more than the files that the line names."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was lost or changed on the way: where, what, why it matters, and how to repair it."""

    kind: str
    file: str
    what: str
    why: str
    way_out: str
    line: int = 0

    def __str__(self) -> str:
        where = printable(self.file)[:200] + (
            f", line {self.line}" if self.line else ""
        )
        return f"{where}: {self.what} {self.why} {self.way_out}"


def look_at_files(folder: Folder) -> Iterator[Finding]:
    """Yield the findings for which no Dockerfile is parsed, each kind at most once; where the folder is nested, only that."""
    if nested := _nested(folder):
        yield nested
        return
    yield from together(_misnamed(folder))
    yield from together(_utf16(folder))
    yield from together(_pointers(folder))
    yield from together(_submodules(folder))
    yield from together(_links(folder))
    yield from together(_lost_bits(folder))
    yield from _compose(folder)
    yield from together(_answers(folder))


def together(found: Iterable[Finding]) -> Iterator[Finding]:
    """Yield one finding for several of a kind; it names the first files."""
    findings = list(found)
    if not findings:
        return
    first, others = findings[0], [_place(finding) for finding in findings[1:]]
    if not others:
        yield first
        return
    more = f" and {len(others) - MAX_NAMED} more" if len(others) > MAX_NAMED else ""
    also = f"The same: {', '.join(others[:MAX_NAMED])}{more}."
    yield Finding(
        first.kind,
        first.file,
        f"{first.what} {also}",
        first.why,
        first.way_out,
        first.line,
    )


def _place(finding: Finding) -> str:
    return f"`{printable(finding.file)[:100]}`" + (
        f", line {finding.line}" if finding.line > 1 else ""
    )


def _nested(folder: Folder) -> Finding | None:
    """The lab's files one folder deeper, or two, as archives and drag-and-drop have it."""
    if any(folder.has(name) for name in folder.dockerfiles):
        return None
    best, best_count = "", sum(folder.has(name) for name in folder.wanted)
    folders = {
        "/".join(name.split("/")[:depth])
        for name in folder.files
        for depth in range(1, NESTED_DEPTH + 1)
    }
    for inner in sorted(
        folders - set(folder.files), key=lambda name: (name.count("/"), name)
    ):
        count = sum(folder.has(f"{inner}/{wanted}") for wanted in folder.wanted)
        beside = [
            name.rpartition("/")[2]
            for name in folder.files
            if name.rpartition("/")[0] == inner
        ]
        has_one = any(
            _like(wanted).fullmatch(name)
            for wanted in folder.dockerfiles
            for name in beside
        )
        if has_one and max(count, 1) > best_count:
            best, best_count = inner, count
    if not best:
        return None
    shown = printable(best)[:200]
    return Finding(
        "nested",
        best,
        f"The lab's files are in the folder `{shown}`, not at the top.",
        "Docker builds the folder that it is given, and looks for the Dockerfile at its top.",
        f"Hand in what is in `{shown}`: move it up, or name that folder.",
    )


def _like(wanted: str) -> re.Pattern[str]:
    """The names that a file of that name gets by accident: in other letters, and with an ending of an editor."""
    return re.compile(rf"{re.escape(wanted)}(?:\.\w{{1,5}})?", re.IGNORECASE | re.ASCII)


def _misnamed(folder: Folder) -> Iterator[Finding]:
    """`Dockerfile.txt`, as editors on Windows and macOS save it; `DockerFile`, which only some file systems find."""
    at_top = [
        name for name in folder.files if "/" not in name and name not in folder.wanted
    ]
    for wanted in folder.dockerfiles:
        if folder.has(wanted):
            continue
        if name := next((name for name in at_top if _like(wanted).fullmatch(name)), ""):
            yield Finding(
                "name",
                name,
                f"The lab asks for `{wanted}`, and there is `{name}`.",
                "Docker looks for the exact name; editors add an ending such as .txt, and file managers hide it.",
                f"Rename it: `mv {name} {wanted}`.",
            )


def _utf16(folder: Folder) -> Iterator[Finding]:
    for name in folder.dockerfiles:
        if name in folder.files and folder.files[name].head[:2] in answers.UTF16_MARKS:
            yield Finding(
                "utf-16",
                name,
                f"`{name}` is saved as UTF-16.",
                "Docker reads UTF-8. PowerShell's `>` and the encoding “Unicode” of Notepad write UTF-16.",
                f"Save it as UTF-8: `iconv -f utf-16 -t utf-8 {name} > new && mv new {name}`, or in the editor.",
            )


def _pointers(folder: Folder) -> Iterator[Finding]:
    for name, file in folder.files.items():
        if (
            file.size <= MAX_POINTER_BYTES
            and file.head.startswith(LFS)
            and b"\noid sha256:" in file.head
        ):
            yield Finding(
                "lfs",
                name,
                f"`{printable(name)[:200]}` is a Git LFS pointer in place of the file.",
                "Git LFS keeps the file elsewhere; who clones without it, or downloads an archive, has three lines of text.",
                "Fetch it: `git lfs install && git lfs pull`. In a workflow: `lfs: true` for actions/checkout.",
            )


def _submodules(folder: Folder) -> Iterator[Finding]:
    """Folders that `.gitmodules` names and that nothing is in."""
    if ".gitmodules" not in folder.files:
        return
    lines = folder.files[".gitmodules"].head.decode("utf-8", "replace").splitlines()
    found = [
        match[1].strip() for line in lines if (match := SUBMODULE_PATH.fullmatch(line))
    ]
    ignore = ignore_patterns(folder.root)
    for path in found[:MAX_SUBMODULES]:
        try:
            name = "/".join(parts_of(path))
        except DockdojoError:
            continue
        if (
            not name
            or ignore.leaves_out(name)
            or any(file.startswith(f"{name}/") for file in folder.files)
        ):
            continue
        if folder.has(name) and not (folder.root / name).is_dir():
            continue
        yield Finding(
            "submodule",
            name,
            f"`{printable(name)[:200]}` is a Git submodule, and nothing is in it.",
            "A plain clone makes its folder only, and an archive has no more.",
            "Fetch it: `git submodule update --init --recursive`. In a workflow: `submodules: recursive` for "
            "actions/checkout.",
        )


def _links(folder: Folder) -> Iterator[Finding]:
    """Small files that hold nothing but the path of another one, as git on Windows writes links."""
    for name, file in folder.files.items():
        if not 0 < file.size <= MAX_LINK_BYTES or PATHS_INSIDE.search(
            name.rpartition("/")[2]
        ):
            continue
        target = file.head.decode("utf-8", "replace")
        if not re.fullmatch(r"[\w.][\w./-]*", target) or target.strip("./") == "":
            continue
        leads_to = os.path.normpath(os.path.join(os.path.dirname(name), target))
        is_inside = leads_to not in (name, ".") and not leads_to.startswith("..")
        was_link = folder.starter is not None and (folder.starter / name).is_symlink()
        is_path = ("/" in target or "." in target) and folder.has(leads_to)
        if is_inside and (was_link or is_path):
            yield Finding(
                "link",
                name,
                f"`{printable(name)[:200]}` is a text that holds only the path `{target}`: a link, once.",
                "Git on Windows writes links as texts where the system does not let it make them.",
                f"Put a copy of `{leads_to}` in its place; or clone with `git clone -c core.symlinks=true`.",
            )


def _lost_bits(folder: Folder) -> Iterator[Finding]:
    """Files that were given executable and are not any more, where no instruction gives the bit back."""
    # Windows has no such bit; docker gives it to all files there.
    if folder.starter is None or os.name == "nt":
        return
    given = [
        folder.files[name].head.decode("utf-8", "replace")
        for name in folder.dockerfiles
        if name in folder.files
    ]
    mended = "\n".join(
        line for text in given for line in text.split("\n") if "chmod" in line
    )
    for path, info in regular_files(folder.starter):
        file = folder.files.get(path)
        if not info.st_mode & 0o100 or file is None or file.mode & 0o111:
            continue
        if os.path.basename(path) in mended or GIVES_ALL.search(mended):
            continue
        yield Finding(
            "mode",
            path,
            f"`{path}` is not executable any more; the lab gave it so.",
            "Whoever starts it gets `permission denied`. Archives and git on Windows lose the bit.",
            f"`chmod +x {quote(path)}`; in git: `git update-index --chmod=+x {quote(path)}`.",
        )


def _compose(folder: Folder) -> Iterator[Finding]:
    for wanted in folder.wanted:
        name = next((name for name in COMPOSE_NAMES if has_file(folder.root, name)), "")
        if wanted in COMPOSE_NAMES and name and not folder.has(wanted):
            yield Finding(
                "compose",
                name,
                f"The lab asks for `{wanted}`, and there is `{name}`.",
                "`docker compose` takes both names; what is graded is the one that the lesson names.",
                f"Rename it: `mv {name} {wanted}`.",
            )


def _answers(folder: Folder) -> Iterator[Finding]:
    """What stands in the file of answers and answers no question: it costs nothing, and may be a mistyped key."""
    if folder.starter is None or answers.FILE not in folder.wanted:
        return
    texts = []
    for root in (folder.root, folder.starter):
        with (
            contextlib.suppress(OSError, DockdojoError),
            open_file(root, answers.FILE) as file,
        ):
            texts.append(
                file.read(answers.MAX_CHARACTERS + 1).decode("utf-8-sig", "replace")
            )
    if len(texts) < 2 or len(texts[0]) > answers.MAX_CHARACTERS:
        return
    with contextlib.suppress(DockdojoError):
        for what, line in answers.of_no_question(*texts):
            yield Finding(
                "answers",
                answers.FILE,
                f"There is {what}, and no question asks for it.",
                "It costs no points.",
                "Is it a mistyped key? The starter's keys are the ones that are read.",
                line,
            )
