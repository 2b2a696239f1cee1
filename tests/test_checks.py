from __future__ import annotations

import pytest

from dockdojo.build.dockerfile import Dockerfile
from dockdojo.checks import CheckFailed
from dockdojo.checks.answers import expect_answer, read_answers
from dockdojo.checks.pinning import image_is_pinned, loose_installs
from dockdojo.checks.requirement_files import loose_requirements, requirements
from dockdojo.errors import SubmissionError
from dockdojo.submission.folder import Submission
from dockdojo.training.optimizers import PROBED


@pytest.mark.parametrize(
    ("ref", "pinned"),
    [
        ("python:3.11-slim", True),
        ("python", False),
        ("python:latest", False),
        ("host:5000/python", False),
        ("host:5000/a/python:3", True),
        ("python@sha256:" + "0" * 64, True),
        ("python:latest@sha256:" + "0" * 64, True),
        ("", False),
    ],
)
def test_pinned_images(ref, pinned):
    assert image_is_pinned(ref) is pinned


def test_pinned_requirements():
    text = """\
# a comment
--index-url https://example.com/simple
flask==3.1.0  # pinned
gunicorn[gevent] == 23.0.0 ; python_version > "3"
werkzeug===3.0
click==8.1.7 \\
    --hash=sha256:abc
package @ https://example.com/package-1.0-py3-none-any.whl
-r more.txt
jinja2>=3
markupsafe==2.*
itsdangerous
???
"""
    assert [name for name, _ in requirements(text)][:2] == [
        "flask==3.1.0",
        'gunicorn[gevent] == 23.0.0 ; python_version > "3"',
    ]
    assert list(loose_requirements(text)) == [
        ("jinja2>=3", 10),
        ("markupsafe==2.*", 11),
        ("itsdangerous", 12),
        ("???", 13),
    ]


def test_packages_installed_by_name(submission):
    text = """\
FROM x
RUN pip install -r requirements.txt && pip install --upgrade pip
RUN python -m pip install --no-cache-dir -t /opt flask \\
    gunicorn==23.0.0 ./local && apt-get install -y curl
RUN ["pip", "install", "jinja2"]
RUN uv pip install "click>=8"; make install
"""
    parsed = Dockerfile.read(submission({"Dockerfile": text}))
    found = [(one.text, one.line) for one in loose_installs(parsed)]
    assert found == [("flask", 3), ("jinja2", 5), ("click>=8", 6)]


def test_submissions_are_read_bounded_and_as_text(submission):
    found = Submission(
        submission({"a.txt": "text", "b.txt": b"\xff", "c.txt": b"x" * 1_000_001})
    )
    assert found.read("a.txt") == "text"
    for name, said in (
        ("b.txt", "UTF-8"),
        ("c.txt", "more than 1 MB"),
        ("d.txt", "no file"),
    ):
        with pytest.raises(SubmissionError, match=said):
            found.read(name)


def test_a_changed_copy_never_writes_through_a_link(submission, tmp_path):
    folder = submission({"Dockerfile": "FROM x", "old": "x"})
    (tmp_path / "outside").mkdir()
    (folder / "sub").symlink_to(tmp_path / "outside")
    with pytest.raises(SubmissionError, match="leads out"):
        Submission(folder).copy(tmp_path / "c1", {"sub/file": b"x"})
    assert not list((tmp_path / "outside").iterdir())
    (folder / "app.py").symlink_to(tmp_path / "outside" / "app.py")
    copy = Submission(folder).copy(
        tmp_path / "c2", {"app.py": b"new", "old": None, "a/b": b"deep"}
    )
    assert (copy / "app.py").read_bytes() == b"new"
    assert not (copy / "old").exists()
    assert not (tmp_path / "outside" / "app.py").exists()


def test_what_is_wrong_with_one_answer_costs_that_one(submission):
    found = Submission(submission({"answers.toml": 'one = "1"\ntwo = 2\nmine = "x"\n'}))
    answers = read_answers(found, ["one", "two", "three"])
    expect_answer(found, answers, "one", "1", {"2": "No."})
    for key, said in (("two", "is a number"), ("three", "has no answer yet")):
        with pytest.raises(CheckFailed) as caught:
            expect_answer(found, answers, key, "1", {"2": "No."})
        assert said in caught.value.feedback.observed


KEYS = {"state": ("exited", {"running": "No: its program has ended."})}


@pytest.mark.parametrize(
    ("text", "said", "why"),
    [
        ('state = "exited"', None, None),
        ('state = " Exited "', None, None),
        ('state = "exited"\nnote = "mine"', None, None),
        ('state = "exited"\nstat = 5', None, None),
        ('note = "mine"', "unknown key `note`", ""),
        ('[note]\nstate = "exited"', "unknown key `note`", "below a [heading]"),
        ('state = "running"', '`state` is "running"', "its program has ended"),
        ("", "no answer yet", ""),
        ('state = ""', "no answer yet", ""),
        ("state = 5", "is a number", ""),
        ('state = ["exited"]', "is a list", ""),
        ('stat = "exited"', "unknown key `stat`", "Did you mean `state`?"),
        ('state = "gone"', '"gone"', "one of the choices"),
        ("state = exited", "not valid TOML", "quotation marks"),
        ("a = " + "[" * 5000, "not valid TOML", ""),
    ],
)
def test_answers_are_read_strictly_and_never_give_the_answer_away(
    submission, text, said, why
):
    found = Submission(submission({"answers.toml": text}))

    def judge():
        expect_answer(found, read_answers(found, KEYS), "state", *KEYS["state"])

    if said is None:
        judge()
        return
    with pytest.raises(CheckFailed) as caught:
        judge()
    feedback = caught.value.feedback
    assert said in feedback.observed
    assert why in feedback.why
    assert "exited" not in feedback.why


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("PROBE Adam 12", ("PROBE", "Adam", "12")),
        ("PROBE SGD 0", ("PROBE", "SGD", "0")),
        ("PROBE SGD ²", None),
        ("PROBE SGD " + "9" * 5_000, None),
        ("PROBE SGD", None),
    ],
)
def test_what_the_probe_of_an_optimizer_says(line, found):
    """A submission can print such a line, too."""
    match = PROBED.fullmatch(line)
    assert (match and match.groups()) == found
