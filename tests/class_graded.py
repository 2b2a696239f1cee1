"""A class graded by slots whose process is played by a small program: what it does stands in the submission's Dockerfile."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace

import pytest

from dockdojo.class_.journal import Journal
from dockdojo.class_.people import read_rosters
from dockdojo.class_.plan import make_plan, read_source
from dockdojo.class_.run import ClassRun
from dockdojo.class_.slots import Slot
from dockdojo.class_.tables import parse_table
from dockdojo.class_.trees import open_tree
from dockdojo.course import open_course
from tests.class_exports import written

COURSE = open_course()
GRADER = """
import json, os, sys, time
from pathlib import Path
from dockdojo.model import Outcome, Report
from dockdojo.reports import json as json_report
for line in sys.stdin:
    folder = Path(json.loads(line)["folder"])
    order, *rest = (folder / "Dockerfile").read_text().split()
    with open(sys.argv[1], "a") as log:
        log.write(f"{order}\\n")
    if order == "die":
        os.kill(os.getpid(), 9)
    if order == "hang":
        time.sleep(600)
    if order == "meet":  # until another one has begun, too
        begun = Path(sys.argv[1] + ".begun")
        with begun.open("a") as file:
            file.write("x")
        while begun.stat().st_size < 2:
            time.sleep(0.01)
    if order == "nonsense":
        print("{", flush=True)
        continue
    if order == "fault":
        print(json.dumps({"fault": "no space left"}), flush=True)
        continue
    status = {"error": "error", "less": "failed"}.get(order, "passed")
    outcome = Outcome(check="a", title="A", status=status, points=10)
    report = Report(lab="hello_world", title="x", outcomes=(outcome,), started="", seconds=0.0)
    used = {"modules": ["dockdojo.model"], "images": {"busybox:latest": "sha256:1"}}
    print(json.dumps({"report": json_report.render(report), **used}), flush=True)
"""


@pytest.fixture
def graded_class(tmp_path):
    """Grades a class of folders; returns the states, what was told, and how often each order was carried out."""
    script, log = tmp_path / "grader.py", tmp_path / "orders"
    script.write_text(GRADER)

    def grade(
        orders,
        *,
        names=(),
        common=None,
        slots=2,
        seconds=600,
        stop_after=0,
        images=None,
        on=lambda event: None,
        wanted=None,
        sources=None,
    ):
        source = sources or tmp_path / "class"
        for name, order in orders.items():
            written(source / name, {"Dockerfile": order.encode()})
        roster = read_rosters(
            [
                parse_table(
                    (
                        "id,name\n" + "".join(f"{name},{name}\n" for name in names)
                    ).encode(),
                    "r.csv",
                )
            ]
            if names
            else []
        )
        log.write_text("")
        told = []
        with (
            open_tree(source) as tree,
            Journal(tmp_path / "run", "hello_world") as journal,
        ):
            lab = COURSE.lab("hello_world")
            lab = replace(
                lab, limits=replace(lab.limits, grading_seconds=seconds - 120)
            )
            run = ClassRun(
                course=COURSE,
                lab=lab,
                plan=make_plan([read_source(source, tree)], roster),
                journal=journal,
                tell=lambda event: (
                    told.append(event),
                    on(event),
                    (
                        run.control.stopping.set()
                        if stop_after and len(told) >= stop_after
                        else None
                    ),
                ),
                common=common or {"grader": "1"},
                wanted=wanted,
                image_id=lambda ref: (images or {}).get(ref, ""),
            )
            run.carry_out(
                lambda: Slot(
                    run.control.stopping.is_set, (sys.executable, str(script), str(log))
                ),
                slots,
            )
            states = {row.name: row.state for row in journal.submissions()}
        return states, told, Counter(log.read_text().split())

    return grade
