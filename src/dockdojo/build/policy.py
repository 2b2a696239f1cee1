"""What the Dockerfile of a submission may ask of the builder: decided from the parsed file, before the engine sees it.

Each refusal names the line and the way that is allowed. What is asked for is what the builder would make of the words: ARGs and
ENVs are filled in, triggers (ONBUILD) are looked into, and where words cannot be told before the build, they are refused.
Sources: https://docs.docker.com/reference/dockerfile/ and, for names of images, github.com/distribution/reference.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from dataclasses import dataclass

from dockdojo.build.dockerfile import Dockerfile, Instruction
from dockdojo.build.expansion import check_expansion
from dockdojo.errors import BuildRefused

MAX_INSTRUCTIONS = 500
MAX_STAGES = 50
MAX_PORTS = 500
RESOLVE_SECONDS = 3.0
"""Seconds in which the name of a registry must be found; what is not found by then, the builder does not find either."""
FRONTEND = re.compile(r"(?:docker\.io/)?docker/dockerfile(?:[:@][\w.:-]+)?")
"""The one `# syntax=` that is allowed: the builder's own language, of any version."""
SYNTAX_LINE = re.compile(
    r"[ \t]{0,99}(?:#|//)[ \t]{0,99}syntax[ \t]{0,99}=[ \t]{0,99}(\S*)", re.IGNORECASE
)
REMOTE = re.compile(
    r"(?:[a-z][a-z0-9+.-]{0,30}://|git@|github\.com/|(?:\w[\w.-]{0,63})@(?:\w[\w.-]{0,255}):)",
    re.IGNORECASE,
)
"""The beginning of what ADD fetches from elsewhere: an address, or a git repository."""
LOCAL_NAMES = (
    "localhost",
    "local",
    "internal",
    "lan",
    "home",
    "intranet",
    "localdomain",
)
"""Last parts of host names that no public registry has (RFC 6761, RFC 6762, and usual ones)."""
HEREDOC_HINT = "Put `# syntax=docker/dockerfile:1` first in the file, or write the text to a file and COPY it."


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRules:
    """What the builds of one grading may do."""

    registries: tuple[str, ...] = ()
    """Registries with a port, or with a private address, that the lab allows."""
    remote_add: bool = False
    """Whether ADD may fetch from elsewhere."""
    images: frozenset[str] = frozenset()
    """Names of images that may be used although only this engine has them: the course's own."""
    cache_namespace: str = ""
    """What separates this grading's cache mounts from those of all others."""


def check_dockerfile(
    dockerfile: Dockerfile,
    rules: BuildRules,
    *,
    is_only_here: Callable[[str], bool],
    knows_heredocs: bool = True,
) -> None:
    """Hold a Dockerfile against the rules. Raises BuildRefused, with the line, at the first instruction that is not allowed.

    `is_only_here` tells of an image's name whether the engine has it and no registry does.
    """
    _check_frontend(dockerfile)
    if (
        len(dockerfile.instructions) > MAX_INSTRUCTIONS
        or len(dockerfile.all("FROM")) > MAX_STAGES
    ):
        raise BuildRefused(
            f"{dockerfile.name} has more than {MAX_INSTRUCTIONS} instructions, or more than {MAX_STAGES} stages.",
            hint="A build that long cannot be graded in time.",
            file=dockerfile.name,
        )
    if not knows_heredocs and not dockerfile.has_official_syntax:
        for instruction in dockerfile.instructions:
            if instruction.heredocs:
                _refuse(
                    dockerfile,
                    instruction,
                    "the builder here does not know here-documents (`<<`)",
                    HEREDOC_HINT,
                )
    check_expansion(dockerfile)
    images = _Images(dockerfile, rules, is_only_here)
    for instruction in dockerfile.with_triggers():
        _check_flags(dockerfile, instruction)
        if instruction.name == "EXPOSE":
            _check_ports(dockerfile, instruction)
        if instruction.name == "ADD" and not rules.remote_add:
            _check_add(dockerfile, instruction)
        for reference in _references(dockerfile, instruction):
            images.check(reference, instruction)


def _refuse(
    dockerfile: Dockerfile, instruction: Instruction, observed: str, hint: str
) -> None:
    raise BuildRefused(
        f"`{' '.join(instruction.original.split())[:160]}`: {observed}. It is refused before it is built.",
        hint=hint,
        file=dockerfile.name,
        line=instruction.line,
    )


def _check_frontend(dockerfile: Dockerfile) -> None:
    """Another program than BuildKit's own that reads the Dockerfile could ask the builder for anything."""
    for number, line in enumerate(dockerfile.text.split("\n"), 1):
        stripped = line.strip()[:2_000]
        if found := SYNTAX_LINE.match(stripped):
            if not FRONTEND.fullmatch(found[1]):
                raise BuildRefused(
                    f"`{stripped[:160]}` (line {number}): another frontend than docker/dockerfile is not allowed here.",
                    hint="Leave the line out, or write `# syntax=docker/dockerfile:1`.",
                    file=dockerfile.name,
                    line=number,
                )
        elif stripped.startswith("{"):
            raise BuildRefused(
                f"{dockerfile.name} begins with `{{` (line {number}): that is no instruction.",
                hint="Each line begins with an instruction such as FROM, COPY, RUN or CMD.",
                file=dockerfile.name,
                line=number,
            )
        elif stripped and not stripped.startswith(("#", "//")):
            return


def _check_flags(dockerfile: Dockerfile, instruction: Instruction) -> None:
    if instruction.name != "RUN":
        return
    for flag in instruction.flags:
        name, _, value = flag.removeprefix("--").partition("=")
        name = name.lower()
        if name == "network" and value.strip("\"'").lower() not in ("default", "none"):
            _refuse(
                dockerfile,
                instruction,
                f"`{flag[:80]}` gives a build the host's network",
                "Builds reach the package index by themselves: leave the option out.",
            )
        if name == "security" and value.strip("\"'").lower() != "sandbox":
            _refuse(
                dockerfile,
                instruction,
                f"`{flag[:80]}` takes a build out of its sandbox",
                "What a build does must work without more rights than a container has: leave the option out.",
            )
        if name == "device":
            _refuse(
                dockerfile,
                instruction,
                "devices of the host are not given to builds",
                "Leave the option out.",
            )
        if name == "mount":
            kind = _mount_options(value).get("type", "bind").lower()
            if kind == "ssh" or "$" in kind:
                _refuse(
                    dockerfile,
                    instruction,
                    "there are no keys for a build to use (`type=ssh`)",
                    "Put what the build needs into the folder, or install it from the package index.",
                )


def _mount_options(value: str) -> dict[str, str]:
    """The options of `--mount=`, a list of comma-separated pairs that may be quoted, as in a line of CSV."""
    words = value.replace('"', "").replace("'", "").split(",")
    return {
        key.strip().lower(): text.strip()
        for key, _, text in (word.partition("=") for word in words)
    }


def _check_ports(dockerfile: Dockerfile, instruction: Instruction) -> None:
    """Each port of a range is an entry of its own, which the engine sets up at every start: thousands take seconds."""
    count = 0
    for word in instruction.args:
        first, _, last = (
            dockerfile.filled(word, instruction).partition("/")[0].partition("-")
        )
        if first.isdecimal() and last.isdecimal() and len(first) < 6 and len(last) < 6:
            count += max(0, int(last) - int(first))
        count += 1
    if count > MAX_PORTS:
        _refuse(
            dockerfile,
            instruction,
            f"{count:,} ports are more than a program listens on",
            "EXPOSE names the ports on which the program listens, such as `EXPOSE 5000`.",
        )


def _check_add(dockerfile: Dockerfile, instruction: Instruction) -> None:
    hint = "Put the file into the folder and COPY it; or fetch it in a RUN from the package index."
    for source in instruction.args[:-1]:
        if source.startswith("<<"):
            continue
        filled = dockerfile.filled(source, instruction)
        # A value that is put together from parts can be an address, although none of the parts is one.
        if REMOTE.match(filled.strip("\"'")) or re.search(r"\.git(?:#|$)", filled):
            _refuse(
                dockerfile,
                instruction,
                "ADD from another place than the folder is not allowed here",
                hint,
            )
        if "$" in source and not dockerfile.can_fill(source, instruction):
            _refuse(
                dockerfile,
                instruction,
                f"what `{source[:80]}` is, only the build would tell",
                hint,
            )


def _references(dockerfile: Dockerfile, instruction: Instruction) -> Iterator[str]:
    """The images, or stages, that an instruction takes from; "" for a name that only the build would tell."""
    found = []
    if instruction.name == "FROM" and instruction.args:
        found.append(instruction.args[0])
    for flag in instruction.flags:
        name, _, value = flag.removeprefix("--").partition("=")
        if name.lower() == "from" and instruction.name in ("COPY", "ADD"):
            found.append(value)
        if (
            name.lower() == "mount"
            and instruction.name == "RUN"
            and "from" in (options := _mount_options(value))
        ):
            found.append(options["from"])
    for word in found:
        word = word.strip("\"'")
        if "$" not in word:
            yield word
        elif instruction.name == "FROM" and dockerfile.can_fill(word, instruction):
            yield dockerfile.filled(word, instruction)
        else:
            yield ""


class _Images:
    """Holds the names of images against the rules; each name once."""

    def __init__(
        self,
        dockerfile: Dockerfile,
        rules: BuildRules,
        is_only_here: Callable[[str], bool],
    ) -> None:
        self._dockerfile = dockerfile
        self._rules = rules
        self._is_only_here = is_only_here
        self._fine: set[str] = set()
        self._allowed = {full_name(name) for name in rules.images}

    def check(self, reference: str, instruction: Instruction) -> None:
        """Raise BuildRefused where the image may not be used."""
        if not reference:
            _refuse(
                self._dockerfile,
                instruction,
                "what image that is, only the build would tell",
                "Write the name of the image, or `$NAME` of an ARG before the first FROM.",
            )
        if (
            reference in self._fine
            or reference == "scratch"
            or self._is_stage(reference, instruction)
        ):
            return
        host = registry_of(reference)
        if host and host not in self._rules.registries:
            name, port = _split(host)
            if port or is_private(name):
                _refuse(
                    self._dockerfile,
                    instruction,
                    f"images do not come from `{host[:100]}` here",
                    "Use an image of a public registry, such as python:3.11-slim.",
                )
        if full_name(reference) not in self._allowed and self._is_only_here(reference):
            _refuse(
                self._dockerfile,
                instruction,
                f"`{reference[:100]}` is an image of this machine, and of no registry",
                "Nobody else could build that. Use an image of a public registry, or build it in a stage of its own.",
            )
        self._fine.add(reference)

    def _is_stage(self, reference: str, instruction: Instruction) -> bool:
        """Whether the builder takes it for a stage: an earlier one by its name, or (never in FROM) by its number."""
        stages = [
            start
            for start in self._dockerfile.all("FROM")
            if start.stage < instruction.stage or start is instruction
        ]
        if instruction.name == "FROM":
            stages = [start for start in stages if start.stage < instruction.stage]
        elif reference.isdecimal() and len(reference) < 6:
            return int(reference) < len(self._dockerfile.all("FROM"))
        else:
            stages = self._dockerfile.all(
                "FROM"
            )  # a later one is an error of the builder's, and no image
        return any(
            len(start.args) == 3 and start.args[2].lower() == reference.lower()
            for start in stages
        )


def registry_of(reference: str) -> str:
    """Return the registry in an image's name; empty where it names none, which means Docker Hub."""
    first, slash, _ = reference.partition("/")
    if not slash or not (
        first == "localhost" or first != first.lower() or re.search(r"[.:]", first)
    ):
        return ""
    return first


def full_name(reference: str) -> str:
    """Return an image's name with its tag, as `docker images` shows it: `latest` where it has none."""
    name = re.sub(r"^(?:(?:index\.)?docker\.io/)?(?:library/)?", "", reference)
    if "@" in name:
        return name
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def _split(host: str) -> tuple[str, str]:
    """A host's name and its port, with the brackets of IPv6 taken away."""
    if host.startswith("["):
        name, _, rest = host[1:].partition("]")
        return name, rest.removeprefix(":")
    name, _, port = host.partition(":")
    return name, port


def is_private(host: str) -> bool:
    """Whether the host is this machine or of a private, link-local or otherwise not public network; names are looked up."""
    name = host.rstrip(".").lower()
    try:
        return not ipaddress.ip_address(name.partition("%")[0]).is_global
    except ValueError:
        pass
    if name.rpartition(".")[2] in LOCAL_NAMES or re.fullmatch(r"[\dx.]+", name):
        return True
    pool = ThreadPoolExecutor(1)
    try:
        found = pool.submit(socket.getaddrinfo, name, 443).result(
            timeout=RESOLVE_SECONDS
        )
    except (OSError, TooLate, UnicodeError):
        return False  # a name that is not found leads nowhere
    finally:
        pool.shutdown(wait=False)
    addresses = (str(entry[4][0]).partition("%")[0] for entry in found)
    return any(not ipaddress.ip_address(address).is_global for address in addresses)
