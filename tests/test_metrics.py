"""What a training prints, as people print it."""

from __future__ import annotations

import pytest

from dockdojo.training.log_parser import (
    accuracies,
    epochs,
    epochs_by_writer,
    losses,
    tells_nan,
)

ACCURACIES = [
    ("Test set: Average loss: 0.1234, Accuracy: 1290/1500 (86%)", [0.86]),
    ("epoch=3 loss=0.0712 accuracy=0.9780", [0.978]),
    ("Epoch 2, acc: 90%", [0.9]),
    ("Validation Accuracy = 97.5", [0.975]),
    ("accuracy: nan", []),
    ("Test Accuracy of the model: 9000 / 10000", [0.9]),
    ("acc 1.0", [1.0]),
    ("accelerate 5", []),
    ("Accuracy: 0/0 (nan%)", []),
    ("nothing", []),
    ("Accuracy: 1290/1500 (86%)", [0.86]),
    ("Test set: Average loss: 0.0512, Accuracy: 9832/10000 (98%)", [0.9832]),
    ("accuracy=0.86", [0.86]),
    ("acc: 86%", [0.86]),
    ("Accuracy of the network on the 10000 test images: 97 %", [0.97]),
    ("Accuracy of the network on the 10000 test images: 97.35%", [0.9735]),
    ("Accuracy after 2 epochs: 93%", [0.93]),
    ("Accuracy after epoch 2: 0.931", [0.931]),
    ("Accuracy at epoch 3 = 0.95", [0.95]),
    ("acc@1: 10.2", [0.102]),
    ("Acc@1 91.25 Acc@5 99.1", [0.9125]),
    ("* Acc@1 76.130 Acc@5 92.862", [0.7613]),
    ("Top-1 accuracy: 91.2%", [0.912]),
    ("top1 acc 0.912", [0.912]),
    (
        "Epoch 1/5 - loss: 0.3012 - accuracy: 0.9134 - val_loss: 0.1 - val_accuracy: 0.9678",
        [0.9678],
    ),
    ("Epoch: 1\\tLoss: 0.345\\tAccuracy: 91.20%", [0.912]),
    ("Epoch 3 | train loss 0.12 | train acc 0.96 | test acc 0.95", [0.95]),
    ("Train Epoch: 1 [0/60000 (0%)]\tLoss: 2.300039", []),
    ("\x1b[32mAccuracy: 0.91\x1b[0m", [0.91]),
    ("\x1b[1mTest accuracy\x1b[0m: \x1b[36m93.10%\x1b[0m", [0.931]),
    ("test_acc=.93", [0.93]),
    ("{'loss': 0.12, 'accuracy': 0.97}", [0.97]),
    ('{"epoch": 2, "test_accuracy": 0.97}', [0.97]),
    ("accuracy: tensor(0.9312)", [0.9312]),
    ("Accuracy: tensor(93.1200)", [0.9312]),
    ("Validation Accuracy: 95.50 %", [0.955]),
    ("val_acc: 0.955, val_loss: 0.2", [0.955]),
    ("Epoch [2/5], Loss: 0.1234, Accuracy: 95.12%", [0.9512]),
    ("Epoch [2/5] Step [100/938] Loss 0.12 Acc 95.12", [0.9512]),
    ("epoch=2 loss=0.1 acc=0.95", [0.95]),
    ("2\t0.1\tacc 0.95", [0.95]),
    ("Test Accuracy of the model on the 10000 test images: 98.5 %", [0.985]),
    ("Got 9712 / 10000 with accuracy 97.12", [0.9712]),
    ("Got 9712/10000 correct (97.12% accuracy)", [0.9712]),
    ("97.12% accuracy", [0.9712]),
    ("Correct: 9712/10000", []),
    ("Final accuracy is 0.97", [0.97]),
    ("The accuracy is: 97.0", [0.97]),
    ("accuracy 1.0", [1.0]),
    ("accuracy: 100%", [1.0]),
    ("accuracy: 1", [1.0]),
    ("Accuracy: 0.0", [0.0]),
    ("acc nan", []),
    ("Test accuracy (epoch 4): 0.943", [0.943]),
    ("[Epoch 4] accuracy: 0.943", [0.943]),
    ("Epoch 4, accuracy 0.943 (best 0.95)", [0.943]),
    ("best accuracy so far: 0.95", [0.95]),
    ("Best acc: 0.95 at epoch 4", [0.95]),
    ("accuracy: 0.943±0.01", [0.943]),
    ("Accuracy: 9.432e-01", [0.9432]),
    ("Average accuracy over 10 classes: 94.3%", [0.943]),
    ("Test: loss=0.0512 acc=98.32%", [0.9832]),
    ("INFO:root:Epoch 1: test accuracy 91.3%", [0.913]),
    ("2024-05-01 12:00:00,123 INFO accuracy=0.913", [0.913]),
    ("100%|██████████| 938/938 [00:05<00:00, 170.1it/s, acc=0.913, loss=0.3]", [0.913]),
    ("Accuracy on test set: 9130 of 10000 (91.30%)", [0.913]),
    ("Accuracy on 1500 images: 0.913", [0.913]),
    ("rank 0: accuracy 0.9, rank 1: accuracy 0.8", [0.9]),
    ("Training accuracy: 99.0%, Test accuracy: 91.3%", [0.913]),
    ("account 5 access 7", []),
    ("Precision: 0.9 Recall: 0.8 Accuracy: 0.85", [0.85]),
    ("accuracy_score: 0.913", [0.913]),
    ("Accuracy -> 91.3 %", [0.913]),
    ("ACCURACY 91.3", [0.913]),
]
LOSSES = [
    ("Train Epoch: 1 [0/60000 (0%)]\tLoss: 2.300039", [2.300039]),
    ("Epoch: 1\\tLoss: 0.345\\tAccuracy: 91.20%", [0.345]),
    ("\x1b[33mloss\x1b[0m=\x1b[1m0.25\x1b[0m", [0.25]),
    ("train_loss: 0.5, val_loss: 0.25", [0.5, 0.25]),
    ("loss 1e-3", [0.001]),
    ("cross-entropy: 0.7", [0.7]),
    ("lossless 5", []),
]


@pytest.mark.parametrize(("line", "said"), ACCURACIES)
def test_accuracies(line, said):
    assert [one for one in accuracies(line) if one == one] == pytest.approx(said)


@pytest.mark.parametrize(("line", "said"), LOSSES)
def test_losses(line, said):
    assert losses(line) == pytest.approx(said)


def test_an_epoch_behind_a_tab_that_was_printed_as_it_is_written():
    assert epochs(
        [(1.0, "Epoch: 1\\tLoss: 0.3"), (2.0, "\x1b[1mEpoch\x1b[0m 2\\tLoss: 0.2")]
    ) == [(1.0, 1), (2.0, 2)]


def test_nan_in_colour_is_told():
    assert tells_nan("loss: \x1b[31mnan\x1b[0m")
    assert not tells_nan("resuming: the loss was nan")


@pytest.mark.parametrize(
    ("line", "writer"),
    [
        ("2711\\tTrain Epoch: 1 [0/1500 (0%)]\\tLoss: 2.3", "2711"),
        ("2711\tTrain Epoch: 1 Loss: 2.3", "2711"),
        ("[rank 0] epoch 1 loss 0.3", "0"),
        ("[rank1]: Epoch 1, loss: 0.3", "1"),
        ("Epoch 1 worker=3 loss 0.3", "3"),
        ("SpawnProcess-2 epoch 1 loss 0.3", "2"),
        ("Process 4: epoch=1 loss=0.3", "4"),
        ("pid 17 | epoch 1 | loss 0.3", "17"),
        ("epoch=1 loss=0.3", ""),
        ("Epoch 1/3, loss 0.3 (2 processes)", ""),
        ("2026-11-26 12:00:01 epoch 1 loss 0.3", ""),
        ("Processed 40% of epoch 1, loss 0.3", ""),
    ],
)
def test_which_process_prints_a_line(line, writer):
    assert epochs_by_writer([(1.0, line)]) == {writer: [(1.0, 1)]}
