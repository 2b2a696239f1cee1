"""Digits to grade with: where they come from, and that a small set is the same each time."""

from __future__ import annotations

import gzip
import hashlib
import os
import random
from pathlib import Path

import pytest

from dockdojo import datasets
from dockdojo.cli import main
from dockdojo.datasets import (
    drawing,
    idx,
    mirrors,
    prepare,
    scikit_digits,
    stored,
)
from dockdojo.datasets.idx import Digits, parse
from dockdojo.errors import CourseError, DataUnavailable, UsageError
from dockdojo.runner.drawn import FOLDER, WRONG_LABEL_SHARES, Drawn

REAL = Path(
    os.environ.get("MNIST_ROOT") or Path(__file__).parents[2] / "shared" / "mnist"
)


def digits(count, first=0):
    images = tuple(
        bytes([number % 256, number // 256]) + bytes(782)
        for number in range(first, first + count)
    )
    return Digits(images, bytes(number % 10 for number in range(count)))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder that looks like the user's: both parts, one of them packed."""
    monkeypatch.delenv("MNIST_ROOT", raising=False)
    made = stored.write(tmp_path / "user", digits(600), digits(100, 5000), stored.REAL)
    for path in (made.root / "MNIST" / "raw").glob("t10k*"):
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    return made.root


def content(root):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (root / "MNIST" / "raw").iterdir()
    }


def test_a_limit_gives_the_same_images_each_time(folder, tmp_path):
    limit = {"train": 50, "test": 20}
    one = prepare(tmp_path / "one", source=folder, limit=limit, tell=print)
    two = prepare(tmp_path / "two", source=folder / "MNIST", limit=limit, tell=print)
    assert (one.train, one.test, one.stand_in) == (50, 20, False)
    assert content(one.root) == content(two.root)
    assert set(content(one.root)) == set(mirrors.CHECKSUMS)
    found = idx.from_folder(one.root)
    assert not set(found["train"].images) & set(found["t10k"].images)
    assert datasets.read_note(one.root) == one


def test_without_a_limit_all_of_it(folder, tmp_path):
    made = prepare(tmp_path / "all", source=folder, tell=print)
    assert (made.train, made.test) == (600, 100)


def test_one_part_alone_is_parted(folder, tmp_path, monkeypatch):
    for path in (folder / "MNIST" / "raw").glob("t10k*"):
        path.unlink()
    monkeypatch.setenv("MNIST_ROOT", str(folder))
    made = prepare(tmp_path / "parted", tell=print)
    assert (made.train, made.test) == (510, 90)
    found = idx.from_folder(made.root)
    assert not set(found["train"].images) & set(found["t10k"].images)
    with pytest.raises(UsageError, match="601 images"):
        prepare(tmp_path / "more", limit={"train": 600, "test": 1}, tell=print)


def test_a_drawn_set_is_another_each_time_and_the_same_for_the_same_seed(
    folder, tmp_path
):
    pool = prepare(tmp_path / "pool", source=folder, tell=print)
    one, again, other = (
        datasets.drawn(pool, tmp_path / name, random.Random(seed), wrong=0.2)
        for name, seed in (("1", 5), ("2", 5), ("3", 6))
    )
    assert content(one.root) == content(again.root) != content(other.root)
    assert (one.train, one.test) == (600 - 37, 100 - 6)
    assert (
        idx.from_folder(one.root)["train"].images
        != idx.from_folder(other.root)["train"].images
    )


def test_so_many_labels_of_the_test_are_wrong_as_is_told_and_none_of_the_training(
    folder, tmp_path
):
    pool = prepare(tmp_path / "pool", source=folder, tell=print)
    made = datasets.drawn(pool, tmp_path / "drawn", random.Random(1), wrong=0.25)
    right = {
        part: dict(zip(one.images, one.labels, strict=True))
        for part, one in idx.from_folder(pool.root).items()
    }
    wrong = {
        part: sum(
            right[part][image] != label
            for image, label in zip(one.images, one.labels, strict=True)
        )
        for part, one in idx.from_folder(made.root).items()
    }
    assert wrong == {"train": 0, "t10k": made.wrong}
    assert made.wrong == round(0.25 * made.test)
    assert made.highest == pytest.approx(0.75, abs=0.01)


def test_renamed_labels_are_others_each_and_the_same_in_both_parts(folder, tmp_path):
    pool = prepare(tmp_path / "pool", source=folder, tell=print)
    made = datasets.drawn(pool, tmp_path / "drawn", random.Random(1), rename=True)
    right = {
        part: dict(zip(one.images, one.labels, strict=True))
        for part, one in idx.from_folder(pool.root).items()
    }
    moved = {
        (label - right[part][image]) % 10
        for part, one in idx.from_folder(made.root).items()
        for image, label in zip(one.images, one.labels, strict=True)
    }
    assert len(moved) == 1, moved
    assert moved != {0}


def test_shuffled_labels_are_those_of_other_images(folder, tmp_path):
    pool = prepare(tmp_path / "pool", source=folder, tell=print)
    made = datasets.drawn(pool, tmp_path / "drawn", random.Random(1), shuffle=True)
    right = {
        part: dict(zip(one.images, one.labels, strict=True))
        for part, one in idx.from_folder(pool.root).items()
    }
    for part, one in idx.from_folder(made.root).items():
        same = sum(
            right[part][image] == label
            for image, label in zip(one.images, one.labels, strict=True)
        )
        assert same < len(one) / 4, "a tenth stays by chance"


def test_what_is_drawn_for_a_grading_is_gone_after_it(folder, tmp_path):
    pool = prepare(tmp_path / "data" / "pool", source=folder, tell=print)
    left = (
        tmp_path / "data" / f"{FOLDER}{2**22 + 1}"
    )  # of a process that cannot be: the kernel's numbers end before
    left.mkdir()
    made = Drawn(str(pool.root), lambda purpose: random.Random(f"seed:{purpose}"))
    noisy, shuffled = made.draw_noisy(), made.draw_shuffled()
    assert noisy is made.draw_noisy()
    assert (
        WRONG_LABEL_SHARES[0] - 0.01
        <= noisy.wrong / noisy.test
        <= WRONG_LABEL_SHARES[1] + 0.01
    )
    assert shuffled.wrong == 0
    assert content(noisy.root) != content(shuffled.root)
    made.remove()
    assert list((tmp_path / "data").iterdir()) == [pool.root]
    with pytest.raises(CourseError, match="no digits"):
        assert Drawn("", lambda purpose: random.Random(1)).draw_noisy()


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"\0\0\x08\x03" + bytes(8),
        b"\0\0\x08\x03\0\0\0\x01\0\0\0\x1c\0\0\0\x1c" + bytes(783),
    ],
)
def test_what_is_no_idx_file(broken):
    with pytest.raises(UsageError, match="no IDX files"):
        parse(broken, b"\0\0\x08\x01\0\0\0\x01\x03", "images")


def test_a_folder_without_digits_and_a_limit_that_is_none(tmp_path):
    with pytest.raises(UsageError, match="holds no MNIST"):
        prepare(tmp_path / "x", source=tmp_path, tell=print)
    for words in ("train=1", "train=a,test=1", "train=0,test=1", "10"):
        with pytest.raises(UsageError, match="should read like"):
            datasets.limits(words)


@pytest.fixture(scope="module")
def scikit():
    """The digits of scikit-learn, out of its wheel."""
    try:
        return scikit_digits.stand_in(print)
    except DataUnavailable as error:
        pytest.skip(str(error))


def test_the_stand_in_is_called_so_everywhere(scikit, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("MNIST_ROOT", raising=False)
    monkeypatch.setattr(datasets, "from_mirrors", lambda tell: {})
    monkeypatch.setattr(datasets, "stand_in", lambda tell: scikit)
    assert (
        main(["data", "--to", str(tmp_path / "d"), "--limit", "train=8500,test=1500"])
        == 0
    )
    said = capsys.readouterr().out
    assert "stand-in" in said
    assert "8500 images to train, 1500 to test" in said
    made = datasets.read_note(tmp_path / "d")
    assert made.stand_in
    found = idx.from_folder(tmp_path / "d")
    assert sorted(set(found["train"].labels)) == list(range(10))


def test_the_stand_ins_images_are_like_mnists(scikit):
    images = scikit["digits"].images
    assert len(images) == 1797
    assert max(map(max, images)) == 255
    for image in images[:50]:
        rows = [image[28 * one : 28 * (one + 1)] for one in range(28)]
        assert not any(map(any, rows[:4] + rows[-4:])), "the margin is empty"
    mean = sum(map(sum, images)) / len(images) / 784 / 255
    assert 0.08 < mean < 0.2, mean  # MNIST's is 0.1307


def test_test_images_of_the_stand_in_are_none_of_the_training_images(scikit):
    train, test = drawing.split(scikit, datasets.SMALL)
    assert (len(train), len(test)) == (8500, 1500)
    own = set(train.images)
    assert not any(image in own for image in test.images)
    again, _ = drawing.split(scikit, datasets.SMALL)
    assert again == train


def test_shifting():
    image = bytes(28 * 14 + 14) + b"\xff" + bytes(28 * 28 - 28 * 14 - 15)
    assert scikit_digits.shifted(image, 1, 0).index(b"\xff") == 28 * 14 + 15
    assert scikit_digits.shifted(image, -2, 1).index(b"\xff") == 28 * 15 + 12
    assert b"\xff" not in scikit_digits.shifted(image, 14, 0)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real digits are not on this machine")
def test_the_real_digits(tmp_path):
    made = prepare(tmp_path / "real", source=REAL, limit=datasets.SMALL, tell=print)
    assert (made.train, made.test, made.source) == (8500, 1500, "MNIST")
    found = idx.from_folder(made.root)
    pixels = sum(map(sum, found["train"].images)) / 8500 / 784 / 255
    assert 0.12 < pixels < 0.14
