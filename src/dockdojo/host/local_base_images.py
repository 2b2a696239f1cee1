"""Stand-ins for the base images, built here where no registry answers. They bear a label that says so."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from dockdojo.connection.types import Image
from dockdojo.engine.client import Engine
from dockdojo.errors import CannotInstall, CourseError, OurFault
from dockdojo.host.daemon import apt_install
from dockdojo.model import Limits
from dockdojo.paths import state_folder

STAND_IN = "dockdojo.stand-in"
"""The label of a stand-in; its value is the fingerprint of its recipe."""
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
)
"""Where systems keep their certificates, all in one file."""
MIRROR_RECORD = "mirror.json"
"""In the state folder: the index of packages that was started for builds."""
MIRRORED = "site/pip.conf"
"""What a recipe copies that has the mirror in it."""
INSIDE_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
LIMITS = Limits(build_seconds=900)
Tell = Callable[[str], None]


class Bootstrap(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How a root file system is made on the host."""

    suite: str
    include: list[str] = []
    exclude: list[str] = []
    keep: list[str] = []


class Recipe(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """recipe.toml, beside a recipe's Dockerfile."""

    bootstrap: Bootstrap | None = None


def pull(engine: Engine, ref: str) -> str:
    """Fetch the image from its registry. Return why that failed, in one line; empty if it did not."""
    try:
        engine.pull(ref)
    except OurFault as error:
        return str(error)
    return "" if engine.has_image(ref) else "nothing came"


def mirror_url() -> str:
    """Return the index of packages that builds are to use, too; empty if none was started."""
    try:
        return str(json.loads((state_folder() / MIRROR_RECORD).read_text())["url"])
    except (OSError, ValueError, KeyError):
        return ""


def fingerprint(recipe: Path) -> str:
    """SHA-256 over the recipe's files, and over what they take from the site: a stand-in of anything else is stale."""
    digest = hashlib.sha256()
    if MIRRORED in (recipe / "Dockerfile").read_text(encoding="utf-8"):
        digest.update(mirror_url().encode())
    for path in sorted(file for file in recipe.rglob("*") if file.is_file()):
        digest.update(
            f"{path.relative_to(recipe).as_posix()}\0".encode()
            + path.read_bytes()
            + b"\0"
        )
    return digest.hexdigest()


def build(engine: Engine, ref: str, recipe: Path, tell: Tell) -> Image:
    """Build the recipe and tag it `ref`. Raises CannotInstall or EngineGone; a recipe that fails is a CourseError."""
    from dockdojo.errors import SubmissionError

    settings = _settings(recipe)
    with tempfile.TemporaryDirectory(prefix="dockdojo-image-") as scratch:
        context = Path(scratch, "context")
        shutil.copytree(recipe, context)
        _add_site(context / "site")
        if settings.bootstrap:
            tell("making a Debian root")
            _bootstrap(settings.bootstrap, context / "rootfs.tar", tell)
        tell("building")
        try:
            return engine.build(
                context,
                limits=LIMITS,
                tag=ref,
                labels={STAND_IN: fingerprint(recipe)},
                on_line=lambda line: (
                    tell(line)
                    if re.match(r"#\d+ \[", line) and "internal" not in line
                    else None
                ),
            )
        except SubmissionError as error:
            raise CourseError(
                f"The stand-in for {ref} could not be built: {error.message}\n{error.detail}".strip()
            ) from error


def _settings(recipe: Path) -> Recipe:
    path = recipe / "recipe.toml"
    if not path.is_file():
        return Recipe()
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Recipe)
    except (msgspec.DecodeError, ValueError) as error:
        raise CourseError(f"{path}: {error}") from error


def _bootstrap(wanted: Bootstrap, target: Path, tell: Tell) -> None:
    if not shutil.which("mmdebstrap"):
        apt_install(("mmdebstrap",), tell)
    hooks = "/usr/share/mmdebstrap/hooks/merged-usr"
    command = ["mmdebstrap", "--variant=minbase", f"--hook-dir={hooks}"]
    command += [f"--include={name}" for name in wanted.include]
    command += [f"--dpkgopt=path-exclude={path}" for path in wanted.exclude]
    command += [f"--dpkgopt=path-include={path}" for path in wanted.keep]
    tidy = 'rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin "$1"/var/log/*.log "$1"/var/log/apt'
    command += [f"--customize-hook={tidy}", wanted.suite, str(target)]
    done = subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        last = [
            line for line in done.stderr.splitlines() if line.startswith("E:")
        ] or done.stderr.splitlines()[-1:]
        raise CannotInstall(
            f"mmdebstrap could not make a Debian root: {' '.join(last)[:400]}"
        )


def _add_site(folder: Path) -> None:
    """The machine's certificates and the pip settings that also mean something inside a container."""
    folder.mkdir()
    (folder / "ca-certificates.crt").write_bytes(_bundle())
    lines = [
        "[global]",
        f"cert = {INSIDE_BUNDLE}",
        *(f"{key} = {value}" for key, value in sorted(pip_settings().items())),
    ]
    (folder / "pip-host.conf").write_text("\n".join(lines) + "\n")
    (folder / "pip.conf").write_text("\n".join(_with_mirror(lines)) + "\n")


def _with_mirror(lines: list[str]) -> list[str]:
    url = mirror_url()
    if not url:
        return lines
    found = {key: value for key, _, value in (line.partition(" = ") for line in lines)}
    host = urlsplit(url).hostname or ""
    found["extra-index-url"] = f"{url} {found.get('extra-index-url', '')}".strip()
    found["trusted-host"] = f"{host} {found.get('trusted-host', '')}".strip()
    # Where the course has an index of its own, others often cannot be reached: pip's five tries of each take 8 s a package.
    found.setdefault("retries", "1")
    return [f"{key} = {value}" if value else key for key, value in found.items()]


def _bundle() -> bytes:
    named = [
        os.environ.get(key, "")
        for key in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")
    ]
    for path in [*named, *BUNDLES]:
        if path and os.path.isfile(path):
            return Path(path).read_bytes()
    import certifi

    return Path(certifi.where()).read_bytes()


def pip_settings() -> dict[str, str]:
    """Return the host's pip settings that make sense in a container: indexes and hosts reached over HTTP, and time limits.

    Folders of the host and addresses with a password in them are left out.
    """
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    found: dict[str, str] = {}
    for line in listed.stdout.splitlines():
        name, _, quoted = line.partition("=")
        key = name.split(".", 1)[-1].strip(".").replace("_", "-")
        value = quoted.strip().strip("'\"").replace("\\n", " ")
        if key in ("index-url", "extra-index-url", "find-links"):
            urls = [url for url in value.split() if _reachable_inside(url)]
            if urls:
                found[key] = " ".join(urls)
        elif key in ("trusted-host", "default-timeout", "timeout", "retries"):
            found[key.removeprefix("default-")] = value
    return found


def _reachable_inside(url: str) -> bool:
    parts = urlsplit(url)
    return (
        parts.scheme in ("http", "https")
        and not parts.password
        and parts.hostname not in ("localhost", "127.0.0.1", "::1")
    )
