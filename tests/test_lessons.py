"""Lessons, run as they are written: each command from the first one on, in a fresh folder, on a real engine."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dockerlab.course import open_course

COURSE = open_course()
SOLVED_AT = {"signals": "### 3.", "shell_vs_exec": "## Predict", "hello_world": "## Your tasks"}
"""The heading from which a lesson shows what comes when the lab is done."""
SAME = ("cmd_vs_entrypoint", "add_vs_copy")
"""Lessons whose output hangs neither on the time nor on what else the engine does."""
NEEDS_A_PERSON = (" -it ", "docker container prune")
FAILS = re.compile(
    r"No such (?:container|image|object|file)|is already in use|Unable to find image|unable to prepare context|command not found"
    r"|There is no image|usage:|unknown (?:flag|shorthand)",
    re.IGNORECASE,
)
"""What no command may say unless the lesson shows it."""
VARIES = re.compile(r"\b[0-9a-f]{12,64}\b|[0-9]+|\s+")
END = "__ended__"


@dataclass
class Command:
    heading: str
    text: str
    shown: list[str] = field(default_factory=list)


def commands(lesson):
    """The commands of the lesson, with the output that it shows; a quotation may go over several lines."""
    found, heading, inside = [], "", False
    lines = iter(lesson.splitlines())
    for line in lines:
        if line.startswith("```"):
            inside = line == "```console"
        elif not inside:
            heading = line if line.startswith("#") else heading
        elif line.startswith("$ "):
            text = line[2:]
            while not is_whole(text):
                text += "\n" + next(lines)
            found.append(Command(heading, text))
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


def is_told(shown, got):
    if shown in ("", "...") or re.search(r"(?:COPY|ADD) ", shown):  # the builders write these in different words
        return True
    if shown.startswith("docker: Error"):
        return any(line.startswith("docker: Error") for line in got)
    return plain(shown) in map(plain, got)


class Shell:
    """One bash for the whole lesson, as a person has it."""

    def __init__(self, folder):
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        self.process = subprocess.Popen(
            ["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder,
            env=os.environ | {"PATH": path},
        )  # fmt: skip

    def run(self, command):
        self.process.stdin.write(f"{{ {command}\n}} </dev/null\necho; echo {END}\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line.rstrip("\n") == END:
                return lines
            lines.append(line.rstrip("\n"))
        raise AssertionError(f"the shell ended at `{command}`: {lines}")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def names(found):
    """What the lesson calls its containers and images."""
    text = "\n".join(one.text for one in found)
    return {*re.findall(r"--name (\S+)", text), *re.findall(r"docker rmi (.+)", text)}


@pytest.mark.engine
@pytest.mark.skipif(not shutil.which("docker") or not shutil.which("bash"), reason="needs the docker CLI and bash")
@pytest.mark.parametrize("slug", ["cmd_vs_entrypoint", "add_vs_copy", "signals", "shell_vs_exec", "hello_world"])
def test_a_lesson_as_it_is_written(slug, real_engine, tmp_path):
    found = commands((COURSE.root / "labs" / slug / "README.md").read_text(encoding="utf-8"))
    shell = Shell(tmp_path)
    try:
        for name in " ".join(names(found)).split():
            if any(shell.run(f"docker ps -aq --filter name='^/{name}$'; docker images -q {name}")):
                pytest.skip(f"somebody has a container or an image of the name `{name}` already")
        if not any(one.text.startswith("dockerlab start") for one in found):
            shell.run(f"dockerlab start {slug}")
        solved, ids = False, {}
        for one in found:
            if not solved and one.heading.startswith(SOLVED_AT.get(slug, "never")):
                shutil.copytree(COURSE.solution(slug), tmp_path / slug, dirs_exist_ok=True)
                solved = True
            if any(word in one.text for word in NEEDS_A_PERSON):
                continue
            text = one.text
            for shown, real in ids.items():
                text = text.replace(shown, real)
            got = shell.run(text)
            told = "\n".join(one.shown)
            wrong = [line for line in got if (said := FAILS.search(line)) and said[0].lower() not in told.lower()]
            assert not wrong, f"{one.heading}: $ {text}: {wrong}"
            if slug in SAME:
                assert [line for line in one.shown if not is_told(line, got)] == [], f"$ {text}: {got}"
            if "docker ps -a" in text and slug == "hello_world" and not ids:  # "the id that your `docker ps -a` shows"
                mine = next(line for line in got if " hello-world " in line)
                ids[next(line for line in one.shown if "hello-world" in line).split()[0]] = mine.split()[0]
    finally:
        shell.close()


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
