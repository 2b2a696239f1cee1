"""Train a small convolutional network on MNIST. A run that was stopped goes on with --resume, and loses nothing.

The same weights come out, bit for bit, however often it was stopped. For that, the checkpoint holds everything that the
next step depends on; and what is random in an epoch is drawn from the seed and the epoch's number.
"""

import argparse
import hashlib
import os
import signal
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, Dataset
from torchvision.datasets import MNIST

MEAN, STD = 0.1307, 0.3081  # of MNIST's pixels
WARM_UP = 0.05  # of all steps: the learning rate rises, and falls from then on


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--resume", action="store_true", help="go on from the checkpoint")
    add("--epochs", type=int, default=8, help="how many there are in the end (8)")
    add("--batch-size", type=int, default=128, help="images in a batch (128)")
    add("--lr", type=float, default=0.05, help="highest learning rate (0.05)")
    add("--seed", type=int, default=1, help="of everything random (1)")
    add("--data", help="folder with MNIST/raw ($MNIST_ROOT, ./data, /data)")
    add("--checkpoint", type=Path, default="model_checkpoint.pth", help="its file")
    add("--device", help="cpu, cuda, mps (the fastest that is there)")
    add("--plot", action="store_true", help="draw learning_curve.png and .svg")
    return parser.parse_args()


class Digits(Dataset):
    """A part of MNIST in memory, normalized (190 MB for 60,000 images). It gives whole batches at once, which is quick."""

    def __init__(self, given, train, device):
        places = [given] if given else [os.environ.get("MNIST_ROOT"), "data", "/data"]
        there = [root for root in places if root and Path(root, "MNIST/raw").is_dir()]
        mnist = MNIST(there[0] if there else given or "data", train, download=True)
        self.images = (mnist.data.unsqueeze(1).to(device) / 255 - MEAN) / STD
        self.labels = mnist.targets.to(device)

    def __len__(self):
        return len(self.labels)

    def __getitems__(self, indices):
        return self.images[indices], self.labels[indices]

    def batches(self, size, order=None):
        return DataLoader(self, size, sampler=order, collate_fn=lambda batch: batch)


def block(before, after, size):
    """A convolution that halves the image."""
    convolution = nn.Conv2d(before, after, size, 2, padding=size // 2, bias=False)
    return convolution, nn.BatchNorm2d(after), nn.ReLU()


def network():
    blocks = (*block(1, 16, 5), *block(16, 32, 3), *block(32, 64, 3))
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(1024, 10))


def triangle(done):
    """The learning rate, as a share of the highest, when a share of all steps is done: up, and down to nearly nothing."""
    rate = done / WARM_UP if done < WARM_UP else (1 - done) / (1 - WARM_UP)
    return max(rate, 0.0) + 0.001


class Training:
    """A training, and how its state goes to a checkpoint and comes back."""

    COUNTS = ("epoch", "batch", "loss", "history", "resumed")

    def __init__(self, args, device, digits):
        torch.manual_seed(args.seed)
        self.args, self.digits = args, digits
        self.batches = -(-len(digits) // args.batch_size)  # in each epoch
        self.model = network().to(device, memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD(
            self.model.parameters(), args.lr, 0.9, weight_decay=5e-4, nesterov=True
        )
        steps = args.epochs * self.batches
        self.schedule = LambdaLR(self.optimizer, lambda step: triangle(step / steps))
        self.epoch, self.batch, self.loss = 1, 0, 0.0  # now; done in it; their sum
        self.history, self.resumed = [], []  # epochs (number, loss, accuracy); places

    def save(self):
        """All or nothing: whoever looks finds the old checkpoint or the new one, whole, whenever we are killed."""
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "threads": torch.get_num_threads(),  # another number adds in another order
            **{name: getattr(self, name) for name in self.COUNTS},
        }
        path = self.args.checkpoint.absolute()
        spare = path.with_name(f".{path.name}.new")
        with open(spare, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(spare, path)
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)  # the new name, too, is on the disk
        os.close(folder)

    def restore(self, device):
        path = self.args.checkpoint
        try:
            state = torch.load(path, map_location=device)
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.schedule.load_state_dict(state["schedule"])
            torch.set_num_threads(state["threads"])
            vars(self).update({name: state[name] for name in self.COUNTS})
        except FileNotFoundError:
            sys.exit(f"There is no {path} yet. Train without --resume first.")
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            sys.exit(f"{path} is no checkpoint of this network: {error}")
        self.resumed.append(self.epoch - 1 + self.batch / self.batches)
        print(f"Going on after {self.epoch - 1} epochs and {self.batch} batches.")

    def finish_epoch(self, stopping):
        """Train the rest of this epoch, and return its mean loss; None if it was to stop, between two batches."""
        random = torch.Generator().manual_seed(1_000_003 * self.args.seed + self.epoch)
        order = torch.randperm(len(self.digits), generator=random)
        shifts = torch.randint(-1, 2, (self.batches, 2), generator=random)  # pixels
        self.model.train()
        rest = order[self.batch * self.args.batch_size :].tolist()
        for images, labels in self.digits.batches(self.args.batch_size, rest):
            if stopping:
                return None
            images = images.roll(shifts[self.batch].tolist(), dims=(2, 3))
            images = images.contiguous(memory_format=torch.channels_last)
            loss = F.cross_entropy(self.model(images), labels, label_smoothing=0.05)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.schedule.step()
            self.loss += loss.item()
            self.batch += 1
        return self.loss / self.batches

    @torch.no_grad()
    def accuracy(self, digits):
        """The share of the images that are recognized."""
        self.model.eval()
        right = 0
        for images, labels in digits.batches(1000):
            right += (self.model(images).argmax(1) == labels).sum().item()
        return right / len(digits)

    def fingerprint(self):
        """SHA-256 over the bytes of all the model's tensors."""
        digest = hashlib.sha256()
        for tensor in self.model.state_dict().values():
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


def main():
    args, stopping = arguments(), []  # signals that have come
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: stopping.append(number))
    fastest = torch.accelerator.current_accelerator(check_available=True)
    device = torch.device(args.device or fastest or "cpu")
    test_digits = Digits(args.data, False, device)
    training = Training(args, device, Digits(args.data, True, device))
    if args.resume:
        training.restore(device)
    while training.epoch <= args.epochs:
        loss, epoch = training.finish_epoch(stopping), training.epoch
        if loss is None:
            training.save()
            print(f"Stopped in epoch {epoch}; saved. Go on with --resume.")
            sys.exit(128 + stopping[0])
        accuracy = training.accuracy(test_digits)
        training.history.append((epoch, loss, accuracy))
        training.epoch, training.batch, training.loss = epoch + 1, 0, 0.0
        training.save()  # before the line below: what was printed is never lost
        print(f"epoch={epoch} loss={loss:.4f} accuracy={accuracy:.4f}", flush=True)
    accuracy, weights = training.accuracy(test_digits), training.fingerprint()
    print(f"Test accuracy: {accuracy:.4f}. SHA-256 of the weights: {weights}")
    if args.plot:
        from plot import draw

        paths = draw(training.history, training.resumed, args.checkpoint.parent)
        print("Drawn:", *paths)


if __name__ == "__main__":
    main()
