"""The command line, as a person types it: output, exit codes, one line for what is wrong, never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import click
import pytest

from dockdojo.cli import dockdojo, main
from dockdojo.commands import student
from dockdojo.errors import UsageError
from dockdojo.grading import list_checks


@pytest.fixture
def typed(capsys, monkeypatch):
    """`typed("grade", "x", "y")`: exit code, stdout, stderr."""

    def run(*words):
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return code, said.out, said.err

    return run


def one_line(text):
    return len(text.strip().splitlines()) == 1


def test_help_and_version(typed):
    assert typed("--help")[0] == 0
    code, out, _ = typed("--version")
    assert (code, out.split()[0]) == (0, "dockdojo")
    assert typed()[0] == 0


def test_list_shows_the_labs_in_order(typed, course):
    code, out, _ = typed("list")
    assert code == 0
    places = [out.index(slug) for slug in course.slugs]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("grade", "helo_world", "."), 2, "Did you mean `hello_world`?"),
        (("grade", "hello_world", "no/such/folder"), 2, "no folder"),
        (("grade", "hello_world"), 2, "Missing argument"),
        (("grade", "hello_world", ".", "--format", "pdf"), 2, "pdf"),
        (("grade", "signals", ".", "--only", "kil"), 2, "Did you mean `kill`?"),
        (
            ("grade", "hello_world", ".", "--only", "builds", "--format", "json"),
            2,
            "no mark",
        ),
        (("start", "catgiff"), 2, "Did you mean `catgif`?"),
        (("check", "a", "b", "c"), 2, "Too many words"),
        (("check",), 2, "is no workspace"),
        (("nonsense",), 2, "nonsense"),
        (("--course", "/", "list"), 3, "not a course"),
    ],
)
def test_bad_input_is_told_in_a_line(typed, words, code, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found, _, err = typed(*words)
    assert found == code
    assert said in err
    if not err.startswith("Usage"):
        assert one_line(err)


def test_no_engine_is_one_line_and_exit_code_3(typed, monkeypatch, submission):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    folder = submission({"Dockerfile": "FROM busybox\n"})
    for words in (
        ("grade", "hello_world", folder),
        ("engine", "status"),
        ("engine", "up"),
        ("clean",),
        ("images",),
    ):
        code, out, err = typed(*words)
        assert (code, out) == (3, ""), words
        assert one_line(err)
        assert "nowhere.sock" in err


@pytest.mark.parametrize("style", ["text", "markdown", "json"])
def test_a_rubric_tells_all_checks_and_the_whole(typed, course, style):
    code, out, _ = typed("rubric", "multi_stage", "--format", style)
    assert code == 0
    assert all(
        check.name in out and check.title.split("|")[0] in out
        for check in list_checks(course, "multi_stage")
    )
    assert str(course.points("multi_stage")) in out
    if style == "json":
        assert json.loads(out)["points"] == sum(
            check["points"] for check in json.loads(out)["checks"]
        )


@pytest.mark.engine
def test_one_check_alone_is_carried_out(real_engine, typed, course):
    code, out, _ = typed(
        "grade", "signals", course.solution("signals"), "--only", "test_kill"
    )
    assert code == 0
    assert "That was 1 of 12 checks, which gives no mark." in out
    assert "zombies" not in out


def test_what_start_tells_to_type_can_be_typed(typed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = typed("start", "hello_world", "Two words")
    assert code == 0
    assert "cd 'Two words' && dockdojo check" in out


def test_start_check_and_hint_know_the_lab(typed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert typed("start", "hello_world")[0] == 0
    workspace = tmp_path / "hello_world"
    assert {"Dockerfile", "LESSON.md", "greet.sh", "answers.toml"} <= {
        path.name for path in workspace.iterdir()
    }
    code, _, err = typed("start", "hello_world")
    assert code == 2
    assert "is there already" in err
    monkeypatch.chdir(workspace)
    rungs = [typed("hint", "greets")[1] for _ in range(4)]
    assert [text.split(":")[0] for text in rungs] == [
        f"greets, hint {rung} of 3" for rung in (1, 2, 3, 3)
    ]
    assert student.read_notes(workspace).hints == {"greets": 3}
    code, out, _ = typed("hint")
    assert (code, "greets_by_name" in out) == (0, True)
    assert "Did you mean `odd_names`" in typed("hint", "hello_world", "odd_name")[2]
    monkeypatch.chdir(tmp_path)
    assert typed("hint", "hello_world", "pinned")[0] == 0
    assert student.read_notes(workspace).hints["pinned"] == 1


def test_broken_notes_are_told(tmp_path):
    (tmp_path / student.NOTES).write_text("{")
    with pytest.raises(UsageError, match="cannot be read"):
        student.read_notes(tmp_path)


def test_a_report_that_cannot_be_written_is_told_before_grading(
    typed, tmp_path, submission
):
    code, _, err = typed(
        "grade",
        "hello_world",
        submission({"Dockerfile": "FROM x"}),
        "-o",
        tmp_path / "no" / "report.json",
    )
    assert code == 2
    assert "There is no folder" in err


@pytest.mark.usefixtures("real_engine")
def test_check_shows_progress_and_feedback_without_a_terminal(
    typed, course, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    typed("start", "hello_world", "work")
    code, out, _ = typed("check", "work")
    assert code == 1
    assert "\x1b" not in out
    assert "observed: stdout is" in out
    assert "0 of 100 points" in out
    assert "dockdojo hint hello_world CHECK" in out


@pytest.mark.usefixtures("real_engine")
def test_grade_writes_reports_and_returns_their_code(
    typed, course, tmp_path, submission
):
    report = tmp_path / "report.json"
    assert (
        typed(
            "grade",
            "hello_world",
            course.solution("hello_world"),
            "--format",
            "json",
            "-o",
            report,
        )[0]
        == 0
    )
    assert json.loads(report.read_text())["score"] == 100
    (tmp_path / "empty").mkdir()
    code, out, _ = typed("grade", "hello_world", tmp_path / "empty")
    assert code == 1
    assert out.count("The folder is empty.") == 1
    code, out, _ = typed("grade", "hello_world", submission({"README": "hi"}))
    assert code == 1
    assert "There is no `Dockerfile` in the folder." in out
    code, out, _ = typed(
        "grade",
        "hello_world",
        submission(
            {"Dockerfile": "FROM busybox\nRUN echo tail of it; false\n"}, "fails"
        ),
    )
    assert code == 1
    assert "(Dockerfile, line 2): exit code: 1." in " ".join(out.split())
    assert "| tail of it" in out


@pytest.mark.usefixtures("real_engine")
def test_status_images_and_doctor(typed, course):
    code, out, _ = typed("engine", "status")
    assert code == 0
    assert all(
        word in out
        for word in ("engine", "storage", "cgroup", "builder", "GPU", "where")
    )
    code, out, _ = typed("images")
    assert code == 0
    assert out.count("MB") == len(course.images())
    code, out, _ = typed("doctor")
    assert (code, "All well" in out) == (0, True), out


@pytest.mark.skipif(os.name != "posix", reason="needs a pty")
@pytest.mark.usefixtures("real_engine")
def test_a_terminal_gets_colours_and_a_live_line_unless_no_color(course):
    import pty

    def on_a_terminal(env):
        main_end, other = pty.openpty()
        command = [
            sys.executable,
            "-m",
            "dockdojo",
            "check",
            "hello_world",
            str(course.solution("hello_world")),
        ]
        process = subprocess.Popen(
            command,
            stdout=other,
            stderr=other,
            stdin=other,
            env=os.environ | {"TERM": "xterm-256color"} | env,
        )
        os.close(other)
        said = b""
        try:
            while data := os.read(main_end, 65536):
                said += data
        except OSError:
            pass
        assert process.wait() == 0
        return said.decode()

    shown = on_a_terminal({})
    assert "\x1b[32m✓" in shown
    assert "building the image" in shown
    plain = on_a_terminal({"NO_COLOR": "1"})
    assert "\x1b[32m" not in plain
    assert "100 of 100 points" in plain


def test_help_imports_no_command_and_each_is_there():
    """What is slow to import is imported by the command that needs it."""
    script = (
        "import sys; from dockdojo.cli import main; main(['--help']); "
        "print(sorted({'docker', 'pytest', 'rich', 'msgspec'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    context = click.Context(dockdojo)
    for name in dockdojo.list_commands(context):
        command = dockdojo.get_command(context, name)
        assert command.name == name
        assert command.help
        assert f"  {name} " in done.stdout
