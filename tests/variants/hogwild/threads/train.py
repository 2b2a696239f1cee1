"""One worker of the training, and the test at the end."""

import os
import threading
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

MEAN, STD = 0.1307, 0.3081  # of MNIST's pixels
LOG_INTERVAL = 20  # batches
ONE_AT_A_TIME = threading.Lock()  # threads share the gradients, too: without it, what they learn hangs on chance


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, kernel_size=5)
        self.conv2 = nn.Conv2d(10, 20, kernel_size=5)
        self.fc1 = nn.Linear(320, 50)
        self.fc2 = nn.Linear(50, 10)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2(x), 2))
        x = F.relu(self.fc1(x.flatten(1)))
        return F.log_softmax(self.fc2(x), dim=1)


def load(root, part):
    """Images and labels of one part, `train` or `t10k`, from <root>/MNIST/raw."""
    raw = Path(root) / "MNIST" / "raw"
    images = np.fromfile(raw / f"{part}-images-idx3-ubyte", dtype=np.uint8)[16:]
    labels = np.fromfile(raw / f"{part}-labels-idx1-ubyte", dtype=np.uint8)[8:]
    images = torch.from_numpy(images).view(-1, 1, 28, 28).float().div(255)
    return (images - MEAN) / STD, torch.from_numpy(labels).long()


def train(rank, args, model):
    """What each worker does: it changes the shared model, without any lock."""
    torch.set_num_threads(1)
    torch.manual_seed(args.seed + rank)
    images, labels = load(args.data, "train")
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=args.momentum)
    model.train()
    for epoch in range(1, args.epochs + 1):
        order = torch.randperm(len(labels))
        for batch, chosen in enumerate(order.split(args.batch_size)):
            with ONE_AT_A_TIME:
                optimizer.zero_grad()
                loss = F.nll_loss(model(images[chosen]), labels[chosen])
                loss.backward()
                optimizer.step()
            if batch % LOG_INTERVAL == 0:
                done = batch * args.batch_size
                share = 100 * done / len(labels)
                print(
                    f"{os.getpid()}\tTrain Epoch: {epoch} [{done}/{len(labels)} ({share:.0f}%)]\tLoss: {loss.item():.6f}",
                    flush=True,
                )
                if args.dry_run:
                    return


def test(args, model):
    """Prints the mean loss and the accuracy on the test set."""
    images, labels = load(args.data, "t10k")
    model.eval()
    with torch.no_grad():
        output = model(images)
    loss = F.nll_loss(output, labels).item()
    correct = (output.argmax(1) == labels).sum().item()
    share = 100 * correct / len(labels)
    print(f"\nTest set: Average loss: {loss:.4f}, Accuracy: {correct}/{len(labels)} ({share:.0f}%)", flush=True)
