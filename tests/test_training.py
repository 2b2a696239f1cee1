"""Verdicts on trainings that need no training: what a stop left, what the probe said, what a README mounts."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from dockdojo.checks.readme import in_words
from dockdojo.payloads import line_names, optimizer_probe
from dockdojo.payloads.checkpoint_inspector import is_plain_sgd
from dockdojo.probes.api_recording import ContainerRequest
from dockdojo.training.hooks import START
from dockdojo.training.optimizers import Optimizer, read_probe
from dockdojo.training.run import StoppedRun, TrainingRun
from dockdojo.training.stopping import (
    lacks_an_epoch,
    left_something_to_do,
    tells_a_whole,
)


def seen(*lines):
    return TrainingRun(tuple(enumerate(lines)), None, 0.0)


def epoch_lines(count, of=1):
    """`of` lines an epoch."""
    return [f"Epoch {1 + number // of} loss 0.5" for number in range(count)]


@pytest.mark.parametrize(
    ("run", "whole", "size", "lacks"),
    [
        (
            epoch_lines(1),
            epoch_lines(2),
            1.0,
            True,
        ),  # a line at each epoch's end, and the second one did not come
        (epoch_lines(2), epoch_lines(2), 1.0, False),
        ([], epoch_lines(1), 1.0, True),  # one epoch, and nothing of it was told
        (
            epoch_lines(3, 2),
            epoch_lines(4, 2),
            1.0,
            False,
        ),  # the line of the test is missing: the epoch may be done
        (
            epoch_lines(30, 20),
            epoch_lines(40, 20),
            1.0,
            True,
        ),  # half of the last epoch's batches
        (epoch_lines(39, 20), epoch_lines(40, 20), 1.0, False),
        (
            epoch_lines(60, 60),
            epoch_lines(20, 20),
            7.0,
            True,
        ),  # 140 lines are to come where the data are seven times as many
        (epoch_lines(1), epoch_lines(1), 7.0, False),  # but one a whole epoch is one
    ],
)
def test_whether_a_stopped_run_ended_before_its_last_epoch_did(run, whole, size, lacks):
    assert lacks_an_epoch(seen(*run), seen(*whole), size) is lacks


def test_more_lines_than_a_whole_training_are_not_its_end_where_there_are_more_images():
    assert tells_a_whole(seen(*epoch_lines(20, 20)), seen(*epoch_lines(20, 20)), 1.0)
    assert not tells_a_whole(
        seen(*epoch_lines(60, 60)), seen(*epoch_lines(20, 20)), 7.0
    )


@pytest.mark.parametrize(
    ("regular", "told", "left"),
    [
        (3, 2, False),  # saved after its last epoch, and stopped before it told of that
        (2, 2, True),  # what came with the signal is no epoch
        (2, 3, False),  # it heard the signal, finished the epoch, and told of it
    ],
)
def test_what_is_saved_at_the_signal_does_not_count_as_an_epoch(regular, told, left):
    run = seen(*epoch_lines(told))
    stop = StoppedRun(run, run, None, by_itself=False, regular=regular, size=1.0)
    assert left_something_to_do(stop, seen(*epoch_lines(3)), saves=3) is left


@pytest.mark.parametrize(
    ("text", "whole", "found"),
    [
        ("PROBE Adam 12", False, Optimizer("Adam", 12)),
        ("Epoch 1\nPROBE passed 3\nPROBE SGD 0\n", False, Optimizer("SGD", 0)),
        ("PROBE passed 3\nPROBE own 4", False, Optimizer("its own optimizer", 4)),
        (
            "PROBE passed 3\nPROBE passed 9",
            False,
            Optimizer("its own optimizer", 0),
        ),  # it was looked at: there is none
        (
            "PROBE passed 3",
            True,
            Optimizer("its own optimizer", 0),
        ),  # so few there are in all
        ("PROBE passed 3", False, None),  # not yet
        ("Epoch 1 loss 0.3", True, None),  # nobody saw anything: that is no answer
    ],
)
def test_what_was_not_seen_is_not_taken_for_no_state(text, whole, found):
    assert read_probe(text, to_its_end=whole) == found


def test_a_script_cannot_say_what_the_probe_says():
    assert read_probe(
        "PROBE SGD 0\nPROBE_1b SGD 0\nPROBE_2c Adam 12\n", "PROBE_2c"
    ) == Optimizer("Adam", 12)


SGD = {"lr": 0.1, "momentum": 0, "dampening": 0, "params": [0]}


@pytest.mark.parametrize(
    ("state", "plain"),
    [
        ({"model": {}, "optimizer": {"state": {}, "param_groups": [SGD]}}, True),
        (
            {"optimizer": {"state": {}, "param_groups": [SGD | {"momentum": 0.9}]}},
            False,
        ),
        (
            {
                "optimizer": {
                    "state": {},
                    "param_groups": [{"lr": 0.1, "betas": (0.9, 0.99)}],
                }
            },
            False,
        ),
        ({"optimizer": {"param_groups": []}}, False),
        ({"model": {}}, False),
    ],
)
def test_what_the_settings_in_a_checkpoint_say_of_its_optimizer(state, plain):
    assert is_plain_sgd(state) is plain


def test_hooks_are_in_each_interpreter_that_a_script_starts_and_name_its_lines(
    tmp_path,
):
    script = tmp_path / "script.py"
    script.write_text(
        "import os, subprocess, sys\n"
        "print('Epoch 1', end='')\nprint(' loss 2', file=sys.stdout)\n"
        "if len(sys.argv) == 1:\n    print(os.getpid())\n    subprocess.run([sys.executable, __file__, 'again'])\n"
    )
    with open(line_names.__file__) as file:
        words = [sys.executable, "-c", START, file.read(), str(script)]
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": ""},
        check=True,
    )
    first, own, second = done.stdout.splitlines()
    number = own.rpartition(" ")[2]
    assert first == f"[process {number}] Epoch 1 loss 2"
    assert second.endswith("] Epoch 1 loss 2")
    assert second != first


def test_lines_are_named_when_they_are_whole():
    into = io.StringIO()
    stream = line_names.Named(into)
    stream.write("a")
    assert into.getvalue() == ""
    stream.write("b\rc\n")
    stream.writelines(["d\n"])
    assert into.getvalue() == "".join(
        f"[process {os.getpid()}] {line}\n" for line in ("ab", "c", "d")
    )


def test_the_probe_takes_an_interpreter_without_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    optimizer_probe.install()


@pytest.mark.parametrize(
    ("mounts", "said"),
    [
        ((("results", "/workspace"),), "the volume `results` at `/workspace`"),
        (
            (("/home/ada/mnist", "/workspace"),),
            "`/home/ada/mnist`, a folder of the host, at `/workspace`",
        ),
        ((("/work/out", "/out"),), "the folder `out` in yours at `/out`"),
    ],
)
def test_what_a_readme_mounts_is_said_in_words(mounts, said):
    request = ContainerRequest(
        image="a", gpus=(), runtime="", started=True, mounts=mounts
    )
    assert in_words(request) == said


def test_epochs_that_come_in_no_order_are_of_several_processes():
    run = seen("Epoch 1 loss 2", "Epoch 2 loss 1", "Epoch 1 loss 2", "Epoch 2 loss 1")
    assert not run.is_in_order
    assert run.epochs == [1, 2]
    assert seen(*epoch_lines(3)).is_in_order
