"""A Dockerfile as BuildKit's own parser reads it, with line numbers. Bounded before it is read."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from dockerlab.beneath import open_file, printable
from dockerlab.errors import DockerfileInvalid, NoDockerfile

LARGEST = 1_000_000
"""Bytes; a Dockerfile of people has a few thousand."""
_SYNTAX = re.compile(
    rb"\A((?:#[^\n]*=[^\n]*\n)*?#\s*)syntax(\s*=\s*(?:docker\.io/)?docker/dockerfile(?:[:@][^\n]*)?\s*?)(?=\r?\n|\Z)",
    re.I,
)


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


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A parsed Dockerfile."""

    name: str
    text: str
    instructions: tuple[Instruction, ...]

    @classmethod
    def read(cls, folder: Path, name: str = "Dockerfile") -> Dockerfile:
        """Parse the file of that name in the folder. Raises NoDockerfile, DockerfileInvalid (line and reason), or Refused."""
        text = _bounded(folder, name)
        import dockerfile as buildkit

        try:
            commands = buildkit.parse_string(text)
        except (buildkit.GoParseError, buildkit.GoIOError, ValueError) as error:
            reason = str(error.args[0] if error.args else error)
            found = re.search(r"line (\d+): (.*)", reason)
            line = int(found[1]) if found else 0
            at = f"line {line}: {found[2]}" if found else reason
            raise DockerfileInvalid(
                f"{name} does not parse: {at}.", file=name, line=line,
                hint="Each line begins with an instruction such as FROM, COPY, RUN or CMD.",
            ) from error  # fmt: skip
        stage, made = -1, []
        for command in commands:
            upper = command.cmd.upper()
            stage += upper == "FROM"
            made.append(
                Instruction(
                    upper,
                    tuple(command.value),
                    tuple(command.flags),
                    command.start_line,
                    command.end_line,
                    command.original,
                    bool(command.json),
                    stage,
                )
            )
        return cls(name, text, tuple(made))

    def all(self, name: str) -> list[Instruction]:
        """Every instruction of that name."""
        return [one for one in self.instructions if one.name == name.upper()]

    @property
    def final_stage(self) -> list[Instruction]:
        """The instructions of the last stage, its FROM first."""
        last = max((one.stage for one in self.instructions), default=-1)
        return [one for one in self.instructions if one.stage == last]

    @property
    def arguments(self) -> dict[str, str]:
        """The defaults of the ARGs before the first FROM, which FROM lines may use."""
        found = {}
        for one in self.instructions:
            if one.name == "ARG" and one.stage == -1:
                for arg in one.args:
                    key, _, value = arg.partition("=")
                    found[key] = value.strip("\"'")
        return found

    def bases(self) -> list[tuple[str, Instruction]]:
        """The outside images that stages begin from, ARGs filled in; not earlier stages, not `scratch`."""
        stages: set[str] = set()
        found = []
        for one in self.all("FROM"):
            if not one.args:
                continue
            ref = _fill(one.args[0], self.arguments)
            if ref.lower() not in stages and ref != "scratch":
                found.append((ref, one))
            if len(one.args) == 3 and one.args[1].lower() == "as":
                stages.add(one.args[2].lower())
        return found

    def filled(self, text: str, at: Instruction) -> str:
        """Words of an instruction, with the ARGs and ENVs filled in that its stage has set before it."""
        values: dict[str, str] = {}
        for one in self.instructions:
            if one is at:
                break
            if one.stage == at.stage and one.name == "ARG":
                for arg in one.args:
                    key, equals, value = arg.partition("=")
                    values[key] = value.strip("\"'") if equals else self.arguments.get(key, "")
            elif one.stage == at.stage and one.name == "ENV":
                values |= {key: value.strip("\"'") for key, value in zip(one.args[::3], one.args[1::3], strict=False)}
        return _fill(text, values)

    def line_of(self, instruction: str) -> int:
        """The line of the instruction that a build step shows; 0 where it cannot be told."""
        wanted = _squeeze(instruction)
        for one in self.instructions:
            if _squeeze(one.original) == wanted:
                return one.line
        name, _, rest = wanted.partition(" ")
        alike = [one.line for one in self.instructions if one.name == name.upper()]
        near = [
            one.line for one in self.instructions if one.name == name.upper() and rest[:20] in _squeeze(one.original)
        ]
        return (near or (alike if len(alike) == 1 else [0]))[0]

    def line_of_base(self, ref: str) -> int:
        """The line of the FROM that asks for `ref`; 0 where none does."""
        for name, one in self.bases():
            if name == ref or f"{name}:latest" == ref or ref.startswith(f"{name}@"):
                return one.line
        return 0

    def without_official_syntax(self, path: Path) -> bool:
        """Turns `# syntax=docker/dockerfile:…` at `path` into a plain comment; False where there is none.

        For engines that cannot fetch that frontend: their own one reads the same language. Lines stay where they are.
        """
        raw = path.read_bytes()
        changed, count = _SYNTAX.subn(rb"\1syntax was\2", raw, count=1)
        if count:
            path.write_bytes(changed)
        return bool(count)


def _bounded(folder: Path, name: str) -> str:
    try:
        with open_file(folder, name) as file:
            raw, size = file.read(LARGEST + 1), os.fstat(file.fileno()).st_size
    except IsADirectoryError:
        raise NoDockerfile(f"{name} is a folder, not a file.", file=name) from None
    except OSError:
        others = sorted(path.name for path in folder.glob("*") if "dockerfile" in path.name.lower())[:3]
        hint = f"There is {', '.join(f'`{printable(other)}`' for other in others)}: is it misspelled?" if others else (
            f"Write the file `{name}` in the submission's folder; the name has no ending such as .txt."
        )  # fmt: skip
        raise NoDockerfile(f"There is no `{printable(name)}` in the folder.", hint=hint, file=name) from None
    if len(raw) > LARGEST:
        raise DockerfileInvalid(
            f"{name} has {size / 1e6:.1f} MB; more than {LARGEST / 1e6:.0f} MB is not read.",
            file=name,
        )
    if b"\0" in raw:
        raise DockerfileInvalid(f"{name} is a binary file, not text.", file=name, hint="Save it as plain UTF-8 text.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DockerfileInvalid(
            f"{name} is not UTF-8 text (line {line}).",
            file=name,
            line=line,
            hint="Save it as plain UTF-8 text.",
        ) from error


def _squeeze(text: str) -> str:
    return " ".join(re.sub(r"\\\s*\n", " ", text).split())


def _fill(text: str, values: dict[str, str]) -> str:
    def one(found: re.Match[str]) -> str:
        key = found[1] or found[2]
        return values.get(key, "") or (found[3] or "")

    return re.sub(r"\$(?:(\w+)|\{(\w+)(?::-([^}]*))?\})", one, text)
