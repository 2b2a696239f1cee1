"""What a page shows, and what a command and its processes tell of the server behind it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from dockdojo.checks.cache import (
    installs,
    packages_noted,
    rebuilt_large_layers,
    rebuilt_layers,
)
from dockdojo.checks.page_pictures import MAX_PICTURES, picture_addresses
from dockdojo.checks.web_servers import runs_flask, working
from dockdojo.connection.types import Entry, Layer, Process, Step

PAGES = {
    "<img src=cat.gif><![foo[x]]><img src=b.gif>": [
        "/cat.gif"
    ],  # Python's parser knows no such mark
    "<img src=cat.gif>": ["/cat.gif"],
    "<IMG alt='' SRC='/a/b.gif?x=1&amp;y=2#z'/>": ["/a/b.gif?x=1&y=2"],
    "<img src='/logo.png'><p><img src='http://localhost:5000/static/c.gif'>": [
        "/logo.png",
        "/static/c.gif",
    ],
    "<img src='data:image/gif;base64,R0lG'><img src='http://['><img><img src=''><img src='/'>": [],
    "<img src=//host/c.gif>": ["/c.gif"],
    "<p>no picture": [],
    "<img src=a.gif>" * 50: ["/a.gif"] * MAX_PICTURES,
}


@pytest.mark.parametrize("page", PAGES)
def test_the_pictures_of_a_page(page):
    assert picture_addresses(page) == PAGES[page]


@pytest.mark.parametrize(
    ("command", "runs"),
    [
        ("flask run -p 80", True),
        ("/venv/bin/python -m flask --app x run", True),
        ("/usr/bin/python3 /venv/bin/flask run --debug", True),
        ("gunicorn flask:run", False),
        ("python run.py flask", False),
    ],
)
def test_the_command_of_the_development_server(command, runs):
    assert runs_flask(command.split()) is runs


def test_a_wrapper_is_no_process_that_works():
    commands = (("/usr/bin/dumb-init", "--"), ("sh", "-c", "x"), ("python", "x.py"), ())
    found = [
        Process(pid=pid, ppid=0, state="S", argv=argv, uid=1)
        for pid, argv in enumerate(commands, 1)
    ]
    assert [one.pid for one in working(found)] == [3]


@pytest.mark.parametrize(
    ("path", "packages"),
    [
        ("usr/lib/python3/site-packages/Flask-3.1.0.dist-info/RECORD", ["flask"]),
        ("venv/flask_login-0.6.dist-info/METADATA", ["flask-login"]),
        ("x/flask.egg-info/PKG-INFO", ["flask"]),
        ("x/flask-3.1.0.egg-info", ["flask"]),
        ("x/flask/__init__.py", []),
    ],
)
def test_what_an_installer_notes_of_a_package(path, packages):
    assert packages_noted(path) == packages


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("x/any-1.dist-info/RECORD", True),
        ("x/my_app-1.dist-info/RECORD", False),
        ("app/my_app.egg-info/PKG-INFO", False),
        ("var/lib/dpkg/info/gcc-12:amd64.list", True),
        (
            "var/lib/dpkg/info/gcc-12:amd64.md5sums",
            False,
        ),  # its time is that of the package
        ("var/lib/dpkg/status", False),
        ("lib/apk/db/installed", True),
        ("opt/conda/conda-meta/numpy-1.0-0.json", True),
        ("app/app.py", False),
    ],
)
def test_any_package_counts_but_ones_own(path, counts):
    assert installs(path, {"my-app"}) is counts


class Builds:
    """An engine that knows the layers of images, and of which instructions they are."""

    def __init__(self, images):
        self.images = images

    def image(self, number):
        layers = tuple(one.diff_id for one in self.images[str(number)])
        return SimpleNamespace(id=str(number), workdir="/app", layers=layers)

    def layers(self, image):
        return self.images[image]

    def history(self, image):
        return [
            Step(instruction=one.instruction, size=one.size, empty=False)
            for one in self.images[image]
        ]


def layer(number, *paths, mtime=0, instruction="RUN /bin/sh -c x # buildkit", size=1):
    entries = [
        Entry(path=path, kind="file", size=size, mode=0o644, uid=0, gid=0, mtime=mtime)
        for path in paths
    ]
    return Layer(diff_id=str(number), entries=tuple(entries), instruction=instruction)


DPKG = "var/lib/dpkg/info/zsh."
AFTER_A_CHANGE = {
    "a package of the system is installed": ((f"{DPKG}list", f"{DPKG}md5sums"), True),
    "a package of the system is removed, and its settings stay": (
        (f"{DPKG}list", f"{DPKG}postrm"),
        False,
    ),
    "its own project is installed": (
        ("site-packages/my_app-1.dist-info/RECORD", "site-packages/my_app.py"),
        False,
    ),
    "another one is installed": (
        (
            "site-packages/my_app-1.dist-info/RECORD",
            "site-packages/idna-3.dist-info/RECORD",
        ),
        True,
    ),
    "files are written": (("app/app.py", "app/static/a.css"), False),
    "large pictures are made": (("app/static/large.gif",), False),
    "packages are installed, and nothing is noted": (("app/deps/large.py",), True),
    "programs are fetched": (("opt/large",), True),
}


@pytest.mark.parametrize("name", AFTER_A_CHANGE)
def test_what_a_change_makes_anew(name):
    paths, is_again = AFTER_A_CHANGE[name]
    size = 2_000_000 if "large" in str(paths) else 1
    images = {
        str(number): [
            layer("base", "usr/a"),
            layer(f"{number}-1", *paths, mtime=number, size=size),
        ]
        for number in range(20)
    }
    numbers = iter(range(1, 20))

    builds = Builds(images)
    found = rebuilt_layers(
        builds,
        builds.image(0),
        lambda: builds.image(next(numbers)),
        lambda path: installs(path, {"my-app"}),
        copied=10,
    )
    assert bool(found) is is_again
    assert all(one.shown == "RUN x" for one in found)


@pytest.mark.parametrize(
    ("instruction", "mtime", "is_again"),
    [
        # The same files, in a layer that has another id:
        ("COPY /usr/local /usr/local # buildkit", lambda number: 1, False),
        (
            "COPY /usr/local /usr/local # buildkit",
            lambda number: number,
            True,
        ),  # they were installed again before
        ("RUN /bin/sh -c pip install torch # buildkit", lambda number: number, True),
    ],
)
def test_large_packages_that_are_copied_from_a_stage(instruction, mtime, is_again):
    paths, size = ("x/torch-2.dist-info/RECORD", "x/torch/lib.so"), 40_000_000
    images = {
        str(number): [
            layer("base", "usr/a"),
            layer(f"{number}-1", "app/main.py"),
            layer(
                f"{number}-2",
                *paths,
                mtime=mtime(number),
                instruction=instruction,
                size=size,
            ),
        ]
        for number in range(20)
    }

    numbers = iter(range(1, 20))
    builds = Builds(images)
    found = rebuilt_large_layers(
        builds,
        builds.image(0),
        lambda: builds.image(next(numbers)),
        installs,
        copied=10,
    )
    assert bool(found) is is_again


@pytest.mark.parametrize(
    ("times", "is_again"),
    [
        (
            (5, 1, 7, 3, 6, 2, 4, 1),
            False,
        ),  # a cache with seven results of one step: eight built it at the same time
        (range(5, 30), True),
        (
            range(40, 0, -1),
            True,
        ),  # no clock goes so: that was written by the submission
    ],
)
def test_a_cache_may_have_many_results_of_one_step(times, is_again):
    built = [
        [
            layer("base", "usr/a"),
            layer(f"{at}-1", "x/idna-3.dist-info/RECORD", mtime=at),
        ]
        for at in times
    ]
    numbers = iter(range(1, len(built)))
    builds = Builds({str(number): layers for number, layers in enumerate(built)})
    found = rebuilt_layers(
        builds,
        builds.image(0),
        lambda: builds.image(next(numbers)),
        installs,
        copied=10,
    )
    assert bool(found) is is_again
