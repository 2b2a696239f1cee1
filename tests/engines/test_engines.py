"""The same marks on newer engines: started beside this machine's own where root and Debian's package suites allow it.

`DOCKERLAB_ENGINES=some` tries what differs most from the machine's own: Engine 28.5 with the containerd store, buildx and another
machine's view of files, and one that refuses the API of older clients. `DOCKERLAB_ENGINES=all` grades everything on every one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dockerlab.course import open_course

HERE = Path(__file__).parent
COURSE = open_course()
ASKED = os.environ.get("DOCKERLAB_ENGINES", "")
ALL = ASKED == "all"
NEEDED = ("mmdebstrap", "ip", "iptables", "nsenter", "unshare", "ssh", "ssh-keygen")
SOLUTIONS = tuple(slug for slug in COURSE.slugs if not COURSE.lab(slug).data)
TRAINING = ("hogwild",) if ALL else ()
VARIANTS = (
    "catgif/seventy_megabytes_more", "layers/lists_left_behind", "layers/everything_first", "layers/secret_removed_later",
    "catgif/root_in_the_root_folder", "signals/shell_form",
)  # fmt: skip
"""One for each check that looks at sizes, layers, the cache, users or signals."""
SOME = ("hello_world", "layers", "catgif", "layers/secret_removed_later")


@dataclass(frozen=True)
class Row:
    """One engine, and how it is spoken to."""

    suite: str
    store: str
    old_cli: bool = False
    least_api: str = "1.24"

    def __str__(self) -> str:
        return f"{self.suite}-{self.store}-{'old-cli' if self.old_cli else 'buildx'}-{self.least_api}"


ROWS = [Row("sid", "containerd"), Row("sid", "overlay2", old_cli=True, least_api="1.44")]
if ALL:
    ROWS += [
        Row("sid", "overlay2"), Row("sid", "containerd", old_cli=True), Row("trixie", "overlay2"), Row("trixie", "containerd"),
        Row("trixie", "containerd", old_cli=True), Row("trixie", "overlay2", old_cli=True, least_api="1.44"),
    ]  # fmt: skip


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """Where the engines lie; gone at the end."""
    if not ASKED:
        pytest.skip("newer engines are started where DOCKERLAB_ENGINES is `some` or `all`")
    if sys.platform != "linux" or os.geteuid() != 0 or not Path("/etc/debian_version").exists():
        pytest.skip("newer engines are started beside the machine's own as root on Debian only")
    if missing := [name for name in NEEDED if not shutil.which(name)]:
        pytest.skip(f"a newer engine cannot be started without {', '.join(missing)}")
    folder = Path(tempfile.mkdtemp(prefix="dockerlab-engines-", dir="/var/tmp"))  # not /tmp, which may be in memory
    yield folder
    for engine in folder.iterdir():
        subprocess.run(["bash", HERE / "engine.sh", "down", engine.name, engine], check=True)
    shutil.rmtree(folder)


@dataclass(frozen=True)
class Started:
    """An engine that runs."""

    folder: Path
    row: Row

    @property
    def url(self) -> str:
        """Its socket."""
        return f"unix://{self.folder}/root/sock/docker.sock"

    def environment(self, host: str = "") -> dict[str, str]:
        """What a user's shell would have who works with this engine."""
        found = os.environ | {"DOCKER_HOST": host or self.url, "DOCKERLAB_STATE": str(self.folder / "state")}
        if not self.row.old_cli:
            found |= {"PATH": f"{self.folder}/bin:{found['PATH']}", "DOCKER_CONFIG": f"{self.folder}/config"}
        return found


@pytest.fixture(scope="module", params=ROWS, ids=str)
def started(request: pytest.FixtureRequest, real_engine: str, home: Path) -> Started:
    """An engine with the course's base images. One at a time of each suite."""
    row = request.param
    folder = home / row.suite
    up = ["bash", HERE / "engine.sh", "up", row.suite, row.store, row.least_api, folder]
    done = subprocess.run(up, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no reason was given"]
        pytest.skip(f"no engine of Debian's {row.suite} could be started here: {said[-1]}")
    made = Started(folder, row)
    client = str(folder / "bin" / "docker")
    names = [one.ref for one in COURSE.images()]
    with subprocess.Popen([client, "-H", real_engine, "save", *names], stdout=subprocess.PIPE) as saved:
        subprocess.run([client, "-H", made.url, "load", "--quiet"], stdin=saved.stdout, check=True, capture_output=True)
    assert saved.returncode == 0
    if TRAINING:
        subprocess.run([sys.executable, "-m", "dockerlab", "mirror", "up"], env=made.environment(), check=True)
    return made


def marked(names: tuple[str, ...], environment: dict[str, str]) -> dict[str, dict[str, str]]:
    """What is not as it must be, for each name; see mark.py."""
    command = [sys.executable, str(HERE / "mark.py"), *names]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    return found


def left(started: Started) -> set[str]:
    """What is on the engine: containers, images, volumes and networks, by name."""
    client = [str(started.folder / "bin" / "docker"), "-H", started.url]
    listed = (["ps", "-aq"], ["images", "-aq"], ["volume", "ls", "-q"], ["network", "ls", "-q"])
    return {
        line
        for words in listed
        for line in subprocess.run([*client, *words], capture_output=True, text=True, check=True).stdout.split()
    }


def test_every_mark_is_the_same_and_nothing_is_left(started):
    before = left(started)
    whole = ALL or started.row == ROWS[0]
    names = (*SOLUTIONS, *VARIANTS, *TRAINING) if whole else SOME
    assert {name: wrong for name, wrong in marked(names, started.environment()).items() if wrong} == {}
    assert left(started) == before


def test_an_engine_on_another_machine_over_ssh(started):
    environment = started.environment(f"ssh://root@{(started.folder / 'address').read_text().strip()}/sock/docker.sock")
    environment["PATH"] = f"{started.folder}/ssh:{environment['PATH']}"
    assert marked(("hello_world", "gpu"), environment) == {"hello_world": {}, "gpu": {}}
