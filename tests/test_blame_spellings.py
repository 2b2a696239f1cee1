"""Whose fault a failed build is, in the many spellings of one failure, and as the builder of this machine spells it."""

from __future__ import annotations

import pytest

from dockdojo.errors import (
    BaseImageMissing,
    BuildFailed,
    DockerfileInvalid,
    EngineGone,
    ImageUnavailable,
    NoBuildKit,
    SubmissionError,
)
from tests.test_blame import LLB, META, OLD, RUN, SOURCE, explained, new, old

# The same in other spellings: buildx 0.13 to 0.31, the containerd store, BuildKit in 20.10, the legacy builder, Podman

COPY = "#5 [2/2] COPY x /etc/passwd/x"
REF = "failed to compute cache key: failed to calculate checksum of ref pzhz5wxhfuk4nt::uydm9wxbcjq4: "
MORE_OF_THE_SUBMISSIONS = {
    "a place that is a file, containerd store": (
        new(
            COPY,
            "mkdir /var/lib/docker/buildkit/containerd-overlayfs/cachemounts/buildkit2046/etc/passwd: not a directory",
        ),
        BuildFailed,
    ),
    "several into a file": (
        new(
            COPY,
            "cannot copy to non-directory: /var/lib/docker/buildkit/containerd-overlayfs/cachemounts/buildkit99/etc/passwd",
        ),
        BuildFailed,
    ),
    "a file for a folder": (
        new(
            COPY,
            "cannot replace to directory /var/lib/docker/overlay2/q2/merged/opt with file",
        ),
        BuildFailed,
    ),
    "a file that is not there, newer": (
        new("#5 [2/2] COPY nope /", REF + '"/nope": not found'),
        BuildFailed,
    ),
    "walked": (
        old(
            "#5 [2/2] COPY a /",
            "failed to compute cache key: failed to walk /var/lib/docker/tmp/buildkit-mount1/a: lstat /var/lib/docker/tmp/buildkit-mount1/a: no such file or directory",
        ),
        BuildFailed,
    ),
    "secret, newer": (
        new(
            "#5 [2/2] RUN --mount=type=secret,id=z,required=true ls",
            "secret z: not found",
        ),
        BuildFailed,
    ),
    "secret with a long name": (
        new(
            "#5 [2/2] RUN --mount=type=secret,id=z,required=true ls",
            f"secret {'no match for platform ' * 20}: not found",
        ),
        BuildFailed,
    ),
    "unexpected mode": (
        (
            "ERROR: failed to build: failed to solve: invalid chmod parameter: 'abc'. it should be octal string and between 0 and 07777",
        ),
        DockerfileInvalid,
    ),
    "signal": ((LLB + "Invalid signal: SIGNOPE",), DockerfileInvalid),
    "signal, newer": (
        ("ERROR: failed to build: failed to solve: invalid signal: SIGNOPE",),
        DockerfileInvalid,
    ),
    "stage number": (
        ("ERROR: failed to solve: invalid stage index 5",),
        DockerfileInvalid,
    ),
    "stage too late": (
        (
            'ERROR: failed to solve: cannot copy from stage "build", it needs to be defined before current stage "stage-0"',
        ),
        DockerfileInvalid,
    ),
    "variable for a stage": (
        (
            "ERROR: failed to solve: variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround",
        ),
        DockerfileInvalid,
    ),
    "mount target": (
        ('ERROR: failed to solve: invalid mount target "/"',),
        DockerfileInvalid,
    ),
    "host port": ((LLB + "invalid hostPort: abc",), DockerfileInvalid),
    "empty volume": (
        ("ERROR: failed to solve: VOLUME specified can not be an empty string",),
        DockerfileInvalid,
    ),
    "empty platform": (
        ("ERROR: failed to solve: empty platform value from expression $P",),
        DockerfileInvalid,
    ),
    "platform": (
        (
            'ERROR: failed to solve: failed to parse platform a/b/c/d: "a/b/c/d": unknown operating system',
        ),
        DockerfileInvalid,
    ),
    "no FROM": (
        ("ERROR: failed to solve: dockerfile contains no stages to build",),
        DockerfileInvalid,
    ),
    "its own linter": (
        (
            "ERROR: failed to build: failed to solve: lint violation found for rules: JSONArgsRecommended",
        ),
        DockerfileInvalid,
    ),
    "patterns": (
        (
            'ERROR: failed to solve: error from sender: invalid excludepatterns: "[": syntax error in pattern',
        ),
        DockerfileInvalid,
    ),
    "checksum": (
        ("ERROR: failed to solve: checksum can't be specified for COPY",),
        DockerfileInvalid,
    ),
    "another frontend's": (
        (
            "failed to solve with frontend dockerfile.v0: failed to solve with frontend gateway.v0: rpc error: code = Unknown desc = failed to build LLB: "
            + OLD
            + "exit code: 2",
        ),
        BuildFailed,
    ),
    "a target, legacy": (
        ("failed to reach build target prod in Dockerfile",),
        DockerfileInvalid,
    ),
    "an own stage, legacy": (
        ("invalid from flag value 0: refers to current build stage",),
        DockerfileInvalid,
    ),
    "empty, legacy": (
        ("No image was generated. Is your Dockerfile empty?",),
        DockerfileInvalid,
    ),
    "run, podman 4": (
        (
            'error building at STEP "RUN sh -c "exit 3"": error while running runtime: exit status 3',
        ),
        BuildFailed,
    ),
    "run, podman 5": (
        ('building at STEP "RUN false": while running runtime: exit status 1',),
        BuildFailed,
    ),
    "copy, podman": (
        (
            'building at STEP "COPY nope /": checking on sources under "/var/tmp/libpod_builder2/build": copier: stat: "/nope": no such file or directory',
        ),
        BuildFailed,
    ),
    "copy, older podman": (
        (
            'error building at STEP "COPY a /a": error adding sources [/x/merged/a]: no items matching glob "/x/merged/a" copied (1 filtered out): no such file or directory',
        ),
        BuildFailed,
    ),
    "no stage, podman": (
        (
            'error building at STEP "COPY --from=nost /a /b": no stage or image found with that name',
        ),
        DockerfileInvalid,
    ),
    "no tag, podman": (
        (
            "#1 [1] FROM busybox:nope",
            "#1 ERROR: x",
            "creating build container: initializing source docker://busybox:nope: reading manifest nope in docker.io/library/busybox: manifest unknown",
        ),
        BaseImageMissing,
    ),
}
MORE_OF_THE_MACHINES = {
    "a lost snapshot": (
        new(
            "#5 exporting to image",
            'failed to prepare extraction snapshot "extract-771744199-MArs sha256:1d41": parent snapshot sha256:22cb does not exist: not found',
        ),
        EngineGone,
        "store of images",
    ),
    "lost content of a base": (
        new(
            "#5 [1/2] FROM docker.io/library/busybox:latest@sha256:9a0b",
            "content digest sha256:e86d3659bcca: not found",
        ),
        EngineGone,
        "store of images",
    ),
    "lost content": (
        new(
            COPY,
            "failed to compute cache key: content digest sha256:e86d3659bcca: not found",
        ),
        EngineGone,
        "store of images",
    ),
    "a lost layer": (
        (
            "ERROR: failed to solve: failed to prepare sha256:22cb as xq: layer does not exist",
        ),
        EngineGone,
        "store of images",
    ),
    "a layer that is fetched late": (
        new(
            COPY,
            REF
            + 'failed to copy: httpReadSeeker: failed open: failed to do request: Get "https://x.example/blobs": dial tcp: lookup x.example: no such host',
        ),
        ImageUnavailable,
        "did not answer",
    ),
    "a layer that times out": (
        new(
            COPY,
            "failed to compute cache key: failed to copy: read tcp 1.1.1.1:148->2.2.2.2:443: read: connection timed out",
        ),
        ImageUnavailable,
        "did not answer",
    ),
    "a mount that fails": (
        new(
            COPY,
            REF
            + 'failed to mount /var/lib/docker/tmp/buildkit-mount31: [{Type:overlay}]: mount source: "overlay", target: "/var/lib/docker/tmp/buildkit-mount31": no such file or directory',
        ),
        EngineGone,
        "store of images",
    ),
    "a disk that is full while it walks": (
        new(COPY, REF + "write /var/lib/docker/x: no space left on device"),
        EngineGone,
        "disk",
    ),
    "a full disk, gRPC": (
        (
            "ERROR: failed to build: failed to solve: ResourceExhausted: failed to copy files: copy file range failed: no space left on device",
        ),
        EngineGone,
        "disk",
    ),
    "an overlay that is gone": (
        new(RUN, "stat /var/lib/docker/overlay2/3f2c: no such file or directory"),
        EngineGone,
        "Nothing says",
    ),
    "pools": (
        (
            "Error response from daemon: could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network",
        ),
        EngineGone,
        "network",
    ),
    "a platform, podman": (
        (
            "#1 [1] FROM busybox",
            "#1 ERROR: x",
            'creating build container: choosing an image from manifest list docker://busybox:latest: no image found in manifest list for architecture "s390x", variant "", OS "linux"',
        ),
        ImageUnavailable,
        "platform",
    ),
    "a platform, newer": (
        new(
            META,
            SOURCE
            + "image with reference docker.io/library/busybox:latest was found but does not match the specified platform: wanted linux/s390x, actual: linux/amd64",
        ),
        ImageUnavailable,
        "platform",
    ),
    "short names, podman": (
        (
            "#1 [1] FROM busybox",
            "#1 ERROR: x",
            'creating build container: short-name "busybox" did not resolve to an alias and no unqualified-search registries are defined in "/etc/containers/registries.conf"',
        ),
        ImageUnavailable,
        "which registry",
    ),
    "an option that the CLI lacks": (
        ("unknown flag: --progress", "See 'docker build --help'."),
        NoBuildKit,
        "no BuildKit",
    ),
    "an option that a newer CLI lacks": (
        (
            "unknown flag: --load",
            "",
            "Usage:  docker [OPTIONS] COMMAND [ARG...]",
            "",
            "Run 'docker --help' for more information",
        ),
        NoBuildKit,
        "no BuildKit",
    ),
    "snap, buildx": (
        (
            "ERROR: failed to build: resolve : lstat /tmp/dockdojo-x: no such file or directory",
        ),
        EngineGone,
        "snap",
    ),
    "socket": (
        (
            "ERROR: permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
        ),
        EngineGone,
        "may not talk",
    ),
    "a helper that is called by another": (
        new(
            META,
            SOURCE + "exec: docker-credential-desktop.exe: executable file not found",
        ),
        EngineGone,
        "credential helper",
    ),
    "x509": (
        new(
            META,
            SOURCE
            + 'failed to do request: Head "https://registry-1.docker.io/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority',
        ),
        ImageUnavailable,
        "does not answer",
    ),
    "a proxy's words": (
        new(
            META,
            SOURCE
            + 'failed to do request: Head "https://registry-1.docker.io/v2/": proxyconnect tcp: dial tcp 10.0.0.1:3128: connect: connection refused',
        ),
        ImageUnavailable,
        "does not answer",
    ),
    "521": (
        new(
            META,
            SOURCE
            + "unexpected status from HEAD request to https://registry-1.docker.io/v2/library/busybox/manifests/latest: 521 ",
        ),
        ImageUnavailable,
        "521",
    ),
    "429, legacy": (
        (
            "#1 [1] FROM busybox",
            "#1 ERROR: x",
            "toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit",
        ),
        ImageUnavailable,
        "toomanyrequests",
    ),
    "systemd": (
        new(
            RUN,
            'runc run failed: unable to start container process: unable to apply cgroup configuration: unable to start unit "docker-x.scope": Interactive authentication required.',
        ),
        EngineGone,
        "control groups",
    ),
}


@pytest.mark.parametrize("name", MORE_OF_THE_SUBMISSIONS)
def test_the_submissions_in_other_spellings(name):
    lines, kind = MORE_OF_THE_SUBMISSIONS[name]
    error = explained(*lines)
    assert type(error) is kind, error


@pytest.mark.parametrize("name", MORE_OF_THE_MACHINES)
def test_the_machines_in_other_spellings(name):
    lines, kind, said = MORE_OF_THE_MACHINES[name]
    error = explained(*lines)
    assert type(error) is kind, error
    assert said in str(error)
    assert error.hint


# A stage that is not there

UNREACHABLE_REGISTRY = 'failed to do request: Head "https://registry-1.docker.io/v2/library/x/manifests/latest": dial tcp: lookup registry-1.docker.io on 10.0.0.53:53: no such host'
TYPO = "FROM busybox AS build\nFROM busybox\nCOPY --from={} /a /a\n"


@pytest.mark.parametrize(
    "words",
    [
        UNREACHABLE_REGISTRY,
        "503 Service Unavailable",
        "toomanyrequests: limit",
        "x: not found",
    ],
)
def test_a_stage_that_is_not_there_is_named_whatever_the_registry_says(words):
    """Docker Hub has names of one word for its official images only, so nobody has to answer."""
    lines = (
        old(
            "#5 FROM docker.io/library/builder:latest",
            f"failed to load cache key: {words}",
        ),
        new(
            "#5 [internal] load metadata for docker.io/library/builder:latest",
            f"builder: failed to resolve source metadata for docker.io/library/builder:latest: {words}",
        ),
        (
            "#3 [3] COPY --from=builder /a /a",
            "#3 ERROR: x",
            f"invalid from flag value builder: {words}",
        ),
    )
    for log in lines:
        error = explained(*log, text=TYPO.format("builder"))
        assert type(error) is BaseImageMissing, error
        assert (
            "`--from=builder` names no stage of this file. Did you mean `build`?"
            in error.message
        )
        assert error.line == 3


@pytest.mark.parametrize("name", ["nginx", "node", "python", "eclipse-temurin"])
def test_a_registry_that_fails_is_not_the_submissions_where_an_image_may_be_meant(name):
    log = old(
        f"#5 FROM docker.io/library/{name}:latest",
        f"failed to load cache key: {UNREACHABLE_REGISTRY}",
    )
    error = explained(*log, text=TYPO.format(name))
    assert type(error) is ImageUnavailable
    assert f"`{name}:latest` (Dockerfile, line 3)" in error.message
    tagged = old(
        "#5 FROM docker.io/library/mine:1",
        f"failed to load cache key: {UNREACHABLE_REGISTRY}",
    )
    assert type(explained(*tagged, text=TYPO.format("mine:1"))) is ImageUnavailable


# As it is said here

BAD = {
    "a stage that is not there": (
        "FROM busybox AS build\nFROM busybox\nCOPY --from=builder /bin/sh /x\n",
        "Did you mean `build`",
    ),
    "a stage that is not there, mounted": (
        "FROM busybox\nRUN --mount=type=bind,from=wheels,target=/w ls /w\n",
        "names no stage",
    ),
    "a stage's number": ("FROM busybox\nCOPY --from=5 /a /a\n", "5"),
    "a signal": ("FROM busybox\nSTOPSIGNAL SIGNOPE\n", "SIGNOPE"),
    "a command that ends like advice": (
        'FROM busybox\nRUN ["sh","-c","exit 1\\nno space left on device\\n---"]\n',
        "exit code: 1",
    ),
    "a place below a file": (
        "FROM busybox\nCOPY f /bin/busybox/cgroup\n",
        "not a directory",
    ),
    "several into a file": (
        "FROM busybox\nRUN touch /cgroup\nCOPY f g /cgroup/\n",
        "COPY f g",
    ),
    "a folder below a file": (
        "FROM busybox\nWORKDIR /bin/busybox/cgroup\nRUN true\n",
        "not a directory",
    ),
    "a user": ("FROM busybox\nUSER cgroup\nRUN true\n", "cgroup"),
    "a secret": (
        "FROM busybox\nRUN --mount=type=secret,id=cgroup,required=true true\n",
        "not found",
    ),
    "a file": ("FROM busybox\nCOPY cgroup /\n", "not found"),
    "runc's words": (
        "FROM busybox\nRUN echo 'container_linux.go:380: starting container process caused: cgroup' && false\n",
        "exit code: 1",
    ),
    "no such program": ('FROM busybox\nRUN ["nosuch"]\n', "nosuch"),
    "a pattern": ("FROM busybox\nCOPY f /\n", ".dockerignore"),
}


@pytest.mark.engine
@pytest.mark.parametrize("name", BAD)
def test_what_a_real_builder_says_of_it_is_the_submissions(name, real_engine, tmp_path):
    """Also where names and output have words of the machine, and whether the registry answers or not."""
    from dockdojo.engine.client import connect
    from dockdojo.model import Limits

    text, said = BAD[name]
    for file, content in (("Dockerfile", text), ("f", "x"), ("g", "y")):
        (tmp_path / file).write_text(content)
    if name == "a pattern":
        (tmp_path / ".dockerignore").write_text("[\n")
    with connect() as engine:
        if engine.builder.kind == "legacy":
            pytest.skip("the legacy builder knows none of the mounts")
        with pytest.raises(SubmissionError) as caught:
            engine.build(tmp_path, limits=Limits())
    assert said in caught.value.message
