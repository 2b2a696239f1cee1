"""The real engine: running, limits, networks, layers, shells, HTTP, and leaving nothing behind."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import replace
from itertools import islice

import pytest

from dockdojo.connection import machine
from dockdojo.connection.types import RunSpec
from dockdojo.errors import (
    BuildFailed,
    DockerfileInvalid,
    ImageUnavailable,
    LimitReached,
    SubmissionError,
)
from dockdojo.host import own_engine
from dockdojo.model import Limits
from dockdojo.probes.http import Client
from dockdojo.probes.testinfra_host import testinfra_host as infra_host

LIMITS = Limits(check_seconds=30)
ASKED_AT_MOST, LOOK = (
    100,
    0.25,
)  # a server takes its time to start; times, and seconds between them
BUSYBOX, DEBIAN, PYTHON = "busybox:latest", "debian:bookworm-slim", "python:3.11-slim"


def sh(script, image=BUSYBOX, **options):
    return RunSpec(image=image, args=("sh", "-c", script), **options)


def test_a_run_has_exit_code_outputs_and_stdin(engine):
    done = engine.run(
        sh("cat; echo err >&2; printf '\\377'; exit 3", stdin=b"in"), LIMITS
    )
    assert (done.exit_code, done.stdout, done.stderr) == (3, "in\ufffd", "err\n")
    assert done.notes == ()
    assert (
        engine.run(sh('echo "$A-$0"', env={"A": "x  y"}), LIMITS).stdout == "x  y-sh\n"
    )


def test_what_cannot_start_is_the_submissions_fault(engine):
    for spec in (
        RunSpec(image=BUSYBOX, args=("no-such-program",)),
        RunSpec(image=BUSYBOX, user="nobody-here", args=("true",)),
    ):
        with pytest.raises(SubmissionError, match="could not start"):
            engine.run(spec, LIMITS)


def test_the_memory_limit(engine):
    done = engine.run(
        RunSpec(image=PYTHON, args=("python", "-c", "x = b'x' * 800_000_000")), LIMITS
    )
    assert done.oom_killed
    assert done.exit_code == 137
    assert "memory limit of 512 MB" in done.notes[0]


def test_the_process_limit(engine):
    script = "i=0; while [ $i -lt 400 ]; do sleep 20 & i=$((i+1)); done"
    done = engine.run(sh(script, image=DEBIAN), replace(LIMITS, pids=50))
    assert any("limit of 50 processes" in note for note in done.notes), done


def test_the_output_limit(engine):
    done = engine.run(
        sh("head -c 5000000 /dev/zero | tr '\\0' x; echo end >&2"), LIMITS
    )
    assert len(done.stdout) == 1024 * 1024
    assert done.stderr == "end\n"
    assert "cut at the lab's limit of 1024 KiB" in done.notes[0]


def test_the_time_limit(engine):
    with pytest.raises(
        LimitReached, match="within 10 s"
    ) as caught:  # a busy machine takes some of it to start a container
        engine.run(sh("echo so far; sleep 3000"), replace(LIMITS, check_seconds=10))
    assert "so far" in caught.value.detail


def test_the_cpu_and_file_limits_reach_the_container(engine):
    script = "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null; ulimit -f; ulimit -c"
    quota, blocks, core = (
        engine.run(sh(script), replace(LIMITS, cpus=0.5)).stdout.strip().split("\n")
    )
    assert quota.split()[0] == "50000"
    assert int(blocks) < 2_000_000
    assert core == "0"
    # Up to just below the limit the file is a hole: nothing of it has to be written.
    across = "dd if=/dev/zero of=/big bs=1000000 seek=999 count=2"
    done = engine.run(sh(f"{across}; echo $?; ls -l /big | awk '{{print $5}}'"), LIMITS)
    assert "1000000000" in done.stdout


def test_no_new_privileges_and_few_capabilities(engine):
    status = engine.run(sh("cat /proc/self/status"), LIMITS).stdout
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert fields["NoNewPrivs"] == "1"
    assert (
        int(fields["CapEff"], 16)
        == int(fields["CapBnd"], 16)
        == 0b10011101011 & ~0b10000000000 | 0b10000000000
    )
    assert (
        engine.run(sh("mount -t tmpfs x /mnt; mknod /x c 1 3"), LIMITS).exit_code != 0
    )


def test_the_network_limit_is_named(engine):
    script = (
        "import urllib.request; urllib.request.urlopen('http://example.com', timeout=3)"
    )
    done = engine.run(RunSpec(image=PYTHON, args=("python", "-c", script)), LIMITS)
    assert done.exit_code == 1
    assert any("no network while it is graded" in note for note in done.notes), done


def test_there_is_no_way_out(engine):
    assert "eth0" not in engine.run(sh("ip -o addr"), LIMITS).stdout
    looked_up = engine.run(
        sh("nslookup example.com 2>&1", network="inside"), LIMITS
    ).stdout
    assert "Address 1" not in looked_up.split("example.com")[-1]
    gateway = (
        engine.run(sh("ip -o -4 addr show eth0", network="inside"), LIMITS)
        .stdout.split()[3]
        .rsplit(".", 1)[0]
        + ".1"
    )
    bridge = engine.api.inspect_network("bridge")["IPAM"]["Config"][0].get(
        "Gateway", "172.17.0.1"
    )
    with Listening() as port:
        reached = engine.run(
            sh(f"echo hi | nc -w 2 {bridge} {port}; echo $?", network="outside"), LIMITS
        )
        kept_away = own_engine.FIREWALL in machine.limits_of_builds()
        if kept_away:  # an engine of ours: not even what has a network reaches the host
            assert reached.stdout.strip() != "0"
        else:
            assert (
                reached.stdout.strip() == "0"
            ), "the listener must be reachable, or the rest proves nothing"
        for target in (gateway, bridge):
            done = engine.run(
                sh(f"echo hi | nc -w 2 {target} {port}; echo $?", network="inside"),
                LIMITS,
            )
            assert done.stdout.strip() != "0", f"the host was reached at {target}"


class Listening:
    """A server of the host, on every address, for seeing that a container cannot reach it."""

    def __enter__(self):
        self.socket = socket.create_server(("0.0.0.0", 0))
        threading.Thread(target=self._greet, daemon=True).start()
        return self.socket.getsockname()[1]

    def _greet(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                connection.close()

    def __exit__(self, *exc):
        self.socket.close()


def test_a_running_container_tells_its_processes_and_takes_signals(engine):
    script = "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.1; done"
    container = engine.start(sh(script, image=DEBIAN), LIMITS)
    assert container.wait_for_log("up")
    assert container.pid1.argv[0] == "sh"
    assert {one.uid for one in container.processes()} == {0}
    assert not any(
        "/bin/sh" in one.argv for one in container.processes()
    ), "our own shell is no part of it"
    stopped = container.stop(grace=5)
    assert (stopped.exit_code, stopped.stdout) == (5, "up\nbye\n")
    assert stopped.seconds < 5
    assert container.consumed


def test_the_lines_of_the_log_have_times(engine):
    script = "echo first; sleep 0.5; echo second >&2; sleep 0.5; printf 'third\\rstill\\n'; sleep 60"
    container = engine.start(RunSpec(image=BUSYBOX, args=("sh", "-c", script)), LIMITS)
    assert container.wait_for_log("still")
    lines = container.log_lines()
    assert [(one.stream, one.text) for one in lines] == [
        ("stdout", "first"),
        ("stderr", "second"),
        ("stdout", "third\rstill"),
    ]
    first, second, third = (one.seconds for one in lines)
    assert first < second < third
    container.remove()


def test_kill_and_the_meaning_of_exit_codes(engine):
    container = engine.start(sh("exec sleep 60"), LIMITS)
    killed = container.kill()
    assert str(killed.exit_code) == "137 (128 + 9, as of SIGKILL)"
    with pytest.raises(SubmissionError, match="ended already"):
        container.kill()


def test_testinfra_over_the_kept_open_shell(engine):
    container = engine.start(RunSpec(image=DEBIAN, args=("sleep", "60")), LIMITS)
    host = infra_host(container)
    assert host.file("/etc/passwd").exists
    assert host.file("/etc/passwd").contains("root")
    assert not host.file("/nope; touch /tmp/x 'y").exists
    assert host.check_output("echo 'a  b'; printf '\\n'") == "a  b"
    result = host.run("echo out; echo err >&2; exit 7")
    assert (result.rc, result.stdout, result.stderr) == (7, "out\n", "err\n")
    assert host.run("exit 3").rc == 3
    assert host.run("cat").stdout == "", "stdin is empty, not the next command"
    assert len(host.run("head -c 3000000 /dev/zero | tr '\\0' x").stdout) == 1024 * 1024
    assert host.run("kill -9 $PPID $$; sleep 1; echo still").rc is not None
    assert host.run("echo again").stdout == "again\n"


def test_files_are_read_where_there_is_no_shell(engine, submission):
    dockerfile = 'FROM busybox AS b\nRUN mkdir -p /d/e && echo hi > /d/f && chown 7:8 /d/f && chmod 640 /d/f && ln -s f /d/l\nFROM scratch\nCOPY --from=b /d /d\nCOPY --from=b /bin/busybox /bin/busybox\nCMD ["/bin/busybox", "sleep", "60"]\n'
    image = engine.build(submission({"Dockerfile": dockerfile}), limits=LIMITS)
    container = engine.start(RunSpec(image=image.id), LIMITS)
    host = infra_host(container)
    assert container.shell is None
    file = host.file("/d/f")
    assert (
        file.exists,
        file.is_file,
        file.uid,
        file.gid,
        oct(file.mode),
        file.content_string,
    ) == (
        True,
        True,
        7,
        8,
        "0o640",
        "hi\n",
    )
    assert host.file("/d").listdir() == ["e", "f", "l"]
    assert host.file("/d/l").linked_to == "f"
    assert not host.file("/nope").exists
    assert container.pid1.argv == ("/bin/busybox", "sleep", "60")


def test_http_reaches_a_server_and_tells_who_listens_where(engine):
    http = Client(engine)
    server = engine.start(
        RunSpec(
            image=PYTHON,
            args=("python", "-m", "http.server", "5000"),
            network="inside",
            workdir="/etc",
        ),
        LIMITS,
    )
    page = http.wait(server, "/passwd", port=5000, within=10)
    assert (page.status, page.body[:4]) == (200, b"root")
    assert http.get(server, "/no such", port=5000).status == 404
    refused = http.get(server, port=5001)
    assert refused.status == 0
    assert "refused" in refused.error
    assert len(http.pages(server, "/passwd", port=5000, times=3)) == 3
    local = engine.start(
        RunSpec(
            image=PYTHON,
            args=("python", "-m", "http.server", "5000", "--bind", "127.0.0.1"),
            network="inside",
        ),
        LIMITS,
    )
    assert http.wait(local, port=5000, within=8, loopback=True).status == 200
    assert http.get(local, port=5000).status == 0
    assert ("loopback", 5000) in http.listeners(local)


def test_a_server_that_never_ends_its_answer_is_bounded(engine):
    http = Client(engine)
    flood = "while :; do (printf 'HTTP/1.1 200 OK\\r\\n\\r\\n'; cat /dev/zero) | nc -l -p 5000; done"
    server = engine.start(sh(flood, network="inside"), LIMITS)
    answers = iter(lambda: http.get(server, port=5000, timeout=20), None)
    assert (
        0
        < len(
            next(
                one.body
                for one in islice(answers, ASKED_AT_MOST)
                if one.body or time.sleep(LOOK)
            )
        )
        <= 10_000_000
    )
    garbage = engine.start(
        sh("while :; do echo nonsense | nc -l -p 5000; done", network="inside"), LIMITS
    )
    answers = iter(lambda: http.get(garbage, port=5000, timeout=3), None)
    assert any(
        "HTTP" in one.error or time.sleep(LOOK)
        for one in islice(answers, ASKED_AT_MOST)
    )


def test_builds_fail_with_line_and_last_words(engine, submission):
    with pytest.raises(BuildFailed) as caught:
        engine.build(
            submission(
                {"Dockerfile": "FROM busybox\nRUN true\nRUN echo last words; exit 9\n"}
            ),
            limits=LIMITS,
        )
    assert (caught.value.line, caught.value.detail) == (3, "last words")
    with pytest.raises(BuildFailed, match="COPY nope") as caught:
        engine.build(
            submission({"Dockerfile": "FROM busybox\nCOPY nope /\n"}), limits=LIMITS
        )
    assert caught.value.line == 2
    with pytest.raises(DockerfileInvalid, match="line 2: unknown instruction: FRUN"):
        engine.build(
            submission({"Dockerfile": "FROM busybox\nFRUN x\n"}), limits=LIMITS
        )


def test_a_build_has_a_time_limit(engine, submission):
    with pytest.raises(LimitReached, match="within 3 s"):
        engine.build(
            submission(
                {"Dockerfile": f"FROM busybox\nRUN sleep 3000 # {time.monotonic()}\n"}
            ),
            limits=replace(LIMITS, build_seconds=3),
        )


def test_a_base_image_that_cannot_be_had_is_told(engine, submission):
    with pytest.raises(
        (ImageUnavailable, SubmissionError),
        match=r"no-such-image-of-dockdojo:1.*line 1",
    ):
        engine.build(
            submission({"Dockerfile": "FROM no-such-image-of-dockdojo:1\n"}),
            limits=LIMITS,
        )


def test_the_official_syntax_line_builds_without_a_registry(engine, submission):
    image = engine.build(
        submission(
            {"Dockerfile": "# syntax=docker/dockerfile:1\nFROM busybox\nLABEL a=b\n"}
        ),
        limits=LIMITS,
    )
    assert image.labels["a"] == "b"


def test_layers_tell_what_each_holds_and_add_up_to_the_size(engine, submission):
    dockerfile = "FROM busybox\nCOPY big /d/big\nRUN rm /d/big && echo secret-word > /kept\nRUN rm -r /d && mkdir /d && echo x > /d/x\n"
    image = engine.build(
        submission({"Dockerfile": dockerfile, "big": "needle" * 1000}), limits=LIMITS
    )
    layers = engine.layers(image.id, (b"needle", b"secret-word"))
    assert [one.diff_id for one in layers] == list(image.layers)
    assert sum(one.size for one in layers) == image.size
    added = {entry.path: entry for entry in layers[-3].entries}
    assert (added["d/big"].size, added["d/big"].held) == (6000, (b"needle",))
    assert ("d/big", "whiteout") in {
        (entry.path, entry.kind) for entry in layers[-2].entries
    }
    assert [entry.path for entry in layers[-2].entries if entry.held] == ["kept"]
    assert {"d", "d/x"} <= {entry.path for entry in layers[-1].entries}
    assert "opaque" in {entry.kind for entry in layers[-1].entries} or "whiteout" in {
        entry.kind for entry in layers[-1].entries
    }
