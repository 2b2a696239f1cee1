"""layers and add_vs_copy: unusual right answers pass, plausible wrong ones lose what they should."""

from __future__ import annotations

import pytest

from tests.unusual import SideBySide, failed, lost

P = "FROM python:3.11-slim\n"
A = "FROM debian:bookworm-slim\n"
CONF = "COPY --chown=1000:1000 --chmod=640 app.conf /etc/app/app.conf\n"
SITE = "ADD site.tar.gz /srv/site/\n"
BACKUP = "COPY backup.tar.gz /srv/backup/backup.tar.gz\n"

RIGHT = {
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
    "owner set in a stage, copied once": (
        "add_vs_copy",
        {
            "Dockerfile": A.replace("\n", " AS conf\n")
            + "COPY app.conf /\nRUN install -D -o 1000 -g 1000 -m 0640 /app.conf /out/etc/app/app.conf\n"
            + A
            + 'ADD ./site.tar.g[z] /srv/site\nCOPY ["backup.tar.gz", "/srv/backup/"]\nCOPY --from=conf /out/ /\n',
        },
    ),
    "a working folder, another order, a user": (
        "add_vs_copy",
        {
            "Dockerfile": A
            + "WORKDIR /srv\n"
            + CONF.replace("640", "0640")
            + "COPY back*.gz backup/\nADD site.tar.gz site\n"
            "USER 1000\nCMD []\n",
        },
    ),
}

WRONG = {
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
    "unpacked one folder too deep": (
        "add_vs_copy",
        {"Dockerfile": A + "ADD site.tar.gz /srv/site/site/\n" + BACKUP + CONF},
        {"site"},
    ),
    "all may read it": ("add_vs_copy", {"Dockerfile": A + SITE + BACKUP + CONF.replace("640", "644")}, {"conf"}),
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


@pytest.fixture(scope="module")
def graded(real_engine, tmp_path_factory):
    cases = {**RIGHT, **{name: (lab, files) for name, (lab, files, _) in WRONG.items()}}
    return SideBySide(cases, lambda name: lost(*cases[name], tmp_path_factory.mktemp("case")))


@pytest.mark.parametrize("name", RIGHT)
def test_an_unusual_right_answer_passes(name, graded):
    assert graded[name] == {}


@pytest.mark.parametrize("name", WRONG)
def test_a_plausible_wrong_answer_loses_what_it_should(name, graded):
    assert failed(graded[name]) == WRONG[name][2], graded[name]
