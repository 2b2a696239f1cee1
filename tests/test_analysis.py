"""Waste in layers: the directory case, the opaque case, and a byte that is counted once."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dockdojo.connection.types import Entry, Layer
from dockdojo.image.efficiency import analyse


def entry(path, size=0, kind=None):
    kind = kind or ("file" if size else "dir")
    return Entry(path=path, kind=kind, size=size, mode=0o644, uid=0, gid=0)


def stats(*layers, base=0):
    made = [
        Layer(diff_id=str(number), entries=tuple(entries), instruction=f"step {number}")
        for number, entries in enumerate(layers)
    ]
    return analyse("image", made, base)


def test_nothing_is_wasted_where_nothing_is_hidden():
    found = stats(
        [entry("a", 10), entry("d"), entry("d/b", 5)], [entry("d"), entry("d/c", 7)]
    )
    assert (found.size, found.wasted, found.efficiency) == (22, 0, 1.0)
    assert found.layers[1].added == (("d/c", 7),)


def test_an_overwritten_file_is_wasted_once():
    found = stats([entry("a", 10)], [entry("a", 4)], [entry("a", 3)])
    assert [
        (one.path, one.size, one.made_by, one.hidden_by) for one in found.waste
    ] == [
        ("a", 10, 0, 1),
        ("a", 4, 1, 2),
    ]
    assert found.layers[1].changed == (("a", 4),)
    assert found.efficiency == 3 / 17


def test_a_removed_folder_counts_with_all_that_is_in_it():
    found = stats(
        [entry("d"), entry("d/e"), entry("d/e/f", 10), entry("d/g", 5)],
        [entry("d", kind="whiteout")],
    )
    assert found.wasted == 15
    assert set(found.layers[1].removed) == {"d", "d/e", "d/e/f", "d/g"}
    assert found.layers[0].wasted == 15


def test_an_opaque_folder_hides_what_was_below_and_not_what_is_beside_it():
    found = stats(
        [entry("d/f", 10)],
        [entry("d"), entry("d", kind="opaque"), entry("d/g", 3), entry("d/f", 2)],
    )
    assert [(one.path, one.size) for one in found.waste] == [("d/f", 10)]
    assert found.layers[1].changed == (("d/f", 2),)
    assert found.layers[1].added == (("d/g", 3),)
    assert found.layers[1].removed == ()


def test_a_folder_replaced_by_a_file_or_a_link():
    found = stats(
        [entry("d/f", 10), entry("e", 4)],
        [entry("d", kind="link"), entry("e", kind="dir"), entry("e/x", 1)],
    )
    assert {one.path for one in found.waste} == {"d/f", "e"}
    assert found.wasted == 14


def test_the_base_is_told_apart_and_its_waste_is_counted_where_it_is():
    found = stats(
        [entry("a", 10)], [entry("a", kind="whiteout"), entry("b", 5)], base=1
    )
    assert [one.in_base for one in found.layers] == [True, False]
    assert [one.instruction for one in found.own] == ["step 1"]
    assert found.waste[0].made_by == 0


def test_a_whiteout_of_what_is_not_there_and_an_empty_image():
    assert stats([entry("x/y", kind="whiteout")]).wasted == 0
    assert stats().efficiency == 1.0


BIG = '''
import io, json, resource, sys, tarfile
import subprocess
import sys

import pytest

from dockdojo.image.efficiency import analyse
from dockdojo.image.layers import read_layers

PIECE, PIECES, FILES = bytes(2**20), 700, 40_000


def header(name, size):
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


def export():
    """An image as the engine exports it: one layer with a large file, one with many small ones."""
    size = PIECES * len(PIECE)
    yield header("a/layer.tar", 512 + size + 1024) + header("large", size)
    for _ in range(PIECES):
        yield PIECE
    yield bytes(1024) + bytes(-(512 + size + 1024) % 512)
    yield header("b/layer.tar", FILES * 1024 + 1024)
    for number in range(FILES):
        yield header(f"many/{number}", 1) + bytes(512)
    yield bytes(1024)
    for name, told in (
        ("c.json", {"history": [], "rootfs": {"diff_ids": ["sha256:a", "sha256:b"]}}),
        ("manifest.json", [{"Config": "c.json", "Layers": ["a/layer.tar", "b/layer.tar"]}]),
    ):
        data = json.dumps(told).encode()
        yield header(name, len(data)) + data + bytes(-len(data) % 512)
    yield bytes(1024)


stats = analyse("big", read_layers(export(), (b"needle",)), 0)
assert stats.size == PIECES * len(PIECE) + FILES, stats.size
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
'''


@pytest.mark.skipif(
    sys.platform != "linux", reason="ru_maxrss is in kilobytes on Linux alone"
)
def test_an_image_of_700_mb_needs_less_than_300_mb_of_memory():
    done = subprocess.run(
        [sys.executable, "-c", BIG], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 300_000


def test_folders_as_deep_as_a_stranger_likes():
    deep = "/".join(["d"] * 5_000)
    below = Layer(diff_id="a", instruction="", entries=(entry(deep, size=7),))
    above = Layer(diff_id="b", instruction="", entries=(entry("d", kind="whiteout"),))
    assert analyse("deep", [below, above], 0).wasted == 7
