"""Workspaces: what the keeper tells of each way to write a checkpoint, and the copies that it keeps."""

from __future__ import annotations

import pytest

from dockdojo.connection.types import RunSpec
from dockdojo.engine.client import connect
from dockdojo.model import Limits
from dockdojo.probes.workspaces import Workspaces

IMAGE = "python:3.11-slim"
WRITES = "cd /w; echo a > new; mv new model; sleep 1; echo bb > model; sleep 1; rm model; echo c > new; mv new model; sleep 1"


@pytest.mark.engine
def test_each_way_to_write_is_told_and_kept(engine, submission):
    spaces = Workspaces(
        engine,
        IMAGE,
        submission({"train.py": "", "model": "mine"}),
        "model",
        ("one", "other"),
    )

    def run(name, script):
        mounts = (spaces.mount(name, "/w"),)
        return engine.run(
            RunSpec(image=IMAGE, args=("sh", "-c", script), mounts=mounts), Limits()
        )

    spaces.populate("one")
    assert run("one", "ls /w").stdout.split() == [
        "train.py"
    ]  # a checkpoint that was handed in proves nothing
    assert run("one", WRITES).exit_code == 0
    saves = spaces.saves("one")
    assert [(one.in_place, one.gap, one.copied) for one in saves] == [
        (False, False, True),
        (True, False, True),
        (False, True, True),
    ]
    for copy, held in ((saves[0], "a"), (saves[1], "bb"), (None, "c")):
        spaces.populate("other", spaces.copy_of("one", copy))
        assert run("other", "cat /w/model").stdout.strip() == held


@pytest.mark.engine
def test_what_a_process_of_the_run_left_that_died_is_not_taken_up(engine, submission):
    """The next process has workspaces and a network of its own, while those of the dead one are still there."""
    folder = submission({"train.py": ""})
    with connect(run_id=engine.run_id) as dead:
        left = Workspaces(dead, IMAGE, folder, "model", ("one",))
        left.populate("one")
        script = ("sh", "-c", "echo old > /w/model")
        dead.run(
            RunSpec(
                image=IMAGE,
                args=script,
                mounts=(left.mount("one", "/w"),),
                network="inside",
            ),
            Limits(),
        )
        spaces = Workspaces(engine, IMAGE, folder, "model", ("one",))
        spec = RunSpec(
            image=IMAGE,
            args=("ls", "/w"),
            mounts=(spaces.mount("one", "/w"),),
            network="inside",
        )
        spaces.populate("one")
        assert engine.run(spec, Limits()).stdout.split() == ["train.py"]
        assert spaces.saves("one") == []
