"""Lessons, run as they are written: each command from the first one on, in a fresh folder, on a real engine.

A command ends with 0 unless the table says otherwise, and prints what the lesson shows, but for numbers and for what the table
says is another thing each time. What is left out, or done in a smaller way, stands in the table with its reason.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dockdojo.build.builder import the_builder
from dockdojo.course import open_course

COURSE = open_course()


@dataclass(frozen=True)
class Plan:
    """How one lesson is run."""

    solved_at: str = ""
    """The heading, or a part of the sentence before a command, from which the lesson shows what comes when the lab is done."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Commands that are not run, by a part of them or of their heading, with the reason."""
    instead: dict[str, str] = field(default_factory=dict)
    """Words of commands that are replaced, for less time."""
    ends: dict[str, int] = field(default_factory=dict)
    """The exit code of commands that do not end with 0, by a pattern of the whole."""
    varies: tuple[str, ...] = ()
    """Shown lines that are others each time, by a part of them."""
    given: str = ""
    """The Dockerfile of the image `given`, on top of the solution's (`lesson-base`): the given one installs PyTorch anew, for
    minutes. The same packages are in the solution's image, whose layers are cached."""
    waits_for: tuple[str, ...] = ()
    """Containers in the background whose first line a person has waited for, while reading on."""


EVERYWHERE = {
    " -it ": "needs a person at a terminal",
    "docker container prune": "removes what others made on this machine",
}
TIMES = (" ago", "real ", "CONTAINER ID")
NO_PROGRAM = 127
LESSONS = {
    "hello_world": Plan(
        solved_at="## Your tasks",
        ends={"docker rm sleeper": 1, "docker run --rm busybox tty": 1},
        varies=(*TIMES, "This message shows"),
    ),
    "catgif": Plan(
        solved_at="When you think that you have it",
        varies=(*TIMES, ":::", "Bridge", "SIZE", "Running on", "172.17"),
        waits_for=("cat",),
    ),
    "layers": Plan(
        ends={r"docker run --rm report cat .*": 1},
        varies=("report: ", "kB  /app", "MB  /app"),
    ),
    "add_vs_copy": Plan(),
    "cmd_vs_entrypoint": Plan(ends={"docker run --rm c other": NO_PROGRAM}),
    "shell_vs_exec": Plan(
        solved_at="## Predict", varies=TIMES, waits_for=("one", "two", "five")
    ),
    "signals": Plan(
        solved_at="### 3.",
        ends={r"docker run --memory .*": 137},
        varies=(*TIMES, "State:", "python main.py"),
    ),
    "hogwild": Plan(
        solved_at="With your image, when it is done",
        ends={"docker run --rm given --epochs 1": NO_PROGRAM},
        varies=("MNIST:",),
        given='FROM lesson-base\nENTRYPOINT []\nCOPY . .\nCMD ["python", "main.py"]\n',
        waits_for=("hog",),
    ),
    "gpu": Plan(
        solved_at="This is what yours will do in the end",
        left_out={
            "engine up": "an engine is up already, and it is not this test's to end"
        },
        ends={
            "docker run --rm debian:bookworm-slim nvidia-smi -L": NO_PROGRAM,
            "docker run --rm gpu-lab --require-gpu": 1,
        },
    ),
    "multi_stage": Plan(
        solved_at="when your Dockerfile has them",
        ends={
            "docker run --rm sum gcc --version": NO_PROGRAM,
            r"docker build --target test .*": 1,
        },
        varies=("#", "gcc (Debian"),
    ),
    "mnist": Plan(
        solved_at="When your image is done",
        left_out={
            "docker history": "shows the layer in which the given image installs PyTorch; see `given`"
        },
        instead={"--epochs 40": "--epochs 12", "epoch=13": "epoch=2"},
        varies=("MNIST:", "Stopped in epoch"),
        given="FROM lesson-base\nENTRYPOINT []\nWORKDIR /workspace\n",
    ),
}
NO_GPUS = {
    "--gpus": "the lesson shows two simulated GPUs, and the engine does not grant these"
}
GPUS = {"An engine that has none": "the engine has some"}
FAILS = re.compile(
    r"No such (?:container|image|object|file)|is already in use|Unable to find image|unable to prepare context|command not found"
    r"|There is no image|usage:|unknown (?:flag|shorthand)",
    re.IGNORECASE,
)
"""What no command may say unless the lesson shows it."""
VARIES = re.compile(r"\b[0-9a-f]{12,64}\b|[0-9]+(?:[.,][0-9]+)*|\s+")
BUILDER = re.compile(
    r"^(?:\S+\s+)?(?:/bin/sh -c )?(?:COPY|ADD|RUN|WORKDIR) |# buildkit|^Step |^ ?--->"
)
"""What builders write in different words."""
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
END = "__ended__"
SECONDS = 400
"""After which a command that goes on is ended, so that a loop of a lesson does not wait for ever."""


@dataclass
class Command:
    heading: str
    before: str
    """The prose between the command before and this one."""
    text: str
    shown: list[str] = field(default_factory=list)


def commands(lesson):
    """The commands of the lesson, with the output that it shows; a quotation may go over several lines."""
    found, heading, before, inside = [], "", "", False
    lines = iter(lesson.splitlines())
    for line in lines:
        if line.startswith("```"):
            inside = line == "```console"
        elif not inside:
            heading = line if line.startswith("#") else heading
            before += line + "\n"
        elif line.startswith("$ "):
            text = line[2:]
            while not is_whole(text):
                text += "\n" + next(lines)
            found.append(Command(heading, before, text))
            before = ""
        else:
            found[-1].shown.append(line)
    return found


def is_whole(text):
    try:
        shlex.split(text)
    except ValueError:
        return False
    return True


def plain(line):
    return VARIES.sub(lambda found: " " if found[0].isspace() else "N", line).strip()


def is_told(shown, got, varies):
    if (
        shown in ("", "...")
        or BUILDER.search(shown)
        or any(word in shown for word in varies)
    ):
        return True
    if re.fullmatch(r"(?:sha256:)?[0-9a-f]{64}", shown):
        return any(re.fullmatch(r"(?:sha256:)?[0-9a-f]{64}", line) for line in got)
    if shown.startswith("docker: Error"):
        return any(line.startswith("docker: Error") for line in got)
    if shown.startswith("Error response from daemon"):
        return any(line.startswith("Error response from daemon") for line in got)
    return plain(shown) in map(plain, got)


class Shell:
    """One bash for the whole lesson, as a person has it; `docker` is the CLI that can build with BuildKit."""

    def __init__(self, folder, home):
        home.mkdir()
        (home / "docker").symlink_to(the_builder().cli or shutil.which("docker"))
        path = os.pathsep.join(
            (str(home), str(Path(sys.executable).parent), os.environ["PATH"])
        )
        self.code = 0
        self.process = subprocess.Popen(
            ["bash"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
            env=os.environ | {"PATH": path, "DOCKER_BUILDKIT": "1", "COLUMNS": ""},
            errors="replace",
        )

    def run(self, command):
        """The lines that it prints; `code` is its exit code, and `$?` of the next one."""
        self.process.stdin.write(
            f"(exit {self.code})\n{{ {command}\n}} </dev/null\n__code=$?\necho; echo {END} $__code\n"
        )
        self.process.stdin.flush()
        limit = threading.Timer(SECONDS, self.process.kill)
        limit.start()
        try:
            lines = []
            for line in self.process.stdout:
                if line.startswith(END):
                    self.code = int(line.split()[1])
                    return lines
                lines.append(COLOURS.sub("", line.rstrip("\r\n")))
        finally:
            limit.cancel()
        raise AssertionError(f"the shell ended at `{command}`: {lines}")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def names(found):
    """What the lesson calls its containers and images; an image that it builds, never one that it finds here."""
    text = "\n".join(one.text for one in found)
    built = re.findall(r"docker build [^\n]*-t (\w[\w-]*) ", text)
    return {
        *re.findall(r"--name (\S+)", text),
        *built,
        *" ".join(re.findall(r"docker rmi (.+)", text)).split(),
    }


def free_port():
    """5000, where nobody has it; else another one, as the lesson says."""
    with socket.socket() as one:
        try:
            one.bind(("", 5000))
        except OSError:
            one.bind(("", 0))
        return one.getsockname()[1]


def what_is_left_out(slug, shell):
    """The commands of the lesson that are not run here, with the reasons."""
    plan = LESSONS[slug]
    if slug != "gpu":
        return EVERYWHERE | plan.left_out
    granted = shell.run("docker run --rm --gpus all debian:bookworm-slim nvidia-smi -L")
    return (
        EVERYWHERE
        | plan.left_out
        | (GPUS if sum("SIMULATED" in line for line in granted) == 2 else NO_GPUS)
    )


@pytest.mark.engine
@pytest.mark.skipif(
    not shutil.which("docker") or not shutil.which("bash"),
    reason="needs the docker CLI and bash",
)
@pytest.mark.skipif(
    not the_builder().has_buildkit,
    reason="lessons build with BuildKit, and no docker CLI here has it",
)
@pytest.mark.parametrize("slug", COURSE.slugs)
def test_a_lesson_as_it_is_written(slug, real_engine, tmp_path):
    plan, found = LESSONS[slug], commands(
        (COURSE.root / "labs" / slug / "README.md").read_text(encoding="utf-8")
    )
    here = tmp_path / "here"
    here.mkdir()
    shell = Shell(here, tmp_path / "bin")
    mine = sorted(names(found))
    try:
        for name in mine:
            if any(
                shell.run(
                    f"docker ps -aq --filter name='^/{name}$'; docker images -q {name}"
                )
            ):
                mine = []
                pytest.skip(
                    f"somebody has a container or an image of the name `{name}` already"
                )
        if plan.given:
            mine.append("lesson-base")
            (tmp_path / "Dockerfile").write_text(plan.given)
            shell.run(
                f"docker build -q -t lesson-base {shlex.quote(str(COURSE.solution(slug)))}"
            )
            assert shell.code == 0
        left_out, port = what_is_left_out(slug, shell), str(free_port())
        if not any(one.text.startswith("dockdojo start") for one in found):
            shell.run(f"dockdojo start {slug}")
        is_due, solved, ids, hashes = False, False, {}, set()
        for one in found:
            is_due = is_due or bool(
                plan.solved_at and plan.solved_at in f"{one.heading}\n{one.before}"
            )
            if is_due and not solved and (here / slug).is_dir():
                solved = True
                shutil.copytree(COURSE.solution(slug), here / slug, dirs_exist_ok=True)
            if any(word in f"{one.heading}\n{one.text}" for word in left_out):
                continue
            text = one.text
            if plan.given:
                text = text.replace(
                    "-t given .",
                    f"-t given -f {shlex.quote(str(tmp_path / 'Dockerfile'))} .",
                )
            for shown, real in {
                **ids,
                **plan.instead,
                "5000:5000": f"{port}:5000",
                "localhost:5000": f"localhost:{port}",
            }.items():
                text = text.replace(shown, real)
            got = shell.run(text)
            judge(one, text, got, shell.code, plan)
            hashes |= {line for line in got if "SHA-256 of the weights" in line}
            if (name := re.search(r"docker run -d --name (\S+)", text)) and name[
                1
            ] in plan.waits_for:
                code = shell.code
                shell.run(
                    f"for i in $(seq 100); do docker logs {name[1]} 2>&1 | grep -q . && break; sleep 0.3; done"
                )
                shell.code = code
            if (
                "docker ps -a" in text and slug == "hello_world" and not ids
            ):  # "the id that your `docker ps -a` shows"
                row = next(line for line in got if " hello-world " in line)
                ids[
                    next(line for line in one.shown if "hello-world" in line).split()[0]
                ] = row.split()[0]
        assert len(hashes) == (1 if slug == "mnist" else 0)  # not one bit is different
    finally:
        for name in mine:
            # By these names alone: to docker, `e` may be a container or an image whose id begins with e.
            ref = name if ":" in name else f"{name}:latest"
            shell.run(
                f"docker ps -aq --filter name='^/{name}$' | xargs -r docker rm -f; docker rmi -f {ref}"
            )
        shell.close()


def judge(command, text, got, code, plan):
    """Holds what a command did against what the lesson shows."""
    told = "\n".join(command.shown)
    wrong = [
        line
        for line in got
        if (said := FAILS.search(line)) and said[0].lower() not in told.lower()
    ]
    assert not wrong, f"{command.heading}: $ {text}: {wrong}"
    ends = [
        expected
        for pattern, expected in plan.ends.items()
        if re.fullmatch(pattern, text)
    ]
    if text != "echo $?":
        assert code == (
            ends[0] if ends else 0
        ), f"{command.heading}: $ {text}: {got[-5:]}"
    missing = [line for line in command.shown if not is_told(line, got, plan.varies)]
    assert missing == [], f"{command.heading}: $ {text}: {got}"


def test_each_lesson_has_its_plan():
    """And what is left out of one stands in it: a plan for what is no longer there is taken out."""
    assert set(LESSONS) == set(COURSE.slugs)
    for slug, plan in LESSONS.items():
        lesson = (COURSE.root / "labs" / slug / "README.md").read_text(encoding="utf-8")
        found = commands(lesson)
        assert all(reason for reason in plan.left_out.values())
        for words in (*plan.left_out, *plan.instead):
            assert any(words in f"{one.heading}\n{one.text}" for one in found), (
                slug,
                words,
            )
        for pattern in plan.ends:
            assert any(re.fullmatch(pattern, one.text) for one in found), (
                slug,
                pattern,
            )
        assert not plan.solved_at or any(
            plan.solved_at in f"{one.heading}\n{one.before}" for one in found
        ), slug


@pytest.mark.parametrize("slug", COURSE.slugs)
def test_a_lesson_goes_into_the_labs_folder_before_it_uses_it(slug):
    """What is built with `.` as its context is built in the workspace."""
    text = (COURSE.root / "labs" / slug / "README.md").read_text(encoding="utf-8")
    if slug == "cmd_vs_entrypoint":  # it makes its files itself
        assert "> c.Dockerfile" in text
        return
    entered = False
    for one in commands(text):
        entered = entered or one.text == f"cd {slug}"
        assert entered or not re.search(r"docker build .*\.$", one.text), one.text
