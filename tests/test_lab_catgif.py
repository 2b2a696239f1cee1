"""catgif: right answers written in unusual ways pass; plausible wrong ones lose just what they should."""

from __future__ import annotations

import shutil
import tempfile
import threading
from pathlib import Path

import pytest

from dockdojo.events import CheckStarted
from dockdojo.grading import grade
from dockdojo.grading.child import Child
from dockdojo.runner.feedback import SEE_ABOVE
from tests.unusual import COURSE, SideBySide, failed, lost

ALLOW_LIST = (
    "*\n!app.py\n!requirements.txt\n!templates\n!static\n!start.sh\n**/__pycache__\n"
)

RIGHT = {
    "the user is made last, and gets the files": {
        "Dockerfile": (
            "FROM python:3.11-slim\nWORKDIR /app\nCOPY requirements.txt .\nRUN pip install --no-cache-dir -r requirements.txt\n"
            "COPY . .\nRUN useradd --uid 1700 --create-home cat && chown -R cat /app && python -m compileall -q /app\n"
            'USER cat\nEXPOSE 5000\nCMD ["sh", "-c", "exec gunicorn --bind 0.0.0.0:${PORT:-5000} app:app"]\n'
        ),
    },
    "waitress in a virtual environment, copied from another stage": {
        "requirements.txt": "Flask == 3.1.0\nwaitress===3.0.2\n",
        ".dockerignore": ALLOW_LIST,
        "Dockerfile": (
            "FROM python:3.11-slim AS build\nRUN python -m venv --without-pip /venv\nCOPY requirements.txt /\n"
            "RUN pip install --no-cache-dir --target /venv/lib/python3.11/site-packages -r /requirements.txt\n"
            "FROM python:3.11-slim\nWORKDIR /srv/cats\nCOPY --from=build /venv /venv\nCOPY . .\nEXPOSE 80 5000/tcp\nUSER 12345:0\n"
            "ENV PORT=5000\nENTRYPOINT exec /venv/bin/python -m waitress --port=$PORT app:app\n"
        ),
    },
    "an entrypoint that gives root away": {
        "start.sh": "#!/bin/sh\nset -e\ntouch /tmp/ready\nexec setpriv --reuid 1000 --regid 1000 --clear-groups gunicorn -b :${PORT:=5000} app:app\n",
        "Dockerfile": (
            "# syntax=docker/dockerfile:1\nFROM python:3.11-slim\nWORKDIR app\n"
            "RUN --mount=type=bind,source=requirements.txt,target=/r.txt pip install --no-cache-dir -r /r.txt\n"
            'COPY . ./\nEXPOSE 5000\nENTRYPOINT ["sh", "start.sh"]\n'
        ),
    },
    "a configuration file and one address for all cats": {
        ".dockerignore": "*.pyc\n.*\n__pycache__/\n",
        "gunicorn.conf.py": 'import os\nbind = "0.0.0.0:" + os.environ.get("PORT", "5000")\nworkers = 2\n',
        "app.py": (
            "import random\nfrom pathlib import Path\nfrom flask import Flask, send_file\napp = Flask(__name__)\n"
            "GIFS = sorted(Path('static').glob('*.gif'))\n\n\n@app.get('/')\ndef index():\n"
            "    return '<h1>x</h1><img alt=cat src=cat.gif?now>'\n\n\n@app.get('/cat.gif')\ndef cat():\n"
            "    return send_file(random.choice(GIFS))\n"
        ),
        "Dockerfile": (
            "FROM python:3.11-slim\nRUN groupadd g && useradd -g g u\nWORKDIR /home/u\nCOPY requirements.txt ./\n"
            "RUN pip install -r requirements.txt && rm -rf /root/.cache\nCOPY --chown=u:g . .\nEXPOSE 5000\nUSER u\n"
            'CMD ["gunicorn", "app:app"]\n'
        ),
    },
    "files one by one, a port from the environment, packages of the user": {
        "Dockerfile": (
            "FROM python:3.11-slim AS final\nENV HOME=/cats PORT=5000 PATH=/cats/.local/bin:$PATH\nWORKDIR $HOME\n"
            "COPY --chown=4711 requirements.txt .\nRUN pip install --user --no-cache-dir --requirement requirements.txt\n"
            "COPY app.py ./\nCOPY static ./static/\nCOPY templates/ ./templates/\nEXPOSE $PORT\nUSER 4711\n"
            "CMD exec gunicorn --access-logfile - --bind :$PORT 'app:app'\n"
        ),
    },
    "the server is Python's own program, and the app a package": {
        "requirements.txt": "flask==3.1.0 # the app\n\n-r more.txt\n",
        "more.txt": "waitress==3.0.2\n",
        ".dockerignore": "**/.git\n**/.env\n**/*.py[co]\n**/__pycache__\n",
        "serve.py": "import os\nfrom waitress import serve\nfrom app import app\nserve(app, listen=f'*:{os.environ.get(\"PORT\") or 5000}')\n",
        "Dockerfile": (
            "FROM python:3.11-slim\nEXPOSE 5000\nWORKDIR /opt/cats\nADD requirements.txt more.txt /opt/cats/\n"
            'RUN ["pip", "install", "--no-cache-dir", "-r", "requirements.txt"]\nADD . /opt/cats\nUSER www-data\n'
            'ENTRYPOINT ["python"]\nCMD ["serve.py"]\n'
        ),
    },
    "the app is a project of its own, which is installed last": {
        "pyproject.toml": (
            '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n[project]\nname = "the_cats"\n'
            'version = "1"\ndependencies = ["flask>=3"]\n[tool.setuptools]\npy-modules = ["app"]\n'
        ),
        "Dockerfile": (
            "FROM python:3.11-slim\nWORKDIR /app\nCOPY requirements.txt .\nRUN pip install --no-cache-dir -r requirements.txt\n"
            "COPY . .\nRUN pip install --no-build-isolation --no-deps -e . && pip install --no-build-isolation --target /opt --no-deps .\n"
            'USER 1000\nEXPOSE 5000\nCMD ["sh", "-c", "exec gunicorn -b 0.0.0.0:${PORT:-5000} app:app"]\n'
        ),
    },
    "it warms up, as behind a proxy: 503 for some seconds, and a log with words": {
        "app.py": (
            "import os, random, time\nfrom pathlib import Path\nfrom flask import Flask, Response, render_template, url_for\n"
            "BEGAN = time.monotonic()\napp = Flask(__name__)\nprint('This is no development server.', flush=True)\n"
            "GIFS = sorted(path.name for path in Path('static').glob('*.gif'))\n\n\n@app.before_request\ndef warm():\n"
            "    if time.monotonic() < BEGAN + 4:\n        return Response('warming up', 503)\n\n\n@app.get('/')\ndef index():\n"
            "    return render_template('index.html', gif=url_for('static', filename=random.choice(GIFS)))\n"
        ),
    },
    "packages in the app's folder, which is given away last": {
        "requirements.txt": "flask==3.1.0\nwaitress==3.0.2\n",
        "Dockerfile": (
            "FROM python:3.11-slim\nWORKDIR /app\nENV PYTHONPATH=/app/packages\nCOPY requirements.txt .\n"
            "RUN pip install --no-cache-dir -t packages -r requirements.txt\nCOPY . .\n"
            "RUN useradd cat && chown -R cat:cat /app\nUSER cat\nEXPOSE 5000\n"
            "CMD exec python -m waitress --port=${PORT:-5000} app:app\n"
        ),
    },
    "packages that are copied last, versions from variables, a server of one process": {
        "requirements.txt": None,
        "Dockerfile": (
            "ARG PY=3.11\nFROM python:${PY}-slim AS build\nARG FLASK=3.1.0\nENV UWSGI=2.0.30.post1\n"
            "RUN python -m venv /opt/venv && /opt/venv/bin/pip install flask==$FLASK pyuwsgi==${UWSGI} dumb-init==1.2.5.post1\n"
            "FROM python:${PY}-slim\nENV PATH=/opt/venv/bin:$PATH\nWORKDIR /app\nCOPY . .\nCOPY --from=build /opt/venv /opt/venv\n"
            'USER 65534:65534\nEXPOSE 5000\nENTRYPOINT ["dumb-init", "--"]\n'
            'CMD ["sh", "-c", "exec uwsgi --http-socket 0.0.0.0:${PORT:-5000} --module app:app"]\n'
        ),
    },
    "a base file, constraints, and a log of what pip says": {
        "requirements.txt": "-r base.txt\ngunicorn==23.0.0\n",
        "base.txt": "Flask  # in the version of limits.txt\n-c limits.txt\n",
        "limits.txt": "flask==3.1.0\n",
        "Dockerfile": (
            "FROM python:3.11-slim\nWORKDIR /app\nCOPY *.txt ./\n"
            "RUN pip --quiet install --no-cache-dir -qr requirements.txt > /tmp/pip.log 2>&1 # pip install flask\n"
            "RUN echo 'pip install flask'\nCOPY . .\nUSER 1000\nEXPOSE 5000\n"
            'CMD ["sh", "-c", "exec gunicorn -b 0.0.0.0:${PORT:-5000} app:app"]\n'
        ),
    },
}

SERVED = (
    "FROM python:3.11-slim\nWORKDIR /app\nCOPY requirements.txt .\nRUN pip install --no-cache-dir -r requirements.txt\n"
    "COPY . .\nUSER 1000\nEXPOSE 5000\n"
)
PACKAGED = SERVED.replace(
    "COPY . .", "ENV PYTHONPATH=/opt/site-packages\nCOPY . /opt/site-packages/"
)
RIGHT["the app lies where packages are, and runs in a folder of its own"] = {
    "Dockerfile": PACKAGED
    + 'CMD ["sh", "-c", "exec gunicorn -b 0.0.0.0:${PORT:-5000} app:app"]\n'
}
PROXY = """import os, urllib.error, urllib.request
from waitress import serve


def proxy(environ, start):
    try:
        answer = urllib.request.urlopen('http://127.0.0.1:8001' + environ['PATH_INFO'])
    except urllib.error.HTTPError as error:
        answer = error
    except OSError:
        start('502 Bad Gateway', [])
        return []
    start(f'{answer.status} OK', [('Content-Type', answer.headers.get('Content-Type', ''))])
    return [answer.read()]


serve(proxy, port=int(os.environ.get('PORT', '5000')))
"""
STRICT = """import io, os
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, make_server
from app import app


class Strict(WSGIRequestHandler):
    def handle(self):
        self.raw_requestline, lines = self.rfile.readline(65537), []
        while (line := self.rfile.readline(65537)) not in (b'', b'\\r\\n', b'\\n'):
            lines.append(line)
        if not self.raw_requestline.rstrip().endswith(b'HTTP/1.1') or any(b':' not in one for one in lines):
            self.wfile.write(b'HTTP/1.1 400 Bad Request\\r\\nContent-Length: 0\\r\\n\\r\\n')
            return
        self.rfile = io.BytesIO(b''.join(lines) + b'\\r\\n')
        if self.parse_request():
            handler = ServerHandler(self.rfile, self.wfile, self.get_stderr(), self.get_environ(), multithread=False)
            handler.request_handler = self
            handler.run(self.server.get_app())


make_server('', int(os.environ.get('PORT', '5000')), app, handler_class=Strict).serve_forever()
"""

WRONG = {
    "the server is installed again with each change": (
        {
            "requirements.txt": "flask==3.1.0\n",
            "Dockerfile": SERVED.replace(
                "USER", "RUN pip install --no-cache-dir gunicorn==23.0.0\nUSER"
            )
            + 'CMD ["sh", "-c", "exec gunicorn -b 0.0.0.0:${PORT:-5000} app:app"]\n',
        },
        {"cache"},
    ),
    "the app has another name, and is not in the working folder": (
        {
            "Dockerfile": (
                "FROM python:3.11-slim\nCOPY requirements.txt /\nRUN pip install --no-cache-dir -r /requirements.txt\n"
                "WORKDIR /srv/cats\nCOPY app.py cats.py\nCOPY static static\nCOPY templates templates\nWORKDIR /nothing\n"
                "USER 1000\nEXPOSE 5000\n"
                'CMD ["sh", "-c", "exec gunicorn --chdir /srv/cats -b 0.0.0.0:${PORT:-5000} cats:app"]\n'
            )
        },
        {"workdir"},
    ),
    "the app lies where packages are, and runs in the root folder": (
        {
            "Dockerfile": PACKAGED
            + 'CMD ["sh", "-c", "cd / && exec gunicorn -b 0.0.0.0:${PORT:-5000} app:app"]\n'
        },
        {"workdir"},
    ),
    "the development server behind a proxy": (
        {
            "requirements.txt": "flask==3.1.0\nwaitress==3.0.2\n",
            "proxy.py": PROXY,
            "Dockerfile": SERVED
            + "CMD PORT=8001 python app.py & exec python proxy.py\n",
        },
        {"production_server"},
    ),
    "one request after the other, by a handler that has manners": (
        {"serve.py": STRICT, "Dockerfile": SERVED + 'CMD ["python", "serve.py"]\n'},
        {"production_server"},
    ),
    "a base file that pins nothing": (
        {
            "requirements.txt": "-r base.txt\ngunicorn==23.0.0\n",
            "base.txt": "flask\n",
            "Dockerfile": (
                "FROM python:3.11-slim\nWORKDIR /app\nCOPY *.txt ./\nRUN pip install --no-cache-dir -r requirements.txt\n"
                'COPY . .\nUSER 1000\nEXPOSE 5000\nCMD ["sh", "-c", "exec gunicorn -b 0.0.0.0:${PORT:-5000} app:app"]\n'
            ),
        },
        {"pinned"},
    ),
    "the log is thrown away": (
        {
            "Dockerfile": "FROM python:3.11-slim\nWORKDIR /app\nCOPY requirements.txt .\nRUN pip install --no-cache-dir -r requirements.txt\nCOPY . .\nUSER 1000\nEXPOSE 5000\nCMD flask run --host 0.0.0.0 --port ${PORT:-5000} > /dev/null 2>&1\n"
        },
        {"production_server"},
    ),
    "only the root's clutter is ignored, under other names": (
        {".dockerignore": ".git\n"},
        {"clean_context"},
    ),
    "a build that fails": (
        {"requirements.txt": "flask==99.99\n"},
        {"answers", "reachable", "gifs", "port", "not_root", "production_server"}
        | {"cache", "clean_context", "exposes", "size", "workdir"},
    ),
}


LAB = "catgif"


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


APP = (COURSE.solution(LAB) / "app.py").read_text()
FAILS = "    print('a word in the log', flush=True)\n    flask.abort(500)\n"
TOLD = {
    "the page fails": (
        {
            "app.py": "import flask\n"
            + APP.replace(
                "    return render_template", FAILS + "    return render_template"
            )
        },
        "answers",
        {"gifs"},
    ),
    "the page fails on another port": (
        {
            "app.py": "import flask\n"
            + APP.replace(
                "    return render_template",
                "    if 'PORT' in os.environ:\n"
                + FAILS.replace("    ", "        ")
                + "    return render_template",
            )
        },
        "gifs",
        set(),
    ),
    "the pictures fail": (
        {
            "app.py": "import flask\n"
            + APP.replace("url_for(", "'/picture?' + url_for(")
            + f"\n\n@app.get('/picture')\ndef picture():\n{FAILS}"
        },
        "gifs",
        set(),
    ),
    "it does not start": (
        {"Dockerfile": SERVED + "CMD sleep 1; echo a word in the log; exit 3\n"},
        "answers",
        {"reachable", "gifs", "port", "not_root", "production_server"},
    ),
}


def feedback_of(files):
    """The feedback of each check that failed."""
    with tempfile.TemporaryDirectory(prefix="case-") as scratch:
        folder = Path(scratch, LAB)
        shutil.copytree(COURSE.solution(LAB), folder)
        for name, text in files.items():
            (folder / name).write_text(text)
        report = grade(LAB, folder, course=COURSE)
    return {
        one.check: one.feedback for one in report.outcomes if one.status == "failed"
    }


FEEDBACK = SideBySide(__name__, TOLD, lambda name: feedback_of(TOLD[name][0]))


@pytest.mark.parametrize("name", TOLD)
def test_a_log_is_beside_each_failure_and_one_cause_is_told_once(name, real_engine):
    _, first, later = TOLD[name]
    found = FEEDBACK[name]
    assert {first, *later} <= found.keys(), found
    for check, feedback in found.items():
        if check in later:
            assert feedback.why == SEE_ABOVE.format(first), (check, feedback)
        else:
            assert "a word in the log" in feedback.detail, (check, feedback)


def test_a_grader_that_dies_in_the_middle_costs_its_check_and_no_other(
    real_engine, course, monkeypatch
):
    """What checks share is made again by the next process: `port`, for one, asks what `answers` had begun."""
    children, here = [], threading.get_ident()

    class Known(Child):
        """Beside this test, other threads grade: what they start is not this test's to end."""

        def __init__(self, *given):
            super().__init__(*given)
            if threading.get_ident() == here:
                children.append(self._process)

    monkeypatch.setattr("dockdojo.grading.Child", Known)
    monkeypatch.setattr("dockdojo.grading.supervisor.Child", Known)
    killed = []

    def listen(event):
        if (
            isinstance(event, CheckStarted)
            and event.check in ("reachable", "clean_context")
            and event.check not in killed
        ):
            killed.append(event.check)
            children[-1].kill()

    report = grade(LAB, course.solution(LAB), course=course, listen=listen)
    assert len(children) >= 2
    lost_ones = {
        one.check: one.status for one in report.outcomes if one.status != "passed"
    }
    assert (
        len(lost_ones) <= 2
    ), lost_ones  # a child that dies between two checks costs none
    assert set(lost_ones.values()) <= {"error"}, lost_ones
