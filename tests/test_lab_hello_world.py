"""hello_world: right answers written in unusual ways pass; plausible wrong ones lose just what they should."""

from __future__ import annotations

import pytest

from tests.unusual import SideBySide, failed, lost

LABEL = 'LABEL org.opencontainers.image.authors="me"\n'
SCRIPT = """#!/bin/sh
[ "${NAME-x}" ] || { echo no name >&2; exit 64; }
printf 'Hello, %s!' "${NAME-world}"
"""

RIGHT = {
    "python and no line end": {
        "Dockerfile": f"FROM python:3.11-slim\n{LABEL}COPY greet.py .\nENTRYPOINT python greet.py\n",
        "greet.py": (
            "import os, sys\nname = os.environ.get('NAME', 'world')\n"
            "if not name:\n    sys.exit(print('who?', file=sys.stderr) or 64)\nsys.stdout.write(f'Hello, {name}!')\n"
        ),
    },
    "no script at all": {
        "Dockerfile": f"FROM debian:bookworm-slim\n{LABEL}"
        'ENTRYPOINT ["sh", "-c", "[ \\"${NAME-x}\\" ] || { echo no name >&2; exit 64; }; printf \'Hello, %s!\\\\n\' \\"${NAME-world}\\""]\n',
        "greet.sh": None,
    },
    "base from an argument, label over two lines": {
        "Dockerfile": "ARG TAG=bookworm-slim\nARG BASE=debian:${TAG}\nFROM $BASE AS only\n"
        "LABEL a=b \\\n      org.opencontainers.image.authors=me\nWORKDIR /srv\nCOPY --chmod=755 greet.sh .\nCMD ./greet.sh\n",
        "greet.sh": SCRIPT,
    },
    "stages, the last one from an earlier one": {
        "Dockerfile": f'FROM debian:bookworm-slim AS base\nCOPY greet.sh /g\nFROM base\n{LABEL}RUN chmod +x /g\nENTRYPOINT ["/g"]\nCMD []\n',
    },
    "windows line ends in the answers": {
        "answers.toml": 'state_after_exit = "exited"\r\nps_shows = "Running"\r\nremoves_container = \'docker rm\'\r\nlogs_after_exit = "yes "\r\n'
        'option_i = """keeps stdin open"""\r\n"option_t" = "gives it a terminal"\r\n',
    },
}

GREETINGS = {"greets", "greets_by_name", "odd_names"}
WRONG = {
    "a space at the end": ({"greet.sh": SCRIPT.replace("%s!'", "%s! '")}, GREETINGS),
    "twice": ({"greet.sh": SCRIPT + "echo; echo 'Hello, world!'\n"}, GREETINGS),
    "every name is refused": (
        {
            "greet.sh": '#!/bin/sh\n[ "${NAME+x}" ] && { echo no >&2; exit 64; }\necho "Hello, world!"\n'
        },
        {"greets_by_name", "odd_names", "empty_name"},
    ),
    "on stderr": (
        {"greet.sh": SCRIPT.replace('"${NAME-world}"', '"${NAME-world}" >&2')},
        GREETINGS,
    ),
    "never ends": ({"greet.sh": SCRIPT + "sleep 600\n"}, GREETINGS | {"empty_name"}),
    "eval": (
        {
            "greet.sh": SCRIPT.replace(
                "printf 'Hello, %s!' \"${NAME-world}\"",
                'eval echo "Hello, ${NAME-world}!"',
            )
        },
        {"odd_names"},
    ),
    "another exit code": ({"greet.sh": SCRIPT.replace("64", "1")}, {"empty_name"}),
    "latest in a stage": (
        {
            "Dockerfile": f"FROM busybox:latest AS b\nFROM debian:bookworm-slim\n{LABEL}COPY greet.sh /g\nCMD sh /g\n"
        },
        {"pinned"},
    ),
    "one answer, and a key of no question": (
        {"answers.toml": 'state_after_exit = "exited"\nextra = "x"\n'},
        {
            "ps_shows",
            "removes_container",
            "logs_after_exit",
            "option_i",
            "option_t",
        },
    ),
}


LAB = "hello_world"


CASES = {**RIGHT, **{name: files for name, (files, _) in WRONG.items()}}
GRADED = SideBySide(__name__, CASES, lambda name: lost(LAB, CASES[name]))


@pytest.fixture(scope="module")
def graded(real_engine):
    return GRADED


@pytest.mark.parametrize("name", RIGHT)
def test_an_unusual_right_answer_passes(name, graded):
    assert graded[name] == {}


@pytest.mark.parametrize("name", WRONG)
def test_a_plausible_wrong_answer_loses_what_it_should(name, graded):
    assert failed(graded[name]) == WRONG[name][1], graded[name]
