"""What a build runs and reads of a submission: its RUNs, scripts that they start, and files under the names that they have there.

Nothing of it is run. The number of files and the depth are bounded.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from dockdojo.build.dockerfile import Dockerfile, Instruction
from dockdojo.checks.shell_commands import (
    MAX_SCRIPT,
    SHELL,
    assignments,
    printed,
    redirected_commands,
    script_of,
    simple_commands,
    without_runners,
)
from dockdojo.errors import SubmissionError
from dockdojo.submission.folder import Submission

MAX_SCRIPTS = 20
"""Scripts of a submission that are read, whoever starts them."""
MAX_RUNS = 400
"""Of a Dockerfile that are read: an image has at most 127 layers."""
MAX_WORDS = 20
"""Words of one variable that are looked at."""
SOURCED = (".", "source")
WITH_VALUE = re.compile(r"[-+]\w*[oO]|--(?:rcfile|init-file)")
"""Options of a shell that are followed by a word of theirs."""
FOR_SHELL = re.compile(r"(?!#!)|#![^\n]*\b(?:ba|da|a|z|k)?sh\b")
"""How a file begins that a shell reads."""
RECIPE = re.compile(r"(?m)^\t[@+-]*")
"""What stands before a command in a Makefile."""
PYTHON_FILE = ".py"


@dataclass(frozen=True, slots=True)
class File:
    """A file as a build sees it."""

    text: str
    name: str
    """Where it is among the submission's files: the Dockerfile, for a here-document."""
    line: int = 1
    """Where its first line is in that file."""


@dataclass(frozen=True, slots=True)
class Script:
    """What a RUN runs, itself or by a script that it starts."""

    text: str | list[str]
    """A shell's script, or the words of one command."""
    file: str
    line: int
    """Of the RUN; 0 in a script's file."""
    run: Instruction


class BuildFiles:
    """The files of a submission by the names that they have in a build."""

    def __init__(self, submission: Submission, dockerfile: Dockerfile) -> None:
        self._submission = submission
        self._places = _by_name(submission)
        self._found: dict[str, File | None] = {}
        self._written: dict[str, File] = {}
        self._renamed: dict[str, str] = {}
        for instruction in dockerfile.with_triggers():
            if (
                instruction.name in ("COPY", "ADD")
                and len(instruction.args) > 1
                and not any(f.startswith("--from") for f in instruction.flags)
            ):
                self._note_copy(dockerfile, instruction)
            for flag in instruction.flags if instruction.name == "RUN" else ():
                self._note_mount(flag)
        runs = (
            instruction
            for instruction in dockerfile.with_triggers()
            if instruction.name == "RUN"
        )
        for run in islice(runs, MAX_RUNS):
            self._note_output(dockerfile, run)

    def _note_copy(self, dockerfile: Dockerfile, copy: Instruction) -> None:
        *sources, target = (
            dockerfile.filled_where_known(word, copy) if "$" in word else word
            for word in copy.args
        )
        here = [source for source in sources if source.startswith("<<")]
        for source, text in zip(here, copy.heredocs, strict=False):
            name = (
                source.lstrip("<-").strip("\"'")
                if target.endswith("/")
                else posixpath.basename(target)
            )
            self._written[name] = File(text, dockerfile.name, copy.line + 1)
        if len(sources) == 1 and not here and not target.endswith(("/", ".")):
            self._rename(sources[0], target)

    def _note_output(self, dockerfile: Dockerfile, run: Instruction) -> None:
        """Note the files into which a RUN prints lines: `echo flask==3.1.0 > requirements.txt`."""
        script = script_of(run)
        if not isinstance(script, str) or ">" not in script:
            return
        here = iter(run.heredocs)
        for words, redirections in redirected_commands(script[:MAX_SCRIPT]):
            words = without_runners(words)
            text = next(here, None) if words[:1] == ["cat"] else printed(words)
            for operator, target in redirections if text is not None else ():
                if not operator.endswith(">"):
                    continue
                name = posixpath.basename(target)
                before = self.find_script(name) if operator == ">>" else None
                self._written[name] = File(
                    f"{before.text if before else ''}{text}"[:MAX_SCRIPT],
                    before.name if before else dockerfile.name,
                    before.line if before else run.line,
                )

    def _note_mount(self, flag: str) -> None:
        options = dict(
            part.partition("=")[::2]
            for part in flag.removeprefix("--mount=").split(",")
        )
        source = options.get("source") or options.get("src") or ""
        target = (
            options.get("target")
            or options.get("dst")
            or options.get("destination")
            or ""
        )
        if flag.startswith("--mount=") and "from" not in options and source and target:
            self._rename(source, target)

    def _rename(self, source: str, target: str) -> None:
        if posixpath.basename(source) != posixpath.basename(
            target
        ) and self._submission.has(posixpath.normpath(source).lstrip("/")):
            self._renamed[posixpath.basename(target)] = source

    def find(self, name: str) -> File | None:
        """The file that a command in the build means by that name; None where it is none of the submission's.

        Raises SubmissionError where it is no text.
        """
        base = posixpath.basename(name)
        if base in self._written:
            return self._written[base]
        name = self._renamed.get(base, name)
        if posixpath.basename(name) not in self._places:
            return None
        if name not in self._found:
            place = place_of(self._submission, name)
            self._found[name] = (
                File(self._submission.read(place), place) if place else None
            )
        return self._found[name]

    def find_script(self, name: str) -> File | None:
        """Like `find`, for what may be a program of any kind: None where it is not text."""
        try:
            return self.find(name)
        except SubmissionError:
            return None


def _by_name(submission: Submission) -> frozenset[str]:
    """The names of the submission's files, without their folders."""
    return frozenset(path.name for path in submission.path.rglob("*"))


def place_of(submission: Submission, name: str) -> str:
    """Return the path in the submission of a file that a command in the image reads; empty where it is none of its files.

    It may have been copied to another folder, and may lie in one: then its name tells.
    """
    base = posixpath.basename(name)
    for place in (posixpath.normpath(name).lstrip("/"), base):
        if place and submission.has(place):
            return place
    if not base or any(letter in base for letter in "*?[$"):
        return ""
    found = (
        path.relative_to(submission.path).as_posix()
        for path in sorted(submission.path.glob(f"**/{base}"))
    )
    return next((place for place in found if submission.has(place)), "")


def scripts(
    dockerfile: Dockerfile, files: BuildFiles | None = None
) -> Iterator[Script]:
    """What each RUN runs, also one that an ONBUILD keeps for later; with `files`, also each script that it starts.

    What ARG and ENV set is filled in.
    """
    read = set[tuple[str, int]]()
    runs = (
        instruction
        for instruction in dockerfile.with_triggers()
        if instruction.name == "RUN"
    )
    for run in islice(runs, MAX_RUNS):
        raw = script_of(run)
        text = (
            dockerfile.filled_where_known(raw, run)
            if isinstance(raw, str)
            else list(raw)
        )
        waiting = [Script(text, dockerfile.name, run.line, run)]
        while waiting:
            script = waiting.pop(0)
            yield script
            for started in _started(script, files) if files else ():
                key = (started.name, started.line)
                if key not in read and len(read) < MAX_SCRIPTS:
                    read.add(key)
                    text = dockerfile.filled_where_known(started.text[:MAX_SCRIPT], run)
                    waiting.append(Script(text, started.name, 0, run))


def _started(script: Script, files: BuildFiles) -> Iterator[File]:
    """The scripts of the submission that a shell reads when this one runs."""
    for words in simple_commands(script.text):
        name = posixpath.basename(words[0])
        if name == "make":
            if found := files.find_script("Makefile"):
                yield File(
                    recipes(found.text[:MAX_SCRIPT], words[1:]), found.name, found.line
                )
        elif SHELL.fullmatch(name):
            if found := files.find_script(read_by_shell(words)):
                yield found
        elif words[0] in SOURCED:
            if found := files.find_script(words[1] if len(words) > 1 else ""):
                yield found
        elif (found := files.find_script(words[0])) and FOR_SHELL.match(
            found.text[:MAX_SCRIPT]
        ):
            yield found


def recipes(makefile: str, words: Iterable[str]) -> str:
    """Return the commands that `make WORDS` would run, each on its line of the Makefile; all other lines are empty.

    Of the targets that are named, else the first, and of what these need. All commands, where a target is not found: it may
    come from a pattern, a variable or another file.
    """
    needs: dict[str, list[str]] = {}
    lines: list[tuple[list[str], str]] = []
    targets: list[str] = []
    for line in makefile.split("\n"):
        before, colon, after = line.partition("#")[0].partition(":")
        if (
            colon
            and before.strip()
            and "=" not in before
            and not after.startswith("=")
            and not line.startswith("\t")
        ):
            targets = before.split()
            for target in targets:
                needs.setdefault(target, []).extend(
                    after.lstrip(":").partition(";")[0].split()
                )
        lines.append((targets, RECIPE.sub("", line) if line.startswith("\t") else ""))
    first = [target for target in needs if not target.startswith(".")][:1]
    waiting = [
        word for word in words if not word.startswith("-") and "=" not in word
    ] or first
    if any(word not in needs for word in waiting) or "include" in makefile:
        return RECIPE.sub("", makefile)
    made = set[str]()
    while waiting:
        target = waiting.pop()
        if target not in made:
            made.add(target)
            waiting += needs.get(target, [])
    return "\n".join(text if made.intersection(of) else "" for of, text in lines)


def read_by_shell(words: list[str]) -> str:
    """Return the file that a shell is told to read, as in `sh -e install.sh`; empty where it is told none."""
    rest = iter(words[1:])
    for word in rest:
        if word == "--":
            return next(rest, "")
        if not word.startswith(("-", "+")):
            return word
        if WITH_VALUE.fullmatch(word):
            next(rest, "")
    return ""


def mentioned(script: Script, files: BuildFiles, name: str) -> bool:
    """Whether the script starts a Python program of the submission that mentions a file of that name."""
    return any(
        name in found.text
        for words in simple_commands(script.text)
        for word in words
        if word.endswith(PYTHON_FILE) and (found := files.find_script(word))
    )


def variables(
    dockerfile: Dockerfile, script: Script, names: Iterable[str]
) -> dict[str, list[str]]:
    """Return the values of variables, split into words, as a script's commands see them: from ENV, ARG or the script itself."""
    found: dict[str, list[str]] = {
        name: dockerfile.filled(f"${name}", script.run).split() for name in names
    }
    for name, value in assignments(script.text):
        if name in found:
            found[name] = [*found[name], *value.split()][-MAX_WORDS:]
    return found
