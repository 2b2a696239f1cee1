"""The same marks on newer engines: started beside this machine's own where root and Debian's package suites allow it.

The test line takes the two rows that differ most from the machine's own engine, within minutes. `DOCKDOJO_ENGINES=all` grades
everything on every one, and `none` leaves them out.
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

from dockdojo.course import open_course
from dockdojo.engine.client import connect
from dockdojo.errors import CannotInstall
from dockdojo.host import package_index
from dockdojo.host.daemon import apt_install
from dockdojo.host.local_base_images import MIRROR_RECORD
from dockdojo.paths import state_folder

HERE = Path(__file__).parent
COURSE = open_course()
ASKED = os.environ.get("DOCKDOJO_ENGINES", "some")
ALL = ASKED == "all"
TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "iptables": "iptables",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
"""Programs that engine.sh needs, and Debian's packages of them."""
SOLUTIONS = tuple(slug for slug in COURSE.slugs if not COURSE.lab(slug).data)
TRAININGS = ("hogwild", "mnist") if ALL else ("hogwild",)
VARIANTS = (
    "catgif/seventy_megabytes_more",
    "multi_stage/thirty_megabytes_more",
    "layers/lists_left_behind",  # sizes
    "layers/nine_steps",
    "layers/secret_removed_later",
    "add_vs_copy/copied_then_unpacked",  # layers
    "layers/everything_first",
    "catgif/everything_in_one_copy",  # the cache
    "catgif/root_in_the_root_folder",
    "multi_stage/as_root",
    "add_vs_copy/owned_by_root",  # users
    "signals/shell_form",
    "signals/zombies",
    "shell_vs_exec/another_signal",
    "shell_vs_exec/shell_everywhere",  # signals
)
"""At least one for each check that looks at sizes, layers, the cache, users or signals."""
EVERYTHING = (*SOLUTIONS, *VARIANTS, *TRAININGS)
IN_THE_LINE = (
    *SOLUTIONS,
    "catgif/seventy_megabytes_more",
    "layers/secret_removed_later",
    "add_vs_copy/owned_by_root",
    "signals/shell_form",
    "shell_vs_exec/another_signal",
)
"""The solutions, and variants for sizes, layers, users and signals: what fits into minutes."""
SOME = (
    "hello_world",
    "add_vs_copy",
    "shell_vs_exec",
    "gpu",
    "hogwild",
    "add_vs_copy/copied_then_unpacked",
    "signals/zombies",
)
"""What is asked of a second engine: a training, and other variants. Its store does not compress what was built."""


@dataclass(frozen=True)
class Row:
    """One engine, how it is spoken to, and what is graded there."""

    suite: str
    store: str
    old_cli: bool = False
    least_api: str = "1.24"
    names: tuple[str, ...] = EVERYTHING

    def __str__(self) -> str:
        return f"{self.suite}-{self.store}-{'old-cli' if self.old_cli else 'buildx'}-{self.least_api}"


ROWS = (
    [
        Row("sid", "containerd"),
        Row("sid", "overlay2"),
        Row("sid", "containerd", old_cli=True),
        Row("sid", "overlay2", old_cli=True, least_api="1.44"),
        Row("trixie", "overlay2"),
        Row("trixie", "containerd"),
        Row("trixie", "containerd", old_cli=True),
        Row("trixie", "overlay2", old_cli=True),
    ]
    if ALL
    else [
        Row("sid", "containerd", names=IN_THE_LINE),
        Row("sid", "overlay2", old_cli=True, least_api="1.44", names=SOME),
    ]
)


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """Where the engines lie; gone at the end."""
    if ASKED == "none":
        pytest.skip("newer engines are left out: DOCKDOJO_ENGINES is `none`")
    if (
        sys.platform != "linux"
        or os.geteuid() != 0
        or not Path("/etc/debian_version").exists()
    ):
        pytest.skip(
            "newer engines are started beside the machine's own as root on Debian only"
        )
    if missing := {
        package for program, package in TOOLS.items() if not shutil.which(program)
    }:
        try:
            apt_install(tuple(sorted(missing)), print)
        except CannotInstall as error:
            pytest.skip(
                f"a newer engine cannot be started without {', '.join(sorted(missing))}: {error}"
            )
    folder = Path(
        tempfile.mkdtemp(prefix="dockdojo-engines-", dir="/var/tmp")
    )  # not /tmp, which may be in memory
    yield folder
    for engine in folder.iterdir():
        subprocess.run(
            ["bash", HERE / "engine.sh", "down", engine.name, engine], check=True
        )
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

    @property
    def client(self) -> list[str]:
        """Its own docker CLI, speaking to it."""
        return [f"{self.folder}/bin/docker", "-H", self.url]

    @property
    def state(self) -> Path:
        """What dockdojo keeps of it."""
        return self.folder / "state"

    def environment(self, host: str = "") -> dict[str, str]:
        """What a user's shell would have who works with this engine."""
        found = os.environ | {
            "DOCKER_HOST": host or self.url,
            "DOCKDOJO_STATE": str(self.state),
        }
        if not self.row.old_cli:
            found |= {
                "PATH": f"{self.folder}/bin:{found['PATH']}",
                "DOCKER_CONFIG": f"{self.folder}/config",
            }
        return found


@pytest.fixture(scope="module", params=ROWS, ids=str)
def started(request: pytest.FixtureRequest, real_engine: str, home: Path) -> Started:
    """An engine with the course's base images, and the index that these name. One at a time of each suite."""
    row = request.param
    folder = home / row.suite
    up = ["bash", HERE / "engine.sh", "up", row.suite, row.store, row.least_api, folder]
    done = subprocess.run(up, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no reason was given"]
        pytest.skip(
            f"no engine of Debian's {row.suite} could be started here: {said[-1]}"
        )
    made = Started(folder, row)
    with connect() as engine:
        wanted = {*(image.ref for image in COURSE.images()), package_index.IMAGE}
        names = sorted(one for one in wanted if engine.has_image(one))
    with subprocess.Popen(
        [made.client[0], "-H", real_engine, "save", *names], stdout=subprocess.PIPE
    ) as saved:
        subprocess.run(
            [*made.client, "load", "--quiet"],
            stdin=saved.stdout,
            check=True,
            capture_output=True,
        )
    assert saved.returncode == 0
    share_wheels(made)
    return made


def share_wheels(started: Started) -> None:
    """An index with the wheels of the machine's own engine, beside the newer one: nothing is fetched twice."""
    if not started.state.exists():
        shutil.copytree(
            package_index.folder(), started.state / package_index.folder().name
        )
        if (record := state_folder() / MIRROR_RECORD).exists():
            shutil.copy(record, started.state)
    command = [sys.executable, "-m", "dockdojo", "mirror", "up"]
    done = subprocess.run(
        command, env=started.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def graded(
    names: tuple[str, ...], environment: dict[str, str]
) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """What answered, and what is not as it must be, for each name; see mark.py."""
    command = [sys.executable, str(HERE / "mark.py"), *names]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return found["engine"], found["marks"]


def left(started: Started) -> set[str]:
    """What is on the engine: containers, images, volumes and networks, by name."""
    listed = (
        ["ps", "-aq"],
        ["images", "-aq"],
        ["volume", "ls", "-q"],
        ["network", "ls", "-q"],
    )
    return {
        line
        for words in listed
        for line in subprocess.run(
            [*started.client, *words], capture_output=True, text=True, check=True
        ).stdout.split()
    }


def test_every_mark_is_the_same_and_nothing_is_left(started):
    before, row = left(started), started.row
    engine, marks = graded(row.names, started.environment())
    assert {name: wrong for name, wrong in marks.items() if wrong} == {}
    assert left(started) == before
    # It was that engine, that store and that builder.
    assert engine["where"] == started.url
    assert engine["storage_driver"] == (
        "overlayfs" if row.store == "containerd" else "overlay2"
    )
    assert engine["builder"].endswith("buildx") is not row.old_cli
    assert engine["least_api"] == row.least_api
    assert int(engine["version"].partition(".")[0]) > 20


def test_an_engine_on_another_machine_over_ssh(started):
    url = f"ssh://root@{(started.folder / 'address').read_text().strip()}/sock/docker.sock"
    environment = started.environment(url)
    environment["PATH"] = f"{started.folder}/ssh:{environment['PATH']}"
    engine, marks = graded(("hello_world", "gpu"), environment)
    assert marks == {"hello_world": {}, "gpu": {}}
    assert engine["where"].startswith(url)
