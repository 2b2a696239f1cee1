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
            "cmd.Dockerfile": D
            + 'FROM debian:bookworm-slim\nCMD ["printf", "default"]\n',
            "entrypoint.Dockerfile": 'FROM debian:bookworm-slim AS e\nRUN printf \'#!/bin/sh\\necho args: "$@"\\n\' > /e && chmod +x /e\nFROM e\nENTRYPOINT ["/e"]\n',
            "answers.toml": 'exec_exec = "E  echo C "\nexec_shell = "E /bin/sh -c echo C"\nexec_none = "E"\nshell_exec = "E"\nshell_shell = "E"\n'
            'shell_none = "E"\nnone_exec = "C"\nnone_shell = "C"\nnone_none = "error"\n',
        },
    ),
    "perl, a relative program, the last CMD counts": (
        "cmd_vs_entrypoint",
        {
            "cmd.Dockerfile": D
            + 'CMD echo never\nCMD ["perl", "-e", "print qq(default\\n)"]\n',
            "entrypoint.Dockerfile": D
            + 'WORKDIR /srv\nRUN printf \'#!/bin/sh\\necho "args:" "$@"\\n\' > say && chmod 755 say\nENTRYPOINT ["./say"]\n',
            "both.Dockerfile": D
            + 'CMD ["default"]\nENTRYPOINT ["perl", "-le", "print qq(args: @ARGV)", "--"]\n',
        },
    ),
    "small letters, many lines, a variable": (
        "cmd_vs_entrypoint",
        {
            "cmd.Dockerfile": 'from busybox:latest\ncmd [ \\\n  "echo", \\\n  "default" \\\n]\n',
            "entrypoint.Dockerfile": '# escape=`\nFROM debian:bookworm-slim\nentrypoint ["/bin/echo", `\n  "args:"]\n',
            "both.Dockerfile": D
            + 'ENV WORD=args:\nENTRYPOINT ["bash", "-c", "echo $WORD \\"$@\\"", "_"]\nCMD ["default"]\n',
        },
    ),
    "all from one earlier image, users, labels": (
        "cmd_vs_entrypoint",
        {
            "cmd.Dockerfile": D
            + 'USER nobody\nLABEL a=b\nENTRYPOINT ["env", "--"]\nCMD ["echo", "default"]\n',
            "both.Dockerfile": D.replace("\n", ' AS a\nENTRYPOINT ["echo", "args:"]\n')
            + 'FROM a\nUSER 1000\nCMD ["default"]\n',
        },
    ),
    "bash as the shell, with more than one command": (
        "shell_vs_exec",
        {
            "shell.Dockerfile": G
            + 'SHELL ["/bin/bash", "-c"]\nENV GREETING=x\nCMD greeter "${GREETING:-none}"; echo over\n'
        },
    ),
    "an array of bash, and a variable that is set": (
        "shell_vs_exec",
        {
            "wrapper.Dockerfile": G
            + 'COPY --chmod=755 entrypoint.sh /e/\nWORKDIR /e\nENTRYPOINT ["./entrypoint.sh"]\nCMD ["greeter", "hi"]\n',
            "entrypoint.sh": '#!/usr/bin/env bash\nset -euo pipefail\nready=1\nwords=("$@")\nmkdir -p /tmp/x\nexec -a "$1" "${words[@]}"\n',
        },
    ),
    "the program is fixed in the script, and the words are its own": (
        "shell_vs_exec",
        {
            "exec.Dockerfile": G + 'ENTRYPOINT ["greeter"]\nCMD ["hello", "you"]\n',
            "wrapper.Dockerfile": G
            + 'COPY entrypoint.sh /\nENTRYPOINT ["bash", "/entrypoint.sh"]\n',
            "entrypoint.sh": 'umask 077\n: > /tmp/lock\nexec greeter "first" "$@"\n',
        },
    ),
    "asyncio": (
        "signals",
        {
            "main.py": "import asyncio, os, signal\n\n\nasync def main():\n    loop, end = asyncio.get_running_loop(), asyncio.Event()\n"
            "    said, s = [], [open('setting.txt').read()]\n\n    def stop(n):\n        said.append(n)\n        end.set()\n\n"
            "    for n in (2, 15):\n        loop.add_signal_handler(n, stop, n)\n"
            "    loop.add_signal_handler(1, lambda: s.__setitem__(0, open('/app/setting.txt').read()))\n"
            "    while not end.is_set():\n        print('round', s[0].strip(), flush=True)\n"
            "        child = await asyncio.create_subprocess_exec('true')\n        await child.wait()\n"
            "        try:\n            await asyncio.wait_for(end.wait(), 0.25)\n        except TimeoutError:\n            pass\n"
            "    print(f'Gracefully shutting down after receiving signal {said[0]}', flush=True)\n\n\nasyncio.run(main())\n",
        },
    ),
    "signals are waited for, the work is a thread's": (
        "signals",
        {
            "main.py": "import os, signal, subprocess, threading, time\nmine = {1, 2, 15}\nsignal.pthread_sigmask(signal.SIG_BLOCK, mine)\n"
            "state = {'s': open('setting.txt').read(), 'on': True}\n\n\ndef work():\n    while state['on']:\n"
            "        print('round', state['s'].strip(), flush=True)\n        subprocess.run(['true'])\n        time.sleep(0.2)\n\n\n"
            "thread = threading.Thread(target=work)\nthread.start()\nwhile (n := signal.sigwait(mine)) == 1:\n"
            "    state['s'] = open('/app/setting.txt').read()\nstate['on'] = False\nthread.join()\n"
            "print('Gracefully shutting down after receiving signal', int(n), flush=True)\n",
        },
    ),
    "everything goes to the log, which is stderr": (
        "signals",
        {
            "main.py": "import logging, os, signal, time\nlogging.basicConfig(level='INFO', format='%(message)s')\ns = open('setting.txt').read()\n\n\n"
            "class End(Exception):\n    pass\n\n\ndef end(n, _):\n    raise End(n)\n\n\ndef hup(*_):\n    global s\n    s = open('/app/setting.txt').read()\n\n\n"
            "def child(*_):\n    try:\n        while os.waitpid(-1, os.WNOHANG) != (0, 0):\n            pass\n    except ChildProcessError:\n        pass\n\n\n"
            "for n, f in ((1, hup), (2, end), (15, end), (17, child)):\n    signal.signal(n, f)\ntry:\n    while True:\n"
            "        logging.info('round %s', s.strip())\n        os.spawnlp(os.P_NOWAIT, 'true', 'true')\n        time.sleep(0.25)\n"
            "except End as e:\n    logging.warning('Gracefully shutting down after receiving signal %d', e.args[0])\n",
        },
    ),
    "a program in Python, words before the program, exec inside sh -c": (
        "shell_vs_exec",
        {
            "exec.Dockerfile": 'FROM python:3.11-slim\nCMD ["python", "-u", "-c", "import signal, time; signal.signal(15, signal.SIG_DFL); '
            "signal.signal(15, lambda *a: exit(7)); print('up')\\nwhile True: time.sleep(1)\"]\n",
            "shell.Dockerfile": G
            + "ENV GREETING=x\nENTRYPOINT echo starting && greeter before ${GREETING} after\n",
            "wrapper.Dockerfile": G
            + 'COPY --chmod=755 entrypoint.sh /\nENTRYPOINT ["/entrypoint.sh"]\n',
            "entrypoint.sh": '#!/bin/bash -e\nexport READY=yes\nset -- greeter "$@"\nexec "$@"\n',
        },
    ),
    "what is set up lies in memory": (
        "shell_vs_exec",
        {"entrypoint.sh": '#!/bin/sh\ndate > /dev/shm/started\nexec "$@"\n'},
    ),
    "what is set up lies in a volume": (
        "shell_vs_exec",
        {
            "wrapper.Dockerfile": G + "COPY entrypoint.sh /\nVOLUME /srv/state\n"
            'ENTRYPOINT ["sh", "/entrypoint.sh"]\nCMD ["greeter"]\n',
            "entrypoint.sh": '#!/bin/sh\ndate > /srv/state/started\nexec "$@"\n',
        },
    ),
    "exec form by way of a shell that steps aside": (
        "shell_vs_exec",
        {"exec.Dockerfile": G + 'CMD ["sh", "-c", "exec greeter hello"]\n'},
    ),
    "an event for the end, waitpid for the children, another language's names": (
        "signals",
        {
            "Dockerfile": P
            + "STOPSIGNAL 2\nUSER nobody\nENTRYPOINT exec python -u main.py\n",
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
    "a shell with options, an interpreter with one, and a variable of the image that is set anew": (
        "shell_vs_exec",
        {
            "shell.Dockerfile": G
            + 'SHELL ["/bin/bash", "-eo", "pipefail", "-c"]\nENV GREETING=x\nCMD greeter "$GREETING"; echo over\n',
            "exec.Dockerfile": G
            + 'CMD ["perl", "-w", "/usr/local/bin/greeter", "hello"]\n',
            "wrapper.Dockerfile": G
            + 'COPY entrypoint.sh /\nENV MODE=dev\nENTRYPOINT ["sh", "/entrypoint.sh"]\nCMD ["greeter"]\n',
            "entrypoint.sh": 'export MODE=prod\nexec "$@"\n',
        },
    ),
    "the script has a command of its own, and the image none; it writes into a volume, and leaves a helper behind": (
        "shell_vs_exec",
        {
            "wrapper.Dockerfile": G
            + 'COPY entrypoint.sh /\nVOLUME /tmp\nENTRYPOINT ["sh", "/entrypoint.sh"]\n',
            "entrypoint.sh": "date > /tmp/started\n(while sleep 5; do date > /tmp/lives; done) &\n"
            '[ $# -gt 0 ] || set -- greeter\nexec "$@"\n',
        },
    ),
    "a child in each fifth round, the goodbye on stderr, and an empty line behind it": (
        "signals",
        {
            "main.py": SIGNALS_HEAD
            + "s = [open('setting.txt').read().strip()]\n\n\ndef end(n, _):\n"
            "    print(f'Gracefully shutting down after receiving signal {n}\\n', file=sys.stderr)\n    os._exit(0)\n\n\n"
            "signal.signal(1, lambda *_: s.__setitem__(0, open('/app/setting.txt').read().strip()))\n"
            "signal.signal(2, end)\nsignal.signal(15, end)\nsignal.signal(17, signal.SIG_IGN)\nfor i in range(10**6):\n"
            "    print('round', i, 'setting', *s, flush=True)\n"
            "    if i % 5 == 0:\n        os.spawnlp(os.P_NOWAIT, 'true', 'true')\n    time.sleep(0.25)\n",
        },
    ),
}

WRONG = {
    "CMD in ENTRYPOINT's place": (
        "cmd_vs_entrypoint",
        {"both.Dockerfile": D + 'CMD ["echo", "args:", "default"]\n'},
        {"both_replaced"},
    ),
    "shell form that is inherited from a stage of its own": (
        "cmd_vs_entrypoint",
        {
            "cmd.Dockerfile": "FROM debian:bookworm-slim AS said\nCMD echo default\nFROM said\nLABEL a=b\n"
        },
        {"exec_form"},
    ),
    "single quotes are no JSON": (
        "cmd_vs_entrypoint",
        {"cmd.Dockerfile": D + "CMD ['echo', 'default']\n"},
        {"cmd_default", "exec_form"},
    ),
    "a trap that only the shell hears": (
        "shell_vs_exec",
        {
            "shell.Dockerfile": G
            + "ENV GREETING=x\nCMD trap 'exit 0' TERM; greeter \"$GREETING\" & wait\n"
        },
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
        {"sigterm", "sigint", "sighup"},
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
    "a Python that starts the greeter by its interpreter, and a script that does nothing before a Python that compiles": (
        "shell_vs_exec",
        {
            "parent.py": "import signal, subprocess, sys\nchild = subprocess.Popen(['perl', '-w', '/usr/local/bin/greeter', 'hello'])\n"
            "signal.signal(15, lambda *_: child.terminate())\nsys.exit(child.wait())\n",
            "exec.Dockerfile": "FROM python:3.11-slim\nCOPY greeter /usr/local/bin/\nCOPY parent.py /\n"
            'CMD ["python", "/parent.py"]\n',
            "program.py": "import signal, sys, other\nsignal.signal(15, lambda *_: sys.exit())\nprint(sys.argv, flush=True)\n"
            "while True:\n    signal.pause()\n",
            "other.py": "x = 1\n",
            "wrapper.Dockerfile": "FROM python:3.11-slim\nCOPY program.py other.py entrypoint.sh /srv/\n"
            'ENTRYPOINT ["sh", "/srv/entrypoint.sh"]\nCMD ["python", "/srv/program.py"]\n',
            "entrypoint.sh": 'exec "$@"\n',
        },
        {"exec_pid_1", "wrapper_sets_up"},
    ),
    "it reads in each round after the first SIGHUP, and says goodbye on stderr before one more round": (
        "signals",
        {
            "main.py": SIGNALS_HEAD
            + "again = []\ndone = []\ns = open('setting.txt').read().strip()\n\n\ndef end(n, _):\n"
            "    print('Gracefully shutting down after receiving signal', n, file=sys.stderr)\n    done.append(n)\n\n\n"
            "signal.signal(2, end)\nsignal.signal(15, end)\nsignal.signal(17, signal.SIG_IGN)\nsignal.signal(1, lambda *_: again.append(1))\n"
            "i = 0\nwhile not done:\n    i += 1\n    if again:\n        s = open('setting.txt').read().strip()\n"
            + LOOP
            + "    time.sleep(0.25)\ntime.sleep(0.8)\nprint('round', i, 'setting', s, flush=True)\n"
        },
        {"sighup", "last_word"},
    ),
    "only the first line is flushed": (
        "signals",
        {
            "Dockerfile": P + 'STOPSIGNAL SIGINT\nCMD ["python", "main.py"]\n',
            "main.py": SIGNALS_HEAD
            + "s = [open('setting.txt').read().strip()]\n\n\ndef end(n, _):\n"
            "    print('Gracefully shutting down after receiving signal', n)\n    sys.exit()\n\n\n"
            "signal.signal(1, lambda *_: s.__setitem__(0, open('setting.txt').read().strip()))\n"
            "signal.signal(2, end)\nsignal.signal(15, end)\nsignal.signal(17, signal.SIG_IGN)\nprint('begun', flush=True)\ni = 0\n"
            "while True:\n    i += 1\n"
            + LOOP.replace(", flush=True", "")
            + "    time.sleep(0.25)\n",
        },
        {"output_at_once"},
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
