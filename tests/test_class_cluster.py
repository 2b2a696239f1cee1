"""A class on several machines, played by processes on loopback: whoever is killed or frozen, all marks are right and counted once."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tarfile
import threading
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

import dockdojo
from dockdojo.class_.cluster.certificates import make_certificates
from dockdojo.class_.cluster.crew import Crew
from dockdojo.class_.cluster.packing import pack, unpack
from dockdojo.class_.cluster.settings import host_and_port
from dockdojo.class_.cluster.worker import PROTOCOL
from dockdojo.class_.journal import MAX_ATTEMPTS
from dockdojo.class_.rows import opened, read_rows, results_of
from dockdojo.cli import main
from dockdojo.errors import Refused, UsageError
from dockdojo.processes import end_session
from tests.class_exports import written

ROOT = Path(__file__).parents[1]
PATIENCE_SECONDS = 120
"""Until a test gives up; nothing waits as long where all is well."""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates") / "ours"
    make_certificates(folder)
    return folder


def until(condition, what):
    end = time.monotonic() + PATIENCE_SECONDS
    while not (found := condition()):
        assert time.monotonic() < end, what
        time.sleep(0.05)
    return found


class Process:
    """A process whose output goes to a file."""

    def __init__(self, role, words, output, env):
        self.output = output
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.cluster_processes", role, *words],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=ROOT,
                env={**os.environ, **env},
            )

    @property
    def said(self):
        return self.output.read_text(errors="replace")

    def says(self, pattern):
        """Wait for a line; return what the pattern's groups hold."""

        def look():
            found = re.search(pattern, self.said, re.MULTILINE)
            assert found or self.process.poll() is None, self.said
            return found

        return until(look, f"{pattern} in {self.said}").groups()

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.process.wait()

    def ends(self):
        code = self.process.wait(PATIENCE_SECONDS)
        assert "Traceback" not in self.said, self.said
        return code


class Machines:
    """The processes of a test."""

    def __init__(self, folder, certificates):
        self.folder, self.certificates = folder, certificates
        self.gate, self.log = folder / "gate", folder / "orders"
        self.log.write_text("")
        self.address = ""
        self.processes = []

    def start(self, role, *words, **env):
        output = self.folder / f"{len(self.processes)}-{role}.txt"
        process = Process(role, [str(word) for word in words], output, env)
        self.processes.append(process)
        return process

    def scheduler(self):
        process = self.start(
            "scheduler", self.address or "tls://127.0.0.1:0", self.certificates
        )
        (self.address,) = process.says(r"listens at (\S+);")
        return process

    def worker(self, slots=1, *, engine="one", log=None, **env):
        process = self.start(
            "worker",
            self.address,
            self.certificates,
            slots,
            log or self.log,
            self.gate,
            engine,
            **env,
        )
        process.says("grades for")
        return process

    def coordinator(self, orders=None, **settings):
        for name, order in (orders or {}).items():
            written(self.folder / "class" / name, {"Dockerfile": order.encode()})
        return self.start(
            "coordinator",
            self.address,
            self.certificates,
            self.folder / "class",
            self.folder / "run",
            *(f"{name}={seconds}" for name, seconds in settings.items()),
        )

    @property
    def orders(self):
        return Counter(self.log.read_text().splitlines())

    def begun(self, *orders):
        until(lambda: set(orders) <= set(self.orders), f"{orders}, {self.said}")

    @property
    def said(self):
        return "\n".join(process.said for process in self.processes)

    @property
    def states(self):
        return {row.name: row.state for row in read_rows(self.folder / "run")}

    def each_counted_once(self):
        """Whoever is done has one result, of the last attempt, with all points."""
        with (opened(self.folder / "run") as database,):
            for row in read_rows(self.folder / "run"):
                if row.state == "done":
                    (result,) = results_of(database, row.name)
                    assert (result.attempt, result.report) == (row.attempt, row.report)


@pytest.fixture
def machines(tmp_path, certificates):
    made = Machines(tmp_path, certificates)
    try:
        yield made
    finally:
        made.gate.touch()
        for process in made.processes:
            end_session(process.process.pid)
            process.process.wait()


def test_two_workers_grade_a_class(machines):
    machines.scheduler()
    workers = [machines.worker(2), machines.worker(1)]
    run = machines.coordinator({f"s{i}": f"pass {i}" for i in range(20)})
    assert run.ends() == 0
    assert set(machines.states.values()) == {"done"}
    assert machines.orders == {f"pass {i}": 1 for i in range(20)}
    machines.each_counted_once()
    assert run.said.count(" grades, ") == 2
    for worker in workers:
        worker.kill(signal.SIGTERM)
        assert worker.ends() == 0


def test_a_worker_is_killed(machines):
    machines.scheduler()
    first = machines.worker(1)
    people = {"ada": "wait a", "bo": "wait b", "cy": "pass c"}
    run = machines.coordinator(people)
    until(lambda: machines.orders, machines.said)
    second = machines.worker(1)
    machines.begun("wait a", "wait b")
    first.kill()
    until(lambda: "is gone" in run.said, machines.said)
    machines.gate.touch()
    assert run.ends() == 0
    assert set(machines.states.values()) == {"done"}
    assert "fault" not in run.said
    machines.each_counted_once()
    assert second.process.poll() is None


def test_a_scheduler_is_killed_and_another_one_comes(machines):
    scheduler = machines.scheduler()
    worker = machines.worker(2)
    people = {f"s{i}": f"wait {i}" for i in range(4)}
    run = machines.coordinator(people)
    until(lambda: len(machines.orders) == 2, machines.said)
    scheduler.kill()
    worker.says("is gone, or has given us up")
    machines.scheduler()
    until(lambda: worker.said.count("grades for") == 2, machines.said)
    machines.gate.touch()
    assert run.ends() == 0
    assert set(machines.states.values()) == {"done"}
    assert "fault" not in run.said
    machines.each_counted_once()


def test_a_scheduler_is_killed_and_none_comes(machines):
    scheduler = machines.scheduler()
    machines.worker(1)
    run = machines.coordinator({"ada": "wait a", "bo": "pass b"}, death_timeout=2)
    until(lambda: machines.orders, machines.said)
    scheduler.kill()
    run.says("^ended The scheduler at .* is gone")
    run.ends()
    assert set(machines.states.values()) <= {"waiting", "done"}
    machines.gate.touch()
    machines.scheduler()
    assert machines.coordinator().ends() == 0
    assert set(machines.states.values()) == {"done"}
    machines.each_counted_once()


def test_the_coordinator_is_killed_and_the_same_command_goes_on(machines):
    machines.scheduler()
    machines.worker(2)
    people = {f"s{i}": f"pass {i}" for i in range(6)} | {"x": "wait x"}
    run = machines.coordinator(people)
    machines.begun("wait x")
    until(lambda: run.said.count("done") >= 3, machines.said)
    run.kill()
    machines.gate.touch()
    assert machines.coordinator().ends() == 0
    assert set(machines.states.values()) == {"done"}
    machines.each_counted_once()


def test_what_nobody_waits_for_is_ended(machines):
    machines.scheduler()
    machines.worker(1)
    run = machines.coordinator({"ada": "wait a"})
    machines.begun("wait a")
    run.kill(signal.SIGTERM)
    assert run.ends() == 0
    assert machines.states == {"ada": "waiting"}
    written(machines.folder / "class" / "ada", {"Dockerfile": b"pass b"})
    assert machines.coordinator().ends() == 0  # the only slot is free, the gate shut
    assert machines.states == {"ada": "done"}


def test_a_worker_is_frozen_and_wakes(machines):
    machines.scheduler()
    frozen = machines.worker(1)
    run = machines.coordinator({"ada": "wait a"})
    machines.begun("wait a")
    machines.worker(1)
    run.says("(grades, 1 at a time.\n(?:.*\n)*.*grades, 1 at a time)")
    frozen.kill(signal.SIGSTOP)
    run.says("is gone")
    machines.gate.touch()
    frozen.kill(signal.SIGCONT)
    assert run.ends() == 0
    assert machines.states == {"ada": "done"}
    machines.each_counted_once()
    until(lambda: frozen.said.count("grades for") == 2, frozen.said)


def test_a_submission_that_kills_whoever_grades_it_costs_one_row(machines):
    machines.scheduler()
    workers = [machines.worker(1), machines.worker(1)]
    people = {f"s{i}": f"pass {i}" for i in range(10)} | {"x": "die"}
    run = machines.coordinator(people)
    assert run.ends() == 0
    states = machines.states
    assert states.pop("x") == "not final"
    assert set(states.values()) == {"done"}
    assert machines.orders["die"] == MAX_ATTEMPTS
    assert all(worker.process.poll() is None for worker in workers)
    assert "exit code -9" in run.said
    machines.each_counted_once()


def test_a_submission_that_kills_workers_is_told_from_those_beside_it(machines):
    machines.scheduler()
    machines.worker(1)
    machines.worker(1)
    run = machines.coordinator({"bo": "wait b", "x": "murder x"})
    machines.begun("wait b", "murder x")
    run.says("is gone")
    machines.gate.touch()
    run.says("^fault x 2 workers died while they graded it")
    run.kill(signal.SIGTERM)
    assert run.ends() == 0
    assert machines.states["x"] == "waiting"
    assert "fault bo" not in run.said
    machines.worker(1)
    assert machines.coordinator({"x": "pass x"}).ends() == 0
    assert set(machines.states.values()) == {"done"}
    machines.each_counted_once()


def test_a_worker_with_another_toolkit_is_refused_by_name(machines, tmp_path):
    package = Path(dockdojo.__file__).parent
    other = tmp_path / "other" / "dockdojo"
    shutil.copytree(package, other, ignore=shutil.ignore_patterns("__pycache__"))
    with (other / "model.py").open("a") as file:
        file.write("# another one\n")
    machines.scheduler()
    log = tmp_path / "strange"
    stranger = machines.worker(
        4, log=log, PYTHONPATH=str(other.parent), DOCKDOJO_COURSE=str(ROOT)
    )
    (name,) = stranger.says(r"^(\S+) grades for")
    run = machines.coordinator({f"s{i}": f"pass {i}" for i in range(8)})
    run.says(f"{name} is refused: not the same as here: toolkit")
    machines.worker(1)
    assert run.ends() == 0
    assert set(machines.states.values()) == {"done"}
    assert not log.exists()


def test_a_worker_with_another_engine_is_refused_by_name(machines, tmp_path):
    machines.scheduler()
    log = tmp_path / "strange"
    machines.worker(2)
    stranger = machines.worker(1, engine="two", log=log)
    (name,) = stranger.says(r"^(\S+) grades for")
    run = machines.coordinator({f"s{i}": f"pass {i}" for i in range(8)})
    assert run.ends() == 0
    assert set(machines.states.values()) == {"done"}
    assert f"{name} is refused: its engine or its base images" in run.said
    assert not log.exists()


def test_a_worker_is_taken_out_after_faults_in_a_row_and_the_run_stops_without_any(
    machines,
):
    machines.scheduler()
    machines.worker(1)
    run = machines.coordinator(
        {f"s{i}": f"fault {i}" for i in range(5)}, no_workers_timeout=2
    )
    run.says("is taken out: 3 submissions in a row .* no space left")
    run.says("^ended .* has no worker that can be used")
    run.ends()
    assert Counter(machines.states.values())["waiting"] >= 2


def test_one_submission_takes_no_worker_out():
    said, common = [], dict.fromkeys(("lab", "grader", "toolkit", "libraries"), "x")
    crew = Crew(common, 3, said.append)
    words = {**common, "protocol": PROTOCOL, "name": "w", "engine": "e"}
    crew.join({"a": words, "b": {**words, "protocol": "0"}, "c": OSError()}, {"a": 4})
    assert (crew.fit, crew.slots, crew.engine) == ({"a"}, 4, "e")
    for submission in ("1", "1", "1", "2"):
        crew.bad("a", submission, "no space left")
    assert crew.fit == {"a"}
    crew.good("a")
    crew.bad("a", "3", "no space left")
    assert crew.fit == {"a"}
    for submission in ("4", "5"):
        crew.bad("a", submission, "no space left")
    assert not crew.fit
    assert "The worker w is taken out" in said[-1]


def test_a_report_that_is_too_long_is_a_fault(machines):
    machines.scheduler()
    machines.worker(1)
    run = machines.coordinator({"ada": "long"})
    run.ends()
    assert machines.states == {"ada": "not final"}
    assert "1,000,000 bytes" in run.said


# Who may take part


def test_certificates_are_private_and_not_written_over(tmp_path, capsys):
    assert main(["class", "certificates", str(tmp_path / "c")]) == 0
    names = {path.name for path in (tmp_path / "c").iterdir()}
    keys = {name for name in names if name.endswith("-key.pem")}
    assert len(names) == 7
    assert len(keys) == 3
    for name in keys:
        mode = stat.S_IMODE((tmp_path / "c" / name).stat().st_mode)
        assert mode == 0o600
    before = {name: (tmp_path / "c" / name).read_bytes() for name in names}
    assert main(["class", "certificates", str(tmp_path / "c")]) == 2
    assert "is there already" in capsys.readouterr().err
    assert before == {name: (tmp_path / "c" / name).read_bytes() for name in names}


def test_nothing_is_reached_from_other_machines_or_without_encryption(machines):
    processes = [machines.scheduler(), machines.worker(1)]
    for process in processes:
        listening = [
            connection.laddr.ip
            for connection in psutil.Process(process.process.pid).net_connections()
            if connection.status == psutil.CONN_LISTEN
        ]
        assert set(listening) == {"127.0.0.1"}


def test_strangers_are_refused_in_a_line(machines, tmp_path, capsys):
    machines.scheduler()
    others = tmp_path / "others"
    make_certificates(others)
    none = tmp_path / "none"
    none.mkdir()
    half = tmp_path / "half"  # our authority, another one's certificate
    shutil.copytree(others, half)
    shutil.copy(machines.certificates / "ca.pem", half)
    written(tmp_path / "class" / "ada", {"Dockerfile": b"FROM busybox\n"})
    plain = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_answer_plainly, args=(plain,), daemon=True).start()
    nothing = socket.create_server(("127.0.0.1", 0))
    nobody = f"tls://127.0.0.1:{nothing.getsockname()[1]}"
    nothing.close()
    ours = machines.certificates
    for address, folder, code, said in (
        (machines.address, none, 2, "There is no"),
        (machines.address, others, 2, "another authority"),
        (machines.address, half, 2, "refuses our certificate"),
        (machines.address.replace("tls", "tcp"), ours, 2, "nothing goes unencrypted"),
        ("127.0.0.1", ours, 2, "no address of a scheduler"),
        (f"tls://127.0.0.1:{plain.getsockname()[1]}", ours, 2, "does not speak TLS"),
        (nobody, ours, 3, "No scheduler can be reached"),
    ):
        words = ("--scheduler", address, "--certificates", str(folder))
        source, run = str(tmp_path / "class"), str(tmp_path / "run")
        found = main(["class", "grade", "hello_world", source, "--to", run, *words])
        shown = capsys.readouterr()
        assert (found, said in shown.err) == (code, True), shown.err
        assert shown.err.count("\n") == 1, shown.err
    plain.close()
    words = ("--scheduler", machines.address)
    assert main(["class", "grade", "hello_world", source, "--to", run, *words]) == 2
    assert "go together" in capsys.readouterr().err


def _answer_plainly(server):
    try:
        while True:
            connection, _ = server.accept()
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.close()
    except OSError:
        return


def test_an_address_that_is_in_use_is_a_line(machines):
    machines.scheduler()
    second = machines.start("scheduler", machines.address, machines.certificates)
    assert second.process.wait(PATIENCE_SECONDS) == 3
    assert "Nothing can listen at" in second.said
    assert "Traceback" not in second.said


@pytest.mark.parametrize(
    "words",
    [
        ("certificates", "c"),
        ("scheduler", "--certificates", "c"),
        ("worker", "tls://127.0.0.1", "--certificates", "c"),
        ("grade", "hello_world", "class", "--to", "r", "--scheduler", "tls://x", "--certificates", "c"),
    ],
)  # fmt: skip
def test_without_the_extra_the_way_to_it_is_told(tmp_path, words):
    written(tmp_path / "class" / "ada", {"Dockerfile": b"FROM busybox\n"})
    program = (
        "import sys; sys.modules['distributed'] = None\n"
        "from dockdojo.cli import main\n"
        f"sys.exit(main(['class', *{list(words)}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "pip install 'dockdojo[cluster]'" in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:1", "127.0.0.1:1", "tls://", "tls://x:y", "tls://x/y"]
)
def test_addresses_that_are_none(address):
    with pytest.raises(UsageError, match="no address of a scheduler"):
        host_and_port(address)


# The way there


def test_a_safe_copy_arrives_as_it_was(tmp_path):
    source = tmp_path / "source"
    written(source, {"Dockerfile": b"FROM x\n", "a/b.sh": b"#!/bin/sh\n"})
    (source / "a" / "b.sh").chmod(0o755)
    (source / "writable").write_bytes(b"")
    (source / "writable").chmod(0o666)
    (source / "link").symlink_to("a/b.sh")
    (source / "empty").mkdir()
    (source / os.fsdecode(b"\xff")).write_bytes(b"x")
    unpack(pack(source), tmp_path / "target")

    def seen(folder):
        return {
            path.relative_to(folder): (
                os.readlink(path)
                if path.is_symlink()
                else (path.lstat().st_mode, path.is_file() and path.read_bytes())
            )
            for path in folder.rglob("*")
        }

    assert seen(source) == seen(tmp_path / "target")


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out"])
def test_nothing_is_unpacked_outside(tmp_path, name):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    with pytest.raises(Refused):
        unpack(out.getvalue(), tmp_path / "target")
    assert not (tmp_path / "out").exists()


def test_no_link_leads_out(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "link").symlink_to("../../etc/passwd")
    with pytest.raises(Refused):
        unpack(pack(source), tmp_path / "target")


@pytest.mark.engine
def test_a_class_on_a_worker_beside_a_real_engine(machines, real_engine, capsys):
    machines.scheduler()
    names = ("--certificates", str(machines.certificates))
    worker = subprocess.Popen(
        [sys.executable, "-m", "dockdojo", "class", "worker", machines.address, *names],
        stderr=subprocess.PIPE,
    )
    source, run = machines.folder / "class", machines.folder / "run"
    try:
        assert b"grades for" in worker.stderr.readline()
        shutil.copytree(ROOT / "solutions" / "hello_world", source / "ada")
        shutil.copytree(ROOT / "labs" / "hello_world" / "starter", source / "bo")
        words = ("hello_world", str(source), "--to", str(run))
        code = main(["class", "grade", *words, "--scheduler", machines.address, *names])
        shown = capsys.readouterr()
        assert code == 0, shown.out + shown.err
        assert machines.states == {"ada": "done", "bo": "done"}
        assert "100/100" in shown.out
    finally:
        worker.terminate()
        assert worker.wait(PATIENCE_SECONDS) == 0
