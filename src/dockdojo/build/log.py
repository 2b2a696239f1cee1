"""BuildKit's plain progress, read line by line, and what a failed build says of whose fault it is."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from dockdojo.build.dockerfile import Dockerfile
from dockdojo.build.stages import WAY_OUT, LostStage, lost_stages
from dockdojo.connection.blame import (
    DOCKERFILES_WORDS,
    FILES_WORDS,
    NO_NETWORK,
    REGISTRY_MISSING,
    REGISTRY_NOT_FOUND,
    REGISTRY_STATUS,
    RUNTIMES_WORDS,
    SUBMISSIONS_SIGNS,
    SUBMISSIONS_WORDS,
    UNREACHABLE,
    builders_words,
    find_trouble,
    in_one_line,
    unknown,
    unnamed,
)
from dockdojo.connection.start_words import is_images_fault
from dockdojo.connection.way_out import has_way_out
from dockdojo.errors import (
    BaseImageMissing,
    BuildFailed,
    DockdojoError,
    DockerfileInvalid,
    EngineGone,
    ImageUnavailable,
)

REACHED = re.compile(
    r"\(from versions: (?!none\))|^ {0,4}Downloading \S|^Get:[0-9]|^Receiving objects: "
)
"""What pip, apt and git print of what came over a network: one index of two may be out of reach."""
SHOWN = 200
"""Characters of an instruction, or of the builder's words, that are shown."""
LOG_LINES = 4_000
TAIL = 12
"""Lines of a failed instruction that are shown."""
RAN = re.compile(
    r"(?:^|\]: |successfully: )(exit code: [0-9]{1,3})$"
    r"|(?:returned a non-zero code|while running runtime: exit status):? ([0-9]{1,3})$"
)
"""The end of the builder's last line where a RUN was carried out and failed. A RUN cannot print behind it."""
NEWER_FLAG = re.compile(
    r"unknown flag: (?:link|parents|exclude|checksum|keep-git-dir|start-interval|unpack)\b",
    re.IGNORECASE,
)
"""How a builder refuses options that came to Dockerfiles after Engine 20.10."""
NEWER_SYNTAX = (
    "Newer builders know this option, and the one of this engine is too old for it. `# syntax=docker/dockerfile:1` as the "
    "first line fetches a builder that knows it, where docker.io can be reached."
)
EACH_LINE = "Each line begins with an instruction such as FROM, COPY, RUN or CMD."
BASE_STEP = re.compile(
    r"(?:\[[^\]]{0,200}\] )?(?:load metadata for|resolve image config for|FROM) (?:docker-image://)?([^\s]{1,500})"
)
"""The name of a step that asks a registry for an image."""
SOURCE = re.compile(
    r"(?:[^\s]{1,500}: )?failed to resolve source metadata for ([^\s]{1,500}): (.*)",
    re.DOTALL,
)
"""How newer builders begin where a registry is at fault, or has no such image."""
WORD = re.compile(r"(?::latest)?(?:@.*)?$")
"""What the builder puts behind a name that has no tag."""
AFTERWARDS = re.compile(
    r"View build details:| >|-{3,99}$|What's next:|Learn more at|See '|Run '|Usage: |#?[0-9]{1,6}(?: [0-9]{1,6})?\.[0-9]{1,6} "
)
"""Lines that a CLI writes beside the error itself: advice, and what the failed RUN printed."""


class BuildLog:
    """BuildKit's plain progress, line by line: which step failed, and what it printed.

    What a RUN prints comes behind its step's number and a time, so a submission cannot forge the rest.
    """

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.output: dict[str, list[str]] = {}
        self.failed = ""
        self.error = ""
        self.last = ""
        self.first_error = ""
        """What the CLI said first of an error, where its last line is advice."""
        self._lines = 0

    def add(self, line: str) -> None:
        """Read one line."""
        self._lines += 1
        if self._lines > LOG_LINES:
            self.output = {key: lines[-TAIL:] for key, lines in self.output.items()}
            self._lines = 0
        found = re.match(r"#([0-9]{1,6}) (.*)", line)
        if not found:
            # A command of several lines stands in the old CLI's error as it is: its last line can look like advice.
            if line.strip() and (RAN.search(line) or not AFTERWARDS.match(line)):
                self.last = line.strip()
                if not self.first_error and line.startswith("ERROR: "):
                    self.first_error = self.last
            return
        number, text = found[1], found[2]
        if text.startswith("[") and number not in self.names:
            self.names[number] = text
        elif text.startswith(("resolve image config", "docker-image://", "FROM ")):
            self.names.setdefault(number, text)
        elif text.startswith("ERROR: ") and not self.failed:
            # The first one counts: a command of several lines comes as it is in the message, and can look like another.
            self.failed, self.error = number, text[7:]
        elif shown := re.match(r"\d+\.\d+ (.*)", text):
            self.output.setdefault(number, []).append(shown[1])

    @property
    def failed_step(self) -> str:
        """The failed step's name, such as `[2/3] RUN make`; empty where the failure was no step's."""
        return self.names.get(self.failed, "")

    @property
    def tail(self) -> str:
        """The last lines that the failed step printed."""
        return "\n".join(self.output.get(self.failed, [])[-TAIL:])

    @property
    def reached_a_host(self) -> bool:
        """Whether the failed step says that it got something from somewhere: then it was not left without any network."""
        return any(REACHED.search(line) for line in self.output.get(self.failed, []))

    @property
    def only_runtime_spoke(self) -> bool:
        """Whether what the failed RUN printed begins as runc tells that it could not start a command: the RUN's word only."""
        lines = self.output.get(self.failed, [])
        return (
            bool(lines)
            and RUNTIMES_WORDS.match(lines[0]) is not None
            and not is_images_fault(lines[0])
        )

    @property
    def last_output(self) -> str:
        """The last lines of the step that printed last: what was going on when a build was ended."""
        return "\n".join(
            self.output.get(max(self.output, key=int, default=""), [])[-TAIL:]
        )


def explain(
    log: BuildLog, parsed: Dockerfile, way_out: Callable[[], bool] = has_way_out
) -> DockdojoError:
    """Return the error that a failed build is, with the line of the Dockerfile if one is to blame.

    It is the submission's only where the builder's words say so; `way_out` tells whether this machine reaches any network.
    """
    last = log.last or log.error
    if ran := RAN.search(last):
        reason = ran[1] or f"exit code: {ran[2]}"
        if NO_NETWORK.search(log.tail) and not log.reached_a_host and not way_out():
            return EngineGone(
                "A RUN of the build found no way to any host, and this machine has none either.",
                hint="Grade where there is a network, or a proxy (HTTPS_PROXY) or a mirror that builds can reach.",
            )
        return _step_failed(log, _failed_step(log, last), reason, parsed)
    words = builders_words(last)
    if log.error and not last.endswith(
        log.error
    ):  # a name of several lines: the last one alone is the submission's word
        whole = builders_words(f"{log.error} {last}")
        words = whole if FILES_WORDS.match(unnamed(whole)) else words
    said = unnamed(words)
    if found := re.match(
        r"dockerfile parse error(?: on)? line ([0-9]{1,9}): (.*)", words, re.IGNORECASE
    ):
        return DockerfileInvalid(
            f"{parsed.name} does not parse: line {found[1]}: {found[2]}.",
            file=parsed.name,
            line=int(found[1]),
            hint=NEWER_SYNTAX if NEWER_FLAG.match(found[2]) else EACH_LINE,
        )
    if DOCKERFILES_WORDS.match(said):
        name = (
            ".dockerignore"
            if re.search("excludepatterns|in pattern", said)
            else parsed.name
        )
        return DockerfileInvalid(
            f"The builder cannot make sense of {name}: {in_one_line(words, SHOWN)}.",
            file=name,
            hint=NEWER_SYNTAX if NEWER_FLAG.match(said) else "",
        )
    step = log.failed_step
    if SUBMISSIONS_WORDS.match(said) or FILES_WORDS.match(said):
        return _step_failed(log, step, words, parsed)
    if image := _asked_for(step, words):
        return _base_failed(*image, parsed)
    if is_images_fault(words):
        return _step_failed(log, step, words, parsed)
    if trouble := find_trouble(words):
        return trouble
    if SUBMISSIONS_SIGNS.search(said):
        return _step_failed(log, step, words, parsed)
    if trouble := find_trouble(builders_words(log.first_error)):
        return trouble
    return unknown(f"The build of {parsed.name} could not be carried out", words)


def _asked_for(step: str, words: str) -> tuple[str, str] | None:
    """Return the image that could not be fetched, and the words about it, or None if the failure is about none."""
    if found := SOURCE.match(words):
        return found[1].split("@")[0], found[2]
    if base := BASE_STEP.match(step):
        return base[1].split("@")[0], words
    if found := re.match(r"invalid from flag value (\S{1,500}): ", words):
        return found[1], words[found.end() :]
    return None


def _failed_step(log: BuildLog, last: str) -> str:
    """The name of the step that failed; where another build ran the same one, and its log has the rest, made of the last line."""
    if not log.failed_step and (
        found := re.search(
            r"executor failed running \[/bin/sh -c (.*)\]: ", last, re.DOTALL
        )
    ):
        return f"[] RUN {found[1]}"
    return log.failed_step


def _step_failed(
    log: BuildLog, step: str, reason: str, parsed: Dockerfile
) -> DockdojoError:
    reason = in_one_line(reason, SHOWN)
    if not step:
        return BuildFailed(
            f"The build of {parsed.name} failed: {reason}.", file=parsed.name
        )
    instruction = re.sub(r"^\[.*?\] ", "", step)
    line = parsed.line_of(instruction)
    where = f", line {line}" if line else ""
    return BuildFailed(
        f"The build stopped at `{in_one_line(instruction, SHOWN)}` ({parsed.name}{where}): {reason}.",
        file=parsed.name,
        line=line,
        detail=log.tail,
        hint="Read the last lines of the build: the first that says `error` is usually the cause.",
    )


def _platform(parsed: Dockerfile) -> str:
    """The platform that the Dockerfile asks for; empty where it asks for none."""
    for instruction in parsed.all("FROM"):
        for flag in instruction.flags:
            name, _, value = flag.removeprefix("--").partition("=")
            if name.lower() == "platform" and re.fullmatch(r"[\w./-]{1,60}", value):
                return value
    return os.environ.get("DOCKER_DEFAULT_PLATFORM", "")[:60]


def _stage_missing(lost: LostStage, parsed: Dockerfile) -> BaseImageMissing:
    """The stage is not there, whatever the registry said that was asked for an image of its name: it has none."""
    return BaseImageMissing(
        f"{lost.what} There is no image of that name either ({parsed.name}, line {lost.line}).",
        hint=WAY_OUT,
        file=parsed.name,
        line=lost.line,
    )


def _base_failed(full: str, words: str, parsed: Dockerfile) -> DockdojoError:
    """What it means that an image could not be had: its name is wrong, or the registry or the machine fails us."""
    short = re.sub(r"^docker\.io/(library/)?", "", full)
    line = parsed.line_of_base(short)
    lost = (
        None
        if line
        else next(
            (
                stage
                for stage in lost_stages(parsed)
                if stage.word.lower() == WORD.sub("", short)
            ),
            None,
        )
    )
    if lost is not None:
        line = lost.line
        if not lost.is_image:
            return _stage_missing(lost, parsed)
    where = f"{parsed.name}, line {line}" if line else parsed.name
    said = unnamed(words).replace(full, "").replace(short, "")
    missing = BaseImageMissing(
        f"There is no base image `{short}` ({where}).",
        file=parsed.name,
        line=line,
        hint="Check the name and the tag; `docker pull` of the same name tells more.",
    )
    if REGISTRY_MISSING.search(said):
        return missing
    if UNREACHABLE.search(said) and not REGISTRY_STATUS.search(said):
        return ImageUnavailable(
            f"The base image `{short}` ({where}) is not on this machine, and its registry does not answer.",
            hint="Is the name spelled right? `docker images` shows what is here; `dockdojo images` gets the course's images.",
            file=parsed.name,
            line=line,
        )
    if trouble := find_trouble(
        words.replace(full, "").replace(short, ""), platform=_platform(parsed)
    ):
        return trouble
    if REGISTRY_NOT_FOUND.search(said):
        return missing
    refused = (
        "refuses to hand it out"
        if REGISTRY_STATUS.search(said)
        else "gives no clear answer"
    )
    return ImageUnavailable(
        f"The base image `{short}` ({where}) is not on this machine, and its registry {refused}: {in_one_line(words, SHOWN)}.",
        hint="Builds use no logins. `dockdojo images` gets the course's images; another one must be pulled before: "
        f"`docker pull {short}`.",
        file=parsed.name,
        line=line,
    )
