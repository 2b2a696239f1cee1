from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib

import pytest

from dockdojo.image import needles
from dockdojo.image.needles import Needles, forms_of

SECRET = b"token-of-the-measuring-station-5f3a9c1e7b"
FILLING = bytes(range(256)) * 50


def packed_zip(data, name="inner.txt"):
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return raw.getvalue()


def packed_tar(data, mode="w"):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode=mode) as archive:
        info = tarfile.TarInfo("inner.txt")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return raw.getvalue()


WAYS = {
    "plain": lambda data: data,
    "base64": base64.b64encode,
    "base64 of more": lambda data: base64.b64encode(b"TOKEN=" + data + b"\n# end"),
    "base64 for urls, shifted": lambda data: base64.urlsafe_b64encode(
        b"x" + data + b"yy"
    ),
    "hex": lambda data: data.hex().encode(),
    "HEX": lambda data: data.hex().upper().encode(),
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zip": packed_zip,
    "tar.gz": lambda data: packed_tar(data, "w:gz"),
    "a gzip in a tar": lambda data: packed_tar(gzip.compress(data)),
    "a zip in a zip": lambda data: packed_zip(packed_zip(data), "inner.zip"),
    "base64 in lines, as `base64` ends them": lambda data: base64.encodebytes(
        b"x" * 40 + data
    ),
    "digits in lines of 60, as `xxd -p` ends them": lambda data: data.hex(
        "\n", 30
    ).encode(),
    "digits apart, as `od -An -tx1` writes them": lambda data: b"\n".join(
        b" " + data[place : place + 16].hex(" ").encode()
        for place in range(0, len(data), 16)
    ),
    "zlib, as the objects of git": zlib.compress,
    "zlib in a tar, in pieces": lambda data: packed_tar(
        zlib.compress(data * 40_000, 1)
    ),
    "base64 in a gzip": lambda data: gzip.compress(base64.b64encode(data)),
}


def held(data, thorough=True):
    return Needles((SECRET, b"something else"), thorough=thorough).held(
        io.BytesIO(data)
    )


@pytest.mark.parametrize("way", WAYS)
def test_a_secret_is_found(way):
    assert held(WAYS[way](FILLING + SECRET + FILLING)) == (SECRET,)
    assert held(WAYS[way](FILLING + SECRET[:-1] + FILLING)) == ()


@pytest.mark.parametrize("offset", range(7))
def test_base64_at_every_offset(offset):
    for behind in range(4):
        assert held(base64.b64encode(b"a" * offset + SECRET + b"b" * behind)) == (
            SECRET,
        )


def test_as_it_is_only_as_it_is():
    assert held(FILLING + SECRET, thorough=False) == (SECRET,)
    assert held(gzip.compress(SECRET), thorough=False) == ()
    assert held(SECRET.hex().encode(), thorough=False) == ()


def test_across_the_pieces_that_are_read(monkeypatch):
    monkeypatch.setattr(needles, "PIECE_BYTES", 7)
    assert held(b"x" * 20 + SECRET + b"x" * 20) == (SECRET,)
    assert held(b"x" * 20 + SECRET.hex().encode()) == (SECRET,)


def test_what_is_cut_off_or_broken_counts_as_far_as_it_goes():
    whole = gzip.compress(SECRET + bytes(range(256)) * 200, compresslevel=0)
    assert held(whole[:5_000]) == (SECRET,)
    for way in ("gzip", "bzip2", "xz", "zip", "tar.gz", "a gzip in a tar"):
        data = WAYS[way](FILLING + SECRET)
        for place in range(0, len(data), max(1, len(data) // 40)):
            held(data[:place])
            held(data[:place] + b"\xff\xff" + data[place + 2 :])
    assert held(b"PK\x03\x04" + bytes(1_000)) == ()


def test_what_is_unpacked_is_bounded(monkeypatch):
    """A bomb costs no more than the bound, and a secret before the bound is found all the same."""
    monkeypatch.setattr(needles, "MAX_UNPACKED_BYTES", 1_000_000)
    bomb = gzip.compress(SECRET + bytes(50_000_000))
    looking = Needles((SECRET,), thorough=True)
    assert looking.held(io.BytesIO(bomb)) == (SECRET,)
    assert looking._left == 0
    assert (
        looking.held(io.BytesIO(gzip.compress(SECRET))) == ()
    )  # nothing more is unpacked
    assert looking.held(io.BytesIO(SECRET)) == (SECRET,)


def test_a_large_archive_is_searched_as_it_is(monkeypatch):
    monkeypatch.setattr(needles, "MAX_ARCHIVE_BYTES", 2 * needles.PIECE_BYTES)
    archive = packed_tar(bytes(3 * needles.PIECE_BYTES) + SECRET)
    assert held(archive) == (SECRET,)


def test_names_variables_and_lines():
    looking = Needles((SECRET,), thorough=True)
    for form in forms_of(SECRET):
        assert looking.held_by_text(f"app/{form.decode()}.txt")
    assert not looking.held_by_text("PATH=/usr/bin")
    assert not looking.held_by_text("\ud800")
