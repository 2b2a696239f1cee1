"""Trains a network on MNIST. It forgets everything when its container is gone."""

import argparse
import os

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

ROOT = os.environ.get("MNIST_ROOT", "data")


def network():
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, stride=2),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(800, 10)
    )


def train(model, loader, optimizer, epoch):
    for batch, (images, labels) in enumerate(loader):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        if batch % 50 == 0:
            print(f"epoch={epoch} batch={batch} loss={loss.item():.4f}")


def test(model, loader):
    right = 0
    with torch.no_grad():
        for images, labels in loader:
            right += (model(images).argmax(1) == labels).sum().item()
    return right / len(loader.dataset)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--resume", action="store_true")  # TODO: it does nothing yet
    args = parser.parse_args()
    pixels = transforms.ToTensor()
    train_set = datasets.MNIST(ROOT, train=True, download=True, transform=pixels)
    test_set = datasets.MNIST(ROOT, train=False, download=True, transform=pixels)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    for epoch in range(1, args.epochs+1):
        train(model, DataLoader(train_set, batch_size=64, shuffle=True), optimizer, epoch)
        print(f"epoch={epoch} accuracy={test(model, DataLoader(test_set, 1000)):.4f}")
    torch.save(model, "/tmp/model.pth")


if __name__ == "__main__":
    main()
