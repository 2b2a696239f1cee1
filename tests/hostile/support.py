"""Grading a hostile submission as a grader would, and what is left of it afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dockdojo.course import open_course
from dockdojo.engine.client import connect
from tests.hostile import submissions as cases
from tests.hostile.bystander import Bystander, docker

HELD_SECONDS = 150
"""After which a grading is ended by force: more than twice its lab's deadline, on a busy machine."""
GONE_SECONDS = 15
"""In which what a grading ended must be gone."""
HELPER = "#!/bin/sh\ncat > /dev/null\necho asked >> {asked}\necho '{{}}'\n"
"""A credential helper that notes that it was asked for the grader's logins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """How the grading of one case ended."""

    exit_code: int
    """-1: it held its slot for longer than any grading may."""
    report: dict[str, Any]
    """As JSON has it; empty where there is none."""
    rendered: str
    """The report, as it was written."""
    terminal: str
    """What the grading said while it ran."""
    left: tuple[str, ...]
    """What it left behind."""
    harmed: tuple[str, ...]
    """What is not as it was with somebody else."""
    secrets: tuple[str, ...]
    """What must not be in its report."""


def work(name: str) -> Graded:
    """Grades the case of that name, and looks at what is left."""
    case, bystander = cases.read(name), Bystander.there()
    with tempfile.TemporaryDirectory(prefix="hostile-") as scratch:
        place = Path(scratch)
        secret = f"host-secret-{secrets.token_hex(8)}"
        (place / "secret.txt").write_text(secret)
        course = (
            cases.COURSE
            if (cases.COURSE / "labs" / case.lab).is_dir()
            else open_course().root
        )
        token, honest = secrets.token_hex(8), course / "solutions" / case.lab
        words = {
            "@SECRET@": str(place / "secret.txt"),
            "@BYSTANDER@": bystander.image,
            "@RUN@": bystander.run,
            "@MARK@": token,
            "@SOLUTION@": str(honest),
        }
        folder = place / "submission"
        try:
            cases.lay_out(case, honest, folder, words)
            cases.mark(folder, token)
            process, said = _grade(course, case.lab, folder, place)
            left = tuple(_left(process.pid, token, place))
        finally:
            _unlock(folder)
        report = place / "report.json"
        rendered = (
            report.read_text(encoding="utf-8", errors="surrogateescape")
            if report.is_file()
            else ""
        )
        return Graded(
            exit_code=process.returncode,
            report=json.loads(rendered) if rendered else {},
            rendered=rendered,
            terminal=said,
            left=left,
            harmed=tuple(bystander.missing()),
            secrets=(secret, bystander.secret),
        )


def _grade(
    course: Path, lab: str, folder: Path, place: Path
) -> tuple[subprocess.Popen[str], str]:
    (place / "tmp").mkdir()
    command = [
        sys.executable,
        "-m",
        "dockdojo",
        "--course",
        str(course),
        "grade",
        lab,
        str(folder),
    ]
    process = subprocess.Popen(
        [*command, "--format", "json", "-o", str(place / "report.json")],
        env=os.environ | {"TMPDIR": str(place / "tmp")} | _logins(place),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="surrogateescape",
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=HELD_SECONDS)
    except subprocess.TimeoutExpired:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        said, _ = process.communicate()
        process.returncode = -1
    return process, said


def _logins(place: Path) -> dict[str, str]:
    """A configuration of the docker CLI with logins, which nothing of a submission may make use of."""
    config, programs = place / "docker", place / "bin"
    config.mkdir()
    programs.mkdir()
    (config / "config.json").write_text(json.dumps({"credsStore": "hostile"}))
    helper = programs / "docker-credential-hostile"
    helper.write_text(HELPER.format(asked=place / "asked"))
    helper.chmod(0o755)
    plugins = (
        Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "cli-plugins"
    )
    if plugins.is_dir():
        (config / "cli-plugins").symlink_to(plugins)
    return {
        "DOCKER_CONFIG": str(config),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
    }


def _left(pid: int, token: str, place: Path) -> Iterator[str]:
    """What is the run's own and still there: by its id, by the mark of the case, and by the folder of the case."""
    end = time.monotonic() + GONE_SECONDS
    while found := [
        *_objects(pid, token),
        *_processes(str(place)),
        *_mounts(str(place)),
        *_rules(),
    ]:
        if time.monotonic() > end:
            break
        time.sleep(0.3)
    yield from found
    yield from (f"the folder {one.name}" for one in (place / "tmp").iterdir())
    if (place / "asked").exists():
        yield "the grader's logins were asked for"


def _objects(pid: int, token: str) -> Iterator[str]:
    for kind, words in (
        ("container", ("ps", "-a")),
        ("image", ("images", "-a")),
        ("network", ("network", "ls")),
        ("volume", ("volume", "ls")),
    ):
        name = "{{.Name}}" if kind in ("network", "volume") else "{{.ID}}"
        listed = docker(
            *words, "--filter", "label=dockdojo.run", "--format", name
        ).stdout.split()
        inspected = (
            docker("inspect", "--format", "{{json .}}", "--type", kind, *listed).stdout
            if listed
            else ""
        )
        for line in filter(
            str.strip, inspected.splitlines()
        ):  # what is gone meanwhile leaves an empty line
            raw = json.loads(line)
            labels = raw.get("Labels") or (raw.get("Config") or {}).get("Labels") or {}
            if str(labels.get("dockdojo.run")).startswith(f"{pid}-"):
                yield f"a {kind} of the run"
        if kind in ("container", "image"):
            marked = docker(
                *words, "-q", "--filter", f"label=hostile.case={token}"
            ).stdout.split()
            yield from (f"a {kind} of the submission's: {one}" for one in marked)


def _processes(place: str) -> Iterator[str]:
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes()
            if (
                int(folder.name) != os.getpid()
                and place.encode() in words + (folder / "environ").read_bytes()
            ):
                yield f"the process {words[:200]!r}"


def _mounts(place: str) -> list[str]:
    mounts = Path("/proc/self/mounts")
    return (
        [
            f"the mount {line}"
            for line in mounts.read_text().splitlines()
            if place in line
        ]
        if mounts.exists()
        else []
    )


def _rules() -> list[str]:
    """Rules of the firewall for bridges of networks that are gone."""
    if shutil.which("iptables-save") is None or os.geteuid() != 0:
        return []
    rules = subprocess.run(
        ["iptables-save"], capture_output=True, text=True, check=False
    ).stdout
    bridges = set(re.findall(r"\bbr-[0-9a-f]{12}\b", rules))
    if not bridges:
        return []
    networks = docker(
        "network", "ls", "--no-trunc", "--format", "{{.ID}}"
    ).stdout.split()
    return [
        f"rules of the firewall for {one}"
        for one in bridges
        if not any(net.startswith(one[3:]) for net in networks)
    ]


def _unlock(folder: Path) -> None:
    """Folders that deny themselves to their owner can be removed again."""
    for path in [folder, *folder.rglob("*")]:
        with contextlib.suppress(OSError):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)


def cache_in_use() -> list[str]:
    """What in the engine's build cache some build works with."""
    with connect() as engine:
        return [
            one["Description"]
            for one in engine.api.df()["BuildCache"] or []
            if one["InUse"]
        ]


def busy_share(seconds: float) -> float | None:
    """The share of one processor that the engine's own process takes while it is looked at; None where it cannot be seen."""
    # The oldest: the engine starts itself anew, under its own name, for what it unpacks.
    found = subprocess.run(
        ["pgrep", "-o", "-x", "dockerd"], capture_output=True, text=True, check=False
    ).stdout.split()
    if not found:
        return None

    def ticks() -> int:
        words = Path(f"/proc/{found[0]}/stat").read_text().rpartition(")")[2].split()
        return int(words[11]) + int(words[12])

    before = ticks()
    time.sleep(seconds)
    return (ticks() - before) / os.sysconf("SC_CLK_TCK") / seconds
