"""`look(folder)`: all findings in a folder as it was handed in, of its files and of its Dockerfiles, without an engine."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from dockdojo.beneath import printable
from dockdojo.build.dockerfile import Dockerfile, Instruction
from dockdojo.build.stages import WAY_OUT, lost_stages
from dockdojo.checks.answers import CURLY_QUOTES, UTF16_MARKS
from dockdojo.errors import DockdojoError
from dockdojo.grading.findings import Finding, look_at_files, together
from dockdojo.grading.folder import Folder
from dockdojo.grading.intake import copy_submission
from dockdojo.model import Lab, Limits

MAX_LOOKED_AT = 2_000
"""Characters of an instruction that are looked at."""
EXEC_FORMS = ("CMD", "ENTRYPOINT", "RUN", "SHELL")
SINGLE = re.compile(r"[\[,]\s*'[^']*'\s*[,\]]")
"""`['python', …`; not the test `[ 'a' = "$b" ]` of a shell."""
SHELL = re.compile(rb"#![^\n]{0,100}\b(?:a|ba|da|k|z)?sh\b")
REPAIRS = re.compile(r"dos2unix|\\r|\\015")
"""What takes the carriage returns out in the build."""
WORDS = re.compile(r"[^\s\"'\[\],;&|()]+")
SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh"})


def look_at(
    folder: Path, lab: Lab | None = None, starter: Path | None = None
) -> tuple[Finding, ...]:
    """Return the findings in a folder as it is handed in; a safe copy of it is read. Raises SubmissionError as a grading does."""
    limits = lab.limits if lab else Limits()
    with tempfile.TemporaryDirectory(prefix="dockdojo-look-") as scratch:
        copy = Path(scratch, "submission")
        copy_submission(folder, copy, limits, lab.files if lab else ())
        found = look(copy, lab, starter)
        is_nested = any(finding.kind == "nested" for finding in found)
        old = [] if is_nested else heredocs(copy, lab)
        return found + tuple(old if old and _is_builder_old() else ())


def _is_builder_old() -> bool:
    """Whether an engine answers here whose builder does not know here-documents."""
    from dockdojo.build.builder import LEGACY, the_builder
    from dockdojo.build.builds import HEREDOCS_SINCE
    from dockdojo.connection.labels import new_run_id
    from dockdojo.engine import client  # slow to import, and seldom needed

    try:
        with client.connect(run_id=new_run_id()) as engine:
            version = tuple(
                int(part) for part in str(engine.api.api_version).split(".")
            )
    except DockdojoError:
        return False
    return the_builder().kind == LEGACY.kind or version < HEREDOCS_SINCE


def look(
    folder: Path, lab: Lab | None = None, starter: Path | None = None
) -> tuple[Finding, ...]:
    """Return the findings in the safe copy of a submission, those that explain others first.

    Without `lab`, the folder is any with a Dockerfile. `starter` is what the student began with.
    """
    read = Folder.read(folder, lab, starter)
    found = list(look_at_files(read))
    if any(finding.kind == "nested" for finding in found):
        return tuple(found)
    unreadable = {finding.file for finding in found}
    parsed = [
        dockerfile
        for name in read.dockerfiles
        if name not in unreadable
        for dockerfile in _parsed(folder, name)
    ]
    found += together(_carriage_returns(read, parsed))
    for dockerfile in parsed:
        found += together(_quotes(dockerfile))
        found += _stages(dockerfile, lab)
    return tuple(found)


def heredocs(folder: Path, lab: Lab | None = None) -> tuple[Finding, ...]:
    """The here-documents, for a builder that does not know them; where one builds, its rules refuse them by line."""
    found = []
    for name in Folder(folder, lab, None).dockerfiles:
        for dockerfile in _parsed(folder, name):
            lines = [
                instruction.line
                for instruction in dockerfile.instructions
                if instruction.heredocs
            ]
            if lines and not dockerfile.has_official_syntax:
                found.append(
                    Finding(
                        "heredoc",
                        name,
                        "A here-document (`<<`) stands there.",
                        "The builder of this machine is too old for it: it takes each line for an instruction.",
                        "Put `# syntax=docker/dockerfile:1` first in the file, or write the text to a file and COPY it.",
                        lines[0],
                    )
                )
    return tuple(found)


def _parsed(folder: Path, name: str) -> Iterator[Dockerfile]:
    """The Dockerfile, where there is one that can be read; what is wrong with another, its checks tell."""
    try:
        yield Dockerfile.read(folder, name)
    except DockdojoError:
        return


def _carriage_returns(
    folder: Folder, dockerfiles: list[Dockerfile]
) -> Iterator[Finding]:
    """Scripts whose lines end in CR and LF, where that matters: a shell reads them, or the kernel their first line."""
    instructions = [
        instruction
        for dockerfile in dockerfiles
        for instruction in dockerfile.instructions
    ]
    if any(
        instruction.name == "RUN"
        and REPAIRS.search(instruction.original[:MAX_LOOKED_AT])
        for instruction in instructions
    ):
        return
    by_shell = {
        name for instruction in instructions for name in _read_by_shells(instruction)
    }
    begun = {
        os.path.basename(instruction.args[0].split()[0])
        for instruction in instructions
        if instruction.name in EXEC_FORMS
        and instruction.args
        and instruction.args[0].split()
    }
    for name, file in folder.files.items():
        first, _, _ = file.head.partition(b"\n")
        base = os.path.basename(name)
        shell = (
            bool(SHELL.match(file.head))
            or base.endswith((".sh", ".bash"))
            or base in by_shell
        )
        kernel = first.startswith(b"#!") and (file.mode & 0o111 != 0 or base in begun)
        if (
            not ((shell and b"\r\n" in file.head) or (kernel and first.endswith(b"\r")))
            or file.head[:2] in UTF16_MARKS
        ):
            continue
        shown = printable(name)[:200]
        yield Finding(
            "crlf",
            name,
            f"The lines of `{shown}` end in CR and LF, as on Windows.",
            "Linux takes the CR for a part of the line: the program `sh\\r` of the first line is not found "
            "(`no such file or directory`), and words in the script end in a CR.",
            f"Save it with LF: `sed -i 's/\\r$//' {quote(shown)}`; and put `*.sh text eol=lf` into .gitattributes.",
            1 if first.endswith(b"\r") else 0,
        )


def _read_by_shells(instruction: Instruction) -> Iterator[str]:
    """The names of the scripts that the instruction gives to a shell: `sh greet.sh`, `. ./env`."""
    waits = False
    for word in WORDS.findall(instruction.original[:MAX_LOOKED_AT]):
        if waits and not word.startswith("-"):
            yield os.path.basename(word)
            waits = False
        waits = waits or os.path.basename(word) in SHELLS or word in (".", "source")


def _quotes(dockerfile: Dockerfile) -> Iterator[Finding]:
    """Exec forms that are no JSON, so that a shell gets them, with brackets and all."""
    for instruction in dockerfile.instructions:
        text = " ".join(instruction.original[:MAX_LOOKED_AT].split())
        rest = text.partition(" ")[2]
        if (
            instruction.name not in EXEC_FORMS
            or instruction.json
            or not re.match(rf"\[\s?['\"{CURLY_QUOTES}]", rest)
        ):
            continue
        if instruction.name == "RUN" and "," not in rest:  # `[` is a program, too
            continue
        curly = next((c for c in rest if c in CURLY_QUOTES), "")
        if not curly and not SINGLE.search(rest):
            continue
        kind = f"curly quotes (`{curly}`)" if curly else "single quotes"
        yield Finding(
            "quotes",
            dockerfile.name,
            f"`{text[:120]}` has {kind}.",
            "The exec form is a JSON array, and JSON knows the straight double quote alone: Docker takes this line for the "
            "shell form, and a shell looks for a program of the name `[...`.",
            'Write `"` around each word, as in `["python", "app.py"]`.',
            instruction.line,
        )


def _stages(dockerfile: Dockerfile, lab: Lab | None) -> Iterator[Finding]:
    """`--from=` with a name that no stage has. The name of an image may stand there, too: a word with a tag is one."""
    images = {ref.partition(":")[0] for ref in (lab.images if lab else ())}
    for lost in lost_stages(dockerfile, images):
        yield Finding(
            "stage",
            dockerfile.name,
            lost.what,
            "Docker takes a name that no stage above has for an image's, and asks the registry for it.",
            WAY_OUT,
            lost.line,
        )
