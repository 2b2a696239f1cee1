"""Run once while the image is built: what a training imports is compiled then, not at each start."""

import argparse  # noqa: F401
import json  # noqa: F401
import os
import tempfile

import torch
import torch.optim.lr_scheduler
import torch.utils.data

if __name__ == "__main__":
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    for kind in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW):
        optimizer = kind(network.parameters(), lr=0.1)
        network(torch.ones(1, 1, 8, 8)).sum().backward()
        optimizer.step()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "state.pth")
        torch.save(network.state_dict(), path)
        torch.load(path)
