"""Scheduler, worker and coordinator as processes of their own, on loopback and with short times; a small program plays the slot.

`python -m tests.cluster_processes ROLE ...`; tests/test_class_cluster.py starts, kills and freezes them.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

from dockdojo.class_.cluster.remote import Cluster
from dockdojo.class_.cluster.services import run_scheduler, run_worker
from dockdojo.class_.cluster.settings import Settings
from dockdojo.class_.cluster.worker import Machine
from dockdojo.class_.depends import of_course
from dockdojo.class_.journal import Journal
from dockdojo.class_.people import read_rosters
from dockdojo.class_.plan import make_plan, read_source
from dockdojo.class_.run import ClassRun, Control
from dockdojo.class_.trees import open_tree
from dockdojo.course import open_course
from dockdojo.errors import DockdojoError
from dockdojo.model import Outcome, Report
from dockdojo.reports import json as json_report

LAB = "hello_world"
SETTINGS = Settings(worker_ttl=2)
LOOK_SECONDS = 0.02
MAX_BYTES = 1_000_000


def say(text):
    print(text, flush=True)


def slot(log, gate):
    """Do what the first word of a submission's Dockerfile says, and log that it was begun."""
    parent = os.getppid()
    for line in sys.stdin:
        folder = Path(json.loads(line)["folder"])
        words = (folder / "Dockerfile").read_text().split()
        with open(log, "a") as file:
            file.write(f"{' '.join(words)}\n")
        order = words[0]
        if order == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if order == "murder":
            os.kill(parent, signal.SIGKILL)
        while order == "wait" and not Path(gate).exists() and os.getppid() == parent:
            time.sleep(LOOK_SECONDS)
        if order == "fault":
            print(json.dumps({"fault": "no space left"}), flush=True)
            continue
        outcome = Outcome(check="a", title="A", status="passed", points=10)
        report = Report(
            lab=LAB,
            title="x" * (MAX_BYTES if order == "long" else 1),
            outcomes=(outcome,),
            started="",
            seconds=0.0,
        )
        print(json.dumps({"report": json_report.render(report)}), flush=True)


def worker(address, certificates, slots, log, gate, engine):
    command = (sys.executable, "-m", __spec__.name, "slot", log, gate)
    machine = Machine(
        slots=int(slots), command=command, prepare=lambda course, slug, tell: engine
    )
    run_worker(address, Path(certificates), machine, say, SETTINGS)


def coordinator(address, certificates, source, run_folder, *settings):
    changed = {name: float(value) for name, value in (w.split("=") for w in settings)}
    stopping, course = threading.Event(), open_course()
    signal.signal(signal.SIGTERM, lambda number, frame: stopping.set())
    common = of_course(course, LAB)
    with (
        open_tree(Path(source)) as tree,
        Journal(Path(run_folder), LAB) as journal,
        Cluster(
            address,
            Path(certificates),
            LAB,
            common,
            stopping,
            say=say,
            settings=replace(SETTINGS, **changed),
        ) as cluster,
    ):
        run = ClassRun(
            course=course,
            lab=course.lab(LAB),
            plan=make_plan([read_source(Path(source), tree)], read_rosters([])),
            journal=journal,
            tell=lambda told: say(f"{told.what} {told.name} {told.reason}"),
            common=common | {"engine": cluster.engine},
            control=Control(stopping=stopping),
        )
        run.carry_out(cluster.new_slot, cluster.most)
    say(f"ended {cluster.problem}")


def main(role, *words):
    try:
        if role == "scheduler":
            address, certificates = words
            run_scheduler(address, Path(certificates), say, SETTINGS)
        else:
            {"worker": worker, "coordinator": coordinator, "slot": slot}[role](*words)
    except DockdojoError as error:
        say(f"{type(error).__name__} {error.exit_code}: {error}")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
