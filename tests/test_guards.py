from __future__ import annotations

import pytest

from dockdojo.engine.guards import start_error
from dockdojo.errors import EngineGone, SubmissionError

RUNC = "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: "


@pytest.mark.parametrize(
    "text",
    [
        RUNC + 'exec: "serve": executable file not found in $PATH: unknown',
        RUNC
        + 'exec: "/no space left on device cgroup": stat /no space left on device cgroup: no such file or directory: unknown',
        RUNC + 'exec: "/app": permission denied: unknown',
        "unable to find user no space left on device: no matching entries in passwd file",
        "uids and gids must be in range 0-2147483647",
        "No command specified",
        'container_linux.go:380: starting container process caused: exec: "serve": executable file not found in $PATH: unknown',
    ],
)
def test_a_refusal_is_the_images_fault(text):
    assert type(start_error(text, pings=True)) is SubmissionError


@pytest.mark.parametrize(
    "text",
    [
        RUNC
        + "unable to apply cgroup configuration: mkdir /sys/fs/cgroup/x: no such file or directory: unknown",
        "failed to create endpoint x on network bridge: adding interface veth0 to bridge docker0 failed: could not find bridge",
        "write /var/lib/docker/x: no space left on device",
        "OCI runtime create failed: container_linux.go: process_linux.go: rootfs_linux.go: mounting proc: operation not permitted",
        "network 4711 not found",
        "something that no version of the engine has said yet",
        # These name programs, too, but none of the image's.
        RUNC
        + 'error running hook #0: exec: "nvidia-container-runtime-hook": executable file not found in $PATH: unknown',
        'OCI runtime create failed: unable to retrieve OCI runtime error (open /x/log.json: no such file or directory): exec: "runc": executable file not found in $PATH: unknown',
        'exec: "containerd-shim-runc-v2": executable file not found in $PATH: failed to start shim: unknown',
        "OCI runtime create failed: container_linux.go:380: starting container process caused: process_linux.go:545: container init caused: process_linux.go:508: setting cgroup config for procHooks process caused: resulting devices cgroup doesn't match target mode: unknown",
    ],
)
def test_words_of_the_machine_are_our_fault(text):
    assert type(start_error(text, pings=True)) is EngineGone


def test_an_engine_that_does_not_answer_is_our_fault():
    assert type(start_error("No command specified", pings=False)) is EngineGone


def test_words_about_mounts_are_the_images_where_it_has_volumes():
    text = (
        RUNC
        + 'error mounting "/var/lib/docker/volumes/x" to rootfs at "/srv": not a directory'
    )
    assert type(start_error(text, pings=True, volumes=True)) is SubmissionError
    assert type(start_error(text, pings=True)) is EngineGone
