"""What graders say: sentences that were false once are true or gone, and a hint fits the failure.

The checks are called as they are, with what an engine would have told them; none of them is carried out here.
"""

from __future__ import annotations

import importlib.util
import tarfile
from types import SimpleNamespace

import pytest

from dockdojo.checks import CheckFailed
from dockdojo.checks.first_process import Seen
from dockdojo.checks.goodbyes import GOODBYE
from dockdojo.connection.types import Entry, ExitCode, Layer, Process, Program
from dockdojo.course import open_course
from dockdojo.errors import LimitReached, SubmissionError
from dockdojo.runner.feedback import judge
from dockdojo.submission.folder import Submission

COURSE = open_course()


def done(value):
    """What went on beside the checks, and came to that."""
    return SimpleNamespace(result=lambda: value)


@pytest.fixture(scope="module")
def grader():
    """A grader's module, by the lab's name."""
    known = {}

    def load(slug):
        if slug not in known:
            spec = importlib.util.spec_from_file_location(
                f"grader_{slug}", COURSE.grader(slug)
            )
            known[slug] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(known[slug])
        return known[slug]

    return load


def told(check, *args):
    """The feedback of a check that fails."""
    with pytest.raises(CheckFailed) as caught:
        check(*args)
    return caught.value.feedback


def ended(code, out="", err="", seconds=0.5):
    return SimpleNamespace(
        exit_code=ExitCode(code), stdout=out, stderr=err, seconds=seconds
    )


# gpu


@pytest.mark.parametrize(
    ("said", "knows"),
    [
        (
            "usage: device.py\ndevice.py: error: unrecognized arguments: --require-gpu",
            True,
        ),
        ("No GPU was found.", False),
    ],
)
def test_argparse_is_named_only_where_it_spoke(grader, said, knows):
    """A program may end with 2 by itself."""

    def scripts(*args, gpus=None):
        return ended(2, err=said) if args else ended(0, "device=cpu\n")

    feedback = told(grader("gpu").test_require_gpu, scripts)
    assert ("argparse" in feedback.why) is knows
    assert ("add_argument" in feedback.hint) is knows


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("count: all", "`count: all`"),
        ("count: 2", ""),
        ("driver: nvidia", "`count: all`"),
    ],
)
def test_what_a_device_without_count_means_is_told_of_all_only(
    grader, submission, device, words
):
    text = f"services:\n  a:\n    build: .\n    deploy:\n      resources:\n        reservations:\n          devices:\n            - capabilities: [gpu]\n              {device}\n"
    feedback = told(
        grader("gpu").test_compose, Submission(submission({"compose.yaml": text}))
    )
    assert feedback.why.startswith(words)
    assert bool(feedback.why) is bool(words)
    assert not feedback.why.startswith("Without")


def test_a_traceback_has_the_hint_that_ends_it(grader):
    def scripts(*args, gpus=None):
        return (
            ended(1, err="Traceback (most recent call last):\nGPU")
            if args
            else ended(0, "device=cpu\n")
        )

    assert "without a traceback" in told(grader("gpu").test_require_gpu, scripts).hint


# signals


@pytest.mark.parametrize("name", ["SIGKILL", "9", "SIGTERM", ""])
def test_a_stopsignal_is_told_as_that_and_not_as_another_process(grader, name):
    feedback = told(grader("signals").test_stop, SimpleNamespace(stop_signal=name), {})
    assert feedback.why == f"So `docker stop` sends {name or 'SIGTERM'}."
    assert "process 1" not in feedback.observed + feedback.why


@pytest.mark.parametrize("code", [130, 137, 139, 143])
def test_an_exit_code_is_no_proof_of_a_signal(code):
    """`sys.exit(143)` ends nobody by SIGTERM."""
    words = str(ExitCode(code))
    assert "ended by" not in words
    assert "killed by" not in words
    assert f"128 + {code - 128}" in words


@pytest.mark.parametrize(
    ("children", "words"),
    [
        (0, "starts no processes"),
        (1, "starts 1 process while"),
        (3, "starts 3 processes"),
    ],
)
def test_one_process_is_no_processes(grader, children, words):
    feedback = told(grader("signals").test_reaps, done((set(), children)))
    assert words in feedback.observed
    assert "main.py" in feedback.hint


@pytest.mark.parametrize(
    ("left", "words"), [({7}, "1 zombie stays"), ({7, 9}, "2 zombies stay")]
)
def test_one_zombie_is_no_zombies(grader, left, words):
    assert told(grader("signals").test_reaps, done((left, 9))).observed.startswith(
        words
    )


def test_stop_asks_for_no_goodbye_and_no_exit_code(grader):
    """Its sentence is about SIGINT and an end by itself."""
    ends = {"stop": done(SimpleNamespace(stop=ended(1, "no word")))}
    grader("signals").test_stop(SimpleNamespace(stop_signal="SIGINT"), ends)


@pytest.mark.parametrize(("code", "seconds"), [(3, 0.5), (0, 4.0)])
def test_who_said_goodbye_is_not_asked_which_process_gets_the_signal(
    grader, code, seconds
):
    goodbye = GOODBYE.format(15)
    feedback = told(
        grader("signals").test_sigterm,
        {"sigterm": done(SimpleNamespace(stop=ended(code, goodbye, seconds=seconds)))},
    )
    assert "sys.exit(0)" in feedback.hint


# add_vs_copy, hello_world, shell_vs_exec


def test_unpacking_in_a_run_is_told_truly(grader, submission):
    """An archive can come by a mount, so that no layer has it."""
    sub = Submission(
        submission(
            {
                "Dockerfile": "FROM busybox\nRUN --mount=type=bind,target=/in tar xf /in/site.tar.gz\n"
            }
        )
    )
    feedback = told(
        grader("add_vs_copy").test_add_for_unpacking_only, sub.dockerfile(), sub
    )
    assert "needs the archive in a layer" not in feedback.why
    assert "by itself" in feedback.why


@pytest.mark.parametrize(
    ("history", "words"),
    [
        ("COPY site.tar.gz /tmp/ # buildkit", "`COPY site.tar.gz /tmp/`"),
        ("/bin/sh -c #(nop) COPY file:0a1b in /tmp/ ", "`COPY file:0a1b in /tmp/`"),
        (
            "RUN /bin/sh -c cp /mnt/site.tar.gz /srv # buildkit",
            "`RUN cp /mnt/site.tar.gz /srv`",
        ),
    ],
)
def test_an_instruction_is_shown_as_the_dockerfile_has_it(grader, history, words):
    entry = Entry(
        path="tmp/site.tar.gz", kind="file", size=1, mode=0o644, uid=0, gid=0, held=()
    )
    layer = Layer(diff_id="sha256:0", instruction=history, entries=(entry,))
    fresh = SimpleNamespace(bytes={"app.conf": b"x"})
    observed = told(grader("add_vs_copy").test_archive_nowhere, [layer], fresh).observed
    assert words in observed
    assert "buildkit" not in observed
    assert "/bin/sh" not in observed


def test_a_file_that_is_not_there_has_no_hint_about_its_owner(grader):
    check = grader("add_vs_copy").test_conf
    feedback = told(check, {"/etc/app/app.conf": []}, None, [], None)
    assert "owner" not in feedback.hint
    assert "Where" in feedback.hint


@pytest.mark.parametrize(("is_podman", "passes"), [(True, True), (False, False)])
def test_where_the_archive_tells_no_owner_the_layers_do(is_podman, passes, grader):
    info = tarfile.TarInfo("app.conf")
    info.mode = 0o640  # uid and gid are 0, as Podman has them
    entry = SimpleNamespace(path="etc/app/app.conf", uid=1000, gid=1000)
    files = {"/etc/app/app.conf": [(info, b"x")]}
    words = (
        files,
        SimpleNamespace(bytes={"app.conf": b"x"}),
        [SimpleNamespace(entries=[entry])],
        SimpleNamespace(engine=SimpleNamespace(is_podman=is_podman)),
    )
    check = grader("add_vs_copy").test_conf
    if passes:
        check(*words)
    else:
        assert "user 0" in told(check, *words).observed


def test_the_right_line_with_a_wrong_exit_code_has_a_hint_about_that(grader):
    feedback = told(
        grader("hello_world").test_greets, lambda name: ended(4, "Hello, world!\n")
    )
    assert "exit code" in feedback.hint


def test_only_the_check_whose_sentence_names_the_exit_code_asks_for_it(grader):
    def said(name):
        return ended(4, f"Hello, {name}!\n")

    hello = grader("hello_world")
    hello.test_greets_by_name(said, SimpleNamespace(plain="Ada"))
    hello.test_odd_names(said, SimpleNamespace(plain="Ada", odd=["Ada  B"]))


@pytest.mark.parametrize(
    ("line", "err", "word"),
    [
        ("Hello, world!", "", "greets_by_name"),
        ("Hello, {}!", "", "two spaces"),
        ("Hello, Ada!", "sh: 1: Edith: not found", "eval"),
        ("Hello, Ada!", "", "Which signs"),
    ],
)
def test_a_name_that_does_not_come_out_has_the_hint_that_fits(grader, line, err, word):
    def said(name):
        return ended(0, line.format(" ".join(name.split())) + "\n", err)

    feedback = told(
        grader("hello_world").test_odd_names,
        said,
        SimpleNamespace(plain="Ada", odd=['Ada  "B"']),
    )
    assert word in feedback.hint


@pytest.mark.parametrize(
    ("words", "message", "is_told"),
    [
        (
            ("echo", "x"),
            'The container could not start: exec: "echo": executable file not found in $PATH.',
            True,
        ),
        (
            (),
            'The container could not start: exec: "default": executable file not found in $PATH.',
            False,
        ),
        (("a",), "It ran for more than 30 s.", False),
    ],
)
def test_words_that_replace_cmd_are_told_only_where_there_are_some(
    grader, words, message, is_told
):
    def run(*args, **options):
        raise SubmissionError(message, hint="The error's own way out.")

    feedback = told(
        lambda: grader("cmd_vs_entrypoint").run_or_tell(run, *words, called="IMAGE")
    )
    assert ("replace CMD" in feedback.why) is is_told
    assert (feedback.hint == "The error's own way out.") is not is_told


@pytest.mark.parametrize(
    ("out", "code", "word"),
    [
        ("", 0, "nothing printed"),
        ("{bye}9", 0, "handler(number, frame)"),
        ("{bye}SIGINT", 0, "handler(number, frame)"),
    ],
)
def test_a_goodbye_that_is_not_right_has_the_hint_that_fits(grader, out, code, word):
    out = out.replace("{bye}", grader("signals").LAST_WORD + " after receiving signal ")
    feedback = told(
        grader("signals").test_sigint,
        {"sigint": done(SimpleNamespace(stop=ended(code, out)))},
    )
    assert word in feedback.hint
    assert (
        "process 1" not in feedback.why + feedback.hint
    )  # it ended: the signal reached it


def test_who_is_deaf_is_asked_for_a_handler(grader):
    def deaf():
        raise LimitReached("The container went on.")

    feedback = told(
        grader("signals").test_sigint, {"sigint": SimpleNamespace(result=deaf)}
    )
    assert "process 1" in feedback.hint
    assert "handler" in feedback.hint


def process(pid, ppid, *argv):
    return Process(pid=pid, ppid=ppid, state="S", argv=argv, uid=0)


def seen(*processes, shell="", running=()):
    program = Program(path="/usr/bin/x", sha256="", environ={})
    return Seen(
        first=processes[0],
        program=program,
        shell=shell,
        processes=processes,
        name="greeter",
        running=frozenset(running),
    )


GREETER = ("/usr/bin/perl", "/usr/local/bin/greeter", "hello")


@pytest.mark.parametrize(
    ("who", "is_shell"),
    [
        (
            seen(process(1, 0, "python", "p.py"), process(7, 1, *GREETER), running=[7]),
            False,
        ),
        (
            seen(
                process(1, 0, "tini", "--", "greeter"),
                process(7, 1, *GREETER),
                running=[7],
            ),
            False,
        ),
        (
            seen(
                process(1, 0, "perl", "p.pl"), process(7, 1, "perl", "g2"), running=[7]
            ),
            False,
        ),
        (
            seen(
                process(1, 0, "sh", "/e.sh"),
                process(7, 1, *GREETER),
                running=[7],
                shell="dash",
            ),
            True,
        ),
        (
            seen(
                process(1, 0, "sh", "-c", "greeter"),
                process(7, 1, *GREETER),
                running=[7],
                shell="dash",
            ),
            True,
        ),
        (
            seen(process(1, 0, "g"), process(7, 1, *GREETER), running=[7], shell="zsh"),
            True,
        ),
    ],
)
def test_a_shell_is_named_where_one_stands_before_the_program(grader, who, is_shell):
    module = grader("shell_vs_exec")
    for check, name in (
        (module.test_exec_pid_1, "exec"),
        (module.test_wrapper_pid_1, "wrapper"),
    ):
        feedback = told(check, {name: done(SimpleNamespace(who=who))})
        assert ("shell" in feedback.why) is is_shell
        assert "script waits" not in feedback.why
        assert (feedback.hint != "") is (not is_shell or who.first.argv[1:2] != ("-c",))


@pytest.mark.parametrize(
    "who",
    [
        seen(process(1, 0, *GREETER), running=[1]),
        seen(
            process(1, 0, *GREETER),
            process(7, 1, "sh", "/e.sh", "greeter"),
            running=[1],
        ),  # a helper left behind
        seen(process(1, 0, "gunicorn", "app"), process(7, 1, "gunicorn", "app")),
        seen(
            process(1, 0, "bash", "main.sh"), process(7, 1, "sleep", "1"), shell="bash"
        ),  # the script is the program
        seen(process(1, 0, "sleep", "60"), shell="busybox"),
        seen(process(1, 0, "httpd", "-f"), shell="busybox"),
    ],
)
def test_a_program_that_is_process_1(grader, who):
    grader("shell_vs_exec").test_exec_pid_1({"exec": done(SimpleNamespace(who=who))})


@pytest.mark.parametrize(
    ("out", "err"), [("empty!", ""), ("", ""), ("empty!", "empty!")]
)
def test_a_message_on_the_wrong_stream_has_a_hint_about_streams(grader, out, err):
    def said(name):
        return ended(0, f"Hello, {name}!") if name else ended(64, out, err)

    assert (
        "`>&2`"
        in told(
            grader("hello_world").test_empty_name, said, SimpleNamespace(plain="Ada")
        ).hint
    )


def test_a_stopsignal_of_sigkill_is_named_where_nothing_waited(grader):
    stops = dict.fromkeys(
        ("shell.Dockerfile", "exec.Dockerfile"), done(ended(137, seconds=0.1))
    )
    assert "STOPSIGNAL" in told(grader("shell_vs_exec").test_shell_stop, stops).hint
    assert "STOPSIGNAL" in told(grader("shell_vs_exec").test_exec_stop, stops).hint


# Answers and Compose files


@pytest.mark.parametrize(
    "text", ["state = running\n", "state = 3\n", "[a]\nstate = 'x'\n", "stat = 'x'\n"]
)
def test_a_mistake_in_the_file_of_answers_has_a_hint_about_that(submission, text):
    """And not the question's own, such as which command to try."""
    from dockdojo.checks.answers import expect_answer, read_answers

    sub = Submission(submission({"answers.toml": text}))
    feedback = told(
        lambda: expect_answer(sub, read_answers(sub, ["state"]), "state", "exited", {})
    )
    assert 'key = "answer"' in feedback.hint


@pytest.mark.parametrize("text", ["services: [\n", "x: 1\n", "services: {a: {}}\n"])
def test_what_compose_does_not_accept_has_a_hint_about_that(grader, submission, text):
    feedback = told(
        grader("gpu").test_compose, Submission(submission({"compose.yaml": text}))
    )
    assert "docker compose config" in feedback.hint


# All of them


class Judged:
    name, title, hints = "x", "It does what it should.", ("What does a container see?",)


def test_an_error_with_a_way_out_shows_that_one_and_no_hint_of_the_check(tmp_path):
    """Of a build that failed, for one: the check's ladder is about what it looks for in the image."""
    grader = tmp_path / "g.py"
    status, feedback = judge(
        SubmissionError("The build stopped.", hint="Read its last lines."),
        grader,
        0,
        None,
        Judged,
    )
    assert (status, feedback.why, feedback.hint) == (
        "failed",
        "",
        "Read its last lines.",
    )
    status, feedback = judge(
        SubmissionError("It went on for too long."), grader, 0, None, Judged
    )
    assert (status, feedback.hint) == ("failed", Judged.hints[0])


GONE = (
    "Unpacking in a RUN needs the archive in a layer first",
    "something else is process 1",
    "no file was written",
    "Python's argparse ends with 2 for an option",
    "Without `count`",
    "1 processes",
    "A shell stands before it.",
    "The script waits for its child to end.",
)


SAID = (
    "graders/*.py",
    "src/**/*.py",
    "src/**/*.j2",
    "labs/*/README.md",
    "labs/*/starter/**/*",
    "docs/**/*.md",
)


@pytest.mark.parametrize("pattern", SAID)
def test_nothing_says_what_was_false(pattern):
    files = [path for path in COURSE.root.glob(pattern) if path.is_file()]
    assert files or pattern.endswith(".j2")
    for path in files:
        text = path.read_text(errors="replace")
        assert [sentence for sentence in GONE if sentence in text] == [], path
