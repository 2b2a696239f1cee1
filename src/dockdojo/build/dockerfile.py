"""A Dockerfile as BuildKit's own parser reads it, with line numbers. Bounded before it is read."""

from __future__ import annotations

import dataclasses
import os
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dockdojo.beneath import open_file, printable
from dockdojo.errors import DockerfileInvalid, NoDockerfile
from dockdojo.parsing import Unreadable, parse

MAX_FILLED_CHARACTERS = 200_000
"""Characters that variables add to one script."""
MAX_DOCKERFILE_BYTES = 1_000_000
"""A Dockerfile that somebody wrote has a few thousand."""

OFFICIAL_SYNTAX = re.compile(
    rb"[ \t]{0,99}#[ \t]{0,99}(syntax)[ \t]{0,99}=[ \t]{0,99}(?:docker\.io/)?docker/dockerfile(?:[:@]\S{0,99})?[ \t\r]{0,99}",
    re.IGNORECASE,
)
MAX_DIRECTIVE_BYTES = 2_000
"""Of one line; a longer one is no directive."""
PLATFORM = {
    "amd64": "amd64",
    "x86_64": "amd64",
    "arm64": "arm64",
    "aarch64": "arm64",
}.get(platform.machine().lower(), "")
PLATFORM_ARGUMENTS = {
    f"{side}{part}": value
    for side in ("TARGET", "BUILD")
    for part, value in (
        ("PLATFORM", f"linux/{PLATFORM}"),
        ("OS", "linux"),
        ("ARCH", PLATFORM),
        ("VARIANT", ""),
    )
}
"""ARGs that the builder sets (https://docs.docker.com/reference/dockerfile/#automatic-platform-args-in-the-global-scope)."""
SIMPLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::-([^${}]*))?\})")
"""`$NAME`, `${NAME}` and `${NAME:-default}`; the other forms are the builder's alone."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: its name in upper case, its arguments, its flags, and where it stands."""

    name: str
    args: tuple[str, ...]
    flags: tuple[str, ...]
    line: int
    end_line: int
    original: str
    json: bool
    """True for the exec form, a JSON array."""
    stage: int
    """Which FROM it belongs to, from 0; -1 before the first."""
    heredocs: tuple[str, ...] = ()
    """The texts of its here-documents."""


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A parsed Dockerfile."""

    name: str
    text: str
    instructions: tuple[Instruction, ...]

    @classmethod
    def read(cls, folder: Path, name: str = "Dockerfile") -> Dockerfile:
        """Parse the file of that name in the folder. Raises NoDockerfile, DockerfileInvalid (line and reason), or Refused."""
        return cls.parse(_bounded(folder, name), name)

    @classmethod
    def parse(cls, text: str, name: str = "Dockerfile") -> Dockerfile:
        """Parse a text. Raises DockerfileInvalid (line and reason)."""
        try:
            commands = parse("dockerfile", text, name=name)
        except Unreadable as error:
            at = f"line {error.line}: {error.message}" if error.line else error.message
            raise DockerfileInvalid(
                f"{name} does not parse: {at}.",
                file=name,
                line=error.line,
                hint="Each line begins with an instruction such as FROM, COPY, RUN or CMD.",
            ) from error
        stage, made = -1, []
        for (
            command,
            values,
            flags,
            line,
            end_line,
            original,
            is_json,
            heredocs,
        ) in commands:
            stage += command.upper() == "FROM"
            instruction = Instruction(
                name=command.upper(),
                args=tuple(values),
                flags=tuple(flags),
                line=line,
                end_line=end_line,
                original=original,
                json=bool(is_json),
                stage=stage,
                heredocs=tuple(heredocs),
            )
            made.append(instruction)
        return cls(name, text, tuple(made))

    def all(self, name: str) -> list[Instruction]:
        """Return every instruction of that name."""
        return [
            instruction
            for instruction in self.instructions
            if instruction.name == name.upper()
        ]

    @property
    def final_stage(self) -> list[Instruction]:
        """The instructions of the last stage, its FROM first."""
        last = max((instruction.stage for instruction in self.instructions), default=-1)
        return [
            instruction
            for instruction in self.instructions
            if instruction.stage == last
        ]

    @property
    def arguments(self) -> dict[str, str]:
        """The ARGs before the first FROM, which FROM lines may use, with their defaults filled in."""
        found = dict(PLATFORM_ARGUMENTS)
        for instruction in self.instructions:
            if instruction.stage == -1 and instruction.name == "ARG":
                _set(found, instruction, {})
        return found

    def with_triggers(self) -> list[Instruction]:
        """Return every instruction, and behind an ONBUILD the one that it keeps for later, with its own options."""
        found = []
        for instruction in self.instructions:
            found.append(instruction)
            if instruction.name == "ONBUILD":
                text = re.sub(
                    r"^\s*ONBUILD\s+",
                    "",
                    instruction.original,
                    count=1,
                    flags=re.IGNORECASE,
                )
                found += [
                    dataclasses.replace(
                        inner,
                        line=instruction.line,
                        end_line=instruction.end_line,
                        original=instruction.original,
                        stage=instruction.stage,
                    )
                    for inner in Dockerfile.parse(text, self.name).instructions
                ]
        return found

    def _stages(self) -> Iterator[tuple[Instruction, str, str]]:
        """Yield each FROM, what it begins from, ARGs filled in, and its stage's name in lowercase; empty if it has none."""
        arguments = self.arguments
        for start in self.all("FROM"):
            if start.args:
                is_named = len(start.args) == 3 and start.args[1].lower() == "as"
                yield start, _fill(start.args[0], arguments), (
                    start.args[2].lower() if is_named else ""
                )

    def bases(self) -> list[tuple[str, Instruction]]:
        """Return the outside images that stages begin from, ARGs filled in; not earlier stages, not `scratch`."""
        stages: set[str] = set()
        found = []
        for start, ref, name in self._stages():
            if ref.lower() not in stages and ref != "scratch":
                found.append((ref, start))
            if name:
                stages.add(name)
        return found

    @property
    def final_base(self) -> str:
        """The outside image that the last stage goes back to, by way of earlier stages; `scratch` where there is none."""
        stages: dict[str, str] = {}
        base = "scratch"
        for _, ref, name in self._stages():
            base = stages.get(ref.lower(), ref)
            if name:
                stages[name] = base
        return base

    def filled(self, text: str, at: Instruction) -> str:
        """Words of an instruction, with the ARGs and ENVs filled in that its stage has set before it."""
        return _fill(text, self._values(at))

    def filled_where_known(self, text: str, at: Instruction) -> str:
        """Return a RUN's script, with the ARGs and ENVs filled in that are set before it; other variables are the shell's."""
        values, left = self._values(at), MAX_FILLED_CHARACTERS

        def fill(found: re.Match[str]) -> str:
            nonlocal left
            if (found[1] or found[2]) not in values or left <= 0:
                return found[0]
            word = _fill(found[0], values)[:left]
            left -= len(word)
            return word

        return SIMPLE.sub(fill, text)

    def can_fill(self, text: str, at: Instruction) -> bool:
        """Whether `filled` tells what the builder would make of the words: it sets all variables, and in simple forms only."""
        values = self._values(at)
        return "$" not in SIMPLE.sub(
            lambda found: "" if (found[1] or found[2]) in values else "$", text
        )

    def _values(self, at: Instruction) -> dict[str, str]:
        """The variables that are set where the instruction stands; not those of base images, nor what cannot be told."""
        outer = self.arguments
        if at.name == "FROM" or at.stage < 0:
            return outer
        stages: dict[str, dict[str, str]] = {}
        values: dict[str, str] = {}
        for instruction in self.instructions:
            if instruction.line > at.line or instruction is at:
                break
            if instruction.name == "FROM":
                values = (
                    dict(stages.get(_fill(instruction.args[0], outer).lower(), {}))
                    if instruction.args
                    else {}
                )
                if len(instruction.args) == 3:
                    stages[instruction.args[2].lower()] = values
            elif instruction.stage >= 0 and instruction.name in ("ARG", "ENV"):
                _set(values, instruction, outer)
        return values

    def line_of(self, shown: str) -> int:
        """Return the line of the instruction that a build step shows; 0 if it is none of this file, or several."""
        wanted = _squeeze(shown)
        for instruction in self.instructions:
            if _squeeze(instruction.original) == wanted:
                return instruction.line
        name, _, rest = wanted.partition(" ")
        alike = [
            instruction.line
            for instruction in self.instructions
            if instruction.name == name.upper()
        ]
        near = [
            instruction.line
            for instruction in self.instructions
            if instruction.name == name.upper()
            and rest[:20] in _squeeze(instruction.original)
        ]
        return (near or (alike if len(alike) == 1 else [0]))[0]

    def line_of_base(self, ref: str) -> int:
        """Return the line of the FROM that begins from the image `ref`; 0 if none does."""
        for name, start in self.bases():
            if name == ref or f"{name}:latest" == ref or ref.startswith(f"{name}@"):
                return start.line
        return 0

    @property
    def has_official_syntax(self) -> bool:
        """Whether it asks for the frontend docker/dockerfile, in any version."""
        return _syntax_line(self.text.encode()) is not None

    def without_official_syntax(self, path: Path) -> bool:
        """Turn `# syntax=docker/dockerfile:…` at `path` into a plain comment; False where there is none.

        For engines that cannot fetch that frontend: their own one reads the same language. Lines stay where they are.
        """
        raw = path.read_bytes()
        place = _syntax_line(raw)
        if place is not None:
            path.write_bytes(
                raw[:place] + b"syntax was" + raw[place + len(b"syntax") :]
            )
        return place is not None


def pairs_of(instruction: Instruction) -> list[tuple[str, str]]:
    """The names and values that an ENV, a LABEL or an ARG sets, without quotes around them; an ARG without a value has ""."""
    if instruction.name == "ARG":
        split = (word.partition("=") for word in instruction.args)
        return [(key, value.strip("\"'")) for key, _, value in split]
    words = instruction.args
    if len(words) % 3 == 0 and all(
        word in ("", "=") for word in words[2::3]
    ):  # as older releases of the parser have it
        words = tuple(word for place, word in enumerate(words) if place % 3 != 2)
    return [
        (key, value.strip("\"'"))
        for key, value in zip(words[::2], words[1::2], strict=False)
    ]


def _set(
    values: dict[str, str], instruction: Instruction, outer: dict[str, str]
) -> None:
    """What an ARG or ENV sets, filled in with what was set before it; bounded, since each can hold the others."""
    before = dict(values)
    for key, value in pairs_of(instruction):
        if instruction.name == "ARG" and key not in instruction.args:
            filled = _fill(value, before)
        elif instruction.name == "ARG":
            filled = outer.get(key, before.get(key, ""))
        else:
            filled = _fill(value, before)
        values[key] = filled[:MAX_VALUE_CHARACTERS]


MAX_VALUE_CHARACTERS = 100_000
"""Characters of one variable; what grows beyond is refused before it is built (see expansion)."""


def _syntax_line(raw: bytes) -> int | None:
    """Where the word `syntax` of an official `# syntax=` stands: a directive among the first comments of the file."""
    place = 0
    for line in raw.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        start = raw.find(line, place) if line else place
        if len(line) <= MAX_DIRECTIVE_BYTES and (
            found := OFFICIAL_SYNTAX.fullmatch(line)
        ):
            return start + found.start(1)
        if not line.lstrip().startswith(b"#"):
            return None
        place = start + len(line) + 1
    return None


def _bounded(folder: Path, name: str) -> str:
    try:
        with open_file(folder, name) as file:
            raw, size = (
                file.read(MAX_DOCKERFILE_BYTES + 1),
                os.fstat(file.fileno()).st_size,
            )
    except IsADirectoryError:
        raise NoDockerfile(f"{name} is a folder, not a file.", file=name) from None
    except OSError:
        others = sorted(
            path.name for path in folder.glob("*") if "dockerfile" in path.name.lower()
        )[:3]
        hint = (
            f"There is {', '.join(f'`{printable(other)}`' for other in others)}: is it misspelled?"
            if others
            else (
                f"Write the file `{name}` in the submission's folder; the name has no ending such as .txt."
            )
        )
        raise NoDockerfile(
            f"There is no `{printable(name)}` in the folder.", hint=hint, file=name
        ) from None
    if len(raw) > MAX_DOCKERFILE_BYTES:
        raise DockerfileInvalid(
            f"{name} has {size / 1e6:.1f} MB; more than {MAX_DOCKERFILE_BYTES / 1e6:.0f} MB is not read.",
            file=name,
        )
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in raw:
        kind = (
            "UTF-16 text"
            if raw[:2] in (b"\xff\xfe", b"\xfe\xff")
            else "a binary file, not text"
        )
        raise DockerfileInvalid(
            f"{name} is {kind}.", file=name, hint="Save it as plain UTF-8 text."
        )
    # A comment in Latin-1 hinders no builder; other bytes that are no UTF-8 are the builder's to judge.
    return raw.decode("utf-8-sig", "replace")


def _squeeze(text: str) -> str:
    return " ".join(re.sub(r"\\\s*\n", " ", text).split())


def _fill(text: str, values: dict[str, str]) -> str:
    def value_of(found: re.Match[str]) -> str:
        return values.get(found[1] or found[2], "") or (found[3] or "")

    return SIMPLE.sub(value_of, text)
