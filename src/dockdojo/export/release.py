"""The release that an exported assignment installs: requirement lines for pip, each with the SHA-256 of its wheel.

A name on a package index may be somebody else's tomorrow. So what grades is named by its bytes: pip's `--require-hashes`
installs nothing that has another digest (https://pip.pypa.io/en/stable/topics/secure-installs/).
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from urllib.request import url2pathname

from dockdojo.errors import UsageError
from dockdojo.paths import state_folder

NAME = "dockdojo"
MAX_WHEEL_BYTES = 200_000_000
FETCH_SECONDS = 60.0
EXACT = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(\[[A-Za-z0-9,._-]{0,99}\])?\s{0,9}==\s{0,9}"
    r"[A-Za-z0-9][A-Za-z0-9.!+_-]{0,99}"
)
HASHES = re.compile(r"(?:\s{1,9}--hash[= ]sha256:[0-9a-f]{64}){1,9}")
UNQUOTED = "'\"`$\\\n\r\0"
"""Characters that no requirement needs, and that a shell or a YAML file would read as something else."""
HOW = "`pip wheel --no-deps -w dist` of its sources makes one, which `--package dist/….whl` names."


def requirement_lines(packages: Iterable[str] = ()) -> str:
    """Return the lines of a requirements file, each with a hash, for what `--package` names; without any, for this release.

    Each of `packages` is an index name with its version and hash (`mycourse==1.0 --hash=sha256:…`), the URL of a wheel, or the
    path of one. The bytes behind a path are read now, and those behind a URL that tells no hash are fetched now.
    Raises UsageError for anything else.
    """
    return "\n".join(
        [_line(package.strip()) for package in packages] or [_this_release()]
    )


def _line(package: str) -> str:
    if not package or any(character in package for character in UNQUOTED):
        raise UsageError(
            f"--package {package!r}: name it without quotes, backslashes and dollar signs."
        )
    head, _, hashes = package.partition(" --hash")
    hashes = f" --hash{hashes}" if hashes else ""
    if hashes and not HASHES.fullmatch(hashes):
        raise UsageError(
            f"--package {package!r}: a hash is `--hash=sha256:` and 64 hexadecimal digits."
        )
    head = head.strip()
    if "://" in head:
        return _url(head, hashes)
    if EXACT.fullmatch(head):
        if not hashes:
            raise UsageError(
                f"--package {package!r} has no hash: the name may be somebody else's tomorrow.",
                hint=f"`pip download --no-deps {head}` and `pip hash` of the file tell it. Add it: "
                f"--package '{head} --hash=sha256:…'",
            )
        return " ".join(f"{head}{hashes}".split())
    path = Path(head)
    if path.suffix != ".whl" or not path.is_file():
        raise UsageError(
            f"--package {package!r} is neither a wheel's path, nor a URL, nor a name with its version.",
            hint="For example: --package dist/mycourse-1.0-py3-none-any.whl",
        )
    return _of_file(path)


def _url(url: str, hashes: str) -> str:
    address, _, fragment = url.partition("#")
    if not urllib.parse.urlsplit(address).path.endswith(".whl"):
        raise UsageError(
            f"--package {address}: it is not the address of a wheel, which ends in .whl."
        )
    digest = re.search(r"(?:^|&)sha256=([0-9a-f]{64})(?:&|$)", fragment)
    if digest and not hashes:
        hashes = f" --hash=sha256:{digest[1]}"
    if not hashes:
        if not address.startswith("https://"):
            raise UsageError(
                f"--package {address}: only https:// is fetched without a hash.",
                hint=f"{url}#sha256=…",
            )
        hashes = f" --hash=sha256:{_fetched(address)}"
    return " ".join(f"{address}{hashes}".split())


def _fetched(address: str) -> str:
    """The SHA-256 of what lies there now."""
    digest, size = hashlib.sha256(), 0
    try:
        # Only https comes here.
        opened = urllib.request.urlopen(address, timeout=FETCH_SECONDS)  # noqa: S310
        with opened as answer:
            while piece := answer.read(1 << 20):
                digest.update(piece)
                size += len(piece)
                if size > MAX_WHEEL_BYTES:
                    raise UsageError(
                        f"--package {address}: it has more than {MAX_WHEEL_BYTES} bytes."
                    )
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--package {address} could not be fetched: {error}"
        ) from error
    return digest.hexdigest()


def _of_file(path: Path) -> str:
    name = path.name.partition("-")[0].replace("_", "-")
    return f"{name} @ {path.resolve().as_uri()} --hash=sha256:{_digest(path)}"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _this_release() -> str:
    """Return this release, as it was installed. Raises UsageError where it was not installed from a wheel."""
    distribution = metadata.distribution(NAME)
    named = f"{NAME}=={distribution.version}"
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    archive = origin.get("archive_info", {})
    digest = archive.get("hashes", {}).get("sha256") or archive.get(
        "hash", ""
    ).removeprefix("sha256=")
    if digest:
        url = origin.get("url", "")
        return f"{url if url.startswith('https://') else named} --hash=sha256:{digest}"
    if "dir_info" in origin:
        return _of_file(_built(url2pathname(urllib.parse.urlsplit(origin["url"]).path)))
    if digest := _on_the_index(distribution, named):
        return f"{named} --hash=sha256:{digest}"
    raise UsageError(
        f"No package index has this release ({named}) as it is installed here, so its SHA-256 is not known.",
        hint=f"Name a wheel that grades. {HOW}",
    )


def _pip(command: str, *words: str) -> subprocess.CompletedProcess[str]:
    pip = [sys.executable, "-m", "pip", command, "--quiet"]
    return subprocess.run(
        [*pip, "--disable-pip-version-check", *words],
        capture_output=True,
        text=True,
        check=False,
    )


def _built(sources: str) -> Path:
    """The wheel of a folder of sources: installed from there, dockdojo is whatever they are now."""
    target = state_folder() / "release"
    shutil.rmtree(target, ignore_errors=True)
    done = _pip("wheel", "--no-deps", "--wheel-dir", str(target), sources)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise UsageError(
            f"No wheel could be made of {sources}: {last[:300]}",
            hint=f"Name a wheel that grades. {HOW}",
        )
    return next(target.glob("*.whl"))


def _on_the_index(distribution: metadata.Distribution, named: str) -> str:
    """The SHA-256 of the wheel of that name on the index, if it holds what is installed here; else nothing."""
    with tempfile.TemporaryDirectory() as scratch:
        exact = ["--no-deps", "--only-binary", ":all:", "--dest", scratch, named]
        if _pip("download", *exact).returncode != 0:
            return ""
        wheel = next(Path(scratch).glob("*.whl"))
        if not holds(wheel, distribution):
            return ""
        return _digest(wheel)


def holds(wheel: Path, distribution: metadata.Distribution) -> bool:
    """Return whether a wheel's files are, byte by byte, those of an installed distribution."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            return all(
                Path(str(distribution.locate_file(name))).read_bytes()
                == archive.read(name)
                for name in archive.namelist()
                if not name.endswith((".dist-info/RECORD", "/"))
            )
    except (OSError, zipfile.BadZipFile):
        return False
