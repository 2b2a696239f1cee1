"""Whatever happens, the engine and the host end up as they were."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import docker
import pytest
import requests

from dockdojo import processes
from dockdojo.connection.labels import OWNER, RUN, owner, owner_lives
from dockdojo.connection.types import RunSpec
from dockdojo.engine import client
from dockdojo.errors import EngineGone
from dockdojo.grading import grade
from dockdojo.model import Limits
from dockdojo.runner.background import gather

GRADER = '''
@check(points=1)
def test_everything(start, http, session):
    """Everything that can be made is made."""
    one = start("sleep", "300")
    http.get(one, port=1)
    assert session.run("true").exit_code == 0


@check(points=1)
def test_waits(session, container):
    """It waits."""
    session.run("sleep", "20")
'''
DOCKERFILE = (
    'FROM busybox\nVOLUME /data\nRUN echo something > /new\nCMD ["sleep", "300"]\n'
)


def is_counted(labels):
    """Whether something on the engine is looked at here: not what another program's grading, which goes on, has made meanwhile."""
    whose = (labels or {}).get(OWNER, "")
    return whose == owner() or not owner_lives(whose)


def census(engine):
    api = engine.api
    folders = {one.name for one in Path(tempfile.gettempdir()).glob("dockdojo-*")}
    pids = {
        name: int(found[1])
        for name in folders
        if (found := re.match(r"dockdojo-run-(\d+)-", name))
    }
    return {
        "containers": {
            one["Id"] for one in api.containers(all=True) if is_counted(one["Labels"])
        },
        "images": {
            one["Id"] for one in api.images(all=True) if is_counted(one["Labels"])
        },
        "networks": {one["Id"] for one in api.networks() if is_counted(one["Labels"])},
        "volumes": {
            one["Name"]
            for one in api.volumes()["Volumes"] or []
            if is_counted(one["Labels"])
        },
        "folders": {
            name
            for name, pid in pids.items()
            if pid == os.getpid() or not processes.lives(pid)
        },
    }


def made_by(engine, process):
    """The containers of a grading that another process does."""
    whose = [
        one["Labels"][OWNER]
        for one in engine.api.containers(all=True, filters={"label": RUN})
    ]
    return [one for one in whose if one.split(":")[1] == str(process.pid)]


@pytest.fixture
def place(make_course, submission):
    made = make_course(GRADER, lab_toml="[limits]\ncheck_seconds = 5\n")
    return made, submission({"Dockerfile": DOCKERFILE})


def test_success_and_failure_leave_nothing(engine, place):
    before = census(engine)
    made, folder = place
    report = grade("sample", folder, course=made)
    assert [one.status for one in report.outcomes] == ["passed", "failed"]
    assert "within 5 s" in report.outcomes[1].feedback.observed
    assert census(engine) == before


def test_two_that_clean_the_same_run_at_once_leave_nothing(engine):
    """A grading's process and whoever started it may both be at it: a container that the other one removes is no trouble."""
    spec = RunSpec(image="busybox", args=("sleep", "300"), network="inside")
    made = [engine.start(spec, Limits()).id for _ in range(6)]
    network = engine.network()
    found = gather(engine.clean, engine.clean, engine.clean)
    assert sum(one["containers"] for one in found) >= len(made)
    assert not {one["Id"] for one in engine.api.containers(all=True)} & set(made)
    assert network not in {one["Id"] for one in engine.api.networks()}


def test_a_container_that_cannot_be_removed_keeps_nothing_else_there(
    engine, monkeypatch
):
    spec = RunSpec(image="busybox", args=("sleep", "300"))
    older, newest = (
        engine.start(spec, Limits()).id for _ in range(2)
    )  # the newest one is listed first
    remove = engine.api.remove_container

    def refuse(container, **options):
        if container == newest:
            response = requests.Response()
            response.status_code = 500
            raise docker.errors.APIError("refused", response=response)
        remove(container, **options)

    with monkeypatch.context() as patched:
        patched.setattr(engine.api, "remove_container", refuse)
        with pytest.raises(EngineGone, match="could not remove a container"):
            engine.clean()
    assert {one["Id"] for one in engine.api.containers(all=True)} & {older, newest} == {
        newest
    }


def started(made, folder):
    command = [
        sys.executable,
        "-m",
        "dockdojo",
        "--course",
        str(made.root),
        "grade",
        "sample",
        str(folder),
    ]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def until_busy(engine, process):
    """Waits until `process` has made two containers."""
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        if len(made_by(engine, process)) >= 2:
            return
        time.sleep(0.05)
    raise AssertionError(process.communicate())


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_ctrl_c_and_sigterm_leave_nothing(engine, place, number, code):
    before = census(engine)
    process = started(*place)
    until_busy(engine, process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "Traceback" not in out + err
    assert census(engine) == before


def test_after_sigkill_clean_removes_ours_and_never_others(engine, place):
    others = engine.api.create_container(
        "busybox:latest", ["sleep", "60"], labels={"somebody": "else"}
    )["Id"]
    mine = engine.start(
        RunSpec(image="busybox:latest", args=("sleep", "60")), Limits()
    )  # a run that goes on
    before = census(engine)
    process = started(*place)
    try:
        until_busy(engine, process)
        process.kill()
        process.communicate(timeout=30)
        assert census(engine) != before
        time.sleep(
            1.5
        )  # its child notices that nobody listens, or goes on: either way clean must manage
        done = subprocess.run(
            [sys.executable, "-m", "dockdojo", "clean"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "containers" in done.stdout, done
        assert census(engine) == before
        assert mine.running
        again = subprocess.run(
            [sys.executable, "-m", "dockdojo", "clean"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Nothing was left" in again.stdout
    finally:
        engine.api.remove_container(others, force=True)


def test_owners_are_known_to_live_or_not():
    assert owner_lives(owner())
    machine, pid, started_at = owner().split(":")
    assert int(pid) == os.getpid()
    assert not owner_lives(
        f"{machine}:{pid}:1"
    ), "the number belongs to another process now"
    assert not owner_lives(f"{machine}:4194999:{started_at}")
    assert owner_lives(
        f"another:{pid}:{started_at}"
    ), "another machine's is never judged dead"
    assert not owner_lives("")


def test_the_engine_dying_in_the_middle_is_not_the_students_loss(
    make_course, submission, real_engine, tmp_path
):
    """A proxy in front of the engine is cut off while a check runs: the same as an engine that dies."""
    made = make_course(f'''
        from pathlib import Path

        @check(points=1)
        def test_before(run):
            """Before."""
            assert run().exit_code == 0
            Path({str(tmp_path / "cut")!r}).touch()
            import time; time.sleep(1)

        @check(points=1)
        def test_after(run):
            """After."""
            run()
        ''')
    socket = tmp_path / "docker.sock"
    proxy = subprocess.Popen(
        [
            sys.executable,
            str(Path(__file__).with_name("proxy.py")),
            real_engine.removeprefix("unix://"),
            str(socket),
            str(tmp_path / "cut"),
        ]
    )
    try:
        while not socket.exists():
            time.sleep(0.02)
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "dockdojo",
                "--course",
                str(made.root),
                "grade",
                "sample",
                str(submission({"Dockerfile": "FROM busybox\nCMD true\n"})),
                "--format",
                "json",
            ],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"DOCKER_HOST": f"unix://{socket}"},
            timeout=120,
        )
    finally:
        proxy.kill()
        proxy.wait()
        with client.connect() as engine:
            engine.clean_dead()
    assert done.returncode == 3, done
    assert "Traceback" not in done.stderr
    assert '"status": "error"' in done.stdout
    assert '"final": false' in done.stdout
