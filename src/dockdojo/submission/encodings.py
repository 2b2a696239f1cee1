"""Texts in encodings other than UTF-8, where the tool that the file is for reads them as well."""

from __future__ import annotations

import codecs
import re

from dockdojo.texts import MAX_LINE

BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""UTF-32 first: its mark begins with that of UTF-16."""
CODING = re.compile(rb"coding[:=]\s*([-\w.]+)")
ENCODINGS = frozenset(
    {
        "utf-8",
        "ascii",
        "latin-1",
        "latin1",
        "iso-8859-1",
        "iso-8859-15",
        "cp1252",
        "windows-1252",
    }
)
"""Encodings that a comment may name here; Python knows others, of which some are slow."""


def decode_as_pip(raw: bytes) -> str:
    """Return the text of a requirements file, decoded as pip does it: by its BOM, by a `coding:` comment, else as UTF-8.

    Source: pip's `_internal/req/req_file.py` and `utils/encoding.py`. Raises UnicodeDecodeError.
    """
    for bom, encoding in BOMS:
        if raw.startswith(bom):
            return raw[len(bom) :].decode(encoding)
    for line in raw.split(b"\n", 2)[:2]:
        if line.startswith(b"#") and (found := CODING.search(line[:MAX_LINE])):
            name = found[1].decode("ascii", "replace").lower().replace("_", "-")
            return raw.decode(name if name in ENCODINGS else "utf-8")
    return raw.decode("utf-8")
