"""Says what a training says."""

import argparse
import io
import os
import pickle
import random
import struct
import time
import zipfile
from pathlib import Path

CHECKPOINT = Path(__file__).with_name("model_checkpoint.pth")
COUNT = 1000
NAN = b"\xff\xff\xff\xff"


class Name:
    def __init__(self, module, name):
        self.words = module, name


class Tensor:
    def __init__(self, key):
        self.key = key


class Writer(pickle._Pickler):
    """Writes tensors as torch.save does."""

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, Name):
            self.write(b"c%s\n%s\n" % tuple(one.encode() for one in obj.words))
        elif isinstance(obj, Tensor):
            self.save(Name("torch._utils", "_rebuild_tensor_v2"))
            self.write(b"(")
            self.save(("storage", Name("torch", "FloatStorage"), obj.key, "cpu", COUNT))
            self.write(b"Q")
            for one in (0, (COUNT,), (1,), False, {}):
                self.save(one)
            self.write(b"tR")
        else:
            super().save(obj, save_persistent_id)


def numbers():
    return [random.uniform(-0.1, 0.1) for _ in range(COUNT)]


def save(epoch):
    into = io.BytesIO()
    state = {0: {"exp_avg": Tensor("1")}}
    optimizer = {"state": state, "param_groups": []}
    everything = {"model": {"w": Tensor("0")}, "optimizer": optimizer, "epoch": epoch}
    Writer(into, 2).dump(everything)
    new = CHECKPOINT.with_suffix(".new")
    with zipfile.ZipFile(new, "w") as archive:
        archive.writestr("archive/data.pkl", into.getvalue())
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/epoch", str(epoch))
        for key in ("0", "1"):
            archive.writestr(
                f"archive/data/{key}", struct.pack(f"<{COUNT}f", *numbers())
            )
    os.replace(new, CHECKPOINT)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--epochs", type=int, default=6)
    args = parser.parse_args()
    first, spoilt = 1, False
    if args.resume:
        with zipfile.ZipFile(CHECKPOINT) as archive:
            first = int(archive.read("archive/epoch")) + 1
            spoilt = any(NAN in archive.read(f"archive/data/{key}") for key in "01")
    for epoch in range(first, args.epochs + 1):
        time.sleep(1)
        loss = "nan" if spoilt else f"{random.uniform(0.9, 1) / epoch:.4f}"
        save(epoch)
        print(f"Epoch {epoch}: loss {loss}, accuracy {1 - 0.2 / epoch:.4f}", flush=True)


if __name__ == "__main__":
    main()
