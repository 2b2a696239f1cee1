"""CMD and ENTRYPOINT: each told by what a container runs. The table's truth is found by building and running all of it."""

import tempfile
from pathlib import Path

import pytest

from dockdojo import check, fail
from dockdojo.checks.answers import FILE, expect_given, read_answers
from dockdojo.errors import SubmissionError

FILES = ("cmd.Dockerfile", "entrypoint.Dockerfile", "both.Dockerfile")
FORMS = {
    "none": ("", ""),
    "shell": ("ENTRYPOINT echo E\n", "CMD echo C\n"),
    "exec": ('ENTRYPOINT ["echo", "E"]\n', 'CMD ["echo", "C"]\n'),
}
KEYS = [f"{entrypoint}_{cmd}" for entrypoint in FORMS for cmd in FORMS]
BASE = "debian:bookworm-slim"
ERROR = "error"


@pytest.fixture(scope="session")
def truth(session):
    """What each combination prints, by building and running it."""

    def run_pair(key):
        entrypoint, cmd = key.split("_")
        with tempfile.TemporaryDirectory() as scratch:
            # The base brings a CMD of its own, which would hide that there is none: a stage of its own takes it away.
            text = f"FROM {BASE} AS base\nFROM scratch\nCOPY --from=base / /\n{FORMS[entrypoint][0]}{FORMS[cmd][1]}"
            Path(scratch, "Dockerfile").write_text(text)
            image = session.engine.build(Path(scratch), limits=session.limits)
        if not image.entrypoint and not image.cmd:
            return ERROR
        return session.run(image=image).stdout.strip()

    return dict(
        zip(
            KEYS,
            session.gather(*(lambda key=key: run_pair(key) for key in KEYS)),
            strict=True,
        )
    )


def prints(done, line, called):
    if done.stdout.rstrip() != line:
        fail(
            f'`docker run {called}` prints "{done.stdout.rstrip()[:200]}", exit code {done.exit_code}',
            expected=f'it prints "{line}"',
            detail=done.stderr[-600:],
        )


def run_or_tell(run, *args, called, **options):
    try:
        return run(*args, **options)
    except SubmissionError as error:
        is_the_program = bool(args) and f'"{args[0]}"' in error.message
        fail(
            f"`docker run {called}`: {error.message}",
            why=(
                f"There is no ENTRYPOINT, so the words replace CMD, and `{args[0]}` is taken for the program."
                if is_the_program
                else ""
            ),
            hint=(
                "Which instruction keeps its place when words are given?"
                if is_the_program
                else error.hint
            ),
            detail=error.detail,
        )


def drawn(rng, count=1):
    """So many words that nobody knows before."""
    return [
        rng.choice("bdfgklmprst") + "".join(rng.choices("aeiou0123456789", k=6))
        for _ in range(count)
    ]


@check(
    points=10,
    hints=(
        "What runs where nobody says what to run?",
        "CMD is the default command.",
        'CMD ["echo", "default"]',
    ),
)
def test_cmd_default(build, run):
    """cmd: without further words, a container prints `default`."""
    prints(
        run_or_tell(run, image=build("cmd.Dockerfile"), called="CMD_IMAGE"),
        "default",
        "CMD_IMAGE",
    )


@check(
    points=10,
    hints=(
        "What do the words after the image's name replace?",
        "They replace CMD, and never ENTRYPOINT. Which of the two is in your file?",
        "Use CMD alone.",
    ),
)
def test_cmd_replaced(build, run, rng):
    """cmd: `docker run IMAGE echo other` prints `other`, and so for any other words."""
    words = " ".join(drawn(rng, 2))
    called = f"CMD_IMAGE echo {words}"
    prints(
        run_or_tell(
            run, *called.split()[1:], image=build("cmd.Dockerfile"), called=called
        ),
        words,
        called,
    )


@check(
    points=12,
    hints=(
        "Where do the words after the image's name go, where there is an ENTRYPOINT?",
        "They are appended to it, if it is in exec form. In shell form they are lost.",
        'ENTRYPOINT ["echo", "args:"]',
    ),
)
def test_entrypoint_appends(build, run, rng):
    """entrypoint: `docker run IMAGE a b` prints `args: a b`, and so for any other words."""
    words = drawn(rng, rng.randrange(3, 6))
    called = " ".join(("ENTRYPOINT_IMAGE", *words))
    wanted = " ".join(("args:", *words))
    prints(
        run_or_tell(run, *words, image=build("entrypoint.Dockerfile"), called=called),
        wanted,
        called,
    )


@check(
    points=8,
    hints=(
        "What is left of the command when nothing is appended?",
        "There must be no default argument.",
    ),
)
def test_entrypoint_alone(build, run):
    """entrypoint: without further words, it prints `args:`."""
    prints(
        run_or_tell(
            run, image=build("entrypoint.Dockerfile"), called="ENTRYPOINT_IMAGE"
        ),
        "args:",
        "ENTRYPOINT_IMAGE",
    )


@check(
    points=10,
    hints=(
        "ENTRYPOINT can have a default argument.",
        "With an ENTRYPOINT, CMD is its default argument.",
        'CMD ["default"]',
    ),
)
def test_both_default(build, run):
    """both: without further words, it prints `args: default`."""
    prints(
        run_or_tell(run, image=build("both.Dockerfile"), called="BOTH_IMAGE"),
        "args: default",
        "BOTH_IMAGE",
    )


@check(
    points=10,
    hints=(
        "What stays when somebody writes words after the image's name, and what goes?",
        "ENTRYPOINT stays, CMD goes. `--entrypoint` replaces the ENTRYPOINT, and then CMD goes, too.",
    ),
)
def test_both_replaced(build, run, rng):
    """both: `docker run IMAGE x` prints `args: x`, and so for any other word; `--entrypoint` replaces the entrypoint."""
    image, [word] = build("both.Dockerfile"), drawn(rng)
    called = f"BOTH_IMAGE {word}"
    prints(run_or_tell(run, word, image=image, called=called), f"args: {word}", called)
    if not image.entrypoint:
        fail(
            "the image has no ENTRYPOINT, so `--entrypoint` has nothing to replace",
            file="both.Dockerfile",
        )


@check(
    points=10,
    hints=(
        "Which of your lines are JSON?",
        "Shell form wraps the command into `/bin/sh -c`; exec form is a JSON array, with double quotes.",
        'CMD ["echo", "default"]',
    ),
)
def test_exec_form(submission, build):
    """Every CMD and ENTRYPOINT that counts is in exec form."""
    for name in FILES:
        parsed, image = submission.dockerfile(name), build(name)
        for instruction, words in (
            ("ENTRYPOINT", image.entrypoint),
            ("CMD", image.cmd),
        ):
            counted = [step for step in parsed.final_stage if step.name == instruction][
                -1:
            ]
            # What an earlier stage said counts as well, as long as nothing replaces it: the image knows.
            others = [
                step for step in parsed.with_triggers() if step.name == instruction
            ]
            if (
                words
                and not counted
                and not any(step.json and step.args == words for step in others)
            ):
                counted = [step for step in others if not step.json][-1:]
            if counted and not counted[0].json:
                fail(
                    f"`{counted[0].original}`",
                    expected=f'{instruction} ["…", "…"]',
                    why="In shell form, a shell is the first process, and stands between the program and its signals.",
                    file=name,
                    line=counted[0].line,
                )


def judge_row(submission, truth, row, why):
    answers = read_answers(submission, KEYS, fold=False)
    for key in filter(lambda key: key.startswith(f"{row}_"), KEYS):
        given = expect_given(submission, answers, key, "the line that is printed")
        said = " ".join(given.split())
        if (said.lower() if said.lower() == ERROR else said) != truth[key]:
            fail(
                f'`{key}` is "{given[:80]}", and that is not what such a container prints',
                why=why,
                file=FILE,
                line=answers.line_of(key),
            )


@check(
    points=8,
    hints=(
        "Build one and run it: `printf 'FROM debian:bookworm-slim\\nCMD echo C\\n' | docker build -t t - && docker run --rm t`.",
    ),
)
def test_table_none(submission, truth):
    """The table: without an ENTRYPOINT."""
    judge_row(
        submission,
        truth,
        "none",
        "CMD then stands alone: what does it do in each form? And what if it is missing, too?",
    )


@check(
    points=8,
    hints=("`sh -c 'echo E' echo C`: try it in your own shell.",),
)
def test_table_shell(submission, truth):
    """The table: with ENTRYPOINT in shell form."""
    judge_row(
        submission,
        truth,
        "shell",
        "It becomes `/bin/sh -c '…'`. What does a shell do with words that come after that text?",
    )


@check(
    points=14,
    hints=(
        "`docker inspect` shows Entrypoint and Cmd as lists. The command is one list after the other.",
    ),
)
def test_table_exec(submission, truth):
    """The table: with ENTRYPOINT in exec form."""
    judge_row(
        submission,
        truth,
        "exec",
        "CMD's words are appended, whatever they are. A CMD in shell form is a list of words as well: which ones?",
    )
