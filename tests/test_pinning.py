"""What pip installs, and in which version: lines as shells and pip read them, files that name others, constraints."""

from __future__ import annotations

import pytest

from dockerlab.checks import CheckFailed
from dockerlab.checks.pinning import (
    expect_pinned_bases,
    loose_installs,
    loose_packages,
    names_required,
    pip_installs,
)
from dockerlab.checks.pip_lines import installs
from dockerlab.checks.submission import Submission
from dockerlab.engine.dockerfile import Dockerfile
from dockerlab.errors import SubmissionError

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
    "pip --quiet --cache-dir /c install --timeout 60 --retries=3 flask==1": [("flask==1",)],
    "pip install -qUr base.txt -c limits.txt flask": [("flask",)],
    "pip install -rbase.txt --req more.txt": [()],
    "pip install --pre --no-cache-dir -t /opt --index-url https://x/y/ -- flask": [("flask",)],
    "/venv/bin/python3.11 -I -m pip install flask && pip download click": [("flask",)],
    "if true; then pip3 install a; fi; (pip install b) | cat; A=1 sudo pip install c": [("a",), ("b",), ("c",)],
    "sh -c 'pip install a && bash -ec \"pip install b\"'": [("a",), ("b",)],
    "uv pip install --system --resolution lowest flask": [("flask",)],
    "pip install . ./local /w/x-1.whl x.tar.gz git+https://host/x $PACKAGES": [()],
    "pip install 'package @ https://host/p-1.zip'": [("package @ https://host/p-1.zip",)],
    "pip uninstall install flask": [],
    "apt-get install -y pip install": [],
    "cat names.txt | xargs -n 1 pip install a": [("a",)],
    "timeout 600 nice -n 5 pip install a; env -i PATH=/bin pip install b": [("a",), ("b",)],
    "find . -name x -exec pip install {} a ;": [("{}", "a")],
}


@pytest.mark.parametrize("script", LINES)
def test_lines_are_read_as_a_shell_and_pip_read_them(script):
    assert [found.packages for found in installs(script)] == LINES[script]


def test_files_and_constraints_are_named_in_every_way():
    [found] = installs("pip install -qUr base.txt -c limits.txt --requirement=more.txt -rlast.txt")
    assert (found.files, found.constraints) == (("base.txt", "more.txt", "last.txt"), ("limits.txt",))


@pytest.mark.parametrize("text", ["'" * 100_000, '"\\' * 50_000, "pip install " + "$(" * 50_000, "a'b\"" * 25_000])
def test_a_script_that_no_shell_would_read_is_read_to_its_end(text):
    assert list(installs(text)) is not None


def test_a_here_document_and_the_options_of_run(submission):
    text = "FROM x\nRUN --mount=type=cache,target=/c pip install flask\nRUN <<EOF\npip install click\nEOF\n"
    parsed = Dockerfile.read(submission({"Dockerfile": text}))
    assert list(loose_installs(parsed)) == [("flask", 2), ("click", 3)]


def test_variables_of_the_dockerfile_are_filled_in_and_those_of_the_shell_are_not(submission):
    text = (
        "ARG FLASK=3.1.0\nFROM x\nARG FLASK\nENV CLICK=8.1.7\nRUN X=1; pip install flask==$FLASK click==${CLICK} $MORE a==$X\n"
        "ONBUILD RUN pip install jinja2\nFROM x\nRUN pip install flask==$FLASK\n"
    )
    parsed = Dockerfile.read(submission({"Dockerfile": text}))
    assert [found.packages for found, _ in pip_installs(parsed)] == [("flask==3.1.0", "click==8.1.7"), ("jinja2",), ()]


RUN = "FROM python:3.11-slim\nCOPY . .\nRUN pip install {}\n"
FOLDERS = {
    "a file of another name": ({"base.txt": "flask\n"}, "-r base.txt", [("flask", "base.txt", 1)]),
    "a file that another names": (
        {
            "requirements.txt": "-r sub/more.txt\nclick==8.1.7\n",
            "sub/more.txt": "\n-r last.txt\n",
            "sub/last.txt": "flask",
        },
        "-r requirements.txt",
        [("flask", "sub/last.txt", 1)],
    ),
    "by its name alone": ({"base.txt": "flask"}, "-r /tmp/base.txt", [("flask", "base.txt", 1)]),
    "constraints pin": (
        {"requirements.txt": "Flask\n-c limits.txt\n", "limits.txt": "flask==3.1.0\n"},
        "-r requirements.txt",
        [],
    ),
    "constraints on the line pin": (
        {"requirements.txt": "my_package\n", "limits.txt": "My.Package==3.1.0\nother>2\n"},
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
        {"pyproject.toml": '[project]\nname = "x"\ndependencies = [\n  "flask>=3",\n  "click==8.1.7",\n]\n'},
        "--no-cache-dir .",
        [("flask>=3", "pyproject.toml", 4)],
    ),
    "a lock": ({"uv.lock": "version = 1\n", "pyproject.toml": "[project]\n"}, "uv && uv sync --frozen", []),
    "files that name each other": ({"requirements.txt": "-r a.txt\nx==1", "a.txt": "-r requirements.txt"}, "y==1", []),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_files_are_followed_as_pip_follows_them(name, submission):
    files, options, wanted = FOLDERS[name]
    folder = submission({"Dockerfile": RUN.format(options), **files})
    found = loose_packages(Submission(folder), Dockerfile.read(folder))
    assert [(one.text, one.file, one.line) for one in found] == wanted


def test_names_that_the_submission_asks_for(submission):
    files = {
        "Dockerfile": RUN.format("-r base.txt -U pip Jinja2"),
        "base.txt": "Flask_Login==1\n./pkg\n",
        "requirements.txt": "x",
    }
    folder = submission(files)
    assert names_required(Submission(folder), Dockerfile.read(folder)) == {"flask-login", "jinja2", "x"}


@pytest.mark.parametrize("run", ["uv sync", "poetry install"])
def test_a_tool_without_its_lock_pins_nothing(run, submission):
    folder = submission({"Dockerfile": f"FROM python:3.11-slim\nRUN {run}\n", "pyproject.toml": ""})
    with pytest.raises(SubmissionError, match="No package is named"):
        loose_packages(Submission(folder), Dockerfile.read(folder))


def test_where_nothing_is_named_nothing_is_pinned(submission):
    folder = submission({"Dockerfile": "FROM debian:bookworm-slim\n", "requirements.txt": "# later\n"})
    with pytest.raises(SubmissionError, match="No package is named"):
        loose_packages(Submission(folder), Dockerfile.read(folder))


@pytest.mark.parametrize("text", ["# nothing yet\nARG A=1\n", "FROM debian\n", "FROM debian:latest\n"])
def test_no_base_is_no_pinned_base(text):
    with pytest.raises(CheckFailed):
        expect_pinned_bases(Dockerfile.parse(text))
