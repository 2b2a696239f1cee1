"""MNIST from torchvision's mirrors.

Names, mirrors and checksums as in https://pytorch.org/vision/stable/_modules/torchvision/datasets/mnist.html.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable

from dockdojo.datasets.idx import MAX_FILE_BYTES, Digits, parse

CHECKSUMS = {
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}
"""MD5 of each file, compressed by gzip."""
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
TIMEOUT_SECONDS = 10
"""Without an answer; then a mirror counts as unreachable."""


def from_mirrors(tell: Callable[[str], None]) -> dict[str, Digits]:
    """Fetch `train` and `t10k` from the first mirror that answers with the right bytes; empty if none does."""
    for mirror in MIRRORS:
        tell(f"asking {mirror.split('/')[2]}")
        try:
            files = {
                name: _fetch(f"{mirror}{name}.gz", checksum)
                for name, checksum in CHECKSUMS.items()
            }
        except (OSError, ValueError):
            continue
        return {
            part: parse(
                files[f"{part}-images-idx3-ubyte"],
                files[f"{part}-labels-idx1-ubyte"],
                mirror,
            )
            for part in ("train", "t10k")
        }
    return {}


def _fetch(url: str, checksum: str) -> bytes:
    import urllib.request  # takes long to load, and is needed once on a machine

    # The mirrors are https.
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
        packed: bytes = answer.read(MAX_FILE_BYTES)
    if hashlib.md5(packed, usedforsecurity=False).hexdigest() != checksum:
        raise ValueError(f"{url} gave other bytes than MNIST's")
    return gzip.decompress(packed)
