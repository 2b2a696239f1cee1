"""How large the variables of a Dockerfile grow, told from its words without expanding anything.

Six lines in which each variable holds the one before many times over keep a builder busy for most of an hour. So the lengths are
added up here, each variable's at most as long as it could become, and what is too long is refused before the engine sees it.
"""

from __future__ import annotations

import re

from dockdojo.build.dockerfile import (
    PLATFORM_ARGUMENTS,
    Dockerfile,
    Instruction,
    pairs_of,
)
from dockdojo.errors import BuildRefused

MAX_EXPANDED_CHARACTERS = 100_000
"""Characters of one instruction with its variables filled in; what people write has some hundreds."""
PLATFORM_LENGTH = 30
UNKNOWN = 4_096
"""Characters that a variable may have which the base image brings."""
VARIABLE = re.compile(r"\$\{?(\w+)")
EXPANDED = frozenset(
    {
        "ADD",
        "ARG",
        "COPY",
        "ENV",
        "EXPOSE",
        "FROM",
        "LABEL",
        "ONBUILD",
        "RUN",
        "STOPSIGNAL",
        "USER",
        "VOLUME",
        "WORKDIR",
    }
)
"""Instructions in which the builder fills in variables; for RUN, those of its options."""
SETS = frozenset({"ARG", "ENV"})


def check_expansion(dockerfile: Dockerfile) -> None:
    """Raise BuildRefused, with the line, at the first instruction that grows beyond MAX_EXPANDED_CHARACTERS characters."""
    shared = dict.fromkeys(PLATFORM_ARGUMENTS, PLATFORM_LENGTH)
    stages: dict[str, dict[str, int]] = {}
    lengths, name, workdir = shared, "", 0
    for instruction in dockerfile.with_triggers():
        if instruction.name == "FROM":
            if name:
                stages[name] = lengths
            lengths = shared | stages.get(
                instruction.args[0].lower() if instruction.args else "", {}
            )
            name = instruction.args[2].lower() if len(instruction.args) == 3 else ""
            workdir = 0
        if instruction.name not in EXPANDED:
            continue
        words = (
            instruction.flags
            if instruction.name == "RUN"
            else (*instruction.flags, *instruction.args)
        )
        grown = sum(_grown(word, lengths) for word in words)
        if instruction.name == "WORKDIR":
            grown = workdir = (
                workdir + grown
            )  # a relative one is put behind the one before
        if grown > MAX_EXPANDED_CHARACTERS:
            _refuse(dockerfile, instruction, grown)
        if instruction.name in SETS:
            # An instruction's variables are filled in with what was there before it.
            new = {key: _grown(value, lengths) for key, value in pairs_of(instruction)}
            new |= {
                key: shared.get(key, 0)
                for key in instruction.args
                if instruction.name == "ARG" and "=" not in key
            }
            lengths.update(new)
            if sum(lengths.values()) > 10 * MAX_EXPANDED_CHARACTERS:
                _refuse(dockerfile, instruction, sum(lengths.values()))
        if instruction.stage < 0:
            shared = dict(lengths)


def _grown(word: str, lengths: dict[str, int]) -> int:
    """The most characters that the word has once variables are filled in."""
    used = [lengths.get(name, UNKNOWN) for name in VARIABLE.findall(word)]
    total = len(word) + sum(used)
    # ${name/pattern/new} may put the new text in the place of each letter.
    return (
        total * max(1, max(used, default=1))
        if "/" in word and re.search(r"\$\{\w+/", word)
        else total
    )


def _refuse(dockerfile: Dockerfile, instruction: Instruction, grown: int) -> None:
    shown = f"{grown:,}" if grown < 10**12 else "more than 10**12"
    raise BuildRefused(
        f"`{' '.join(instruction.original.split())[:120]}` has {shown} characters once its variables are filled in.",
        hint=f"More than {MAX_EXPANDED_CHARACTERS:,} are refused: does a variable hold another one many times over?",
        file=dockerfile.name,
        line=instruction.line,
    )
