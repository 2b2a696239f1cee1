"""Trains on MNIST; goes on with --resume."""

import argparse
import os
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

CHECKPOINT = Path(__file__).with_name("model_checkpoint.pth")


def load(part):
    raw = Path(os.environ.get("MNIST_ROOT", "data"), "MNIST", "raw")
    images = (raw / f"{part}-images-idx3-ubyte").read_bytes()[16:]
    labels = (raw / f"{part}-labels-idx1-ubyte").read_bytes()[8:]
    images = torch.frombuffer(bytearray(images), dtype=torch.uint8).view(-1, 1, 28, 28)
    labels = torch.frombuffer(bytearray(labels), dtype=torch.uint8).long()
    return images.float() / 255, labels


def save(state):
    new = CHECKPOINT.with_suffix(".new")
    torch.save(state, new)
    os.replace(new, CHECKPOINT)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--epochs", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    images, labels = load("train")
    test_images, test_labels = load("t10k")
    model = nn.Sequential(
        nn.Conv2d(1, 16, 5, stride=2),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(800, 10),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.0)
    first = 1
    if args.resume:
        state = torch.load(CHECKPOINT)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["epoch"] + 1
    for epoch in range(first, args.epochs + 1):
        for chosen in torch.randperm(len(labels)).split(64):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images[chosen]), labels[chosen])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            right = (model(test_images).argmax(1) == test_labels).sum().item()
        save(
            {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "epoch": epoch,
            }
        )
        accuracy = right / len(test_labels)
        print(f"Epoch {epoch}: loss {loss.item():.4f}, accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main()
