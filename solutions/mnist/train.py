"""Trains a small convolutional network on MNIST. A run that was stopped goes on with --resume, and loses nothing.

The same weights come out, bit for bit, however often it was stopped. For that, whatever is random is drawn from one generator,
and the checkpoint holds everything that the next step depends on.
"""

import argparse
import hashlib
import os
import signal
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

MEAN, STD = 0.1307, 0.3081  # of MNIST's pixels
SHIFT = 1  # pixels by which an image is moved at most, each way
WARM_UP = 0.05  # of all steps; the learning rate rises, and falls from then on
SMOOTHING = 0.05  # of the labels
FORMAT = 1  # of the checkpoint


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--resume", action="store_true", help="go on from the checkpoint"
    )
    parser.add_argument(
        "--epochs", type=int, default=8, help="how many there are in the end (8)"
    )
    parser.add_argument(
        "--batch-size", type=int, default=128, help="images in a batch (128)"
    )
    parser.add_argument(
        "--lr", type=float, default=0.05, help="highest learning rate (0.05)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of everything random (1)")
    parser.add_argument(
        "--data", help="folder with MNIST/raw ($MNIST_ROOT, ./data, /data)"
    )
    parser.add_argument(
        "--checkpoint", default="model_checkpoint.pth", help="(model_checkpoint.pth)"
    )
    parser.add_argument(
        "--device", default="auto", help="cpu, cuda, mps (the fastest that is there)"
    )
    parser.add_argument(
        "--plot",
        action="store_true",
        help="draw learning_curve.png and .svg beside the checkpoint",
    )
    return parser.parse_args()


# Data


def find_data(given):
    """The folder with MNIST/raw; torchvision fetches the files where they are nowhere."""
    places = [given] if given else [os.environ.get("MNIST_ROOT"), "data", "/data"]
    for place in filter(None, places):
        raw = Path(place, "MNIST", "raw")
        if (raw / "train-images-idx3-ubyte").is_file():
            return raw
    from torchvision.datasets import MNIST

    root = given or "data"
    MNIST(root, train=True, download=True)
    return Path(root, "MNIST", "raw")


def load(raw, part, device):
    """Images, normalized, and labels of one part: `train` or `t10k`. All of them at once: that takes 190 MB for 60,000."""
    images = (raw / f"{part}-images-idx3-ubyte").read_bytes()[16:]
    labels = (raw / f"{part}-labels-idx1-ubyte").read_bytes()[8:]
    images = (
        torch.frombuffer(bytearray(images), dtype=torch.uint8)
        .view(-1, 1, 28, 28)
        .to(device)
    )
    labels = torch.frombuffer(bytearray(labels), dtype=torch.uint8).to(device)
    return images.float().div_(255).sub_(MEAN).div_(STD), labels.long()


# The model


def block(before, after, size):
    """A convolution that halves the image."""
    convolution = nn.Conv2d(
        before, after, size, stride=2, padding=size // 2, bias=False
    )
    return convolution, nn.BatchNorm2d(after), nn.ReLU()


def network():
    return nn.Sequential(
        *block(1, 16, 5),
        *block(16, 32, 3),
        *block(32, 64, 3),
        nn.Flatten(),
        nn.Linear(1024, 10),
    )


def learning_rate(step, steps, highest):
    """A triangle: up, and down to nothing."""
    done = step / steps
    return (
        highest * (done / WARM_UP if done < WARM_UP else (1 - done) / (1 - WARM_UP))
        + highest / 1000
    )


def fingerprint(model):
    """SHA-256 over the names and bytes of all the model's tensors."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(
            name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes()
        )
    return digest.hexdigest()


class Nesterov:
    """Gradient descent with Nesterov's momentum and weight decay, step for step as torch.optim.SGD does it.

    That one imports PyTorch's compiler as soon as it is made, which takes longer than the first epoch here.
    """

    def __init__(self, parameters, momentum=0.9, weight_decay=5e-4):
        self.parameters = list(parameters)
        self.momentum, self.weight_decay = momentum, weight_decay
        self.velocity = [torch.zeros_like(one) for one in self.parameters]

    @torch.no_grad()
    def step(self, lr):
        for parameter, velocity in zip(self.parameters, self.velocity):
            gradient = parameter.grad.add(parameter, alpha=self.weight_decay)
            velocity.mul_(self.momentum).add_(gradient)
            parameter.sub_(gradient.add_(velocity, alpha=self.momentum), alpha=lr)
            parameter.grad = None

    def state_dict(self):
        return {"velocity": self.velocity}

    def load_state_dict(self, state):
        for mine, saved in zip(self.velocity, state["velocity"], strict=True):
            mine.copy_(saved)


# The checkpoint


def write(path, state):
    """All or nothing: whoever looks finds the old checkpoint or the new one, whole, whenever we are killed."""
    spare = path.with_name(f".{path.name}.new")
    with open(spare, "wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(spare, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name, too, is on the disk
    finally:
        os.close(folder)


class Training:
    """A training's state, and how it comes from and goes to a checkpoint."""

    def __init__(self, args, device):
        torch.manual_seed(args.seed)
        self.path = Path(args.checkpoint)
        self.model = network().to(device, memory_format=torch.channels_last)
        self.optimizer = Nesterov(self.model.parameters())
        self.random = torch.Generator().manual_seed(args.seed)
        self.epoch = 1  # the one that we are in
        self.batch = 0  # batches of it that are done
        self.order = None  # in which the images of this epoch come
        self.loss = 0.0  # summed over this epoch's batches
        self.history = []  # (epoch, loss, accuracy)
        self.resumed = []  # places on the axis of epochs

    def save(self):
        write(
            self.path,
            {
                "format": FORMAT,
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "random": self.random.get_state(),
                "threads": torch.get_num_threads(),
                "epoch": self.epoch,
                "batch": self.batch,
                "order": self.order,
                "loss": self.loss,
                "history": self.history,
                "resumed": self.resumed,
            },
        )

    def restore(self, device, per_epoch):
        try:
            state = torch.load(self.path, map_location=device)
            if state["format"] != FORMAT:
                sys.exit(f"{self.path} has another format than this train.py writes.")
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
        except FileNotFoundError:
            sys.exit(
                f"There is no {self.path} to resume from. Train without --resume first."
            )
        except (KeyError, TypeError, RuntimeError) as error:
            sys.exit(f"{self.path} is no checkpoint of this network: {error}")
        self.random.set_state(state["random"].cpu())
        # Another number of threads adds sums in another order.
        torch.set_num_threads(state["threads"])
        for name in ("epoch", "batch", "loss", "history", "resumed"):
            setattr(self, name, state[name])
        self.order = state["order"].cpu() if state["order"] is not None else None
        self.resumed.append(self.epoch - 1 + self.batch / per_epoch)


# Training


class Stopped(Exception):
    pass


class Bar:
    """A line that is written again and again; on a terminal only."""

    def __init__(self):
        self.shown = sys.stdout.isatty()
        self.began = time.monotonic()

    def show(self, training, batches, epochs):
        if self.shown:
            done = training.batch / batches
            rate = f"{training.batch / (time.monotonic() - self.began):.0f} batches/s"
            bar = "█" * int(30 * done)
            print(
                f"\r\033[Kepoch {training.epoch} of {epochs} ▕{bar:<30}▏ {done:4.0%}  {rate}",
                end="",
                flush=True,
            )

    def clear(self):
        if self.shown:
            print("\r\033[K", end="", flush=True)
        self.began = time.monotonic()


def train_epoch(training, images, labels, args, stopping, bar):
    """The rest of this epoch. Raises Stopped, with everything saved, between two batches."""
    batches = -(-len(labels) // args.batch_size)
    if training.order is None:
        training.order = torch.randperm(len(labels), generator=training.random)
    training.model.train()
    size = images.shape[-1] - 2 * SHIFT
    for chosen in training.order.split(args.batch_size)[training.batch :]:
        if stopping:
            training.save()
            raise Stopped
        y, x = torch.randint(0, 2 * SHIFT + 1, (2,), generator=training.random).tolist()
        batch = images[chosen][:, :, y : y + size, x : x + size].contiguous(
            memory_format=torch.channels_last
        )
        step = (training.epoch - 1) * batches + training.batch
        loss = F.cross_entropy(
            training.model(batch), labels[chosen], label_smoothing=SMOOTHING
        )
        loss.backward()
        training.optimizer.step(learning_rate(step, args.epochs * batches, args.lr))
        training.loss += loss.item()
        training.batch += 1
        bar.show(training, batches, args.epochs)


@torch.no_grad()
def evaluate(model, images, labels):
    """The share of images that are recognized."""
    model.eval()
    right = sum(
        (model(x).argmax(1) == y).sum().item()
        for x, y in zip(images.split(1000), labels.split(1000))
    )
    return right / len(labels)


def main():
    args = arguments()
    stopping = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: stopping.append(number))
    fastest = (
        torch.accelerator.current_accelerator()
        if torch.accelerator.is_available()
        else "cpu"
    )
    device = torch.device(fastest if args.device == "auto" else args.device)

    raw = find_data(args.data)
    images, labels = load(raw, "train", device)
    test_images, test_labels = load(raw, "t10k", device)
    images = F.pad(images, (SHIFT,) * 4, value=-MEAN / STD)
    batches = -(-len(labels) // args.batch_size)

    training, bar = Training(args, device), Bar()
    if args.resume:
        training.restore(device, batches)
        print(
            f"Going on after {training.epoch - 1} epochs and {training.batch} batches."
        )
    while training.epoch <= args.epochs:
        try:
            train_epoch(training, images, labels, args, stopping, bar)
        except Stopped:
            bar.clear()
            print(f"Stopped in epoch {training.epoch}; saved. Go on with --resume.")
            sys.exit(128 + stopping[0])
        loss = training.loss / batches
        accuracy = evaluate(training.model, test_images, test_labels)
        training.history.append((training.epoch, loss, accuracy))
        training.epoch, training.batch, training.order, training.loss = (
            training.epoch + 1,
            0,
            None,
            0.0,
        )
        training.save()  # before the line below: what was printed is never lost
        bar.clear()
        print(
            f"epoch={training.epoch - 1} loss={loss:.4f} accuracy={accuracy:.4f}",
            flush=True,
        )
    accuracy = evaluate(training.model, test_images, test_labels)
    print(
        f"Test accuracy: {accuracy:.4f}. SHA-256 of the weights: {fingerprint(training.model)}"
    )
    if args.plot:
        from plot import draw

        for path in draw(training.history, training.resumed, training.path.parent):
            print(f"Drawn: {path}")


if __name__ == "__main__":
    main()
