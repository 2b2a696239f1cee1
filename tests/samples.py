"""A report and an image to look at, as pages show them: a plausible submission of catgif, and an image of 15 layers."""

from __future__ import annotations

from collections.abc import Collection

from dockdojo.course import open_course
from dockdojo.grading import list_checks
from dockdojo.model import (
    Advice,
    EngineInfo,
    Feedback,
    ImageStats,
    LayerStats,
    Outcome,
    Part,
    Report,
    Waste,
    Where,
)

SLIM = (
    ("# debian.sh --arch 'amd64' out/ 'bookworm' '@1764028800'", 74_811_904, 331_776),
    (
        "RUN set -eux; apt-get update; apt-get install -y ca-certificates netbase tzdata",
        9_246_720,
        0,
    ),
    (
        'RUN set -eux; savedAptMark="$(apt-mark showmanual)"; apt-get install -y gcc make; ./configure; make; make install',
        40_402_432,
        0,
    ),
    (
        'RUN set -eux; for src in idle3 pip3 pydoc3 python3; do ln -svT "$src" "/usr/local/bin/${src%3}"; done',
        0,
        0,
    ),
)
"""Of python:3.11-slim: instruction, bytes, wasted bytes."""
COMMAND = """\
EXPOSE 5000
# PORT says where to listen
CMD ["sh", "-c", "exec gunicorn --bind 0.0.0.0:${PORT:-5000} app:app"]
"""
DOCKERFILE = f"""\
FROM python:3.11-slim
WORKDIR /app
COPY . .
RUN pip install flask gunicorn==23.0.0
{COMMAND}"""
"""Four checks fail: each of FEEDBACK."""
ADDED = {
    "WORKDIR /app": 0,
    "COPY requirements.txt .": 4_096,
    "COPY . .": 1_352_704,
    "RUN pip install flask gunicorn==23.0.0": 21_726_208,
    "RUN useradd --system cat": 12_288,
}
"""Bytes that an instruction adds to the image."""
FEEDBACK = {
    "pinned": Feedback(
        expected="a version, such as `name==1.2.3`",
        observed="`pip install flask`",
        why="Without one, the next build may install another version than the one that you tested.",
        where=Where(file="Dockerfile", line=4),
        hint="`pip freeze` in a container shows the versions that were installed.",
    ),
    "cache": Feedback(
        observed="`RUN pip install flask gunicorn==23.0.0` installed packages again",
        why="Something that changes with app.py, such as a COPY of everything, comes before an install.",
        where=Where(file="Dockerfile"),
        hint="Change one letter in app.py and build again. Which step takes long?",
    ),
    "clean_context": Feedback(
        observed="the image holds `/app/.env`, `/app/.git/config`, `/app/__pycache__/app.cpython-311.pyc`",
        why="What is in a layer stays in the image, also when a later step deletes it. .env files hold secrets.",
        where=Where(file=".dockerignore"),
        hint="What is in the folder that `COPY . .` copies, besides the app?",
    ),
    "not_root": Feedback(
        observed="process 1, `/usr/local/bin/python3.11 /usr/local/bin/gunicorn --bind 0.0.0.0:5000 app:app`, runs as uid 0 (root), or can again",
        why="Whoever breaks into the app is then root in the container.",
        hint="Who are you in the container? `docker exec CONTAINER id` tells.",
    ),
}
SECONDS = {
    "answers": 1.9,
    "reachable": 0.3,
    "gifs": 0.8,
    "port": 1.2,
    "cache": 6.4,
    "clean_context": 2.1,
    "production_server": 3.0,
}


def catgif(
    dockerfile: str = DOCKERFILE, failed: Collection[str] = FEEDBACK.keys()
) -> Report:
    """A report of catgif with checks that failed. The checks are the grader's; what happened in them is made up."""
    course = open_course()
    return Report(
        lab="catgif",
        title=course.lab("catgif").title,
        outcomes=tuple(
            Outcome(
                check=check.name,
                title=check.title,
                status="failed" if check.name in failed else "passed",
                points=check.points,
                seconds=SECONDS.get(check.name, 0.1),
                feedback=FEEDBACK[check.name] if check.name in failed else None,
            )
            for check in list_checks(course, "catgif")
        ),
        started="2026-11-27T09:14:03+00:00",
        seconds=17.4,
        checksum="7c1f0e5ab2d94c83" * 4,
        engine=EngineInfo(
            version="28.5.2",
            api_version="1.51",
            storage_driver="overlay2",
            cgroup_version="2",
            builder="BuildKit",
            gpu="none",
            where="unix:///var/run/docker.sock",
        ),
        advice=(
            Advice(
                file="Dockerfile",
                line=4,
                code="DL3042",
                level="warning",
                text="Avoid use of cache directory with pip. Use `pip install --no-cache-dir <package>`",
            ),
        ),
        sources={"Dockerfile": dockerfile},
        layers=(
            *(
                Part(instruction=instruction, size=size, wasted=wasted, in_base=True)
                for instruction, size, wasted in SLIM
            ),
            *(
                Part(instruction=line, size=ADDED[line], wasted=0, in_base=False)
                for line in dockerfile.splitlines()
                if line in ADDED
            ),
        ),
    )


OWN = (
    ("WORKDIR /app", 0, 0, (), ()),
    (
        "COPY . .",
        495_200,
        495_200,
        (
            ("app/data/measurements.tar.gz", 493_500),
            ("app/report.py", 1_100),
            ("app/requirements.txt", 300),
            ("app/station.token", 300),
        ),
        (),
    ),
    ("ENV STATION=7", 0, 0, (), ()),
    (
        "RUN apt-get update",
        19_900_000,
        0,
        (
            (
                "var/lib/apt/lists/deb.debian.org_debian_dists_bookworm_main_binary-amd64_Packages.lz4",
                17_400_000,
            ),
            (
                "var/lib/apt/lists/deb.debian.org_debian-security_dists_bookworm-security_main_binary-amd64_Packages.lz4",
                2_500_000,
            ),
        ),
        (),
    ),
    (
        "RUN apt-get install -y --no-install-recommends less",
        1_200_000,
        0,
        (("usr/bin/less", 220_000), ("usr/share/doc/less/changelog.gz", 90_000)),
        (),
    ),
    (
        "RUN pip install -r requirements.txt",
        10_900_000,
        0,
        tuple(
            (
                f"usr/local/lib/python3.11/site-packages/pip/_vendor/module_{number}.pyc",
                40_000 - number,
            )
            for number in range(270)
        ),
        (),
    ),
    ("RUN test -s station.token && rm station.token", 0, 0, (), ("app/station.token",)),
    (
        "ADD data/measurements.tar.gz /app/incoming/",
        1_400_000,
        1_400_000,
        (
            ("app/incoming/attic.csv", 468_900),
            ("app/incoming/cellar.csv", 466_000),
            ("app/incoming/kitchen.csv", 465_100),
        ),
        (),
    ),
    (
        "RUN mkdir -p /app/data && cp /app/incoming/*.csv /app/data/",
        1_400_000,
        1_400_000,
        (
            ("app/data/attic.csv", 468_900),
            ("app/data/cellar.csv", 466_000),
            ("app/data/kitchen.csv", 465_100),
        ),
        (),
    ),
    (
        "RUN rm -r /app/incoming /app/data/measurements.tar.gz",
        0,
        0,
        (),
        ("app/incoming", "app/data/measurements.tar.gz"),
    ),
    ("RUN chown -R 1000:1000 /app", 1_400_000, 0, (), ()),
)
"""Of the image that the lab `layers` gives: instruction, bytes, wasted bytes, files that were added, paths that were removed."""


def fifteen_layers() -> ImageStats:
    """The image that the lab `layers` gives, about as its lesson describes it."""
    base = [(instruction, size, wasted, (), ()) for instruction, size, wasted in SLIM]
    layers = tuple(
        LayerStats(
            instruction=instruction,
            diff_id=f"sha256:{number}",
            in_base=number < len(SLIM),
            size=size,
            wasted=wasted,
            added=added,
            changed=(
                (("app/data/attic.csv", 468_900),) if "chown" in instruction else ()
            ),
            removed=removed,
        )
        for number, (instruction, size, wasted, added, removed) in enumerate(
            [*base, *OWN]
        )
    )
    waste = (
        Waste(
            path="app/data/measurements.tar.gz", size=493_500, made_by=5, hidden_by=13
        ),
        Waste(path="app/data/attic.csv", size=468_900, made_by=12, hidden_by=14),
        Waste(path="app/incoming/attic.csv", size=468_900, made_by=11, hidden_by=13),
        Waste(path="app/station.token", size=300, made_by=5, hidden_by=10),
    )
    return ImageStats(image="report:latest", layers=layers, waste=waste)
