"""BuildKit's plain progress, read line by line, and what a failed build says of whose fault it is."""

from __future__ import annotations

import re

from dockerlab.engine.dockerfile import Dockerfile
from dockerlab.errors import BaseImageMissing, BuildFailed, DockerfileInvalid, EngineGone, ImageUnavailable

LOG_LINES = 4_000
TAIL = 12
"""Lines of a failed instruction that are shown."""
UNREACHABLE = re.compile(
    r"dial tcp|no such host|i/o timeout|connection refused|TLS handshake|network is unreachable"
    r"|context deadline exceeded|x509:|EOF$|toomanyrequests|50[0-9] ",
)


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
        self._lines = 0

    def add(self, line: str) -> None:
        """Takes in one line."""
        self._lines += 1
        if self._lines > LOG_LINES:
            self.output = {key: lines[-TAIL:] for key, lines in self.output.items()}
            self._lines = 0
        found = re.match(r"#([0-9]{1,6}) (.*)", line)
        if not found:
            if line.strip() and not line.startswith((" >", "---")):
                self.last = line.strip()
            return
        number, text = found[1], found[2]
        if text.startswith("[") and number not in self.names:
            self.names[number] = text
        elif text.startswith(("resolve image config", "docker-image://")):
            self.names.setdefault(number, text)
        elif text.startswith("ERROR: "):
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
    def last_output(self) -> str:
        """The last lines of the step that printed last: what was going on when a build was ended."""
        return "\n".join(self.output.get(max(self.output, key=int, default=""), [])[-TAIL:])


def explain(log: BuildLog, parsed: Dockerfile) -> Exception:
    """The error that a failed build is, with the line of the Dockerfile where one is to blame."""
    step, error = log.failed_step, log.error or log.last
    if not step and (
        found := re.search(r"executor failed running \[/bin/sh -c (.*)\]: (exit code: \d+)", log.last, re.DOTALL)
    ):
        step, error = f"[] RUN {found[1]}", found[2]  # another build ran the same step, and its log has the rest
    if found := re.search(r"dockerfile parse error(?: on)? line ([0-9]{1,9}): (.*)", log.last + "\n" + error):
        return DockerfileInvalid(
            f"{parsed.name} does not parse: line {found[1]}: {found[2]}.", file=parsed.name, line=int(found[1]),
            hint="Each line begins with an instruction such as FROM, COPY, RUN or CMD.",
        )  # fmt: skip
    if "failed to parse" in log.last or "dockerfile parse" in log.last.lower():
        return DockerfileInvalid(f"{parsed.name} does not parse: {log.last}", file=parsed.name)
    if "load metadata for" in step or "resolve image config" in step or re.match(r"\[.*\] FROM ", step):
        return _base_missing(step, error, parsed)
    if step:
        instruction = re.sub(r"^\[.*?\] ", "", step)
        line = parsed.line_of(instruction)
        where = f", line {line}" if line else ""
        reason = re.sub(r"^executor failed running \[.*\]: ", "", error)
        reason = re.sub(r"^process \".*\" did not complete successfully: ", "", reason)
        return BuildFailed(
            f"The build stopped at `{_short(instruction)}` ({parsed.name}{where}): {reason}.",
            file=parsed.name, line=line, detail=log.tail,
            hint="Read the last lines of the build: the first that says `error` is usually the cause.",
        )  # fmt: skip
    if re.search(
        r"Cannot connect to the Docker daemon|error during connect|rpc error: code = Unavailable",
        log.last,
    ):
        return EngineGone(f"The engine stopped answering during a build: {log.last}")
    return BuildFailed(
        f"The build of {parsed.name} failed: {_short(log.last or 'no reason was given')}",
        file=parsed.name,
    )


def _short(text: str, length: int = 200) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"


def _base_missing(step: str, error: str, parsed: Dockerfile) -> Exception:
    found = re.search(r"(?:load metadata for|resolve image config for|FROM) (?:docker-image://)?(\S+)", step)
    full = found[1].split("@")[0] if found else "the base image"
    short = re.sub(r"^docker\.io/(library/)?", "", full)
    line = parsed.line_of_base(short)
    where = f"{parsed.name}, line {line}" if line else parsed.name
    if UNREACHABLE.search(error):
        return ImageUnavailable(
            f"The base image `{short}` ({where}) is not on this machine, and its registry does not answer.",
            hint="Is the name spelled right? `docker images` shows what is here; `dockerlab images` gets the course's images.",
            file=parsed.name, line=line,
        )  # fmt: skip
    return BaseImageMissing(
        f"There is no base image `{short}` ({where}).", file=parsed.name, line=line,
        hint="Check the name and the tag; `docker pull` of the same name tells more.",
    )  # fmt: skip
