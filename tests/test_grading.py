"""The grading core, with the fake engine: outcomes, needs, points, isolation, and checks that go wrong."""

from __future__ import annotations

import re

import pytest

from dockdojo.errors import CourseError, EngineNotFound, UsageError
from dockdojo.events import Building, Built, CheckEnded, CheckStarted, Collected, Costs
from dockdojo.grading import grade, list_checks
from tests.conftest import FAKE

DOCKERFILE = 'FROM busybox\nLABEL fake.stdout="hello" fake.exit="0"\n'


@pytest.fixture
def judged(make_course, submission):
    """`judged(grader, files)`: the report, and the outcomes by name."""

    def judge(grader, files=None, lab_toml="", **options):
        made = make_course(grader, lab_toml)
        report = grade(
            "sample",
            submission(files or {"Dockerfile": DOCKERFILE}),
            course=made,
            connect=FAKE,
            **options,
        )
        return report, {one.check: one for one in report.outcomes}

    return judge


def test_outcomes_needs_points_and_exit_code(judged):
    report, found = judged('''
        @check(points=10, hints=("look",))
        def test_right(run):
            """Right."""
            assert run().stdout == "hello"

        @check(points=20, needs=test_right, hints=("nudge", "more"))
        def test_wrong(run):
            """Wrong."""
            assert run().exit_code == 3, "Because of this."

        @check(points=30, needs=(test_right, test_wrong))
        def test_after(run):
            """After."""

        @check(points=40)
        def test_said():
            """Said."""
            fail("seen", expected="hoped for", why="reason", file="Dockerfile", line=2)
        ''')
    assert [one.status for one in report.outcomes] == [
        "passed",
        "failed",
        "skipped",
        "failed",
    ]
    assert (report.score, report.max_score, report.exit_code, report.final) == (
        10,
        100,
        1,
        True,
    )
    wrong = found["wrong"].feedback
    assert (wrong.expected, wrong.observed) == (
        "the exit code is 3",
        "the exit code is 0 (success)",
    )
    assert (wrong.why, wrong.hint) == ("Because of this.", "nudge")
    assert "`wrong`" in found["after"].feedback.why
    said = found["said"].feedback
    assert (said.expected, said.observed, said.why, str(said.where)) == (
        "hoped for",
        "seen",
        "reason",
        "Dockerfile, line 2",
    )


def test_a_bug_of_the_grader_is_our_fault(judged):
    report, found = judged('''
        @check(points=1)
        def test_bug():
            """Bug."""
            {}["x"]

        @check(points=1)
        def test_fine():
            """Fine."""
        ''')
    assert (found["bug"].status, found["fine"].status) == ("error", "passed")
    assert "KeyError" in found["bug"].feedback.observed
    assert "sample.py, line 8" in found["bug"].feedback.detail
    assert not report.final
    assert report.exit_code == 3


DEATHS = {
    "exit": ("import os; os._exit(0)", "exit code 0"),
    "segfault": ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
    "kill": ("import os; os.kill(os.getpid(), 9)", "SIGKILL"),
    "hang": ("import time; time.sleep(600)", "did not come to an end"),
    "systemexit": ("raise SystemExit(3)", ""),
    "keyboard": ("raise KeyboardInterrupt", ""),
}


@pytest.mark.parametrize("death", DEATHS)
def test_a_dead_child_loses_only_its_running_check(judged, death, monkeypatch):
    monkeypatch.setattr("dockdojo.grading.supervisor.SLACK_SECONDS", 1.0)
    code, said = DEATHS[death]
    report, found = judged(
        f'''
        @check(points=1)
        def test_before():
            """Before."""

        @check(points=2)
        def test_dies():
            """Dies."""
            {code}

        @check(points=4, needs=test_before)
        def test_after():
            """After."""

        @check(points=8)
        def test_dies_too():
            """Dies, too."""
            {code}
        ''',
        lab_toml="[limits]\ncheck_seconds = 1\n",
    )
    assert [one.status for one in report.outcomes] == [
        "passed",
        "error",
        "passed",
        "error",
    ]
    assert said in found["dies"].feedback.observed
    assert report.exit_code == 3


def test_nothing_of_the_submission_or_the_caller_steers_the_child(
    judged, monkeypatch, tmp_path
):
    evil = "import os\nopen(os.environ.get('MARK', '/tmp/x'), 'w')\nraise SystemExit('evil')\n"
    mark = tmp_path / "mark"
    site = tmp_path / "site"
    site.mkdir()
    for name in ("sitecustomize.py", "usercustomize.py", "json.py", "pytest.py"):
        (site / name).write_text(evil)
    monkeypatch.setenv("MARK", str(mark))
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("PYTHONSTARTUP", str(site / "json.py"))
    monkeypatch.setenv("PYTEST_ADDOPTS", "--collect-only -x --nonsense")
    monkeypatch.setenv("PYTEST_PLUGINS", "evil")
    names = (
        "conftest.py",
        "sitecustomize.py",
        "json.py",
        "dockdojo.py",
        "pytest.py",
        "sample.py",
    )
    files = {"Dockerfile": DOCKERFILE, **dict.fromkeys(names, evil)}
    files |= {
        "pytest.ini": "[pytest]\naddopts = --collect-only\n",
        "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "-x"\n',
    }
    files |= {
        "tox.ini": "[pytest]\naddopts = --nonsense\n",
        "setup.cfg": "[tool:pytest]\naddopts = --nonsense\n",
    }
    monkeypatch.chdir(tmp_path)
    report, _ = judged(
        '''
        import os
        import sys

        @check(points=1)
        def test_clean(run, submission):
            """Clean."""
            assert run().stdout == "hello"
            assert not [key for key in os.environ if key.startswith("PYTHON")]
            assert "MARK" not in os.environ
            assert not [path for path in sys.path if str(submission.path) in path or path in ("", ".")]
            assert sorted(os.listdir(os.getcwd())) == ["pytest.ini", "tmp"]
        ''',
        files,
    )
    assert report.exit_code == 0, report.outcomes
    assert not mark.exists()


def test_the_time_of_a_check_is_bounded_and_progress_is_told(judged):
    events = []
    report, _ = judged(
        '''
        @check(points=1)
        def test_it(image):
            """It."""
            print("this must not mix with the events")
        ''',
        listen=events.append,
    )
    assert [type(event) for event in events] == [
        Collected,
        CheckStarted,
        Building,
        Built,
        CheckEnded,
        Costs,
    ]
    assert report.exit_code == 0
    assert report.costs["builds"] == 1


def test_the_linter_gives_advice_that_costs_nothing_and_cannot_be_switched_off(judged):
    files = {
        "Dockerfile": "FROM busybox\n# hadolint ignore=DL3003,DL3025\nCMD echo hello\nRUN cd /tmp && ls\n",
        ".hadolint.yaml": "ignored: [DL3003, DL3006, DL3025]\n",
        "other.Dockerfile": "FROM x:latest\n",
        "notes.dockerfile.txt": "FROM y:latest\n",
    }
    report, _ = judged('@check(points=1)\ndef test_it():\n    """It."""\n', files)
    assert {(one.file, one.line, one.code) for one in report.advice} >= {
        ("Dockerfile", 4, "DL3003"),
        ("Dockerfile", 3, "DL3025"),
        ("other.Dockerfile", 1, "DL3007"),
    }
    assert {one.file for one in report.advice} == {"Dockerfile", "other.Dockerfile"}
    assert report.exit_code == 0


def test_what_a_plain_assert_says_is_in_dockers_words_and_never_in_pythons(judged):
    report, found = judged('''
        @check(points=1)
        def test_equal(image):
            """Equal."""
            assert image.workdir == "/app"

        @check(points=1)
        def test_within(image):
            """Within."""
            assert "5000/tcp" in image.ports

        @check(points=1)
        def test_called(run):
            """Called."""
            assert run().stdout.strip() == "other"

        @check(points=1)
        def test_unknown(image):
            """Unknown."""
            assert len(image.layers) == 99

        @check(points=1)
        def test_negated(image):
            """Negated."""
            assert not image.id
        ''')
    assert {one.status for one in report.outcomes} == {"failed"}
    told = {
        name: (one.feedback.expected, one.feedback.observed)
        for name, one in found.items()
    }
    assert told["equal"][0] == 'WORKDIR is "/app"'
    assert told["within"] == (
        '"5000/tcp" is in the ports of EXPOSE',
        "the ports of EXPOSE: none",
    )
    assert told["called"] == ('stdout is "other"', 'stdout is "hello"')
    for expected, observed in told.values():
        assert not re.search(r"image|run\(|len\(|\.strip|`", expected + observed)


def test_a_failed_build_is_built_once_and_fails_what_needs_it(judged):
    report, found = judged(
        '''
        @check(points=1)
        def test_one(image):
            """One."""

        @check(points=1)
        def test_two(run):
            """Two."""
            run()

        @check(points=1)
        def test_text(dockerfile):
            """Text."""
        ''',
        {"Dockerfile": 'FROM busybox\nLABEL fake.build="no"\n'},
    )
    assert [one.status for one in report.outcomes] == ["failed", "failed", "passed"]
    assert found["one"].feedback.observed == found["two"].feedback.observed
    assert (found["two"].feedback.detail, found["two"].feedback.hint) == ("", "")
    assert found["two"].feedback.why == "It is the same as at `one`: see above."
    assert str(found["one"].feedback.where) == "Dockerfile, line 1"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"README": "x"}, "no `Dockerfile`"),
        ({"Dockerfile": "#\n"}, "no instructions"),
        ({"Dockerfile": b"\x7fELF\0\0"}, "binary"),
        ({"Dockerfile": b"#" * 2_000_000}, "2.0 MB"),
        ({"Dockerfile": "FROM x\nLABEL fake.gone=1\n"}, "stopped answering"),
    ],
)
def test_bad_dockerfiles_are_told_in_one_line(judged, files, said):
    report, found = judged(
        '''
        @check(points=1)
        def test_it(image):
            """It."""
        ''',
        files,
    )
    assert said in found["it"].feedback.observed
    assert "\n" not in found["it"].feedback.observed
    assert report.exit_code == (3 if "fake.gone" in str(files) else 1)


def test_a_refused_folder_fails_every_check_with_one_reason(
    judged, make_course, tmp_path
):
    made = make_course('@check(points=7)\ndef test_it():\n    """It."""\n')
    (tmp_path / "empty").mkdir()
    report = grade("sample", tmp_path / "empty", course=made, connect=FAKE)
    assert (report.score, report.max_score, report.exit_code) == (0, 7, 1)
    assert "empty" in report.problem


@pytest.mark.parametrize(
    ("grader", "said"),
    [
        ("def test_it(:\n    pass\n", "SyntaxError"),
        ("import nothing_of_that_name\n", "ModuleNotFoundError"),
        ("def test_it():\n    pass\n", "test_it has no @check"),
        ('@check(points=-1)\ndef test_it():\n    """It."""\n', "points=-1"),
        ("@check(points=1)\ndef test_it():\n    pass\n", "docstring"),
        (
            '@check(points=1, hints=("",))\ndef test_it():\n    """It."""\n',
            "empty hint",
        ),
        (
            '@check(points=1, needs=print)\ndef test_it():\n    """It."""\n',
            "is not a check",
        ),
        ("x = 1\n", "no checks"),
    ],
)
def test_a_broken_grader_is_its_authors_fault(make_course, submission, grader, said):
    made = make_course(grader)
    with pytest.raises(CourseError, match=r"sample\.py") as caught:
        grade(
            "sample", submission({"Dockerfile": DOCKERFILE}), course=made, connect=FAKE
        )
    assert said in str(caught.value)
    assert caught.value.exit_code == 3


def test_no_such_lab_no_such_folder_a_file(make_course, tmp_path):
    made = make_course('@check(points=1)\ndef test_it():\n    """It."""\n')
    (tmp_path / "file").write_text("x")
    for lab, folder, said in (
        ("sampel", tmp_path, "`sample`"),
        ("sample", tmp_path / "no", "no folder"),
        ("sample", tmp_path / "file", "Give the folder"),
    ):
        with pytest.raises(UsageError, match=said):
            grade(lab, folder, course=made, connect=FAKE)


def test_no_engine_is_told(make_course, submission, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    made = make_course('@check(points=1)\ndef test_it():\n    """It."""\n')
    with pytest.raises(EngineNotFound, match="nowhere") as caught:
        grade("sample", submission({"Dockerfile": DOCKERFILE}), course=made)
    assert caught.value.exit_code == 3


def test_checks_are_listed_without_an_engine(make_course, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    made = make_course(
        '@check(points=3, hints=("a", "b"))\ndef test_it():\n    """It  is\n    so."""\n'
    )
    (check,) = list_checks(made, "sample")
    assert (check.name, check.title, check.points, check.hints) == (
        "it",
        "It is so.",
        3,
        ("a", "b"),
    )


def test_only_some_checks_bring_what_they_need(judged):
    report, _ = judged(
        '''
        @check(points=1)
        def test_a():
            """A."""

        @check(points=1)
        def test_b():
            """B."""

        @check(points=1, needs=test_a)
        def test_c():
            """C."""
        ''',
        only=["c"],
    )
    assert [one.check for one in report.outcomes] == ["a", "c"]


def test_nothing_is_left_in_the_temporary_folder(judged, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    folder = {"Dockerfile": DOCKERFILE, "locked/file": "x"}
    judged('@check(points=1)\ndef test_it():\n    """It."""\n', folder)
    assert list(scratch.iterdir()) == []


def test_what_was_not_carried_out_by_the_deadline_is_failed(judged):
    """A submission that uses up the whole grading's time loses what comes after; nothing of it is `error`."""
    grader = """
        import time

        @check(points=10)
        def test_quick():
            "It is quick."

        @check(points=10)
        def test_slow(session):
            "It is slow."
            while time.monotonic() < session.ends:
                time.sleep(0.05)
            session.time_left()

        @check(points=10)
        def test_late():
            "It comes late."
    """
    report, _ = judged(grader, lab_toml="[limits]\ngrading_seconds = 3\n")
    assert [outcome.status for outcome in report.outcomes] == [
        "passed",
        "failed",
        "failed",
    ]
    assert "whole grading" in report.outcomes[2].feedback.observed
    assert report.final


def test_a_check_whose_python_goes_on_for_ever_is_ended_and_failed(judged):
    grader = """
        import time

        @check(points=10)
        def test_loops():
            "It looks at a text."
            while True:
                pass

        @check(points=10)
        def test_after():
            "It comes afterwards."
    """
    report, _ = judged(grader, lab_toml="[limits]\ncheck_seconds = 1\n")
    assert [outcome.status for outcome in report.outcomes] == ["failed", "passed"]
    assert "could not be read" in report.outcomes[0].feedback.observed


def test_a_build_that_failed_in_a_child_that_died_is_not_built_again(judged):
    grader = """
        import os

        @check(points=10)
        def test_builds(build):
            "It builds."
            build()

        @check(points=10)
        def test_dies():
            "The grader dies."
            os._exit(3)

        @check(points=10)
        def test_builds_again(build):
            "It builds, says another check."
            build()
    """
    report, _ = judged(
        grader, files={"Dockerfile": 'FROM busybox\nLABEL fake.build="a reason"\n'}
    )
    assert [outcome.status for outcome in report.outcomes] == [
        "failed",
        "error",
        "failed",
    ]
    assert report.outcomes[0].feedback.observed == report.outcomes[2].feedback.observed


def test_old_names_go_on_working_for_one_release(judged):
    report, _ = judged('''
        import pytest


        @pytest.fixture(scope="session")
        def said(bench):
            return bench.soon(lambda: bench.run().stdout)


        @check(points=10)
        def test_old(said, bench):
            """What an older grader calls bench."""
            with pytest.warns(FutureWarning, match="session.gather"):
                assert bench.together(said, lambda: 2) == ["hello", 2]
            bench.pause(0)


        @check(points=10)
        def test_new(session):
            """The same, as it is called now."""
            assert session.background(lambda: session.run().stdout).result() == "hello"
        ''')
    assert [one.status for one in report.outcomes] == [
        "passed",
        "passed",
    ], report.outcomes
