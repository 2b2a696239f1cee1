"""Building images: BuildKit through a docker CLI that has it; the legacy builder as the last resort."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dockerlab.engine.dockerfile import Dockerfile
from dockerlab.errors import (
    BaseImageMissing,
    BuildFailed,
    DockerfileInvalid,
    EngineGone,
    ImageUnavailable,
    LimitReached,
)

BUILTIN_BUILDKIT = range(18, 23)
"""Major versions of the docker CLI that bring BuildKit themselves; later ones need the buildx plugin."""
LOG_LINES = 4_000
LINE_LENGTH = 500
TAIL = 12
"""Lines of a failed instruction that are shown."""
UNREACHABLE = re.compile(
    r"dial tcp|no such host|i/o timeout|connection refused|TLS handshake|network is unreachable"
    r"|context deadline exceeded|x509:|EOF$|toomanyrequests|50[0-9] ",
)
_OURS = (
    "PATH",
    "HOME",
    "USERPROFILE",
    "SYSTEMROOT",
    "LANG",
    "TMPDIR",
    "TEMP",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "DOCKER_API_VERSION",
    "XDG_RUNTIME_DIR",
)


@dataclass(frozen=True, slots=True)
class Builder:
    """How images are built here. `kind` is `buildx`, `buildkit` (inside the CLI) or `legacy`."""

    kind: str
    cli: str = ""

    def __str__(self) -> str:
        if self.kind == "legacy":
            return "legacy builder (no docker CLI with BuildKit on PATH; RUN --mount and some COPY options fail)"
        return f"BuildKit through {self.cli}" + (" buildx" if self.kind == "buildx" else "")


LEGACY = Builder("legacy")


def look_ahead() -> None:
    """Begins to look for the builder while the caller does something else; see `the_builder`."""
    threading.Thread(target=the_builder, daemon=True).start()


_looking = threading.Lock()
_found: list[Builder] = []


def the_builder() -> Builder:
    """The builder of this process: looked for once."""
    with _looking:
        if not _found:
            _found.append(find_builder())
        return _found[0]


def find_builder() -> Builder:
    """The first docker CLI on PATH that can build with BuildKit, else the legacy builder."""
    for folder in os.get_exec_path():
        for name in ("docker", "docker.exe"):
            cli = os.path.join(folder, name)
            if not os.path.isfile(cli) or not os.access(cli, os.X_OK):
                continue
            if _runs([cli, "buildx", "version"]).startswith("github.com/docker/buildx"):
                return Builder("buildx", cli)
            version = re.search(r"version (\d+)\.", _runs([cli, "--version"]))
            if version and int(version[1]) in BUILTIN_BUILDKIT:
                return Builder("buildkit", cli)
    return LEGACY


def _runs(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


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
        found = re.match(r"#(\d+) (.*)", line)
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


def build_with_cli(
    builder: Builder,
    host: str,
    context: Path,
    dockerfile: str,
    *,
    labels: dict[str, str],
    tag: str = "",
    target: str = "",
    build_args: dict[str, str] | None = None,
    no_cache: bool = False,
    seconds: float,
    on_line: Callable[[str], None] | None = None,
) -> str:
    """Builds and returns the image's id. Raises a SubmissionError for what the Dockerfile is to blame for."""
    path = context / dockerfile
    with tempfile.TemporaryDirectory(prefix="dockerlab-build-") as scratch:
        iid = Path(scratch, "iid")
        command = [
            builder.cli,
            "--host",
            host,
            "build",
            "--progress=plain",
            "--iidfile",
            str(iid),
            "--file",
            str(path),
        ]
        for key, value in labels.items():
            command += ["--label", f"{key}={value}"]
        for key, value in (build_args or {}).items():
            command += ["--build-arg", f"{key}={value}"]
        command += ["--tag", tag] if tag else []
        command += ["--target", target] if target else []
        command += ["--no-cache"] if no_cache else []
        command += ["--load"] if builder.kind == "buildx" else []
        log = BuildLog()
        code = _follow([*command, str(context)], log, seconds, on_line)
        if code == 0 and iid.is_file():
            return iid.read_text().strip()
    parsed = Dockerfile.read(context, dockerfile)
    if _needs_frontend(log) and parsed.without_official_syntax(path):
        return build_with_cli(
            builder, host, context, dockerfile, labels=labels, tag=tag, target=target, build_args=build_args,
            no_cache=no_cache, seconds=seconds, on_line=on_line,
        )  # fmt: skip
    raise explain(log, parsed)


def _needs_frontend(log: BuildLog) -> bool:
    return "docker/dockerfile" in log.failed_step and bool(UNREACHABLE.search(log.error))


def _follow(command: list[str], log: BuildLog, seconds: float, on_line: Callable[[str], None] | None) -> int:
    env = {key: os.environ[key] for key in _OURS if key in os.environ}
    env |= {
        "DOCKER_BUILDKIT": "1",
        "BUILDX_BUILDER": "default",
        "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
        "NO_COLOR": "1",
    }
    process = subprocess.Popen(
        command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    late = threading.Event()

    def stop() -> None:
        late.set()
        process.terminate()

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        assert process.stdout is not None
        while raw := process.stdout.readline(CUT):
            line = raw.decode("utf-8", "replace").rstrip("\r\n")[:LINE_LENGTH]
            log.add(line)
            if on_line:
                on_line(line)
        code = process.wait()
    finally:
        timer.cancel()
        _end(process)
    if late.is_set():
        raise LimitReached(
            f"The build did not finish within {seconds:.0f} s, the lab's limit for building.",
            hint="Which instruction takes so long? `docker build --progress=plain .` shows the seconds of each.",
            detail="\n".join(log.output.get(max(log.output, key=int, default=""), [])[-TAIL:]),
        )
    return code


CUT = 1_000_000
"""Bytes of one line of a build's output that are read at once."""


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout:
        process.stdout.close()


def explain(log: BuildLog, parsed: Dockerfile) -> Exception:
    """The error that a failed build is, with the line of the Dockerfile where one is to blame."""
    step, error = log.failed_step, log.error or log.last
    if not step and (
        found := re.search(r"executor failed running \[/bin/sh -c (.*)\]: (exit code: \d+)", log.last, re.DOTALL)
    ):
        step, error = f"[] RUN {found[1]}", found[2]  # another build ran the same step, and its log has the rest
    if found := re.search(r"dockerfile parse error(?: on)? line (\d+): (.*)", log.last + "\n" + error):
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
