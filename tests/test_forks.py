"""What grades is forked from a process that has imported everything: the same marks, nothing of one grading in the next."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from dockdojo import processes
from dockdojo.connection.labels import owner
from dockdojo.grading import forks, grade
from dockdojo.grading.child import environment
from tests.conftest import FAKE
from tests.gone import still_there

pytestmark = pytest.mark.skipif(not forks.CAN_FORK, reason="it cannot fork here")
GRADER = """
import os, sys, tempfile

@check(points=1)
def test_tells(submission):
    "It tells."
    with open("TOLD", "a") as file:
        print(os.getppid(), os.getsid(0) == os.getpid(), tempfile.gettempdir(), os.environ["DOCKDOJO_OWNER"],
              hasattr(sys, "left_behind"), sorted(map(int, os.listdir("/proc/self/fd")))[-1], file=file)
    sys.left_behind = True
    os.environ["LEFT"] = "behind"
    if "die" in submission.read("Dockerfile"):
        os.kill(os.getpid(), 9)

@check(points=1)
def test_draws(submission):
    "It draws."
    import random
    fail(observed=str(random.random()))
"""


@pytest.fixture
def told(tmp_path, make_course, submission):
    """Grades within `forking`, and returns the report and what the grader wrote down."""
    course = make_course(GRADER.replace("TOLD", str(tmp_path / "told")))
    with forks.forking():

        def run(text="FROM busybox\n"):
            report = grade(
                "sample", submission({"Dockerfile": text}), course=course, connect=FAKE
            )
            lines = (tmp_path / "told").read_text().splitlines()
            return report, [line.split() for line in lines]

        yield run


def test_each_is_a_process_of_its_own(told):
    first, _ = told()
    second, (one, other) = told()
    assert one[0] == other[0]  # the same server
    for _, leads_session, folder, marked, has_left, _ in (one, other):
        assert (leads_session, has_left, marked) == ("True", "False", owner())
        assert Path(folder).parent.parent.name.startswith("dockdojo-run-")
    assert one[2] != other[2]
    assert [outcome.status for outcome in first.outcomes] == ["passed", "failed"]
    drawn = {report.outcomes[1].feedback.observed for report in (first, second)}
    assert len(drawn) == 2


def test_the_same_as_without(told, monkeypatch):
    forked, _ = told()
    server = forks._server[-1]
    monkeypatch.setenv("DOCKER_CONTEXT", "default")  # not what the server has
    plain, lines = told()
    assert lines[-1][0] == str(os.getpid())
    assert server is forks._server[-1]
    assert [
        (outcome.check, outcome.status, outcome.points) for outcome in forked.outcomes
    ] == [(outcome.check, outcome.status, outcome.points) for outcome in plain.outcomes]


def test_one_that_dies_is_told_and_costs_one_check(told):
    report, _ = told("FROM busybox # die\n")
    assert [outcome.status for outcome in report.outcomes] == [
        "error",
        "failed",
    ], report.outcomes
    assert "SIGKILL" in report.outcomes[0].feedback.observed


def test_a_server_that_died_is_started_again(told):
    told()
    forks._server[-1]._process.kill()
    forks._server[-1]._process.wait()
    for _ in range(2):
        report, lines = told()
        assert report.outcomes[0].status == "passed"
    assert lines[0][0] != lines[-1][0] != str(os.getpid())


def test_its_number_is_kept_until_it_is_released(tmp_path):
    with forks.forking(), tempfile.TemporaryFile() as said:
        forked = forks.fork([], environment(), {}, tmp_path, said)
        assert forked.poll() is None
        forked.stdin.close()  # no request: it ends
        assert forked.wait(60) == 0
        assert processes.is_zombie(forked.pid)
        assert psutil.pid_exists(forked.pid)
        forked.stdout.close()
        process = psutil.Process(forked.pid)
        forked.release()
        end = time.monotonic() + 60
        while process.is_running() and time.monotonic() < end:  # also as a zombie
            time.sleep(0.01)
        assert not process.is_running()


GRADES = """
import os, sys, tempfile, time
from pathlib import Path
from dockdojo.grading import forks
with forks.forking(), tempfile.TemporaryFile() as said, tempfile.TemporaryDirectory() as home:
    forked = [forks.fork([], dict(os.environ), {}, Path(home), said) for _ in range(3)]
    print([forks._server[-1]._process.pid, *(one.pid for one in forked)], flush=True)
    time.sleep(600)
"""


def test_nothing_outlives_whoever_asked(tmp_path):
    asks = subprocess.Popen([sys.executable, "-c", GRADES], stdout=subprocess.PIPE)
    numbers = [psutil.Process(number) for number in json.loads(asks.stdout.readline())]
    assert all(process.is_running() for process in numbers)
    asks.send_signal(signal.SIGKILL)
    asks.wait()
    assert not still_there(numbers, 60)
