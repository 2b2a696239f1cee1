"""Pinned or not: base images and Python requirements. The one place where a submission's text is the point."""

from __future__ import annotations

import codecs
import re
import shlex
from collections.abc import Iterator

from dockerlab.engine.dockerfile import Dockerfile
from dockerlab.texts import MAX_LINE

TOOLS = frozenset({"pip", "setuptools", "wheel", "uv", "poetry", "pip-tools"})
"""What installs the rest; its own version is not what a lab is about."""
MAX_COMMAND, MAX_COMMANDS = 20_000, 1_000
"""Characters of one command of a RUN, and commands of one RUN, that are read."""
MAX_CONTINUED = 200
"""Lines that one requirement goes over."""
COMMENT = re.compile(r"(?:^|\s)#.*$")
BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""UTF-32 first: its mark begins with that of UTF-16."""
CODING = re.compile(rb"coding[:=]\s*([-\w.]+)")
ENCODINGS = frozenset({"utf-8", "ascii", "latin-1", "latin1", "iso-8859-1", "iso-8859-15", "cp1252", "windows-1252"})
"""Encodings that a comment may name here; Python knows others, of which some are slow."""
_SHORT = frozenset({"-r", "-c", "-t", "-i", "-f", "-e"})
_LONG = frozenset(
    {
        "requirement", "constraint", "target", "index-url", "extra-index-url", "find-links", "editable", "prefix", "root",
        "python", "trusted-host", "timeout", "retries", "cache-dir", "platform", "only-binary", "no-binary", "cert",
    }
)  # fmt: skip
"""Options of pip whose next word is their value, not a package."""


def image_is_pinned(ref: str) -> bool:
    """Whether an image's name has a digest, or a tag that is not `latest`."""
    if "@sha256:" in ref:
        return True
    name = ref.rpartition("/")[2]
    tag = name.partition(":")[2]
    return bool(tag) and tag != "latest"


def loose_bases(dockerfile: Dockerfile) -> Iterator[tuple[str, int]]:
    """The base images that are not pinned, with their lines."""
    for ref, instruction in dockerfile.bases():
        if not image_is_pinned(ref):
            yield ref, instruction.line


def decode_as_pip(raw: bytes) -> str:
    """The text of a requirements file, decoded as pip does it: by its BOM, by a `coding:` comment, else as UTF-8.

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


def requirement_is_pinned(text: str) -> bool:
    """Whether one requirement admits one version only (PEP 440 `==` without a wildcard, `===`, or a direct reference)."""
    from packaging.requirements import InvalidRequirement, Requirement  # loaded while a grading waits for its engine

    try:
        parsed = Requirement(text)
    except (InvalidRequirement, RecursionError):
        return False
    return bool(parsed.url) or any(
        one.operator == "===" or (one.operator == "==" and not one.version.endswith(".*")) for one in parsed.specifier
    )


def requirements(text: str) -> Iterator[tuple[str, int]]:
    """The requirements of a requirements file, with their lines; options, comments and hashes left out."""
    parts: list[str] = []
    begin = 0
    for number, raw in enumerate(text.split("\n"), 1):
        begin = begin if parts else number
        line = COMMENT.sub("", raw.rstrip("\r")[:MAX_LINE])
        parts.append(line.removesuffix("\\")[: MAX_LINE if len(parts) < MAX_CONTINUED else 0])
        if line.endswith("\\"):
            continue
        whole, parts = " ".join(parts).strip(), []
        if whole and not whole.startswith("-"):
            yield re.split(r"\s--", whole)[0].strip(), begin


def loose_requirements(text: str) -> Iterator[tuple[str, int]]:
    """The requirements that are not pinned, with their lines."""
    for one, line in requirements(text):
        if not requirement_is_pinned(one):
            yield one, line


def loose_installs(dockerfile: Dockerfile) -> Iterator[tuple[str, int]]:
    """Packages that a RUN installs with pip by a name without a version, with their lines."""
    for one in dockerfile.all("RUN"):
        text = " ".join(one.args) if one.json else _script(one.original)
        for command in re.split(r"&&|\|\||[;|\n]", text)[:MAX_COMMANDS]:
            for package in _installed(command):
                yield package, one.line


def _script(original: str) -> str:
    return re.sub(r"^\s*RUN\s+", "", re.sub(r"\\\s*\n", " ", original), flags=re.IGNORECASE)


def _installed(command: str) -> Iterator[str]:
    try:
        words = shlex.split(command[:MAX_COMMAND])
    except ValueError:
        words = command[:MAX_COMMAND].split()
    if "install" not in words or not any(re.search(r"(^|/)(pip[0-9.]*|uv)$", word) for word in words):
        return
    rest = iter(words[words.index("install") + 1 :])
    for word in rest:
        if word in _SHORT or word.removeprefix("--") in _LONG:
            next(rest, None)
        elif not word.startswith("-") and not re.search(r"[/$]|\.whl$|^\.", word):
            name = re.split(r"[\[<>=!~; @]", word)[0].lower()
            if name not in TOOLS and not requirement_is_pinned(word):
                yield word
