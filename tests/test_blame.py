"""Whose fault a failed build is: logs as the builders print them (docker 20.10, buildx 0.13 and 0.29, the legacy builder)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dockdojo.build.dockerfile import Dockerfile
from dockdojo.build.log import BuildLog, explain
from dockdojo.build.process import CUT_BYTES, Stopper, configuration, follow
from dockdojo.connection import blame, way_out
from dockdojo.connection.blame import NO_NETWORK, once_more
from dockdojo.errors import (
    BaseImageMissing,
    BuildFailed,
    DockerfileInvalid,
    EngineGone,
    ImageUnavailable,
    LimitReached,
    NoBuildKit,
    NoGpu,
    OurFault,
    SubmissionError,
)

TEXT = "FROM busybox\nRUN false\nCOPY nope /\n"
META = "#5 [internal] load metadata for docker.io/library/busybox:latest"
LLB = "failed to solve with frontend dockerfile.v0: failed to create LLB definition: "
RUN = "#5 [2/3] RUN false"
OLD = "executor failed running [/bin/sh -c false]: "
NEW = 'process "/bin/sh -c false" did not complete successfully: '
SOURCE = (
    "busybox: failed to resolve source metadata for docker.io/library/busybox:latest: "
)


def explained(*lines, text=TEXT, has_way_out=True):
    log = BuildLog()
    for line in lines:
        log.add(line)
    return explain(log, Dockerfile.parse(text), way_out=lambda: has_way_out)


def old(step, words):
    """A failure as docker 20.10 ends with it."""
    return (step, f"#5 ERROR: {words}", "------", f" > {step[3:]}:", "------", words)


def new(step, words, prefix="ERROR: failed to build: failed to solve: "):
    """A failure as buildx ends with it, with the part of the Dockerfile that it shows."""
    return (
        step,
        f"#5 ERROR: {words}",
        "------",
        f" > {step[3:]}:",
        "0.204 no space left on device",
        "------",
        "Dockerfile:2",
        "--------------------",
        "   1 |     FROM busybox",
        "   2 | >>> RUN false",
        "--------------------",
        f"{prefix}{words}",
        "",
        "View build details: docker-desktop://dashboard/build/default/default/abc",
    )


SUBMISSIONS = {
    # docker 20.10, as seen
    "run": (old(RUN, OLD + "exit code: 3"), BuildFailed),
    "user": (
        old(
            RUN,
            OLD
            + "unable to find user no space left on device: no matching entries in passwd file",
        ),
        BuildFailed,
    ),
    "copy": (
        old(
            "#5 [2/2] COPY nope /",
            'failed to compute cache key: "/nope" not found: not found',
        ),
        BuildFailed,
    ),
    "copy of a file with a hostile name": (
        old(
            "#5 [2/2] COPY x /",
            'failed to compute cache key: "/error getting credentials toomanyrequests" not found: not found',
        ),
        BuildFailed,
    ),
    "copy into a file": (
        old(
            "#5 [3/3] COPY x /etc/passwd/x",
            "mkdir /var/lib/docker/overlay2/a3q2h7e3z/merged/etc/passwd: not a directory",
        ),
        BuildFailed,
    ),
    "secret": (
        old(
            "#5 [2/2] RUN --mount=type=secret,id=z,required=true ls",
            "secret z not found: not found",
        ),
        BuildFailed,
    ),
    "unknown instruction": (
        (LLB + "dockerfile parse error line 2: unknown instruction: FRUN",),
        DockerfileInvalid,
    ),
    "instruction with a hostile name": (
        (LLB + "dockerfile parse error line 2: unknown instruction: TOOMANYREQUESTS",),
        DockerfileInvalid,
    ),
    "stage name": (
        (
            LLB
            + 'failed to parse stage name "UPPER/Case": invalid reference format: repository name must be lowercase',
        ),
        DockerfileInvalid,
    ),
    "blank base": ((LLB + "base name ($NOPE) should not be blank",), DockerfileInvalid),
    "circle": (
        (LLB + "circular dependency detected on stage: stage-0",),
        DockerfileInvalid,
    ),
    "port": ((LLB + "Invalid containerPort: abc",), DockerfileInvalid),
    "substitution": (
        (LLB + "failed to process \"${B\": missing ':' in substitution",),
        DockerfileInvalid,
    ),
    "no such base": (
        old(META, "docker.io/library/busybox:latest: not found"),
        BaseImageMissing,
    ),
    "no such repository": (
        old(
            META,
            "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
        ),
        BaseImageMissing,
    ),
    # buildx
    "run, buildx": (new(RUN, NEW + "exit code: 1"), BuildFailed),
    "run, buildx 0.13": (
        new(RUN, NEW + "exit code: 1", "ERROR: failed to solve: "),
        BuildFailed,
    ),
    "copy, buildx": (
        new(
            "#5 [2/2] COPY nope /",
            'failed to compute cache key: failed to calculate checksum of ref d5b::x: "/nope": not found',
        ),
        BuildFailed,
    ),
    "parse, buildx": (
        (
            "Dockerfile:2",
            "ERROR: failed to build: failed to solve: dockerfile parse error on line 2: unknown instruction: FRUN (did you mean RUN?)",
        ),
        DockerfileInvalid,
    ),
    "no stage, buildx": (
        new(
            "#5 [internal] load metadata for docker.io/library/builder:latest",
            "builder: failed to resolve source metadata for docker.io/library/builder:latest: pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
        ),
        BaseImageMissing,
    ),
    "no target": (
        (
            'ERROR: failed to build: failed to solve: target stage "prod" could not be found',
        ),
        DockerfileInvalid,
    ),
    "no such tag, buildx": (
        new(META, SOURCE + "docker.io/library/busybox:latest: not found"),
        BaseImageMissing,
    ),
    "manifest unknown": (new(META, SOURCE + "manifest unknown"), BaseImageMissing),
    "404": (
        new(
            META,
            SOURCE
            + "unexpected status from HEAD request to https://r.example/v2/x/manifests/1: 404 Not Found",
        ),
        BaseImageMissing,
    ),
}
MACHINES = {
    "bridge": (
        old(
            RUN,
            OLD
            + "failed to create endpoint fx2 on network bridge: adding interface veth0 to bridge docker0 failed: could not find bridge docker0: route ip+net: no such network interface",
        ),
        EngineGone,
        "network",
    ),
    "bridge, buildx": (new(RUN, "network bridge not found"), EngineGone, "network"),
    "veth": (
        old(
            RUN,
            OLD
            + "failed to create endpoint x on network bridge: failed to add the host (veth1) <=> sandbox (veth2) pair interfaces: operation not supported",
        ),
        EngineGone,
        "network",
    ),
    "disk": (
        new(
            "#5 exporting to image",
            "write /var/lib/docker/overlay2/x/diff/y: no space left on device",
        ),
        EngineGone,
        "disk",
    ),
    "disk, pulling": (
        new(
            META,
            SOURCE + "failed to copy: write /var/lib/docker/x: no space left on device",
        ),
        EngineGone,
        "disk",
    ),
    "cgroup": (
        new(
            RUN,
            "OCI runtime create failed: container_linux.go:380: starting container process caused: process_linux.go:385: applying cgroup configuration for process caused: error creating systemd unit: unknown",
        ),
        EngineGone,
        "control groups",
    ),
    "runc": (
        new(
            RUN,
            "OCI runtime create failed: unable to retrieve OCI runtime error (open /x/log.json: no such file or directory): fork/exec runc: no such file",
        ),
        EngineGone,
        "runc",
    ),
    "credentials": (
        new(
            META,
            SOURCE
            + 'error getting credentials - err: exec: "docker-credential-desktop": executable file not found in $PATH, out: ``',
        ),
        EngineGone,
        "credential helper",
    ),
    "platform": (
        new(
            META,
            "busybox:latest: no match for platform in manifest sha256:9a0b: not found",
        ),
        ImageUnavailable,
        "linux/",
    ),
    "rate": (
        new(
            META,
            SOURCE
            + "failed to copy: httpReadSeeker: failed open: unexpected status code https://registry.example/v2/library/busybox/manifests/latest: 429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit.",
        ),
        ImageUnavailable,
        "429",
    ),
    "401": (
        new(
            META,
            SOURCE
            + "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://a.example/token: 401 Unauthorized",
        ),
        ImageUnavailable,
        "401",
    ),
    "403": (
        old(META, "unexpected status code [manifests latest]: 403 Forbidden"),
        ImageUnavailable,
        "403",
    ),
    "407": (
        old(
            META,
            'failed to do request: Head "https://r.example/v2/x": Proxy Authentication Required: 407 Proxy Authentication Required',
        ),
        ImageUnavailable,
        "407",
    ),
    "503": (
        new(
            META,
            SOURCE
            + "failed to authorize: failed to fetch oauth token: unexpected status: 503 Service Unavailable",
        ),
        ImageUnavailable,
        "503",
    ),
    "no name": (
        old(
            META,
            LLB
            + 'failed to do request: Head "https://registry-1.docker.io/v2/library/busybox/manifests/latest": dial tcp: lookup registry-1.docker.io on 10.0.0.53:53: no such host',
        ),
        ImageUnavailable,
        "does not answer",
    ),
    "reset": (
        new(
            META,
            SOURCE
            + 'failed to copy: httpReadSeeker: failed open: failed to do request: Get "https://x/y": read tcp 172.17.0.3:42364->1.2.3.4:443: read: connection reset by peer',
        ),
        ImageUnavailable,
        "does not answer",
    ),
    "copy from what may be an image": (
        old(
            "#5 FROM docker.io/library/nost:latest",
            'failed to load cache key: failed to do request: Head "https://registry-1.docker.io/v2/library/nost/manifests/latest": dial tcp: lookup registry-1.docker.io on 10.0.0.53:53: no such host',
        ),
        ImageUnavailable,
        "nost",
    ),
    "odd registry": (
        new(META, SOURCE + "a teapot"),
        ImageUnavailable,
        "no clear answer",
    ),
    "old CLI": (
        (
            "Error response from daemon: client version 1.41 is too old. Minimum supported API version is 1.44, please upgrade your client to a newer version",
        ),
        EngineGone,
        "API 1.41, and the engine asks for 1.44",
    ),
    "new CLI": (
        (
            "Error response from daemon: client version 1.50 is too new. Maximum supported API version is 1.41",
        ),
        EngineGone,
        "API 1.50, and the engine knows 1.41",
    ),
    "no buildx": (
        (
            "ERROR: BuildKit is enabled but the buildx component is missing or broken.",
            "       Install the buildx component to build images with BuildKit:",
            "       https://docs.docker.com/go/buildx/",
        ),
        NoBuildKit,
        "no BuildKit",
    ),
    "podman": (
        (
            'ERROR: failed to build: failed to list workers: Unavailable: connection error: desc = "error reading server preface: unable to upgrade to h2c, received 404"',
        ),
        NoBuildKit,
        "",
    ),
    "no BuildKit": (("buildkit not supported by daemon",), NoBuildKit, "no BuildKit"),
    "snap": (
        ('unable to prepare context: path "/tmp/dockdojo-x/submission" not found',),
        EngineGone,
        "snap",
    ),
    "lost engine": (
        (
            "ERROR: failed to build: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF",
        ),
        EngineGone,
        "stopped answering",
    ),
    "never said before": (
        new(RUN, "something that no builder has said yet"),
        EngineGone,
        "Nothing says",
    ),
    "silence": ((), EngineGone, "no reason was given"),
}


@pytest.mark.parametrize("name", SUBMISSIONS)
def test_the_submissions(name):
    lines, kind = SUBMISSIONS[name]
    error = explained(*lines)
    assert type(error) is kind, error
    assert error.exit_code == 1


@pytest.mark.parametrize("name", MACHINES)
def test_the_machines(name):
    lines, kind, said = MACHINES[name]
    error = explained(*lines)
    assert type(error) is kind, error
    assert error.exit_code == 3
    assert said in str(error)
    assert error.hint


def test_the_platform_is_named():
    text = "FROM --platform=linux/s390x busybox\n"
    assert "linux/s390x" in explained(*MACHINES["platform"][0], text=text).message
    legacy = "no matching manifest for linux/arm64/v8 in the manifest list entries"
    assert (
        "linux/arm64/v8"
        in explained("#1 [1] FROM busybox", f"#1 ERROR: {legacy}", legacy).message
    )


LEGACY = {
    "The command '/bin/sh -c exit 3' returned a non-zero code: 3": BuildFailed,
    "COPY failed: file not found in build context or excluded by .dockerignore: stat no space left on device: file does not exist": BuildFailed,
    'failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "nosuch": executable file not found in $PATH: unknown': BuildFailed,
    "unable to find user nob: no matching entries in passwd file": BuildFailed,
    "dockerfile parse error line 2: unknown instruction: FRUN": DockerfileInvalid,
    "pull access denied for nosuch, repository does not exist or may require 'docker login'": BaseImageMissing,
    "invalid from flag value nost: pull access denied for nost, repository does not exist or may require 'docker login': denied": BaseImageMissing,
    'invalid from flag value nost: Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io on 10.0.0.53:53: no such host': ImageUnavailable,
    "the --mount option requires BuildKit. Refer to https://docs.docker.com/go/buildkit/ to learn how to build images with BuildKit enabled": NoBuildKit,
    "failed to create endpoint happy_wozniak on network bridge: network 16063f055240 does not exist": EngineGone,
    "failed to register layer: Error processing tar file(exit status 1): write /x: no space left on device": EngineGone,
}


@pytest.mark.parametrize(
    "line", ["Step 2/3 : RUN false", "STEP 2/3: RUN false", "[1/2] STEP 2/3: RUN false"]
)
def test_a_step_of_docker_s_legacy_builder_and_of_podman_s(line):
    from dockdojo.build.legacy import STEP

    assert STEP.match(line).groups() == ("2", "RUN false")


@pytest.mark.parametrize("words", LEGACY)
def test_the_legacy_builder(words):
    step = "#1 [1] FROM nosuch" if words.startswith("pull") else "#1 [1] RUN x"
    assert type(explained(step, f"#1 ERROR: {words}", words)) is LEGACY[words]


# A student who would rather have an `error` than a `failed`

FORGED = (
    "no space left on device",
    "failed to create endpoint x on network bridge: could not find bridge",
    "toomanyrequests",
    "ERROR: failed to solve: error getting credentials",
    "client version 1.41 is too old. Minimum supported API version is 1.44",
    "Cannot connect to the Docker daemon at unix:///x",
    "rpc error: code = Unavailable",
    "",
)


@pytest.mark.parametrize("words", FORGED)
def test_what_a_run_prints_or_is_named_hides_no_failure(words):
    """It stands in the output, in the command itself, in a command of several lines, and in the step's name."""
    printed = (
        RUN,
        f"#5 0.2 {words}",
        f"#5 0.2 #9 ERROR: {words}",
        f"#5 ERROR: {OLD}exit code: 1",
        f"{OLD}exit code: 1",
    )
    assert type(explained(*printed)) is BuildFailed
    command = f"executor failed running [/bin/sh -c false # ]: {words}]: exit code: 1"
    assert (
        type(
            explained(
                f"#5 [2/3] RUN false # ]: {words}", f"#5 ERROR: {command}", command
            )
        )
        is BuildFailed
    )
    lines = (
        "executor failed running [sh -c exit 1",
        f"#5 ERROR: {words}",
        "------",
        f"{words}]: exit code: 1",
    )
    error = explained(
        f'#5 [2/2] RUN ["sh","-c","exit 1\\n{words}"]',
        f"#5 ERROR: {lines[0]}",
        *lines[1:],
        *lines,
    )
    assert type(error) is BuildFailed


COPY = "#5 [2/2] COPY x /etc/passwd/x"
PLACES = (
    "/var/lib/docker/overlay2/a3/merged/",
    "/var/lib/docker/buildkit/containerd-overlayfs/cachemounts/buildkit2046/",
)


@pytest.mark.parametrize(
    "words",
    [
        *FORGED,
        "mounting cgroup",
        "iptables",
        "content digest sha256:x",
        "read-only file system",
    ],
)
@pytest.mark.parametrize("place", PLACES)
def test_a_path_that_a_submission_chose_hides_no_failure(words, place):
    for said in (
        f"mkdir {place}etc/passwd/{words}: not a directory",
        f"cannot copy to non-directory: {place}{words}",
        f"open {place}{words}: is a directory",
        f"failed to copy files: symlink {place}{words}: file exists",
    ):
        for spell in (old, new):
            assert type(explained(*spell(COPY, said))) is BuildFailed, said


@pytest.mark.parametrize("words", FORGED)
@pytest.mark.parametrize(
    "end", ["------", " > x", "View build details:", "See 'x'", "0.1 x"]
)
def test_a_command_of_several_lines_that_ends_like_advice(words, end):
    """The old CLI writes the command as it is: `---` at the beginning of its last line must not hide that line."""
    lines = ("executor failed running [sh -c exit 1", words, f"{end}]: exit code: 1")
    assert (
        type(
            explained(
                "#5 [2/2] RUN x", f"#5 ERROR: {lines[0]}", *lines[1:], "------", *lines
            )
        )
        is BuildFailed
    )


@pytest.mark.parametrize("words", [one for one in FORGED if one])
def test_a_name_of_several_lines(words):
    first = "cannot copy to non-directory: /var/lib/docker/overlay2/q/merged/f"
    assert (
        type(explained(COPY, f"#5 ERROR: {first}", words, "------", first, words))
        is BuildFailed
    )


def test_a_cli_that_died_behind_what_a_run_printed_is_the_machines():
    """It shows the RUN's last words before its own, and then nothing more came."""
    error = explained(
        RUN,
        "#5 0.2 exit code: 1",
        f"#5 ERROR: {NEW}context canceled",
        "------",
        " > [2/3] RUN false:",
        "0.204 unable to find user x: no matching entries in passwd file",
    )
    assert type(error) is EngineGone


# What runc could not start, it tells in the RUN's output, where a RUN can tell the same

RUNC = 'container_linux.go:380: starting container process caused: process_linux.go:545: container init caused: rootfs_linux.go:76: mounting "cgroup" to rootfs at "/sys/fs/cgroup" caused: stat /sys/fs/cgroup/x: no such file or directory'
PROBED = 'container_linux.go:380: starting container process caused: exec: "/dockdojo-probe": stat /dockdojo-probe: no such file or directory'


@pytest.mark.skipif(
    os.name != "posix", reason="the stand-in for the CLI is a shell script"
)
@pytest.mark.parametrize(
    ("probe", "second", "kind"),
    [(RUNC, RUNC, EngineGone), (PROBED, RUNC, BuildFailed), (PROBED, "", None)],
    ids=["the runtime is broken", "the RUN only says so", "it failed once"],
)
def test_what_looks_like_runc_is_asked_of_the_machine(tmp_path, probe, second, kind):
    """The CLI is a stand-in: an engine whose runtime is broken is not at hand."""
    from dockdojo.build.builder import Builder, BuildSpec, build_with_cli

    cli = tmp_path / "docker"
    cli.write_text(f"""#!{sys.executable}
import pathlib, sys
text = (pathlib.Path(sys.argv[-1]) / "Dockerfile").read_text()
calls = pathlib.Path({str(tmp_path / "calls")!r})
with calls.open("a") as file:
    file.write("probe " if "dockdojo-probe" in text else "build ")
again = calls.read_text().count("build") > 1
said = {probe!r} if "dockdojo-probe" in text else {second!r} if again else {RUNC!r}
if not said:
    sys.exit(0)
print("#5 [2/2] RUN x\\n#5 0.1 " + said + "\\n#5 ERROR: {OLD}exit code: 1\\n{OLD}exit code: 1")
sys.exit(1)
""")
    cli.chmod(0o755)
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM busybox\nRUN false\n")
    spec = BuildSpec(context=context, labels={}, tag="x", seconds=60)
    if kind is None:
        build_with_cli(Builder("buildkit", str(cli)), [], spec)
    else:
        with pytest.raises(kind) as caught:
            build_with_cli(Builder("buildkit", str(cli)), [], spec)
        assert ("control groups" in str(caught.value)) is (kind is EngineGone)
    calls = (tmp_path / "calls").read_text().split()
    assert calls == ["build", "probe"] + ["build"] * (kind is not EngineGone)


def test_a_program_that_is_not_there_is_no_trouble_of_the_runtime():
    log = BuildLog()
    for line in (
        RUN,
        '#5 0.1 runc run failed: unable to start container process: exec: "nosuch": executable file not found in $PATH',
        f"#5 ERROR: {NEW}exit code: 1",
    ):
        log.add(line)
    assert not log.only_runtime_spoke


@pytest.mark.engine
def test_a_runtime_that_works_has_no_trouble(real_engine, tmp_path):
    from dockdojo.build.builder import the_builder
    from dockdojo.build.runtime_probe import runtime_trouble
    from dockdojo.engine.client import connect

    builder = the_builder()
    if not builder.cli:
        pytest.skip("the legacy builder tells it in its error")
    with connect() as engine:
        command = [builder.cli, *engine.address.options, "build", "--progress=plain"]
        assert (
            runtime_trouble(
                command, tmp_path / "probe", configuration(tmp_path / "config")
            )
            is None
        )


def test_the_rest_of_a_line_of_a_megabyte_is_nobodys_word(tmp_path):
    """A RUN may print a line that is longer than what is read at once: its rest has no step's number before it."""
    printer = tmp_path / "docker"
    printer.write_text(f"""#!{sys.executable}
import sys
print("#5 [2/2] RUN print")
print("#5 0.1 " + "x" * ({CUT_BYTES} - 7) + "#5 ERROR: no space left on device")
print("#5 ERROR: {OLD}exit code: 1")
print("{OLD}" + "y" * 3000 + "]: exit code: 1")
sys.exit(1)
""")
    printer.chmod(0o755)
    log = BuildLog()
    assert (
        follow(
            [str(printer)], log, 60, None, configuration(tmp_path / "config"), Stopper()
        )
        == 1
    )
    assert log.error == f"{OLD}exit code: 1"
    assert (
        type(explain(log, Dockerfile.parse(TEXT), way_out=lambda: True)) is BuildFailed
    )


# A RUN that finds no way to any host

NETWORKLESS = (
    "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f>: Failed to establish a new connection: [Errno -3] Temporary failure in name resolution')': /simple/flask/",
    "  Temporary failure resolving 'deb.debian.org'",
    "W: Failed to fetch http://deb.debian.org/debian/dists/bookworm/InRelease  Temporary failure resolving 'deb.debian.org'",
    "curl: (6) Could not resolve host: example.com",
    "curl: (7) Failed to connect to 10.1.2.3 port 443: Network is unreachable",
    "wget: bad address 'example.com'",
    "wget: unable to resolve host address ‘example.com’",
    "npm ERR! code EAI_AGAIN",
    "npm error errno ENOTFOUND",
    "fatal: unable to access 'https://github.com/x/y/': Could not resolve host: github.com",
    "WARNING: fetching https://dl-cdn.alpinelinux.org/alpine/v3.19/main: temporary error (try again later)",
    "socket.gaierror: [Errno -3] Temporary failure in name resolution",
    "urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>",
    "W: Failed to fetch http://deb.debian.org/debian/dists/bookworm/InRelease  Could not connect to deb.debian.org:80 (1.2.3.4), connection timed out",
    "  Cannot initiate the connection to deb.debian.org:80 (2a04:4e42::644). - connect (101: Network is unreachable)",
    "WARNING: Retrying (Retry(total=4)) after connection broken by 'ConnectTimeoutError(<pip._vendor.urllib3.connection.HTTPSConnection>, 'Connection to pypi.example timed out. (connect timeout=15)')': /simple/flask/",
    "curl: (28) Failed to connect to example.com port 443 after 130 ms: Couldn't connect to server",
    "npm error code ETIMEDOUT",
    'error An unexpected error occurred: "https://registry.example/x: getaddrinfo EAI_AGAIN registry.example".',
    'go: github.com/x/y@v1: Get "https://proxy.example/x": dial tcp: lookup proxy.example on 10.0.0.53:53: no such host',
    "  Caused by: dns error: failed to lookup address information: Temporary failure in name resolution",
    "error: failed to fetch: error sending request: lookup address information: Name or service not known",
)


@pytest.mark.parametrize("line", NETWORKLESS)
@pytest.mark.parametrize("end", [OLD, NEW])
def test_a_run_without_a_network_is_the_machines_only_where_it_has_none_either(
    line, end
):
    lines = (
        RUN,
        "#5 0.1 begin",
        f"#5 0.2 {line}",
        "#5 0.3 E: giving up",
        f"#5 ERROR: {end}exit code: 1",
        f"{end}exit code: 1",
    )
    ours = explained(*lines, has_way_out=False)
    assert type(ours) is EngineGone
    assert "HTTPS_PROXY" in ours.hint
    assert type(explained(*lines, has_way_out=True)) is BuildFailed


@pytest.mark.parametrize(
    "line",
    [
        "ERROR: No matching distribution found for flaks",
        "E: Unable to locate package no-such",
        "curl: (22) The requested URL returned error: 404",
        "npm error code E404",
        "AssertionError: 1 != 2",
        "AssertionError: the server timed out",
        "error: test_slow timed out",
        "we say: Could not resolve host",
    ],
)
def test_other_failures_are_the_submissions_also_without_a_network(line):
    assert not NO_NETWORK.search(line)
    lines = (
        RUN,
        f"#5 0.2 {line}",
        f"#5 ERROR: {OLD}exit code: 1",
        f"{OLD}exit code: 1",
    )
    assert type(explained(*lines, has_way_out=False)) is BuildFailed


def test_a_run_that_reached_one_host_of_two_failed_by_itself():
    """An index beside the first may be out of reach; what asks for a version that is nowhere is wrong all the same."""
    lost = "Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(\"[Errno -3] Temporary failure in name resolution\")': /whl/cpu/x/"
    assert NO_NETWORK.search(f"WARNING: {lost}")
    end = (
        f"#5 0.9 WARNING: {lost}",
        f"#5 ERROR: {OLD}exit code: 1",
        f"{OLD}exit code: 1",
    )
    for got in (
        "  Downloading numpy-2.4.6.whl (16.6 MB)",
        "ERROR: No version for torch==9 (from versions: 2.0.0, 2.1.0)",
    ):
        assert (
            type(explained(RUN, f"#5 0.2 {got}", *end, has_way_out=False))
            is BuildFailed
        )
    nothing = "ERROR: Could not find a version that satisfies the requirement flask (from versions: none)"
    assert (
        type(explained(RUN, f"#5 0.2 {nothing}", *end, has_way_out=False)) is EngineGone
    )


@pytest.mark.skipif(
    not shutil.which("unshare") or getattr(os, "geteuid", lambda: 1)() != 0,
    reason="needs root and unshare",
)
def test_a_machine_without_any_network_has_no_way_out():
    code = "from dockdojo.connection.way_out import has_way_out; print(has_way_out())"
    env = {
        key: value for key, value in os.environ.items() if key not in way_out.PROXIES
    }
    done = subprocess.run(
        ["unshare", "-n", sys.executable, "-c", code],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    if "Operation not permitted" in done.stderr:
        pytest.skip("no network namespace can be made here")
    assert done.stdout == "False\n", done.stderr


def test_a_proxy_that_takes_connections_is_a_way_out(monkeypatch):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.getsockname()[1]}")
        assert way_out.has_way_out()


# Once more


def test_what_the_machine_fails_is_tried_once_more():
    tried = []

    def second_time():
        tried.append(1)
        if len(tried) == 1:
            raise EngineGone("lost")
        return "made"

    assert once_more(second_time, pause=0) == "made"
    assert len(tried) == 2


@pytest.mark.parametrize(
    "error", [SubmissionError("its own"), NoGpu("none"), LimitReached("late")]
)
def test_what_the_submission_fails_is_not(error):
    tried = []

    def fails():
        tried.append(1)
        raise error

    with pytest.raises(type(error)):
        once_more(fails, pause=0)
    assert len(tried) == 1


def test_time_that_the_machine_lost_is_not_the_submissions():
    errors = iter([ImageUnavailable("no answer"), LimitReached("too late")])

    def fails():
        raise next(errors)

    with pytest.raises(ImageUnavailable):
        once_more(fails, pause=0)


def test_what_may_have_run_is_not_started_again():
    tried = []

    def fails():
        tried.append(1)
        raise EngineGone("The engine closed the output of a container")

    with pytest.raises(OurFault):
        once_more(fails, pause=0, starts=True)
    assert len(tried) == 1


@pytest.mark.parametrize("table", ["TROUBLES"])
def test_every_trouble_says_what_to_do(table):
    for trouble in getattr(blame, table):
        assert trouble.what.endswith(".")
        assert trouble.hint.endswith((".", ")", "both.", "on."))


# The engine itself


@pytest.mark.engine
def test_builds_and_starts_of_a_real_engine_are_tried_once_more(
    real_engine, tmp_path, monkeypatch
):
    from dockdojo.engine.client import connect
    from dockdojo.model import Limits

    monkeypatch.setattr(blame, "PAUSE_SECONDS", 0.0)
    Path(tmp_path, "Dockerfile").write_text("FROM busybox\nCMD echo hi\n")
    with connect() as engine:
        image = engine.build(tmp_path, limits=Limits())
        from dockdojo.connection.types import RunSpec

        spec, calls = RunSpec(image=image.id), []
        start = engine.api.start

        def lost_once(container):
            calls.append(container)
            if len(calls) == 1:
                raise OSError("connection reset")
            start(container)

        monkeypatch.setattr(engine.api, "start", lost_once)
        assert engine.run(spec, Limits()).stdout == "hi\n"
        assert len(set(calls)) == 2
