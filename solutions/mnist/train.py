"""Train a small convolutional network on MNIST. A run that was stopped goes on with --resume, and loses nothing.

The same weights come out, bit for bit: the checkpoint holds all that the next step depends on, but for the data.
"""

import argparse
import os
import signal
import sys
from hashlib import sha256
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader, Dataset

MEAN, STD = 0.1307, 0.3081  # of MNIST's pixels
CYCLE = {"pct_start": 0.05, "anneal_strategy": "linear", "cycle_momentum": False}
PROGRESS = ("epoch", "batch", "loss", "history", "resumed")  # of a training


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--resume", action="store_true", help="go on from the checkpoint")
    add("--epochs", type=int, default=8, help="how many there are in the end (8)")
    add("--batch-size", type=int, default=128, help="images in a batch (128)")
    add("--lr", type=float, default=0.1, help="highest learning rate (0.1)")
    add("--seed", type=int, default=1, help="of everything random (1)")
    add("--data", help="folder with MNIST/raw ($MNIST_ROOT, ./data, /data)")
    add("--checkpoint", type=Path, default="model_checkpoint.pth", help="its file")
    add("--device", help="cpu, cuda, mps (the fastest that is there)")
    add("--plot", action="store_true", help="draw learning_curve.png and .svg")
    return parser.parse_args()


def find_data(given):
    """The folder with MNIST's files; torchvision fetches them where they are nowhere."""
    places = filter(None, (given, os.environ.get("MNIST_ROOT"), "data", "/data"))
    for raw in (Path(place, "MNIST/raw") for place in places):
        if (raw / "train-images-idx3-ubyte").is_file():
            return raw
    from torchvision.datasets import MNIST  # takes its time

    return Path(MNIST(given or "data", download=True).raw_folder)


class Digits(Dataset):
    """A part of MNIST in memory, normalized (190 MB for 60,000 images). It gives whole batches at once, which is quick."""

    def __init__(self, raw, part, device):
        images = bytearray((raw / f"{part}-images-idx3-ubyte").read_bytes()[16:])
        labels = bytearray((raw / f"{part}-labels-idx1-ubyte").read_bytes()[8:])
        pixels = torch.frombuffer(images, dtype=torch.uint8).view(-1, 1, 28, 28)
        self.images = (pixels.to(device) / 255 - MEAN) / STD
        self.labels = torch.frombuffer(labels, dtype=torch.uint8).to(device).long()

    def __len__(self):
        return len(self.labels)

    def __getitems__(self, indices):
        return self.images[indices], self.labels[indices]


def block(before, after, size):
    """A convolution that halves the image."""
    convolution = nn.Conv2d(before, after, size, 2, padding=size // 2, bias=False)
    return convolution, nn.BatchNorm2d(after), nn.ReLU()


def network():
    blocks = (*block(1, 16, 5), *block(16, 32, 3), *block(32, 64, 3))
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(1024, 10))


class Training:
    """A training, and how its state goes to a checkpoint and comes back."""

    def __init__(self, args, device, digits):
        torch.manual_seed(args.seed)
        self.args, self.digits = args, digits
        self.batches = -(-len(digits) // args.batch_size)  # in each epoch
        self.model = network().to(device, memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD(
            self.model.parameters(), args.lr, 0.9, weight_decay=5e-4, nesterov=True
        )
        self.epoch, self.batch, self.loss = 1, 0, 0.0  # now; done in it; their sum
        self.history, self.resumed = [], []  # epochs (number, loss, accuracy); places

    def save(self):
        """All or nothing: whoever looks finds the old checkpoint or the new one, whole, whenever we are killed."""
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "threads": torch.get_num_threads(),  # another number adds in another order
            **{name: getattr(self, name) for name in PROGRESS},
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
            torch.set_num_threads(state["threads"])
            vars(self).update({name: state[name] for name in PROGRESS})
        except FileNotFoundError:
            sys.exit(f"There is no {path} yet. Train without --resume first.")
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            sys.exit(f"{path} is no checkpoint of this network: {error}")
        self.resumed.append(self.epoch - 1 + self.batch / self.batches)
        print(f"Going on after {self.epoch - 1} epochs and {self.batch} batches.")

    def schedule(self):
        """The learning rate rises for a twentieth of all steps, and falls from then on."""
        last = (self.epoch - 1) * self.batches + self.batch - 1
        steps = max(self.args.epochs, self.epoch) * self.batches
        return OneCycleLR(self.optimizer, self.args.lr, steps, last_epoch=last, **CYCLE)

    def finish_epoch(self, schedule, stopping):
        """Train the rest of this epoch, and return its mean loss; None if it was to stop, between two batches."""
        random = torch.Generator().manual_seed(1_000_003 * self.args.seed + self.epoch)
        order = torch.randperm(len(self.digits), generator=random)
        shifts = torch.randint(-1, 2, (self.batches, 2), generator=random)  # pixels
        self.model.train()
        size = self.args.batch_size
        rest = order[self.batch * size :].tolist()
        loader = DataLoader(self.digits, size, sampler=rest, collate_fn=lambda b: b)
        for images, labels in loader:
            if stopping:
                return None
            images = images.roll(shifts[self.batch].tolist(), dims=(2, 3))
            loss = F.cross_entropy(self.model(images), labels, label_smoothing=0.05)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            schedule.step()
            self.loss += loss.item()
            self.batch += 1
        return self.loss / self.batches

    @torch.no_grad()
    def accuracy(self, digits):
        """The share of the images that are recognized."""
        self.model.eval()
        right = self.model(digits.images).argmax(1) == digits.labels
        return right.float().mean().item()


def fingerprint(model):
    """SHA-256 over the bytes of all the model's tensors."""
    tensors = (tensor.cpu().contiguous() for tensor in model.state_dict().values())
    return sha256(b"".join(tensor.numpy().tobytes() for tensor in tensors)).hexdigest()


def main():
    args, stopping = arguments(), []  # signals that have come
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: stopping.append(number))
    fastest = torch.accelerator.current_accelerator(check_available=True)
    device = torch.device(args.device or fastest or "cpu")
    raw = find_data(args.data)
    test_digits = Digits(raw, "t10k", device)
    run = Training(args, device, Digits(raw, "train", device))
    if args.resume:
        run.restore(device)
    schedule = run.schedule()
    while run.epoch <= args.epochs:
        loss, epoch = run.finish_epoch(schedule, stopping), run.epoch
        if loss is None:
            run.save()
            print(f"Stopped in epoch {epoch}; saved. Go on with --resume.")
            sys.exit(128 + stopping[0])
        accuracy = run.accuracy(test_digits)
        run.history.append((epoch, loss, accuracy))
        run.epoch, run.batch, run.loss = epoch + 1, 0, 0.0
        run.save()  # before the line below: what was printed is never lost
        print(f"epoch={epoch} loss={loss:.4f} accuracy={accuracy:.4f}", flush=True)
    accuracy, weights = run.accuracy(test_digits), fingerprint(run.model)
    print(f"Test accuracy: {accuracy:.4f}. SHA-256 of the weights: {weights}")
    if args.plot:
        from plot import draw

        print("Drawn:", *draw(run.history, run.resumed, args.checkpoint.parent))


if __name__ == "__main__":
    main()
