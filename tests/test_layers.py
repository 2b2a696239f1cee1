"""Layers from exports as engines write them: each store has its own layout and compression."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile

import pytest
import zstandard

from dockdojo.errors import EngineGone
from dockdojo.image.layers import read_layers

PACKED = {
    "plain": bytes,
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


def archive(files):
    """A tar archive of those files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as made:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return packed.getvalue()


def oci_layout(*layers, pack, index_only=False):
    """What `docker save` writes on the containerd store: blobs by their digest, the documents among them, the manifest last.

    With `index_only` without Docker's own manifest, as other tools write it: an index that names an index, which names an attestation, too.
    """
    blobs = {}

    def blob(data):
        name = f"blobs/sha256/{hashlib.sha256(data).hexdigest()}"
        blobs[name] = data
        return name

    names = [blob(pack(layer)) for layer in layers]
    config = {
        "rootfs": {"diff_ids": [hashlib.sha256(layer).hexdigest() for layer in layers]},
        "history": [{"created_by": f"COPY {number}"} for number in range(len(layers))],
    }
    manifest = [{"Config": blob(json.dumps(config).encode()), "Layers": names}]
    attestation = blob(
        json.dumps({"predicateType": "https://slsa.dev/provenance/v0.2"}).encode()
    )
    if index_only:

        def named(name, **more):
            return {"digest": name.removeprefix("blobs/").replace("/", ":"), **more}

        image = {
            "config": named(manifest[0]["Config"]),
            "layers": [named(name) for name in names],
        }
        platforms = {"unknown": attestation, "linux": blob(json.dumps(image).encode())}
        inner = {
            "manifests": [
                named(name, platform={"os": os}) for os, name in platforms.items()
            ]
        }
        index = {"manifests": [named(blob(json.dumps(inner).encode()))]}
        return archive(
            {
                **dict(sorted(blobs.items())),
                "index.json": json.dumps(index).encode(),
                "oci-layout": b"{}",
            }
        )
    blobs = dict(sorted(blobs.items()))
    return archive(
        {
            **blobs,
            "index.json": b"{}",
            "manifest.json": json.dumps(manifest).encode(),
            "oci-layout": b"{}",
        }
    )


def chunks(data, size=4_000):
    return iter([data[at : at + size] for at in range(0, len(data), size)])


@pytest.mark.parametrize(
    "index_only", [False, True], ids=["manifest.json", "index.json"]
)
@pytest.mark.parametrize("pack", PACKED.values(), ids=PACKED)
def test_a_layer_is_the_same_however_it_is_packed(pack, index_only):
    layers = archive({"a": b"x" * 70_000, "b": b"needle"}), archive({"c": b""})
    found = read_layers(
        chunks(oci_layout(*layers, pack=pack, index_only=index_only)), (b"needle",)
    )
    assert [(one.size, one.instruction) for one in found] == [
        (70_006, "COPY 0"),
        (0, "COPY 1"),
    ]
    assert [(one.path, one.held) for one in found[0].entries] == [
        ("a", ()),
        ("b", (b"needle",)),
    ]


@pytest.mark.parametrize("pack", PACKED.values(), ids=PACKED)
def test_a_name_that_begins_as_a_document_does_is_a_name(pack):
    found = read_layers(chunks(oci_layout(archive({'{"a": 1}': b"xy"}), pack=pack)))
    assert [(one.path, one.size) for one in found[0].entries] == [('{"a": 1}', 2)]
    own = archive(
        {
            "1/layer.tar": archive({"{": b"xy"}),
            "config.json": json.dumps({"rootfs": {"diff_ids": ["1"]}}).encode(),
            "manifest.json": json.dumps(
                [{"Config": "config.json", "Layers": ["1/layer.tar"]}]
            ).encode(),
        }
    )
    assert read_layers(chunks(own))[0].entries[0].path == "{"


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_layer_that_breaks_off_is_the_engines_fault(kind):
    whole = PACKED[kind](archive({"a": bytes(range(256)) * 400}))
    with pytest.raises((EngineGone, OSError)):
        read_layers(chunks(oci_layout(b"", pack=lambda layer: whole[:40] + b"\0" * 40)))


def test_where_a_link_leads_is_searched_and_times_are_known():
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as made:
        info = tarfile.TarInfo("app/note")
        info.type, info.linkname, info.mtime = (
            tarfile.SYMTYPE,
            "to/the-secret",
            1_700_000_000.75,
        )
        made.addfile(info)
    [layer] = read_layers([oci_layout(packed.getvalue(), pack=bytes)], (b"the-secret",))
    assert [(one.kind, one.held, one.mtime) for one in layer.entries] == [
        ("link", (b"the-secret",), 1_700_000_000)
    ]


def test_podmans_archive_is_read():
    """Each layer is a file at the top, `<digest>.tar`; the folders with links to them are for older readers."""
    own = archive(
        {
            "4d44.tar": archive({"a": b"xy"}),
            "c.json": json.dumps({"rootfs": {"diff_ids": ["sha256:4d44"]}}).encode(),
            "manifest.json": json.dumps(
                [{"Config": "c.json", "Layers": ["4d44.tar"]}]
            ).encode(),
        }
    )
    (layer,) = read_layers(chunks(own))
    assert [(entry.path, entry.size) for entry in layer.entries] == [("a", 2)]
