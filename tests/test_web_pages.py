"""What a page shows, and what a command and its processes tell of the server behind it."""

from __future__ import annotations

import pytest

from dockerlab.checks.cache import holds_package
from dockerlab.checks.page_pictures import MAX_PICTURES, picture_addresses
from dockerlab.checks.web_servers import runs_flask, working
from dockerlab.engine.objects import Process

PAGES = {
    "<img src=cat.gif>": ["/cat.gif"],
    "<IMG alt='' SRC='/a/b.gif?x=1&amp;y=2#z'/>": ["/a/b.gif?x=1&y=2"],
    "<img src='/logo.png'><p><img src='http://localhost:5000/static/c.gif'>": ["/logo.png", "/static/c.gif"],
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
    found = [Process(pid=pid, ppid=0, state="S", argv=argv, uid=1) for pid, argv in enumerate(commands, 1)]
    assert [one.pid for one in working(found)] == [3]


@pytest.mark.parametrize(
    ("path", "holds"),
    [
        ("usr/lib/python3/site-packages/Flask-3.1.0.dist-info/RECORD", True),
        ("venv/flask_login-0.6.dist-info/METADATA", True),
        ("x/flask.egg-info/PKG-INFO", True),
        ("x/flask-3.1.0.egg-info/PKG-INFO", True),
        ("x/flask/__init__.py", False),
        ("x/flask_sqlalchemy-1.dist-info/RECORD", False),
    ],
)
def test_what_an_installer_notes_of_a_package(path, holds):
    assert holds_package(path, {"flask", "flask-login"}) is holds
