"""cmd_vs_entrypoint, shell_vs_exec and signals: unusual right answers pass, plausible wrong ones lose what they should."""

from __future__ import annotations

import pytest

from tests.unusual import SideBySide, failed, lost

D = "FROM debian:bookworm-slim\n"
G = D + "COPY greeter /usr/local/bin/greeter\n"
P = "FROM python:3.11-slim\nWORKDIR /app\nCOPY main.py setting.txt ./\n"
SIGNALS_HEAD = "import os, signal, sys, time\n"
LOOP = "    print('round', i, 'setting', s, flush=True)\n    os.spawnlp(os.P_NOWAIT, 'true', 'true')\n"

RIGHT = {
    "a script of one's own, behind sh -c in exec form": (
        "cmd_vs_entrypoint",
        {
            "cmd.Dockerfile": 'FROM busybox\nENTRYPOINT []\nCMD [ "/bin/sh", "-c", "echo default" ]\n',
            "entrypoint.Dockerfile": 'FROM python:3.11-slim\nENTRYPOINT ["python", "-c", "import sys; print(*[\'args:\', *sys.argv[1:]])"]\n',
            "both.Dockerfile": D
            + 'CMD ["ignored"]\nENTRYPOINT ["sh", "-c", "printf \'args: %s\\\\n\' \\"$*\\"", "-"]\nCMD ["default"]\n',
        },
    ),
    "stages, printf, and a table in another order": (
        "cmd_vs_entrypoint",
        {
            "cmd.Dockerfile": D + 'FROM debian:bookworm-slim\nCMD ["printf", "default"]\n',
            "entrypoint.Dockerfile": 'FROM debian:bookworm-slim AS e\nRUN printf \'#!/bin/sh\\necho args: "$@"\\n\' > /e && chmod +x /e\nFROM e\nENTRYPOINT ["/e"]\n',
            "answers.toml": 'exec_exec = "E  echo C "\nexec_shell = "E /bin/sh -c echo C"\nexec_none = "E"\nshell_exec = "E"\nshell_shell = "E"\n'
            'shell_none = "E"\nnone_exec = "C"\nnone_shell = "C"\nnone_none = "error"\n',
        },
    ),
    "a program in Python, words before the program, exec inside sh -c": (
        "shell_vs_exec",
        {
            "exec.Dockerfile": 'FROM python:3.11-slim\nCMD ["python", "-u", "-c", "import signal, time; signal.signal(15, signal.SIG_DFL); '
            "signal.signal(15, lambda *a: exit(7)); print('up')\\nwhile True: time.sleep(1)\"]\n",
            "shell.Dockerfile": G + "ENV GREETING=x\nENTRYPOINT echo starting && greeter before ${GREETING} after\n",
            "wrapper.Dockerfile": G + 'COPY --chmod=755 entrypoint.sh /\nENTRYPOINT ["/entrypoint.sh"]\n',
            "entrypoint.sh": '#!/bin/bash -e\nexport READY=yes\nset -- greeter "$@"\nexec "$@"\n',
        },
    ),
    "exec form by way of a shell that steps aside": (
        "shell_vs_exec",
        {"exec.Dockerfile": G + 'CMD ["sh", "-c", "exec greeter hello"]\n'},
    ),
    "an event for the end, waitpid for the children, another language's names": (
        "signals",
        {
            "Dockerfile": P + "STOPSIGNAL 2\nUSER nobody\nENTRYPOINT exec python -u main.py\n",
            "main.py": SIGNALS_HEAD
            + "from threading import Event\nstop = Event()\nlast = []\ns = open('setting.txt').read().strip()\n\n\n"
            "def hup(*_):\n    global s\n    s = open('/app/setting.txt').read().strip()\n\n\n"
            "def end(n, _):\n    last.append(n)\n    stop.set()\n\n\n"
            "signal.signal(1, hup)\nsignal.signal(2, end)\nsignal.signal(15, end)\ni = 0\nwhile not stop.is_set():\n    i += 1\n"
            + LOOP
            + "    stop.wait(0.25)\n    try:\n        while os.waitpid(-1, os.WNOHANG)[0]:\n            pass\n    except ChildProcessError:\n        pass\n"
            "print(f'Gracefully shutting down after receiving signal {last[0]:d}')\n",
        },
    ),
    "a shell script as the program": (
        "signals",
        {
            "Dockerfile": 'FROM debian:bookworm-slim\nWORKDIR /app\nCOPY . .\nSTOPSIGNAL INT\nCMD ["bash", "main.sh"]\n',
            "main.sh": 'bye() { echo "Gracefully shutting down after receiving signal $1"; exit 0; }\ns=$(cat setting.txt)\n'
            "trap 'bye 15' TERM; trap 'bye 2' INT; trap 's=$(cat /app/setting.txt)' HUP\n"
            'i=0; while true; do i=$((i+1)); echo "round $i $s"; true & sleep 0.25 & wait; done\n',
        },
    ),
}

WRONG = {
    "CMD in ENTRYPOINT's place": (
        "cmd_vs_entrypoint",
        {"both.Dockerfile": D + 'CMD ["echo", "args:", "default"]\n'},
        {"both_replaced"},
    ),
    "single quotes are no JSON": (
        "cmd_vs_entrypoint",
        {"cmd.Dockerfile": D + "CMD ['echo', 'default']\n"},
        {"cmd_default", "exec_form"},
    ),
    "a trap that only the shell hears": (
        "shell_vs_exec",
        {"shell.Dockerfile": G + "ENV GREETING=x\nCMD trap 'exit 0' TERM; greeter \"$GREETING\" & wait\n"},
        {"shell_stop"},
    ),
    "exec in shell form": (
        "shell_vs_exec",
        {"shell.Dockerfile": G + 'ENV GREETING=x\nCMD exec greeter "$GREETING"\n'},
        {"shell_pid_1", "shell_stop"},
    ),
    "the signal's name, not its number": (
        "signals",
        {
            "main.py": SIGNALS_HEAD
            + "s = 'x'\n\n\ndef end(n, _):\n    print('Gracefully shutting down after receiving signal', signal.Signals(n).name)\n    sys.exit()\n\n\n"
            "signal.signal(2, end)\nsignal.signal(15, end)\nsignal.signal(17, signal.SIG_IGN)\nsignal.signal(1, signal.SIG_IGN)\nfor i in range(10**6):\n"
            + LOOP
            + "    time.sleep(0.25)\n"
        },
        {"sigterm", "sigint", "stop", "sighup"},
    ),
    "five seconds to say goodbye": (
        "signals",
        {
            "main.py": SIGNALS_HEAD
            + "s = 'x'\n\n\ndef end(n, _):\n    time.sleep(3)\n    print('Gracefully shutting down after receiving signal', n)\n    sys.exit()\n\n\n"
            "signal.signal(2, end)\nsignal.signal(15, end)\nsignal.signal(17, signal.SIG_IGN)\nsignal.signal(1, signal.SIG_IGN)\nfor i in range(10**6):\n"
            + LOOP
            + "    time.sleep(0.25)\n"
        },
        {"sigterm", "sigint", "stop", "sighup"},
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
