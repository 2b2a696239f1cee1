"""Workers of a training: who is one by the processes, and which process a line of a log names."""

from __future__ import annotations

import pytest

from dockdojo.connection.types import Process
from dockdojo.training.workers import pids, pids_of, trainers, without_number, workers

SPAWN = (
    "python",
    "-c",
    "from multiprocessing.spawn import spawn_main; spawn_main()",
    "--multiprocessing-fork",
)
TRACKER = ("python", "-c", "from multiprocessing.resource_tracker import main;main(5)")
MAIN = ("python", "main.py")


def process(
    pid: int, ppid: int, argv: tuple[str, ...] = SPAWN, state: str = "S"
) -> Process:
    return Process(pid=pid, ppid=ppid, state=state, uid=0, uids=(0,) * 4, argv=argv)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("17\tTrain Epoch: 1 [0/8000]\tLoss: 2.3", {17}),
        ("[17] epoch 1 loss 0.5", {17}),
        ("[pid 17] epoch=1 loss=0.5", {17}),
        ("Process ID: 17 | Epoch 1 | Loss 0.5", {17}),
        ("epoch 1 loss 0.5 (pid=17)", {17}),
        ("INFO:root:17 epoch 1 loss 0.5", {17}),
        ("INFO:17 epoch 1 loss 0.5", {17}),
        ("2026-01-02 03:04:05,678 17 epoch 1 loss 0.5", {2026, 17}),
        ("2026-01-02 03:04:05,678 - INFO - 17 - epoch 1 loss 0.5", {2026, 17}),
        ("03:04:05 [17] epoch 1 loss 0.5", {3, 17}),
        ("[INFO/SpawnProcess-1] 17 epoch 1 loss 0.5", {17}),
        ("\tTrain Epoch: 17 [0/8000]\tLoss: 2.3", set()),
        ("Epoch 17 loss 0.5", set()),
        ("SpawnProcess-17 loss 0.5", set()),
        ("worker 17: loss 0.5", set()),
    ],
)
def test_which_process_a_line_names(line, named):
    assert pids_of(line) == named


def test_lines_of_tests_name_no_worker():
    assert pids(
        "17\tTrain Epoch: 1\tLoss: 1\n1\tTest loss: 0.3\n18 epoch 1 loss 2\n"
    ) == {17, 18}


def test_where_no_line_speaks_of_a_loss_each_line_counts():
    assert pids("17 batch 20: 0.51\n18 batch 20: 0.52\n") == {17, 18}


@pytest.mark.parametrize(
    ("log", "parents", "found"),
    [
        ("8 epoch 1 loss 2\n9 epoch 1 loss 2\n" * 5, {8: 1, 9: 1}, {8, 9}),
        # who starts them has a share of the work, or only sums up
        ("1 epoch 1 loss 2\n8 epoch 1 loss 2\n" * 5, {8: 1}, {1, 8}),
        ("7 epoch 1 loss 2\n8 epoch 1 loss 2\n" * 5, {7: 1, 8: 7}, {7, 8}),
        (
            "8 epoch 1 loss 2\n9 epoch 1 loss 2\n" * 5 + "1 epoch 1, mean loss 2\n",
            {8: 1, 9: 1},
            {8, 9},
        ),
        # a process alone, processes that were not there
        ("1 epoch 1 loss 2\n" * 5, {8: 1}, set()),
        ("900 epoch 1 loss 2\n901 epoch 1 loss 2\n", {8: 1, 9: 1}, set()),
    ],
)
def test_who_trains(log, parents, found):
    assert trainers(log, parents) == found


def test_a_rank_or_an_epoch_at_the_beginning_is_no_process():
    log = "17 epoch 1 loss 2\n2 [0/8000] loss 1\n3 [0/8000] loss 1\n"
    assert without_number(log, {1, 17, 18}) == (
        ["2 [0/8000] loss 1", "3 [0/8000] loss 1"],
        3,
    )


@pytest.mark.parametrize(
    ("processes", "found"),
    [
        (
            [process(1, 0, MAIN), process(7, 1, TRACKER), process(8, 1), process(9, 1)],
            [8, 9],
        ),
        (
            [
                process(1, 0, ("sh",)),
                process(7, 1, MAIN),
                process(8, 7, MAIN),
                process(9, 7, MAIN),
            ],
            [8, 9],
        ),
        # forkserver: its server starts them
        (
            [
                process(1, 0, MAIN),
                process(7, 1, TRACKER),
                process(8, 1),
                process(9, 8),
                process(10, 8),
            ],
            [9, 10],
        ),
        ([process(1, 0, MAIN), process(8, 1), process(9, 1, state="Z")], [8]),
        ([process(1, 0, MAIN), process(7, 1, TRACKER)], []),
        (
            [
                process(1, 0, MAIN),
                process(20, 0, ("health",)),
                process(21, 0, ("health",)),
            ],
            [],
        ),
        ([], []),
    ],
)
def test_who_is_a_worker(processes, found):
    assert workers(processes) == found
