"""A training's runs, each begun once beside the checks: with runs that are played, and no engine."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from dockdojo.checks import CheckFailed
from dockdojo.errors import SubmissionError
from dockdojo.probes.workspaces import Save
from dockdojo.training import script
from dockdojo.training.resuming import (
    expect_next_epoch,
    expect_optimizer,
    expect_to_survive_a_stop,
    expect_weights,
)
from dockdojo.training.run import StoppedRun, TrainingRun
from dockdojo.training.runs import Work
from dockdojo.training.script import Training
from dockdojo.training.torch_image import Examination, Examined


class Host:
    """A grading in which only work beside the checks is real."""

    digits = shuffled_digits = SimpleNamespace(root="/data")

    def __init__(self):
        self.pool = ThreadPoolExecutor(max_workers=8)
        self.counts = Counter()

    def background(self, call):
        self.counts["background"] += 1
        return self.pool.submit(call)

    def build(self):
        self.counts["build"] += 1
        return SimpleNamespace(entrypoint=(), workdir="/workspace")

    def workspaces(self, *names, checkpoint):
        self.counts["workspaces"] += 1
        return Spaces()

    def run(self, *args, **options):
        raise AssertionError("nothing is to be run")


class Spaces:
    """Workspaces in which the first run saved after each of three epochs."""

    def populate(self, name, copy=""):
        pass

    def saves(self, name):
        if name != "first":
            return []
        return [
            Save(
                number=number,
                at=number + 0.9,
                first=number + 0.9,
                in_place=False,
                seconds=0.01,
                smallest=-1,
                size=10,
                copied=True,
            )
            for number in (1, 2, 3)
        ]

    def copy_of(self, name, save):
        return name

    def mount(self, name, target):
        return (name, target)

    def snapshots(self, name, target):
        return [("3-x", 10)]


def run(*numbers, accuracy=0.9):
    lines = (
        (
            float(number),
            f"Epoch {number} loss {1 / number:.3f} accuracy {accuracy:.3f}",
        )
        for number in numbers
    )
    return TrainingRun(tuple(lines), 0, 0.0)


class Played(Training):
    """A training whose runs are told beforehand."""

    def __init__(self, host, **runs):
        super().__init__(
            host, command=("python", "t.py"), workspace="/w", checkpoint="c"
        )
        self.runs = {
            "first": run(1, 2, 3),
            "control": run(3),
            "weights": TrainingRun(
                ((3.0, "Epoch 3 loss nan accuracy 0.1"),), None, 0.0
            ),
            "optimizer": TrainingRun(
                ((3.0, "Epoch 3 loss nan accuracy 0.1"),), None, 0.0
            ),
            "shuffled": run(1, 2, 3, accuracy=0.1),
        } | runs
        self.started = Counter()

    def start(self, name, *args, data=None):
        self.started[name] += 1
        return name

    def watch(self, container, *args, **options):
        return self.runs[container]


def examined(fingerprint):
    return Examined(
        error="",
        numbers=4,
        fingerprint=fingerprint,
        has_optimizer=True,
        has_nan=False,
        plain_sgd=False,
    )


@pytest.fixture
def played(monkeypatch):
    def examine(run, paths, poison, *, mounts):
        loaded = {path: examined(path) for path in paths}
        return Examination(loaded=loaded, poisoned=tuple(2 for _ in poison))

    def stop_and_resume(runs, quick):
        shuffled = run(1, accuracy=0.1)
        return StoppedRun(shuffled, run(2, 3, accuracy=0.1), None, False, 1, 1.0)

    monkeypatch.setattr(script, "examine", examine)
    monkeypatch.setattr(script, "stop_and_resume", stop_and_resume)
    return lambda **runs: Played(Host(), **runs)


def test_a_good_training_passes_and_each_run_is_begun_once(played):
    training = played()
    training.begin()
    training.begin()
    assert training.first.result().seen.epochs == [1, 2, 3]
    assert training.beginning.result().finished == {2}
    assert len(training.left.result()) == 6
    expect_weights(training)
    assert expect_optimizer(training) == ""
    expect_next_epoch(training)
    expect_to_survive_a_stop(training)
    assert training.reacts_to_data()
    assert not training.saves_stored_weights()
    assert set(training.started.values()) == {1}
    assert training.session.counts["workspaces"] == 1
    assert training.session.counts["background"] == 6


def test_a_check_alone_begins_what_it_needs(played):
    training = played()
    expect_weights(training)
    assert training.started == {"first": 1, "control": 1, "weights": 1, "optimizer": 1}


@pytest.mark.parametrize(
    ("runs", "expect", "said"),
    [
        (
            {"weights": run(3)},
            expect_weights,
            "all weights of the checkpoint were made NaN",
        ),
        ({"optimizer": run(3)}, expect_optimizer, "all of the optimizer's state"),
        ({"control": run(1, 2, 3)}, expect_next_epoch, "goes on at epoch 1"),
        (
            {"control": TrainingRun((), 3, 0.0)},
            expect_weights,
            "with --resume it ends with exit code 3",
        ),
    ],
)
def test_what_a_resumed_run_shows_is_judged(played, runs, expect, said):
    with pytest.raises(CheckFailed, match=said):
        expect(played(**runs))


def test_work_that_fails_is_done_once_and_fails_all_who_ask():
    host = Host()
    asked = []

    def fail():
        asked.append(1)
        raise SubmissionError("gone")

    work = Work(host, fail)
    for _ in range(2):
        with pytest.raises(SubmissionError, match="gone"):
            work.result()
    assert asked == [1]
