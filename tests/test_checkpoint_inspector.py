"""Checkpoints are read as tensors, whatever they are like, and nothing that they ask for is done."""

from __future__ import annotations

import io
import json
import pickle
import struct
import subprocess
import sys
import zipfile

import pytest

from dockdojo import payloads
from dockdojo.connection.types import Mount, RunSpec
from dockdojo.engine.client import connect
from dockdojo.model import Limits
from dockdojo.payloads import torch_files
from dockdojo.training.torch_image import (
    BUILT_FOR,
    INSPECTOR,
    START,
    Contents,
    Torch,
    expect_cpu_build,
    expect_torch,
)
from tests.unusual import COURSE

TEXTS = {f"dockdojo.payloads.{name}": payloads.source(name) for name in INSPECTOR}


PROCESSOR_SECONDS = 1
"""Fewer than a grading gives: a whole checkpoint needs some tenths, and what never ends should end soon."""


def examined(load, poison=()):
    """What the inspector says, as it runs in a container: with the standard library alone."""
    order = json.dumps(
        {
            "load": [str(path) for path in load],
            "poison": [[kind, str(a), str(b)] for kind, a, b in poison],
            "seconds": PROCESSOR_SECONDS,
        }
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", START, json.dumps(TEXTS), order],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def error_of(path):
    return examined([path])["load"][str(path)]["error"]


class Storage:
    """In a pickle: a reference to bytes beside it."""

    def __init__(self, key, count):
        self.pid = ("storage", "TYPE", key, "cpu", count)


class Calls:
    """In a pickle: a call of anything."""

    def __init__(self, module, name, *args):
        self.name, self.args = (module, name), args

    def __reduce__(self):
        return (Named(*self.name), self.args)


class Named:
    def __init__(self, module, name):
        self.module, self.name = module, name


class Writer(pickle._Pickler):
    """Writes names that need not exist, as torch.save does on a machine where they do."""

    def persistent_id(self, value):
        if isinstance(value, Storage):
            return ("storage", Named("torch", "FloatStorage"), *value.pid[2:])
        return None

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, Named):
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        else:
            super().save(obj, save_persistent_id)

    def save_reduce(self, func, args, state=None, **rest):
        self.save(func)
        self.save(args)
        self.write(pickle.REDUCE)
        if state is not None:
            self.save(state)
            self.write(pickle.BUILD)


def pickled(value):
    into = io.BytesIO()
    Writer(into, 2).dump(value)
    return into.getvalue()


def tensor(key, *size, count=None):
    numbers = 1
    strides = []
    for one in reversed(size):
        strides.insert(0, numbers)
        numbers *= one
    return Calls(
        "torch._utils",
        "_rebuild_tensor_v2",
        Storage(key, count or numbers),
        0,
        size,
        tuple(strides),
        False,
        {},
    )


def archive(path, value, **storages):
    """A file as torch.save writes it."""
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(
            "archive/data.pkl", value if isinstance(value, bytes) else pickled(value)
        )
        for key, data in storages.items():
            made.writestr(f"archive/data/{key.removeprefix('_')}", data)
        made.writestr("archive/version", "3\n")
    return path


def floats(count):
    return struct.pack(f"<{count}f", *([0.5] * count))


def both(folder):
    """A checkpoint with weights and an optimizer's state."""
    state = {
        "model": {"w": tensor("0", 2, 3)},
        "optimizer": {"state": {0: {"exp_avg": tensor("1", 4)}}, "param_groups": []},
    }
    return archive(folder / "model_checkpoint.pth", state, _0=floats(6), _1=floats(4))


def test_weights_and_the_optimizers_state_are_told_apart(tmp_path):
    told = examined([both(tmp_path)])["load"][str(tmp_path / "model_checkpoint.pth")]
    assert (told["error"], told["numbers"], told["has_optimizer"]) == ("", 6, True)


@pytest.mark.parametrize(
    ("kind", "spoilt", "whole"), [("weights", "0", "1"), ("optimizer", "1", "0")]
)
def test_only_one_side_becomes_nan_and_the_archive_stays_whole(
    tmp_path, kind, spoilt, whole
):
    source, target = tmp_path / "from", tmp_path / "to"
    source.mkdir()
    target.mkdir()
    before = both(source).read_bytes()
    assert examined([], [(kind, source, target)])["poison"] == [1]
    with zipfile.ZipFile(target / "model_checkpoint.pth") as made:
        assert made.testzip() is None
        assert set(made.read(f"archive/data/{spoilt}")) == {0xFF}
        assert set(made.read(f"archive/data/{whole}")) == set(floats(1))
        assert made.read("archive/data.pkl") in before
    assert len((target / "model_checkpoint.pth").read_bytes()) == len(before)


def test_weights_that_are_no_numbers_are_told(tmp_path):
    """Only those of the weights: an optimizer's may be as they like."""
    (tmp_path / "whole").mkdir()
    path = both(tmp_path / "whole")
    for kind in ("weights", "optimizer"):
        (tmp_path / kind).mkdir()
    spoilt = [
        (kind, tmp_path / "whole", tmp_path / kind) for kind in ("weights", "optimizer")
    ]
    assert examined([path], spoilt)["load"][str(path)]["has_nan"] is False
    made = {kind: tmp_path / kind / path.name for kind in ("weights", "optimizer")}
    told = examined(made.values())["load"]
    assert {kind: told[str(one)]["has_nan"] for kind, one in made.items()} == {
        "weights": True,
        "optimizer": False,
    }


def test_nothing_that_it_names_is_imported_or_called(tmp_path):
    mark = tmp_path / "mark"
    for number, call in enumerate(
        (
            Calls("os", "system", f"touch {mark}"),
            Calls("builtins", "eval", f"open({str(mark)!r}, 'w')"),
            Calls("builtins", "exec", f"open({str(mark)!r}, 'w')"),
            Calls("subprocess", "call", ["touch", str(mark)]),
            Calls(
                "torch._tensor",
                "_rebuild_from_type_v2",
                Named("os", "system"),
                Named("a", "b"),
                (f"touch {mark}",),
                None,
            ),
        )
    ):
        path = archive(
            tmp_path / f"{number}.pth",
            {"model": tensor("0", 2), "x": call},
            _0=floats(2),
        )
        assert examined([path])["load"][str(path)]["numbers"] == 2
    assert not mark.exists()


def test_modules_and_optimizers_that_were_pickled_whole(tmp_path):
    class Made(Calls):
        def __init__(self, module, name, state):
            super().__init__(module, name)
            self.state = state

        def __reduce__(self):
            return (Named(*self.name), (), self.state)

    inner = Made(
        "torch.nn.modules.linear",
        "Linear",
        {"_parameters": {"momentum": tensor("0", 3)}, "_buffers": {}, "_modules": {}},
    )
    model = Made(
        "__main__",
        "Net",
        {
            "_parameters": {},
            "_buffers": {"mean": tensor("1", 2)},
            "_modules": {"a": inner},
        },
    )
    adam = Made(
        "torch.optim.adam",
        "Adam",
        {
            "state": {1: {"exp_avg": tensor("2", 5)}},
            "param_groups": [{"params": [tensor("0", 3)]}],
        },
    )
    path = archive(
        tmp_path / "a.pth", [model, adam, 3], _0=floats(3), _1=floats(2), _2=floats(5)
    )
    told = examined([path], [("optimizer", tmp_path, tmp_path)])
    assert (
        told["load"][str(path)]["numbers"],
        told["load"][str(path)]["has_optimizer"],
    ) == (5, True)
    assert told["poison"] == [1]


HOSTILE = {
    "no archive": b"nothing at all",
    "cut short": b"PK\x03\x04" + bytes(400),
    "empty": b"",
    "pickles that never end": b"\x80\x02" + b"(" * 1_000_000,
    "an index that needs all memory": b"\x80\x02}r\xff\xff\xff\x7f.",
    "tuples of tuples as a key": b"\x80\x02}(K\x01"
    + b"".join(b"q" + bytes([one]) + b"h" + bytes([one]) + b"\x86" for one in range(60))
    + b"K\x01u.",
    "a shape that is none": pickled(
        Calls(
            "torch._utils",
            "_rebuild_tensor_v2",
            Storage("0", 2),
            0,
            "ab",
            (1,),
            False,
            {},
        )
    ),
    "more numbers than there are": pickled(tensor("0", 1000, count=2)),
    "no numbers": pickled(tensor("7", 2)),
    "a number with a million digits": b"\x80\x02\x8b"
    + struct.pack("<i", 500_000)
    + b"\x7f" * 500_000
    + b".",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_and_cost_only_themselves(tmp_path, name):
    data = HOSTILE[name]
    plain, packed, good = (
        tmp_path / "plain.pth",
        tmp_path / "packed.pth",
        both(tmp_path),
    )
    plain.write_bytes(data)
    archive(packed, data, _0=floats(2))
    found = examined([plain, packed, good], [("weights", tmp_path, tmp_path)])["load"]
    assert found[str(plain)]["error"]
    assert found[str(packed)]["error"] or not found[str(packed)]["numbers"]
    assert not found[str(good)]["error"]


def test_bombs_and_what_is_no_file(tmp_path):
    bomb = tmp_path / "bomb.pth"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("archive/data.pkl", bytes(200_000_000))
    assert "packed" in error_of(bomb)
    (tmp_path / "link.pth").symlink_to(both(tmp_path))
    assert error_of(tmp_path / "link.pth")
    assert error_of(tmp_path / "nothing.pth") == "No such file"
    assert error_of(tmp_path)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "__version__ = '2.13.0+cpu'\ndebug = False\ncuda: Optional[str] = None\nhip: Optional[str] = None\n",
            [],
        ),
        ("cuda = None\nhip = None\n", []),
        ("cuda: Optional[str] = '12.6'\nhip: Optional[str] = None\n", ["12.6"]),
        ('cuda = "11.8"\n', ["11.8"]),
        ("cuda = None\nhip: Optional[str] = '6.2'\n", ["6.2"]),
    ],
)
def test_what_torch_says_that_it_is_built_for(text, found):
    assert [
        one or other for _, one, other in BUILT_FOR.findall(text) if one or other
    ] == found


def test_an_image_without_torch_has_no_build_of_it():
    nothing = Contents(files={"/usr/lib/torch/version.py": 20}, torch=None, problem="")
    with pytest.raises(AssertionError, match="no torch"):
        expect_torch(nothing)
    gpu = Contents(
        files={},
        torch=Torch(folders=("/x",), built_for="", gpu_files=("nvidia_cublas",)),
        problem="",
    )
    with pytest.raises(AssertionError, match="nvidia_cublas"):
        expect_cpu_build(gpu)


# Against torch itself

MAKES = """
import collections, numpy, torch
from torch import nn
torch.manual_seed(1)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(5, 7), nn.BatchNorm1d(7)
        self.tied = self.a.weight
    def forward(self, x):
        return self.b(self.a(x))
net = Net()
adam = torch.optim.Adam(net.parameters())
net(torch.randn(4, 5)).sum().backward()
adam.step()
sgd = torch.optim.SGD(net.parameters(), lr=1, momentum=0.9)
sgd.step()
half = {name: one.bfloat16() if one.is_floating_point() else one for name, one in net.state_dict().items()}
history = collections.defaultdict(list, loss=[numpy.float64(0.5), numpy.float32(1)], array=[numpy.arange(3.0)])
whole = {"net": net.state_dict(), "opt": adam.state_dict(), "epoch": numpy.int64(3), "rng": torch.get_rng_state(), "h": history, "loss": torch.tensor(0.5)}
made = {"bare": net.state_dict(), "whole": whole, "module": net, "objects": [net, adam, {1, 2}, b"x", 1j], "half": half,
        "momentum": {"w": net.state_dict(), "o": sgd.state_dict()}, "double": {"w": torch.ones(3, dtype=torch.float64).t()}}
for name, value in made.items():
    torch.save(value, f"/files/{name}.pth")
    torch.save(value, f"/files/{name}-older.pth", _use_new_zipfile_serialization=False)
"""
READS = """
import json, os, sys, torch
from torch import nn
class Net(nn.Module):
    pass
def walk(value, inside=False):
    if isinstance(value, torch.Tensor):
        yield inside, value
    elif isinstance(value, nn.Module):
        yield from walk(value.state_dict(), inside)
    elif isinstance(value, torch.optim.Optimizer):
        yield from walk(dict(value.state), True)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from walk(one, inside or key in ("opt", "o", "state"))
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from walk(one, inside)
found = {}
for name in sorted(os.listdir("/files")):
    if name.endswith(".pth"):
        for kind in ("weights", "optimizer"):
            path = f"/files/{kind}/{name}"
            if os.path.exists(path):
                loaded = list(walk(torch.load(path, weights_only=False)))
                mine = [bool(one.isnan().all()) for mine, one in loaded if mine == (kind == "optimizer") and one.is_floating_point() and (mine or one.dim())]
                other = [bool(one.isnan().any()) for mine, one in loaded if mine != (kind == "optimizer") and one.is_floating_point()]
                found[f"{kind}/{name}"] = [len(mine), all(mine), any(other)]
print(json.dumps(found))
"""


@pytest.mark.engine
def test_what_torch_writes_is_read_spoilt_and_read_again_by_torch(
    real_engine, tmp_path
):
    """In the image of a solution: bare, whole and half, modules, optimizers, numpy's numbers; both formats."""
    limits = Limits(memory_mb=3000, check_seconds=240, build_seconds=1800)
    tmp_path.chmod(0o777)
    for kind in ("weights", "optimizer"):
        (tmp_path / kind).mkdir()
        (tmp_path / kind).chmod(0o777)
    mounts = (Mount(source=str(tmp_path), target="/files", read_only=False),)
    with connect() as engine:
        image = engine.build(COURSE.solution("hogwild"), limits=limits)

        def python(text):
            spec = RunSpec(
                image=image.id, entrypoint=("python",), args=("-c", text), mounts=mounts
            )
            done = engine.run(spec, limits)
            assert done.exit_code == 0, done.stderr
            return done.stdout

        python(MAKES)
        files = sorted(tmp_path.glob("*.pth"))
        assert len(files) == 14
        told = examined(
            files,
            [(kind, tmp_path, tmp_path / kind) for kind in ("weights", "optimizer")],
        )
        assert {
            path: one["error"] for path, one in told["load"].items() if one["error"]
        } == {}
        assert {one["numbers"] > 0 for one in told["load"].values()} == {True}
        spoilt = json.loads(python(READS).splitlines()[-1])
    assert {name for name in spoilt if name.startswith("weights/")} == {
        f"weights/{path.name}" for path in files
    }
    assert len([name for name in spoilt if name.startswith("optimizer/")]) == 6
    assert {
        name: one for name, one in spoilt.items() if not one[0] or not one[1] or one[2]
    } == {}


def test_the_older_format_is_refused_where_it_is_cut(tmp_path):
    storage = io.BytesIO()
    for value in (torch_files.MAGIC, 1001, {}):
        storage.write(pickled(value))
    storage.write(
        pickled({"w": tensor("0", 3)})
        + pickled(["0"])
        + struct.pack("<q", 3)
        + floats(3)
    )
    path = tmp_path / "old.pth"
    path.write_bytes(storage.getvalue())
    assert examined([path])["load"][str(path)]["numbers"] == 3
    path.write_bytes(storage.getvalue()[:-4])
    assert error_of(path)
