"""Whether Python files are formatted with black, in its default settings: neither the submission's own settings nor comments
that tell black to look away (`# fmt: off`) are honoured.

What black reads are copies in which such comments say nothing; it runs nothing of them, in a process of its own with limits.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
import tokenize
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from dockdojo.beneath import open_file, printable
from dockdojo.checks import fail
from dockdojo.errors import LimitReached, SubmissionError
from dockdojo.processes import end_group

MAX_BLACK_SECONDS = 20
"""For one call of black; less than a check may take."""
MAX_FILE_BYTES = 1_000_000
"""Bytes of one file; a longer one is no source code that a person wrote."""
MAX_TOTAL_BYTES = 5_000_000
"""Bytes of all files."""
MAX_BLACK_MEMORY_BYTES = 1_000_000_000
"""Bytes that black may use; a file of a person needs a tenth of it."""
FILES_PER_CALL = 200
"""Files in one call."""
MAX_SHOWN_CHARACTERS = 1_500
"""Characters of a difference, or of what black says, that are shown."""
MAX_LINE_CHARACTERS = 2_000
ENCODINGS = frozenset(
    {"utf-8", "utf-8-sig", "ascii", "iso-8859-1", "iso8859-1", "iso8859-15", "cp1252"}
)
"""Those in which source code is written; others can hide what a file says."""
PRAGMA = re.compile(r"\b(fmt|yapf)(\s?):(?=\s?(?:off|on|skip|disable|enable)\b)")
"""What makes black leave lines as they are (https://black.readthedocs.io/en/stable/usage_and_configuration/the_basics.html)."""
LINE_END = re.compile(r"\r\n|\r|\n")
START = """
import sys
try:
    import resource
except ImportError:
    resource = None
if resource is not None:
    resource.setrlimit(resource.RLIMIT_AS, ({memory}, {memory}))
    resource.setrlimit(resource.RLIMIT_CPU, ({seconds}, {seconds}))
from black import patched_main
patched_main()
"""


@dataclass(frozen=True, slots=True)
class _Source:
    """One Python file of the submission, as black is to see it."""

    name: str
    data: bytes
    pragma: int
    """The first line with a comment that black would obey; 0 for none."""


def expect_black(folder: Path) -> None:
    """Fails the check at the first file that black would change, with what it would change. Raises LimitReached."""
    names = sorted(
        os.fsdecode(path.relative_to(folder))
        for path in folder.rglob("*.py")
        if not path.is_dir()
    )
    if not names:
        fail("there is no .py file in the submission", expected="train.py")
    sources: list[_Source] = []
    for name in names:
        data = _read(folder, name)
        if sum(len(source.data) for source in sources) + len(data) > MAX_TOTAL_BYTES:
            fail(
                f"the .py files have more than {MAX_TOTAL_BYTES // 10**6} MB together",
                expected="source code",
            )
        sources.append(_without_pragmas(name, data))
    for place in range(0, len(sources), FILES_PER_CALL):
        _check(sources[place : place + FILES_PER_CALL])


def _read(folder: Path, name: str) -> bytes:
    try:
        with open_file(folder, name) as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, SubmissionError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        fail(
            f"`{_shown(name)}` cannot be read: {(reason or 'it is no file')[:200]}",
            expected="source code",
        )
    if len(data) > MAX_FILE_BYTES:
        fail(
            f"`{_shown(name)}` has more than {MAX_FILE_BYTES // 10**6} MB",
            expected="source code",
        )
    return data


def _without_pragmas(name: str, data: bytes) -> _Source:
    """The file with the comments that black would obey made into others of the same length; strings stay as they are."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        if encoding not in ENCODINGS:
            _unreadable(
                name,
                f"its encoding is {encoding[:40]}",
                "Python source code is written in UTF-8.",
            )
        text = data.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError):
        _unreadable(
            name,
            "its bytes are not in the encoding that it names, or not UTF-8",
            "Save it as UTF-8.",
        )
    if "\0" in text:
        _unreadable(name, "there are null bytes in it", "Source code is text.")
    if not PRAGMA.search(text):
        return _Source(name, data, 0)
    lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)", text)
    read = iter([LINE_END.sub("\n", line) for line in lines])
    pragma = 0
    try:
        for token in tokenize.generate_tokens(lambda: next(read, "")):
            if token.type == tokenize.COMMENT and PRAGMA.search(token.string):
                row, column = token.start
                line = lines[row - 1]
                lines[row - 1] = line[:column] + PRAGMA.sub(r"\1\2.", line[column:])
                pragma = pragma or row
    except (tokenize.TokenError, SyntaxError, RecursionError) as error:
        _unreadable(
            name,
            str(error.args[0] if error.args else error)[:200],
            "Try `python -m py_compile` with it.",
        )
    return _Source(name, "".join(lines).encode(encoding), pragma)


def _check(sources: list[_Source]) -> None:
    with tempfile.TemporaryDirectory(prefix="dockdojo-black-") as scratch:
        place = Path(scratch)
        settings = place / "black.toml"
        settings.write_text("")
        for number, source in enumerate(sources):
            (place / f"file{number}.py").write_bytes(source.data)
        files = [f"file{number}.py" for number in range(len(sources))]
        code, said, wrong = _black(place, ["--config", str(settings), "--", *files])
    if said.strip():
        source = _of(said, sources)
        fail(
            f"black would change `{_shown(source.name)}`",
            expected="`black --check .` has nothing to say, in its default settings",
            why=_why(source),
            file=source.name,
            line=_line(said),
            detail=_first_difference(said, source)[:MAX_SHOWN_CHARACTERS],
        )
    if code != 0:
        _unreadable(
            _of(wrong, sources).name,
            _reason(wrong),
            "Try `python -m py_compile` with it.",
        )


def _black(place: Path, args: list[str]) -> tuple[int, str, str]:
    """Black's exit code, and the beginnings of its two outputs. Raises LimitReached."""
    start = START.format(memory=MAX_BLACK_MEMORY_BYTES, seconds=MAX_BLACK_SECONDS)
    command = [
        sys.executable,
        "-I",
        "-c",
        start,
        "--diff",
        "--quiet",
        "--no-cache",
        "--workers",
        "1",
        *args,
    ]
    with (place / "said").open("w+b") as said, (place / "wrong").open("w+b") as wrong:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=wrong,
            cwd=place,
            # Still in the grader's session, with which it ends.
            process_group=0 if os.name == "posix" else None,
        )
        try:
            process.wait(MAX_BLACK_SECONDS)
        except subprocess.TimeoutExpired:
            raise LimitReached(
                f"black did not come to an end within {MAX_BLACK_SECONDS} s."
            ) from None
        finally:
            end_group(process, grace=0)
        texts = []
        for output in (said, wrong):
            output.seek(0)
            texts.append(
                output.read(10 * MAX_SHOWN_CHARACTERS)
                .decode("utf-8", "replace")
                .replace(f"{place}{os.sep}", "")
            )
    return process.returncode, texts[0], texts[1]


def _of(said: str, sources: list[_Source]) -> _Source:
    """The file that black speaks of first."""
    found = re.search(r"\bfile(\d{1,6})\.py\b", said)
    number = int(found[1]) if found else 0
    return sources[number if number < len(sources) else 0]


def _why(source: _Source) -> str:
    why = (
        "Code that all write alike is read faster, and its changes show what was meant."
    )
    if not source.pragma:
        return why
    return (
        f"The comment in line {source.pragma} tells black to leave lines as they are (`# fmt: off`, `` or "
        f"`# yapf: disable`). It does not count here: all of the file is looked at. {why}"
    )


def _unreadable(name: str, reason: str, why: str) -> NoReturn:
    fail(
        f"black cannot read `{_shown(name)}`: {reason}",
        expected="valid Python",
        why=why,
        file=name,
    )


def _reason(wrong: str) -> str:
    first = next(
        (
            line.strip()
            for line in wrong.splitlines()
            if "file" in line and ".py: " in line
        ),
        "",
    )
    return (
        first.partition(".py: ")[2][:200]
        or "it came to no end within the memory and time that it may use"
    )


def _shown(name: str) -> str:
    return printable(name)[:200]


def _line(diff: str) -> int:
    """The line at which the first change begins."""
    head = next((line for line in diff.splitlines() if line.startswith("@@")), "")
    try:
        return int(head.split()[1].lstrip("-").split(",")[0])
    except (IndexError, ValueError):
        return 0


def _first_difference(diff: str, source: _Source) -> str:
    """The difference as it is, under the file's own name."""
    lines = [line[:MAX_LINE_CHARACTERS] for line in diff.splitlines()]
    head = [f"{mark} {_shown(source.name)}" for mark in ("---", "+++")]
    return "\n".join([*head, *lines[2:]])
