"""What pip installs, and in which version: lines as shells and pip read them, files that name others, constraints."""

from __future__ import annotations

import pytest

from dockdojo.build.dockerfile import Dockerfile
from dockdojo.checks import CheckFailed
from dockdojo.checks.build_files import BuildFiles
from dockdojo.checks.pinning import (
    expect_pinned_bases,
    loose_installs,
    loose_packages,
    names_required,
    pip_installs,
    uses_lock,
)
from dockdojo.checks.pip_lines import installs
from dockdojo.errors import SubmissionError
from dockdojo.submission.folder import Submission

LINES = {
    "pip install flask==3.1.0 > /tmp/log.txt 2>&1": [("flask==3.1.0",)],
    "pip install flask==3.1.0 # and gunicorn": [("flask==3.1.0",)],
    "# pip install flask\npip install click==8.1.7": [("click==8.1.7",)],
    "echo 'pip install flask'": [],
    "echo pip install flask": [],
    'pip install "flask>=2" \'click[extra]; python_version > "3"\'': [
        ("flask>=2", 'click[extra]; python_version > "3"')
    ],
    "pip install flask>=2": [("flask",)],  # a shell writes to the file `=2`
    "pip --quiet --cache-dir /c install --timeout 60 --retries=3 flask==1": [
        ("flask==1",)
    ],
    "pip install -qUr base.txt -c limits.txt flask": [("flask",)],
    "pip install -rbase.txt --req more.txt": [()],
    "pip install --pre --no-cache-dir -t /opt --index-url https://x/y/ -- flask": [
        ("flask",)
    ],
    "/venv/bin/python3.11 -I -m pip install flask && pip download click": [
        ("flask",),
        ("click",),
    ],
    "pip wheel -w /wheels flask && pip install /wheels/*.whl": [("flask",), ()],
    "pip-sync base.txt; uv pip sync base.txt": [(), ()],
    "if true; then pip3 install a; fi; (pip install b) | cat; A=1 sudo pip install c": [
        ("a",),
        ("b",),
        ("c",),
    ],
    "sh -c 'pip install a && bash -ec \"pip install b\"'": [("a",), ("b",)],
    "uv pip install --system --resolution lowest flask": [("flask",)],
    "pip install . ./local /w/x-1.whl x.tar.gz git+https://host/x $PACKAGES": [()],
    "pip install 'package @ https://host/p-1.zip'": [
        ("package @ https://host/p-1.zip",)
    ],
    "pip install --upgrade flask; uv pip install --reinstall click": [
        ("flask",),
        ("click",),
    ],
    "pip uninstall install flask": [],
    "apt-get install -y pip install": [],
    "cat names.txt | xargs -n 1 pip install a": [("a",)],
    "timeout 600 nice -n 5 pip install a; env -i PATH=/bin pip install b": [
        ("a",),
        ("b",),
    ],
    "find . -name x -exec pip install {} a ;": [("{}", "a")],
}


@pytest.mark.parametrize("script", LINES)
def test_lines_are_read_as_a_shell_and_pip_read_them(script):
    assert [found.packages for found in installs(script)] == LINES[script]


def test_files_and_constraints_are_named_in_every_way():
    [found] = installs(
        "pip install -qUr base.txt -c limits.txt --requirement=more.txt -rlast.txt"
    )
    assert (found.files, found.constraints) == (
        ("base.txt", "more.txt", "last.txt"),
        ("limits.txt",),
    )


@pytest.mark.parametrize(
    "text",
    ["'" * 100_000, '"\\' * 50_000, "pip install " + "$(" * 50_000, "a'b\"" * 25_000],
)
def test_a_script_that_no_shell_would_read_is_read_to_its_end(text):
    assert list(installs(text)) is not None


def test_a_here_document_and_the_options_of_run(submission):
    text = "FROM x\nRUN --mount=type=cache,target=/c pip install flask\nRUN <<EOF\npip install click\nEOF\n"
    parsed = Dockerfile.read(submission({"Dockerfile": text}))
    assert [(one.text, one.line) for one in loose_installs(parsed)] == [
        ("flask", 2),
        ("click", 3),
    ]


def test_variables_of_the_dockerfile_are_filled_in_and_those_of_the_shell_are_not(
    submission,
):
    text = (
        "ARG FLASK=3.1.0\nFROM x\nARG FLASK\nENV CLICK=8.1.7\nRUN X=1; pip install flask==$FLASK click==${CLICK} $MORE a==$X\n"
        "ONBUILD RUN pip install jinja2\nFROM x\nRUN pip install flask==$FLASK\n"
    )
    parsed = Dockerfile.read(submission({"Dockerfile": text}))
    assert [found.packages for found, _ in pip_installs(parsed)] == [
        ("flask==3.1.0", "click==8.1.7"),
        ("jinja2",),
        (),
    ]


RUN = "FROM python:3.11-slim\nCOPY . .\nRUN pip install {}\n"
FOLDERS = {
    "a file of another name": (
        {"base.txt": "flask\n"},
        "-r base.txt",
        [("flask", "base.txt", 1)],
    ),
    "a file that another names": (
        {
            "requirements.txt": "-r sub/more.txt\nclick==8.1.7\n",
            "sub/more.txt": "\n-r last.txt\n",
            "sub/last.txt": "flask",
        },
        "-r requirements.txt",
        [("flask", "sub/last.txt", 1)],
    ),
    "by its name alone": (
        {"base.txt": "flask"},
        "-r /tmp/base.txt",
        [("flask", "base.txt", 1)],
    ),
    "constraints pin": (
        {"requirements.txt": "Flask\n-c limits.txt\n", "limits.txt": "flask==3.1.0\n"},
        "-r requirements.txt",
        [],
    ),
    "constraints on the line pin": (
        {
            "requirements.txt": "my_package\n",
            "limits.txt": "My.Package==3.1.0\nother>2\n",
        },
        "-r requirements.txt -c limits.txt",
        [],
    ),
    "constraints that do not pin": (
        {"requirements.txt": "flask\n", "limits.txt": "flask>=3\n"},
        "-r requirements.txt -c limits.txt",
        [("flask", "requirements.txt", 1)],
    ),
    "a file that was copied from a folder": (
        {"src/base.txt": "flask"},
        "-r /tmp/base.txt",
        [("flask", "src/base.txt", 1)],
    ),
    "folders, archives and addresses in a file are what they are": (
        {
            "base.txt": "./pkg\nhttps://host/a-1.0-py3-none-any.whl\n./w/b-1.whl ; python_version > '3'\n-e .\nclick==8.1.7 --hash=sha256:1\n"
        },
        "-r base.txt",
        [],
    ),
    "the project itself, and what it depends on": (
        {
            "pyproject.toml": '[project]\nname = "x"\ndependencies = [\n  "flask>=3",\n  "click==8.1.7",\n]\n'
        },
        "--no-cache-dir .",
        [("flask>=3", "pyproject.toml", 4)],
    ),
    "a lock": (
        {"uv.lock": "version = 1\n", "pyproject.toml": "[project]\n"},
        "uv && uv sync --frozen",
        [],
    ),
    "a project whose dependencies were installed before, each in one version": (
        {
            "pyproject.toml": '[project]\ndependencies = ["flask>=3", "click"]\n',
            "requirements.txt": "flask==3.1.0\nclick==8.1.7",
        },
        "-r requirements.txt && pip install .",
        [],
    ),
    "a project without what it depends on": (
        {
            "pyproject.toml": '[project]\ndependencies = ["flask>=3"]\n',
            "requirements.txt": "click==8.1.7\n",
        },
        "--no-deps /app && pip install -r requirements.txt",
        [],
    ),
    "a project in a folder of the image": (
        {"pyproject.toml": '[project]\ndependencies = ["flask>=3"]\n'},
        "/app[extra]",
        [("flask>=3", "pyproject.toml", 2)],
    ),
    "a file that nothing installs": (
        {"requirements.txt": "flask\n"},
        "click==8.1.7",
        [],
    ),
    "a file that a program of the submission may install": (
        {
            "requirements.txt": "flask\n",
            "install.py": "run(['pip', 'install', '-r', 'requirements.txt'])",
        },
        "click==8.1.7 && python install.py",
        [("flask", "requirements.txt", 1)],
    ),
    "a file that nothing is seen to install": (
        {"requirements.txt": "flask\n"},
        "$OPTIONS && xargs -a requirements.txt pip install",
        [("flask", "requirements.txt", 1)],
    ),
    "a file whose lines another program gives to pip": (
        {"requirements.txt": "flask\n"},
        "click==8.1.7 && xargs pip install < requirements.txt",
        [("flask", "requirements.txt", 1)],
    ),
    "tools are not what is installed": (
        {"requirements.txt": "flask\n"},
        "-U pip && just dependencies",
        [("flask", "requirements.txt", 1)],
    ),
    "wheels that were made before": (
        {"requirements.txt": "flask\n"},
        "/wheels/*.whl\nRUN pip wheel -w /wheels -r requirements.txt",
        [("flask", "requirements.txt", 1)],
    ),
    "an archive from elsewhere is what it is": (
        {},
        "https://host/flask-3.1.0.tar.gz",
        [],
    ),
    "files that name each other": (
        {"requirements.txt": "-r a.txt\nx==1", "a.txt": "-r requirements.txt"},
        "y==1",
        [],
    ),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_files_are_followed_as_pip_follows_them(name, submission):
    files, options, wanted = FOLDERS[name]
    folder = submission({"Dockerfile": RUN.format(options), **files})
    found = loose_packages(Submission(folder), Dockerfile.read(folder))
    assert [(one.text, one.file, one.line) for one in found] == wanted


SCRIPT = "#!/bin/sh\nset -e\n\npip install flask\n"
FROM = "FROM python:3.11-slim\n"
BUILDS = {
    "a file that a RUN prints": (
        {},
        "RUN echo flask==3.1.0 > /r.txt && echo 'click==8.1.7' >> /r.txt && pip install -r /r.txt\n",
        [],
    ),
    "a file that a RUN prints, beside one that nobody installs": (
        {"requirements.txt": "flask==3.1.0\n"},
        "RUN printf 'click==8.1.7\\nflask\\n' > /r.txt\nRUN pip install -r /r.txt\n",
        [("flask", "Dockerfile", 3)],
    ),
    "lines that printf puts one below the other": (
        {},
        "RUN printf '%s\\n' 'flask>=2' click==8.1.7 > r.txt; pip install -r r.txt\n",
        [("flask>=2", "Dockerfile", 2)],
    ),
    "lines that are added to the given file": (
        {"requirements.txt": "flask==3.1.0\n"},
        "COPY requirements.txt .\nRUN echo -e gunicorn >> requirements.txt && pip install -r requirements.txt\n",
        [("gunicorn", "requirements.txt", 2)],
    ),
    "a here-document of a RUN": (
        {},
        "RUN cat <<EOF > /r.txt\nflask==3.1.0\nclick\nEOF\nRUN pip install -r /r.txt\n",
        [("click", "Dockerfile", 3)],
    ),
    "constraints of a variable": (
        {"c.txt": "flask==3.1.0\n"},
        "ENV PIP_CONSTRAINT=/app/c.txt\nRUN pip install flask\n",
        [],
    ),
    "constraints of a variable of another stage": (
        {"c.txt": "flask==3.1.0\n"},
        "ENV PIP_CONSTRAINT=/app/c.txt\nFROM python:3.11-slim\nRUN pip install flask\n",
        [("flask", "Dockerfile", 4)],
    ),
    "constraints of a variable of one RUN": (
        {"c.txt": "flask==3.1.0\n"},
        "RUN export PIP_CONSTRAINT=c.txt; pip install flask\n",
        [],
    ),
    "files of a variable": (
        {"base.txt": "flask\n"},
        "ENV PIP_REQUIREMENT=base.txt\nRUN pip install click==8.1.7\n",
        [("flask", "base.txt", 1)],
    ),
    "a script that is run": (
        {"install.sh": SCRIPT},
        "COPY install.sh /\nRUN /install.sh\n",
        [("flask", "install.sh", 4)],
    ),
    "a script that a shell reads": (
        {"tools/install.sh": SCRIPT},
        "RUN bash -eo pipefail tools/install.sh\n",
        [("flask", "tools/install.sh", 4)],
    ),
    "a script of another name": (
        {"install.sh": SCRIPT},
        'COPY install.sh /usr/bin/get\nRUN ["/usr/bin/get"]\n',
        [("flask", "install.sh", 4)],
    ),
    "a script that starts another, which pins": (
        {"a.sh": ". ./b.sh\n", "b.sh": "pip install flask==$FLASK\n"},
        "ENV FLASK=3.1.0\nRUN sh a.sh\n",
        [],
    ),
    "scripts that start each other": (
        {"a.sh": "sh b.sh", "b.sh": "sh a.sh; pip install flask==3.1.0"},
        "RUN sh a.sh\n",
        [],
    ),
    "a program in another language": (
        {"a": "#!/usr/bin/env python3\nx = 1\npip install flask\n"},
        "RUN ./a && pip install click==8.1.7\n",
        [],
    ),
    "a Makefile": (
        {"Makefile": "all:\n\t@pip install flask\n"},
        "RUN make all\n",
        [("flask", "Makefile", 2)],
    ),
    "a Makefile of which one target is made": (
        {
            "Makefile": "install: base\n\ndev:\n\tpip install black\nbase:\n\tpip install flask\n"
        },
        "RUN make install\n",
        [("flask", "Makefile", 6)],
    ),
    "a Makefile whose first target is made": (
        {
            "Makefile": ".PHONY: all\nall:\n\tpip install flask==3.1.0\ndev:\n\tpip install black\n"
        },
        "RUN make -j2 V=1\n",
        [],
    ),
    "a file two folders deep": (
        {"docker/reqs/base.txt": "flask==3.1.0\n"},
        "COPY docker/reqs/ /reqs/\nRUN pip install -r /reqs/base.txt\n",
        [],
    ),
    "a file whose name a variable has": (
        {"prod.txt": "flask\n", "requirements.txt": "flask==3.1.0\n"},
        "ARG REQ=prod.txt\nCOPY $REQ /requirements.txt\nRUN pip install -r /requirements.txt\n",
        [("flask", "prod.txt", 1)],
    ),
    "a file that gets another name": (
        {"deps.txt": "flask\n", "requirements.txt": "flask==3.1.0\n"},
        "COPY deps.txt /requirements.txt\nRUN pip install -r /requirements.txt\n",
        [("flask", "deps.txt", 1)],
    ),
    "a file that a mount gives another name": (
        {"deps.txt": "flask\n"},
        "RUN --mount=type=bind,source=deps.txt,target=/r.txt pip install -r /r.txt\n",
        [("flask", "deps.txt", 1)],
    ),
    "a here-document": (
        {},
        "COPY <<EOF /app/r.txt\nclick==8.1.7\nflask\nEOF\nRUN pip install -r /app/r.txt\n",
        [("flask", "Dockerfile", 4)],
    ),
}


@pytest.mark.parametrize("name", BUILDS)
def test_what_a_build_reads_is_read(name, submission):
    files, lines, wanted = BUILDS[name]
    folder = submission({"Dockerfile": FROM + lines, **files})
    found = loose_packages(Submission(folder), Dockerfile.read(folder))
    assert [(one.text, one.file, one.line) for one in found] == wanted


def test_many_names_that_are_no_files_are_looked_for_in_no_time(
    submission, monkeypatch
):
    """Each command of a script could be a file of the submission."""
    text = (
        "FROM x\nRUN "
        + ";".join(f"a{i}" for i in range(10_000))
        + "; pip install flask==3.1.0\n"
    )
    folder = submission({"Dockerfile": text, **{f"d{i}/x": "" for i in range(200)}})
    looked, really = [], Submission.has
    monkeypatch.setattr(
        Submission, "has", lambda self, name: looked.append(name) or really(self, name)
    )
    assert loose_packages(Submission(folder), Dockerfile.read(folder)) == []
    assert len(looked) < 10


def test_names_that_the_submission_asks_for(submission):
    files = {
        "Dockerfile": RUN.format("-r base.txt -U pip Jinja2"),
        "base.txt": "Flask_Login==1\n./pkg\n",
        "requirements.txt": "x",
    }
    folder = submission(files)
    assert names_required(Submission(folder), Dockerfile.read(folder)) == {
        "flask-login",
        "jinja2",
        "x",
    }


@pytest.mark.parametrize("run", ["uv sync", "poetry install"])
def test_a_tool_without_its_lock_pins_nothing(run, submission):
    folder = submission(
        {"Dockerfile": f"FROM python:3.11-slim\nRUN {run}\n", "pyproject.toml": ""}
    )
    with pytest.raises(SubmissionError, match="No package is named for pip"):
        loose_packages(Submission(folder), Dockerfile.read(folder))


@pytest.mark.parametrize(
    ("run", "lock", "is_pinned"),
    [
        ("uv sync --frozen", '[[package]]\nname = "flask"\nversion = "3.1.0"\n', True),
        (
            "pipenv install --deploy",
            '{"default": {"flask": {"version": "==3.1.0"}}}',
            True,
        ),
        (
            "pipenv install flask",
            '{"default": {"flask": {"version": "==3.1.0"}}}',
            False,
        ),
        ("pipenv install", "{}", False),
    ],
)
def test_a_lock_pins_what_is_in_it(run, lock, is_pinned, submission):
    name = {"uv": "uv.lock", "pipenv": "Pipfile.lock"}[run.split()[0]]
    folder = submission(
        {"Dockerfile": f"FROM python:3.11-slim\nRUN {run}\n", name: lock}
    )
    files = BuildFiles(Submission(folder), Dockerfile.read(folder))
    assert uses_lock(Submission(folder), Dockerfile.read(folder), files) is is_pinned


def test_where_nothing_is_named_nothing_is_pinned(submission):
    folder = submission(
        {"Dockerfile": "FROM debian:bookworm-slim\n", "requirements.txt": "# later\n"}
    )
    with pytest.raises(SubmissionError, match="No package is named for pip"):
        loose_packages(Submission(folder), Dockerfile.read(folder))


@pytest.mark.parametrize(
    "text", ["# nothing yet\nARG A=1\n", "FROM debian\n", "FROM debian:latest\n"]
)
def test_no_base_is_no_pinned_base(text):
    with pytest.raises(CheckFailed):
        expect_pinned_bases(Dockerfile.parse(text))
