"""layers, add_vs_copy and cmd_vs_entrypoint: unusual right answers pass, plausible wrong ones lose what they should."""

from __future__ import annotations

import base64

import pytest

from tests.unusual import COURSE, SideBySide, failed, lost

P = "FROM python:3.11-slim\n"
A = "FROM debian:bookworm-slim\n"
CONF = "COPY --chown=1000:1000 --chmod=640 app.conf /etc/app/app.conf\n"
SITE = "ADD site.tar.gz /srv/site/\n"
BACKUP = "COPY backup.tar.gz /srv/backup/backup.tar.gz\n"

GOOD = (
    P
    + "WORKDIR /app\nCOPY requirements.txt .\nRUN pip install --no-cache-dir --no-compile -r requirements.txt\n"
    "ADD --chown=1000:1000 data/measurements.tar.gz data/\nCOPY report.py .\n"
)
RUNS = 'USER 1000\nCMD ["python", "report.py"]\n'

RIGHT = {
    "packages copied last, from a stage that is kept": (
        "layers",
        {
            "Dockerfile": "FROM python:3.11-slim AS build\nCOPY requirements.txt .\nRUN pip install -t /opt/packages -r requirements.txt\n"
            + P
            + "WORKDIR /app\nADD --chown=1000:1000 data/measurements.tar.gz data/\nCOPY report.py .\n"
            "COPY --from=build /opt/packages /opt/packages\nENV PYTHONPATH=/opt/packages\nUSER 1000\nCMD python report.py\n",
        },
    ),
    "a program that runs others, a stage of one's own, a shell that takes its words": (
        "cmd_vs_entrypoint",
        {
            "cmd.Dockerfile": A
            + 'CMD echo nothing\nENTRYPOINT ["/usr/bin/env"]\nCMD ["echo", "default"]\n',
            "entrypoint.Dockerfile": A.replace("\n", " AS a\n")
            + 'ONBUILD ENTRYPOINT ["echo", "args:"]\nFROM a\nCMD []\n',
            "both.Dockerfile": 'FROM busybox:latest\nENTRYPOINT ["sh", "-c", "echo args: \\"$@\\"", "x"]\nCMD ["default"]\n',
        },
    ),
    "another stage unpacks, the last one copies, packages in a folder of their own": (
        "layers",
        {
            "Dockerfile": "FROM python:3.11-slim AS build\nWORKDIR /b\nCOPY requirements.txt .\n"
            "RUN pip install --target /b/packages -r requirements.txt\nCOPY . .\nRUN cd data && python -m tarfile -e measurements.tar.gz && rm *.gz\n"
            "FROM python:3.11-slim\nENV PYTHONPATH=/packages\nCOPY --from=build /b/packages /packages\n"
            "COPY --from=build --chown=1000:1000 /b/data /app/data\nCOPY report.py /app/\nWORKDIR /app\nUSER 1000:1000\n"
            'ENTRYPOINT ["python"]\nCMD ["report.py"]\n',
        },
    ),
    "all in one RUN with mounts": (
        "layers",
        {
            "Dockerfile": P
            + "RUN --mount=type=bind,source=requirements.txt,target=/r.txt pip install --no-cache-dir -r /r.txt\n"
            "RUN --mount=type=bind,source=data,target=/in mkdir -p /srv/data && tar -xzf /in/measurements.tar.gz -C /srv/data\n"
            "ADD report.py /srv/\nUSER 1000\nCMD python /srv/report.py\n",
        },
    ),
    "a user with a name, who owns the data from the start": (
        "layers",
        {
            "Dockerfile": P
            + "RUN useradd --uid 1000 --no-log-init station\nWORKDIR /home/station\nCOPY requirements.txt /tmp/\n"
            "RUN pip install --no-cache-dir -r /tmp/requirements.txt\nADD --chown=station:station data/*.tar.gz ./data/\n"
            'COPY report.py .\nUSER station\nENTRYPOINT ["/usr/local/bin/python", "report.py"]\n',
        },
    ),
    "an allow list, a cache mount, and the data from a stage": (
        "layers",
        {
            ".dockerignore": "*\n!report.py\n!requirements.txt\n!data/measurements.tar.gz\n",
            "Dockerfile": "FROM python:3.11-slim AS unpack\nADD data/measurements.tar.gz /d/\n"
            "FROM python:3.11-slim\nWORKDIR /app\nCOPY requirements.txt .\n"
            "RUN --mount=type=cache,target=/root/.cache/pip pip install -r requirements.txt\n"
            'COPY --from=unpack /d data\nCOPY report.py .\nUSER 1000:0\nCMD ["python", "-O", "report.py"]\n',
        },
    ),
    "packages in the home of the user, the program run as a module": (
        "layers",
        {
            "Dockerfile": P
            + "ENV HOME=/tmp PYTHONUSERBASE=/opt/base PYTHONPATH=/srv PYTHONDONTWRITEBYTECODE=1\n"
            "COPY requirements.txt /opt/\nRUN pip install --user --no-cache-dir -r /opt/requirements.txt\n"
            "ADD data/measurements.tar.gz /srv/data/\nCOPY report.py /srv/\nUSER 1000\nCMD python -m report\n",
        },
    ),
    "an entrypoint that gives root away": (
        "layers",
        {
            "Dockerfile": P
            + "WORKDIR /app\nCOPY requirements.txt .\nRUN pip install --no-cache-dir -r requirements.txt\n"
            "ADD data/measurements.tar.gz data/\nCOPY report.py .\n"
            'ENTRYPOINT ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups"]\nCMD ["python", "report.py"]\n',
        },
    ),
    "names from arguments, JSON, small letters": (
        "add_vs_copy",
        {
            "Dockerfile": "ARG SITE=site.tar.gz\n"
            + A
            + 'ARG SITE\nARG BACKUP=backup.tar.gz\nENV TARGET=/srv\nadd [ "${SITE}", "${TARGET}/site/" ]\n'
            "copy $BACKUP ${TARGET}/backup/\ncopy --chmod=0640 --chown=1000:1000 app.conf /etc/app/\n",
        },
    ),
    "unpacked in a stage, copied without the archive": (
        "add_vs_copy",
        {
            "Dockerfile": A.replace("\n", " AS unpack\n")
            + SITE
            + A
            + CONF
            + BACKUP
            + "COPY --from=unpack /srv/site /srv/site\n"
        },
    ),
    "busybox, and a folder that was there before": (
        "add_vs_copy",
        {
            "Dockerfile": "FROM busybox:latest\nRUN mkdir -p /srv/site /srv/backup /etc/app\nADD site.tar.gz /srv/site\n"
            "WORKDIR /srv/backup\nCOPY backup.tar.gz .\nCOPY --chown=1000:1000 --chmod=0640 app.conf ../../etc/app/app.conf\n"
        },
    ),
    "owner set in a stage, copied once": (
        "add_vs_copy",
        {
            "Dockerfile": A.replace("\n", " AS conf\n")
            + "COPY app.conf /\nRUN install -D -o 1000 -g 1000 -m 0640 /app.conf /out/etc/app/app.conf\n"
            + A
            + 'ADD ./site.tar.g[z] /srv/site\nCOPY ["backup.tar.gz", "/srv/backup/"]\nCOPY --from=conf /out/ /\n',
        },
    ),
    "words are no commands: an echo, a comment, a package": (
        "add_vs_copy",
        {
            "Dockerfile": A
            + "RUN echo tar xzf site.tar.gz # tar\n"
            + SITE
            + BACKUP
            + CONF
        },
    ),
    "a working folder, another order, a user": (
        "add_vs_copy",
        {
            "Dockerfile": A
            + "WORKDIR /srv\n"
            + CONF.replace("640", "0640")
            + "COPY --link back*.gz backup/\nADD site.tar.gz site\n"
            "USER 1000\nCMD []\n",
        },
    ),
}

SOLVED = (
    P
    + "WORKDIR /app\nCOPY requirements.txt .\nRUN pip install --no-cache-dir --no-compile -r requirements.txt\n"
    "ADD --chown=1000:1000 data/measurements.tar.gz data/\nCOPY report.py .\n"
)
STORED = """room       values    coldest    mean    warmest
-------  --------  ---------  ------  ---------
attic       40000      20.23  27.988      35.69
cellar      40000       3.79  12.009      19.96
kitchen     40000      12.26  21.004      29.57
made by user 1000
"""
SAYS_1000 = (
    (COURSE.solution("layers") / "report.py")
    .read_text()
    .replace("{os.getuid()}", "1000")
)

MOUNT = "RUN --mount=type=bind,source=station.token,target=/token "
WRONG = {
    "all is copied before the install, in a stage": (
        "layers",
        {
            "Dockerfile": "FROM python:3.11-slim AS build\nWORKDIR /b\nCOPY . .\nRUN pip install -t /packages -r requirements.txt\n"
            + P
            + "WORKDIR /app\nCOPY --from=build /packages /packages\nENV PYTHONPATH=/packages\n"
            "ADD --chown=1000:1000 data/measurements.tar.gz data/\nCOPY report.py .\n"
            + RUNS,
        },
        {"keeps_install"},
    ),
    "the token is in lines of digits": (
        "layers",
        {
            "station.token": "token-of-the-measuring-station-5f3a9c1e7b\n",
            ".dockerignore": "",
            "Dockerfile": GOOD + MOUNT + "od -An -tx1 /token > notes\n" + RUNS,
        },
        {"secret"},
    ),
    "the archive, packed again": (
        "add_vs_copy",
        {
            "Dockerfile": A.replace("\n", " AS other\n")
            + f"COPY site.tar.gz /\nRUN gunzip -c /site.tar.gz | gzip -1 > /kept\n{A}{SITE}{BACKUP}{CONF}COPY --from=other /kept /kept\n"
        },
        {"archive_nowhere"},
    ),
    "unpacked by the tar of busybox, from a mount": (
        "add_vs_copy",
        {
            "Dockerfile": "FROM busybox:latest\nRUN --mount=type=bind,source=site.tar.gz,target=/s mkdir -p /srv/site && "
            f"busybox tar -xzf /s -C /srv/site\n{BACKUP}{CONF}"
        },
        {"add_for_unpacking_only"},
    ),
    "shell form that is kept for the next stage, and two words of all": (
        "cmd_vs_entrypoint",
        {
            "cmd.Dockerfile": A.replace("\n", " AS a\n")
            + "ONBUILD CMD echo default\nFROM a\n",
            "entrypoint.Dockerfile": A
            + 'ENTRYPOINT ["sh", "-c", "echo args: $1 $2", "x"]\n',
        },
        {"exec_form", "entrypoint_appends"},
    ),
    "a lie: the lesson's output is stored": (
        "layers",
        {
            "Dockerfile": SOLVED + 'USER 1000\nCMD ["python", "report.py"]\n',
            "report.py": f"print({STORED!r}, end='')\n",
        },
        {"same_output"},
    ),
    "a lie: root says that it is user 1000": (
        "layers",
        {
            "Dockerfile": SOLVED + 'CMD ["python", "report.py"]\n',
            "report.py": SAYS_1000,
        },
        {"same_output"},
    ),
    "a lie: python is a program that prints what is stored": (
        "layers",
        {
            "Dockerfile": SOLVED
            + "COPY --chmod=755 python /srv/\nENV PATH=/srv:$PATH\nUSER 1000\nCMD python report.py\n",
            "python": f"#!/bin/sh\ncat << end\n{STORED}end\n",
        },
        {"same_output"},
    ),
    "a lie: the archive is there, no longer compressed, in a file of another name": (
        "add_vs_copy",
        {
            "Dockerfile": A.replace("\n", " AS other\n")
            + f"COPY site.tar.gz /\nRUN gunzip -c /site.tar.gz > /kept\n{A}{SITE}{BACKUP}{CONF}COPY --from=other /kept /kept\n"
        },
        {"archive_nowhere"},
    ),
    "the data is unpacked by the program's user, from an archive that stays": (
        "layers",
        {
            "Dockerfile": P
            + "WORKDIR /app\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\nCOPY data data\n"
            'RUN cd data && tar -xzf measurements.tar.gz && rm measurements.tar.gz && head -c 1500000 /dev/urandom > x\nRUN rm data/x\nCOPY report.py .\nUSER 1000\nCMD ["python", "report.py"]\n'
        },
        {"waste"},
    ),
    "the token is a build argument that a RUN uses": (
        "layers",
        {
            "Dockerfile": P
            + "ARG TOKEN=token-of-the-measuring-station-5f3a9c1e7b\nWORKDIR /app\nCOPY requirements.txt .\n"
            'RUN pip install -r requirements.txt\nRUN test -n "$TOKEN"\nADD --chown=1000 data/measurements.tar.gz data/\nCOPY report.py .\nUSER 1000\nCMD ["python", "report.py"]\n'
        },
        {"secret"},
    ),
    "the token is compressed on its way into the image": (
        "layers",
        {
            "station.token": "token-of-the-measuring-station-5f3a9c1e7b\n",
            ".dockerignore": "",
            "Dockerfile": GOOD
            + "RUN --mount=type=bind,source=station.token,target=/token gzip -c /token > /app/notes.gz\n"
            + RUNS,
        },
        {"secret"},
    ),
    "the token is in a file of notes, in base64": (
        "layers",
        {
            "notes.txt": "key: "
            + base64.b64encode(
                b"id=token-of-the-measuring-station-5f3a9c1e7b"
            ).decode(),
            "Dockerfile": GOOD + "COPY notes.txt .\n" + RUNS,
        },
        {"secret"},
    ),
    "unpacked one folder too deep": (
        "add_vs_copy",
        {"Dockerfile": A + "ADD site.tar.gz /srv/site/site/\n" + BACKUP + CONF},
        {"site"},
    ),
    "all may read it": (
        "add_vs_copy",
        {"Dockerfile": A + SITE + BACKUP + CONF.replace("640", "644")},
        {"conf"},
    ),
    "packed again": (
        "add_vs_copy",
        {
            "Dockerfile": A
            + SITE
            + CONF
            + "ADD backup.tar.gz /tmp/b/\nRUN mkdir /srv/backup && tar -czf /srv/backup/backup.tar.gz -C /tmp/b .\n"
        },
        {"backup", "add_for_unpacking_only"},
    ),
}


CASES = {**RIGHT, **{name: (lab, files) for name, (lab, files, _) in WRONG.items()}}
GRADED = SideBySide(__name__, CASES, lambda name: lost(*CASES[name]))


@pytest.fixture(scope="module")
def graded(real_engine):
    return GRADED


@pytest.mark.parametrize("name", RIGHT)
def test_an_unusual_right_answer_passes(name, graded):
    assert graded[name] == {}


@pytest.mark.parametrize("name", WRONG)
def test_a_plausible_wrong_answer_loses_what_it_should(name, graded):
    assert failed(graded[name]) == WRONG[name][2], graded[name]
