from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from dockdojo.build.dockerfile import Dockerfile
from dockdojo.build.log import BuildLog
from dockdojo.build.policy import (
    BuildRules,
    check_dockerfile,
    full_name,
    is_private,
    registry_of,
)
from dockdojo.build.process import Stopper, configuration, follow
from dockdojo.errors import BuildRefused, LimitReached

RULES = BuildRules(images=frozenset({"busybox:latest", "python:3.11-slim"}))
HERE = {
    "busybox",
    "python:3.11-slim",
    "somebody/work",
    "somebody/work:1",
    "3f4a5b6c7d8e",
}


def check(text, rules=RULES, **options):
    check_dockerfile(
        Dockerfile.parse(text), rules, is_only_here=lambda ref: ref in HERE, **options
    )


@pytest.mark.parametrize(
    "text",
    [
        "FROM python:3.11-slim\n",
        "FROM docker.io/library/python:3.11-slim\nCOPY --from=busybox /bin/busybox /b\n",
        "FROM ghcr.io/org/image@sha256:" + "0" * 64,
        "ARG TAG=3.11-slim\nFROM python:${TAG} AS build\nFROM build\nCOPY --from=build /a /b\nCOPY --from=0 /a /b\n",
        "ARG BASE=python:3.11-slim\nFROM --platform=$BUILDPLATFORM $BASE\n",
        "FROM build-$TARGETARCH\n",
        "FROM busybox AS somebody\nFROM somebody\n",
        "# syntax=docker/dockerfile:1.7-labs\nFROM busybox\nRUN <<EOF\necho hi\nEOF\n",
        "# syntax=docker.io/docker/dockerfile:1\nFROM busybox\n",
        "FROM busybox\n# syntax=evil/frontend\nRUN true\n",
        "FROM busybox\nRUN --mount=type=cache,target=/root/.cache --network=none true\n",
        "FROM busybox\nRUN --mount=type=bind,from=python:3.11-slim,target=/x true\n",
        "FROM busybox\nRUN --mount=type=secret,id=token true\n",
        "FROM busybox\nADD site.tar.gz /srv/\nARG NAME=a\nADD $NAME.tar /x\nADD ${NAME:-b} /y\n",
        "FROM busybox\n" + "ENV PATH=$PATH:/opt/bin\n" * 20,
        "FROM busybox\nRUN echo https://example.com '--network=host'\n",
        "FROM busybox\nONBUILD COPY --from=busybox /a /b\n",
        'FROM busybox\nENV A=1 B="two words" C=$A\nLABEL x=$A y="$B"\nWORKDIR /srv/$A\n',
    ],
)
def test_what_people_write_is_allowed(text):
    check(text)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("FROM 127.0.0.1:5000/ada/secret:1", 1, r"127\.0\.0\.1:5000"),
        ("FROM localhost/x", 1, "localhost"),
        ("FROM localhost:5000/x", 1, "localhost:5000"),
        ("FROM registry.example.com:8443/x", 1, "8443"),
        ("FROM [::1]:5000/x", 1, "::1"),
        ("FROM 10.1.2.3/x", 1, r"10\.1\.2\.3"),
        ("FROM 169.254.169.254/latest/meta-data", 1, "169"),
        ("FROM registry.local/x", 1, r"registry\.local"),
        ("FROM host.docker.internal/x", 1, "internal"),
        ("FROM busybox\nCOPY --from=192.168.1.1:5000/x /a /b", 2, r"192\.168"),
        (
            "FROM busybox\nRUN --mount=type=bind,from=172.16.0.9/x,target=/x true",
            2,
            r"172\.16",
        ),
        (
            'FROM busybox\nRUN --mount="type=bind,from=172.16.0.9/x",target=/x true',
            2,
            r"172\.16",
        ),
        ("FROM somebody/work", 1, "of no registry"),
        ("FROM 3f4a5b6c7d8e", 1, "of no registry"),
        ("FROM busybox\nCOPY --from=somebody/work:1 / /stolen", 2, "of no registry"),
        (
            "FROM busybox\nRUN --mount=from=somebody/work,target=/x true",
            2,
            "of no registry",
        ),
        ("ARG A=somebody\nFROM $A/work", 2, "of no registry"),
        ("ARG A=somebody/\nARG B=${A}work\nFROM ${B}", 3, "of no registry"),
        ("FROM ${A:+somebody/work}", 1, "only the build would tell"),
        (
            "FROM busybox\nARG A=somebody/work\nCOPY --from=$A / /x",
            3,
            "only the build would tell",
        ),
        (
            "FROM busybox AS a\nONBUILD COPY --from=somebody/work / /x\nFROM a",
            2,
            "of no registry",
        ),
        ("FROM busybox\nONBUILD ADD https://example.com/x /x", 2, "another place"),
        ("FROM busybox\nADD https://example.com/x /x", 2, "another place"),
        ("FROM busybox\nADD git@example.com:a/b.git /x", 2, "another place"),
        ("FROM busybox\nADD github.com/a/b /x", 2, "another place"),
        (
            "FROM busybox\nADD --checksum=sha256:00 HTTPS://example.com/x /x",
            2,
            "another place",
        ),
        ('FROM busybox\nADD ["https://example.com/x", "/x"]', 2, "another place"),
        (
            "FROM busybox\nARG A=htt\nENV B=ps://example.com\nADD ${A}${B} /x",
            4,
            "another place",
        ),
        ("FROM busybox\nADD $FROM_BASE /x", 2, "only the build would tell"),
        ("FROM busybox\nRUN --network=host true", 2, "host's network"),
        ("FROM busybox\nrun --network=HOST true", 2, "host's network"),
        ("FROM busybox\nRUN --security=insecure true", 2, "sandbox"),
        ("FROM busybox\nRUN --mount=type=ssh true", 2, "no keys"),
        ("FROM busybox\nARG T=ssh\nRUN --mount=type=$T true", 3, "no keys"),
        ("FROM busybox\nRUN --device=vendor.com/gpu true", 2, "devices"),
        ("FROM busybox\nEXPOSE 80 1-65535/udp", 2, "65,536 ports"),
        ("# syntax=evil/frontend:1\nFROM busybox", 1, "frontend"),
        ("#syntax=docker/dockerfile-upstream\nFROM busybox", 1, "frontend"),
        (
            "# a comment\n# SYNTAX = 127.0.0.1:5000/docker/dockerfile\nFROM busybox",
            2,
            "frontend",
        ),
        ("#!/usr/bin/env x\n// syntax=evil/frontend\nFROM busybox", 2, "frontend"),
        ('{"syntax": "evil/frontend"}', 1, "no instruction"),
        (
            "FROM busybox\nENV A="
            + "x" * 1000
            + "".join(
                f"\nENV A{i}=" + f"${chr(65) + str(i - 1) if i else 'A'}" * 40
                for i in range(6)
            ),
            4,
            "characters",
        ),
        (
            "FROM busybox\n"
            + "WORKDIR "
            + "a" * 900
            + "\n"
            + ("WORKDIR " + "b" * 900 + "\n") * 200,
            113,
            "characters",
        ),
        (
            "ARG A=" + "x" * 60_000 + "\nFROM busybox\nARG A\nLABEL a=$A$A",
            4,
            "characters",
        ),
        ("FROM busybox\nENV A=" + "x" * 2000 + "\nENV B=${A//x/$A}", 3, "characters"),
        (
            "FROM busybox AS a\nENV A=" + "x" * 60_000 + "\nFROM a\nENV B=$A$A",
            4,
            "characters",
        ),
        ("FROM busybox\n" + "RUN true\n" * 1_000, 0, "instructions"),
    ],
)
def test_what_no_build_may_ask_for_is_refused_with_its_line(text, line, said):
    with pytest.raises(BuildRefused, match=said) as caught:
        check(text)
    assert caught.value.line == line
    assert caught.value.hint


def test_a_lab_can_allow_a_registry_and_remote_add():
    rules = BuildRules(registries=("registry.example.com:8443",), remote_add=True)
    check("FROM registry.example.com:8443/x\nADD https://example.com/x /x", rules)
    with pytest.raises(BuildRefused):
        check("FROM registry.example.com:8444/x", rules)


def test_heredocs_are_refused_where_the_builder_would_read_their_lines_as_instructions():
    text = "FROM busybox\nRUN cat <<CMD\nADD https://example.com/x /x\nCMD\n"
    with pytest.raises(BuildRefused, match="here-documents"):
        check(text, knows_heredocs=False)
    check("# syntax=docker/dockerfile:1\n" + text, knows_heredocs=False)


def test_names_of_images():
    assert (
        full_name("docker.io/library/python") == full_name("python") == "python:latest"
    )
    assert registry_of("ada/app") == registry_of("python:3.11") == ""
    assert registry_of("ghcr.io/ada/app") == "ghcr.io"
    assert not is_private("8.8.8.8")
    assert all(
        is_private(host)
        for host in (
            "127.0.0.1",
            "::1",
            "fe80::1%eth0",
            "100.64.0.1",
            "0.0.0.0",
            "0x7f.1",
            "nas.local",
        )
    )


def test_the_builder_sees_no_logins_and_finds_its_plugins(tmp_path, monkeypatch):
    home = tmp_path / "docker"
    home.mkdir()
    proxies = {
        "httpProxy": "http://proxy:3128",
        "httpsProxy": "http://user:secret@proxy:3128",
    }
    settings = {
        "auths": {"x": {"auth": "c2VjcmV0"}},
        "credsStore": "evil",
        "cliPluginsExtraDirs": ["/opt/plugins"],
        "proxies": {"default": proxies},
    }
    (home / "config.json").write_text(json.dumps(settings))
    monkeypatch.setenv("DOCKER_CONFIG", str(home))
    env = configuration(tmp_path / "ours")
    written = json.loads((tmp_path / "ours" / "config.json").read_text())
    assert env["DOCKER_CONFIG"] == str(tmp_path / "ours")
    assert written["cliPluginsExtraDirs"] == [str(home / "cli-plugins"), "/opt/plugins"]
    assert "secret" not in str(written)
    assert written["proxies"]["default"] == {"httpProxy": "http://proxy:3128"}
    assert not {"auths", "credsStore"} & written.keys()


@pytest.mark.skipif(os.name != "posix", reason="signals and process groups")
def test_a_build_that_hears_no_sigterm_is_ended_with_all_that_it_started(tmp_path):
    program = tmp_path / "deaf.py"
    program.write_text(
        "import os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)'])\n"
        "print(os.getpid(), child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    lines: list[str] = []
    stopper = Stopper()

    def on_line(line):
        lines.append(line)
        stopper.stop("It took too much.")

    with pytest.raises(LimitReached, match="too much"):
        follow(
            [sys.executable, str(program)],
            BuildLog(),
            300,
            on_line,
            configuration(tmp_path / "config"),
            stopper,
        )
    assert [pid for pid in map(int, lines[0].split()) if _lives(pid)] == []


def _lives(pid: int) -> bool:
    """Whether the process still runs; one that nobody has reaped yet does not."""
    for _ in range(50):
        try:
            if (
                Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
                == "Z"
            ):
                return False
        except OSError:
            return False
        time.sleep(0.1)
    return True
