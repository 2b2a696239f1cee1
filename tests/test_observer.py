"""The observer: processes are what the kernel says, whatever the image's programs say, and whatever a process calls itself."""

from __future__ import annotations

import time

import pytest

from dockdojo.connection.types import RunSpec
from dockdojo.engine.observer import listed, seconds_waited
from dockdojo.errors import SubmissionError
from dockdojo.model import Limits
from dockdojo.probes.testinfra_host import testinfra_host as infra_host

pytestmark = pytest.mark.engine
BUSYBOX, DEBIAN, PYTHON = "busybox:latest", "debian:bookworm-slim", "python:3.11-slim"
LIMITS = Limits()
LIAR = """FROM busybox
COPY --chmod=755 liar /liar
RUN for name in cat tr id ps sh; do rm /bin/$name; cp /liar /bin/$name; done
CMD ["/bin/busybox", "sh", "-c", "echo up; exec /bin/busybox sleep 60"]
"""
# Its first answer is right, so that it is taken for a shell; then it ends each command with a word where a number belongs.
NO_NUMBER = r"""#!/bin/busybox sh
read -r line
eval "$line"
while read -r line; do
  word=$(echo "$line" | /bin/busybox sed "s/.*'.n\([0-9a-f]*\) %d.*/\1/")
  printf "\n$word much\n"
  printf "\n$word\n" >&2
done
"""
KILLER = """import os, time
print("up", flush=True)
while True:
    for name in os.listdir("/proc"):
        if name.isdigit() and name != "1":
            try:
                os.kill(int(name), 9)
            except OSError:
                pass
    time.sleep(0.01)
"""
# It has a name that could end a line of a list, and words that could be records of one.
ODD = r'$0 = "a) Z 7\n/proc/9/status:Uid:\t0\nme 1\n\x01\x03"; $| = 1; print "up\n"; sleep 60'


def started(engine, *args, image=BUSYBOX, **options):
    container = engine.start(RunSpec(image=image, args=args or None, **options), LIMITS)
    assert container.wait_for_log("up")
    return container


def test_words_are_exact_and_variables_are_those_of_the_start(engine):
    words = ("two  words", "", "\x01\x03\n", "é")
    shell = started(
        engine,
        "sh",
        "-c",
        "sleep 60 & echo up; wait; true",
        *words,
        env={"A": "b\nc=d"},
    )
    assert shell.pid1.argv[3:] == words
    assert shell.program(1).path == "/bin/sh"
    assert shell.program(1).environ["A"] == "b\nc=d"
    child = next(one for one in shell.processes() if one.pid != 1)
    assert (child.ppid, child.argv) == (1, ("sleep", "60"))
    before = shell.last_pid()
    shell.signal_process(child.pid)
    assert shell.wait().exit_code == 0
    assert before >= child.pid
    assert shell.processes() == []


def test_a_signal_that_ends_the_container_at_once_was_sent(engine):
    """The observer goes with the container: what it said before tells."""
    for _ in range(10):
        container = started(engine, "sh", "-c", "sleep 60 & echo up; wait $!; exit 3")
        child = next(one for one in container.processes() if one.pid != 1)
        container.signal_process(child.pid)
        assert container.wait().exit_code == 3
        with pytest.raises(SubmissionError, match="no process"):
            container.signal_process(child.pid)


def test_an_odd_name_hides_and_forges_nothing(engine):
    container = started(engine, "perl", "-e", ODD, image=DEBIAN, user="1000")
    only = container.processes()
    assert [(one.pid, one.ppid, one.uid, one.is_root) for one in only] == [
        (1, 0, 1000, False)
    ]
    assert only[0].argv[0].startswith("a) Z 7\n/proc/9/status:Uid:\t0\nme 1\n\x01\x03")
    assert container.program(1).path == "/usr/bin/perl"
    with pytest.raises(SubmissionError, match="no process 4000"):
        container.program(4000)
    with pytest.raises(SubmissionError, match="no process 4000"):
        container.signal_process(4000)


def test_who_can_be_root_again_is_root(engine):
    script = "import os; os.setresuid(1000, 1000, 0); print('up', flush=True); os.read(0, 1) or __import__('time').sleep(60)"
    container = started(engine, "python", "-c", script, image=PYTHON)
    assert container.pid1.uid == 1000
    assert container.pid1.is_root


def test_programs_of_the_image_that_lie_are_not_asked(engine, submission):
    image = engine.build(
        submission({"Dockerfile": LIAR, "liar": NO_NUMBER}), limits=LIMITS
    )
    container = started(engine, image=image.id)
    assert [one.uid for one in container.processes()] == [0]
    assert container.program(1).path == "/bin/busybox"
    host = infra_host(container)
    assert host.file("/etc/passwd").user == "root"
    assert host.file("/liar").is_executable
    assert container.shell is not None
    assert isinstance(host.run("true").rc, int)
    container.stop(grace=0)
    with pytest.raises(SubmissionError):
        container.exec("true")


def test_what_a_health_check_runs_is_seen(engine, submission):
    dockerfile = "FROM busybox\nHEALTHCHECK --interval=1s --timeout=60s CMD sleep 50\nCMD echo up; sleep 60\n"
    image = engine.build(submission({"Dockerfile": dockerfile}), limits=LIMITS)
    container = started(engine, image=image.id)
    seen = set()
    for _ in range(
        100
    ):  # it begins a second after the container, as somebody else's program at first
        seen = {(one.ppid, one.argv) for one in container.processes() if one.pid != 1}
        if (0, ("sleep", "50")) in seen:
            break
        time.sleep(0.2)
    assert (0, ("sleep", "50")) in seen


def test_who_kills_the_observer_is_at_fault(engine):
    container = started(engine, "python", "-c", KILLER, image=PYTHON)
    with pytest.raises(SubmissionError, match="ends whatever looks at its processes"):
        container.processes()
    assert container.running


def test_a_list_that_was_cut_or_mixed_up_is_read_as_far_as_it_goes():
    told = "me 5\n/proc/1/status:Name:\tx\n/proc/1/status:State:\tS (sleeping)\n/proc/1/status:PPid:\t0\n"
    assert listed(told) == []
    told += "/proc/1/status:Uid:\t1\t2\t3\t4\n/proc/1/words\n 61 00 6\n"
    assert [(one.argv, one.uid, one.uids) for one in listed(told)] == [
        (("a",), 2, (1, 2, 3, 4))
    ]


def test_seconds_without_a_processor_are_read_from_whole_lines():
    assert seconds_waited(
        "5 1500000000 3\n7 500000000 1\n\n1 2\nx 9000000000 1\n"
    ) == pytest.approx(2.0)


def test_processes_that_share_a_processor_wait_for_it(engine):
    spin = "while :; do :; done"
    made = engine.start(
        RunSpec(image=BUSYBOX, args=("taskset", "1", "sh", "-c", f"({spin}) & {spin}")),
        LIMITS,
    )
    for _ in range(100):
        if made.waited_for_processor() > 1:
            break
        time.sleep(0.3)
    else:
        pytest.fail("they never waited")
