"""Shell form and exec form: told by the processes of running containers, and by how those end."""

from types import SimpleNamespace

import pytest

from dockdojo import check, fail
from dockdojo.checks import CheckFailed
from dockdojo.checks.answers import expect_answers
from dockdojo.checks.first_process import (
    BaseShells,
    Before,
    Seen,
    base_of,
    below_first,
    says_shell,
    shell_named,
    shown,
    what_stands_before,
    who_run,
)
from dockdojo.checks.goodbyes import SOON, quicker_of_two
from dockdojo.checks.shell_words import commands_at
from dockdojo.checks.traces import changed_paths, hidden_files, new_variables
from dockdojo.errors import SubmissionError

GREETER = "greeter"  # the program of the lab
READY = 5  # seconds in which a program has printed something
SETTLE = 0.5  # seconds in which a shell that steps aside has done so
GRACE = 3  # seconds that `docker stop` waits here; by itself it waits 10
SIGKILL_CODE = 137
WRAPPER = "wrapper.Dockerfile"
QUIZ = {
    "stop_goes_to": (
        "process 1",
        {
            "every process": "Then the greeter below a shell would hear it, too. Does it say goodbye in the first part of this lab?",
            "the newest process": "The newest one would be the greeter. Does it say goodbye in the first part of this lab?",
        },
    ),
    "exec_does": (
        "replaces the shell by greeter",
        {
            "starts greeter as a child": "That is what a line without `exec` does. Compare the processes with `docker top`.",
            "starts greeter in the background": "That is what `&` does. Compare the processes with `docker top`.",
        },
    ),
}
BASES = {
    "shell_form_on_debian": "debian:bookworm-slim",
    "shell_form_on_busybox": "busybox:latest",
}


def started(session, dockerfile, *words, **options):
    container = session.start(*words, image=session.build(dockerfile), **options)
    container.wait_for_log(r"\S", within=READY)
    if not container.running:
        fail(
            "the container has ended",
            expected="a program that goes on until it is stopped",
            hint="`docker logs CONTAINER` tells why it ended: read what it said last.",
            file=dockerfile,
            detail=container.logs()[-800:],
        )
    return container


@pytest.fixture(scope="session")
def stops(session):
    """How `docker stop` ends the three containers: begun side by side, and awaited by the checks that ask."""

    def once(name):
        return started(session, name).stop(grace=GRACE)

    def stop(name):
        if name == "shell.Dockerfile":
            return once(name)  # whose shell is deaf, as it should be
        return quicker_of_two(lambda: once(name), lambda stop: stop.seconds)

    names = ("shell.Dockerfile", "exec.Dockerfile", WRAPPER)
    return {name: session.background(lambda name=name: stop(name)) for name in names}


@pytest.fixture(scope="session")
def words(session):
    """What nobody knows before: a greeting, and words with all that a shell may spoil."""
    rng = session.rng("words")
    first, second, third = (
        "".join(rng.choices("bcdfglmnorstu", k=6)) for _ in range(3)
    )
    fragile = [f"{first}  {second}", f"{second}'s", "*", "", f"${third}"]
    rng.shuffle(fragile)
    return SimpleNamespace(
        greeting=f"{third}-{rng.randrange(10**6)}", fragile=tuple(fragile)
    )


@pytest.fixture(scope="session")
def base_shells(session):
    """The shells that the base of a Dockerfile's image brought along: their names, by the digests of their files."""
    return BaseShells(session).of


@pytest.fixture(scope="session")
def looks(session, stops, shells, words, base_shells):
    """What is to be seen in a running container of each kind; all begun at once, while `docker stop` waits for others."""

    greeter = (
        session.submission.read_bytes(GREETER)
        if session.submission.has(GREETER)
        else b""
    )

    def look(dockerfile, *args, **options):
        container = started(session, dockerfile, *args, **options)
        first, program, processes = (
            container.pid1,
            container.program(1),
            container.processes(),
        )
        folder = session.build(dockerfile).workdir
        return SimpleNamespace(
            who=Seen(
                first=first,
                program=program,
                shell=shell_named(container, program, base_shells(dockerfile)),
                processes=processes,
                name=GREETER,
                running=who_run(container, processes, GREETER, greeter, folder),
            ),
            logs=container.logs(),
            changes=container.changes(),
            hidden=hidden_files(session, container, session.build(dockerfile)),
        )

    def with_words():
        command = session.build(WRAPPER).cmd or ()
        if commands_at(command):  # shell form: its words are the shell's
            return look(WRAPPER, GREETER, *words.fragile)
        try:
            return look(WRAPPER, *command, *words.fragile)
        except (CheckFailed, SubmissionError):
            if command:
                raise
            return look(
                WRAPPER, GREETER, *words.fragile
            )  # the script has a command of its own where it is given none

    return {
        "shell": session.background(
            lambda: look("shell.Dockerfile", env={"GREETING": words.greeting})
        ),
        "exec": session.background(lambda: look("exec.Dockerfile")),
        "wrapper": session.background(lambda: look(WRAPPER)),
        "wrapper and words": session.background(with_words),
    }


@pytest.fixture(scope="session")
def shells(session):
    """Process 1 of a single command in shell form, on each base, which is the course's and may be asked; begun at once."""

    def look(base):
        running = session.start("/bin/sh", "-c", "sleep 60", image=base, entrypoint=())
        session.sleep(SETTLE)
        return base_of(running.exec("cat", "/proc/1/cmdline").stdout.partition("\0")[0])

    return {
        base: session.background(lambda base=base: look(base))
        for base in BASES.values()
    }


@check(
    points=12,
    hints=(
        "`docker top CONTAINER` shows the processes.",
        "Shell form is CMD without brackets.",
        'CMD greeter "$GREETING"',
    ),
)
def test_shell_pid_1(looks):
    """shell: process 1 is `sh`, and the program is its child."""
    seen = looks["shell"].result().who
    if not says_shell(seen.first):
        fail(
            f"process 1 is `{shown(seen.first)}`",
            expected="`/bin/sh -c …`",
            file="shell.Dockerfile",
        )
    if not seen.shell:
        fail(
            f"process 1 calls itself `{shown(seen.first)}`, and is no shell: the file is {seen.program.path}",
            expected="a shell",
            hint="What is the file behind that name? `docker run --rm --entrypoint ls IMAGE -l /bin/sh` shows it.",
            file="shell.Dockerfile",
        )
    if not any(process.ppid == 1 for process in seen.processes):
        fail(
            "the shell has no child",
            expected="the program as the child of the shell",
            hint="`exec` makes a shell step aside, and so does bash for a single command.",
            file="shell.Dockerfile",
        )


@check(
    points=10,
    hints=(
        "Who turns $GREETING into its value?",
        "A shell does, when the container runs. Exec form knows no variables.",
    ),
)
def test_shell_expands(looks, words):
    """shell: `$GREETING` is expanded when the container runs."""
    seen = looks["shell"].result()
    children = below_first(seen.who.processes)
    if (
        not any(words.greeting in " ".join(child.argv) for child in children)
        and words.greeting not in seen.logs
    ):
        fail(
            f"with `-e GREETING={words.greeting}` that word reaches no program",
            expected="the program gets the value as its word",
            file="shell.Dockerfile",
            detail=seen.logs[-400:],
        )


@check(
    points=12,
    hints=(
        "Does the shell pass the signal on to its child?",
        "It does not, and process 1 ignores what it has no handler for.",
    ),
)
def test_shell_stop(stops):
    """shell: `docker stop` has to wait for the whole grace period, and ends in 137."""
    stop = stops["shell.Dockerfile"].result()
    assert (
        stop.exit_code == SIGKILL_CODE
    ), "Here the shell must be process 1: it does not pass the signal on."
    if stop.seconds < GRACE - 0.5:
        fail(
            f"`docker stop` ended it with SIGKILL after {stop.seconds:.1f} s",
            expected="SIGKILL at the end of the grace period",
            why="SIGKILL came at once: nothing waited for the grace period.",
            hint="Which STOPSIGNAL does the file name? Without one, `docker stop` sends SIGTERM.",
            file="shell.Dockerfile",
        )


@check(
    points=12,
    hints=(
        "Exec form is a JSON array: brackets and double quotes.",
        'CMD ["greeter", "hello"]',
    ),
)
def test_exec_pid_1(looks):
    """exec: process 1 is the program."""
    if before := what_stands_before(looks["exec"].result().who):
        fail(
            before.observed,
            expected="the program itself",
            why=before.why,
            hint=before.hint,
            file="exec.Dockerfile",
        )


@check(
    points=12,
    hints=("Who gets the signal of `docker stop`?", "Process 1, and nobody else."),
)
def test_exec_stop(stops):
    """exec: `docker stop` ends it within 2 seconds, with 143 or the program's own code."""
    quick(stops["exec.Dockerfile"].result(), "exec.Dockerfile")


def quick(stop, name):
    if stop.exit_code == SIGKILL_CODE or stop.seconds >= SOON:
        fail(
            f"it took {stop.seconds:.1f} s, and the exit code is {stop.exit_code}",
            expected=f"an end within {SOON} s by its own doing",
            why=(
                "SIGKILL came at once, without a grace period. Is that the STOPSIGNAL of the image?"
                if stop.seconds < SOON
                else "The program did not end for the signal. Who is process 1, and what does it do then?"
            ),
            hint=(
                "Leave STOPSIGNAL out: `docker stop` then sends SIGTERM, and waits."
                if stop.seconds < SOON
                else ""
            ),
            file=name,
        )


@check(
    points=8,
    hints=(
        "What does entrypoint.sh leave behind?",
        "The given one writes the date into a file.",
    ),
)
def test_wrapper_sets_up(session, looks):
    """wrapper: entrypoint.sh sets something up before the program starts: a file, or a variable."""
    seen = looks["wrapper"].result()
    image = session.build(WRAPPER)
    traces = (
        changed_paths(seen.changes, image)
        or seen.hidden
        or new_variables(seen.who.program.environ, image)
    )
    if not traces:
        fail(
            "no file and no variable is there that the image had not before",
            why=(
                "A VOLUME is an empty folder: it sets nothing up."
                if image.volumes
                else ""
            ),
            file="entrypoint.sh",
        )


@check(
    points=12,
    hints=(
        "What becomes of the script when it has started the program?",
        "`exec` puts the program in the script's place.",
        'exec "$@"',
    ),
)
def test_wrapper_pid_1(looks):
    """wrapper: after entrypoint.sh, process 1 is the program all the same."""
    seen = looks["wrapper"].result().who
    before = what_stands_before(seen)
    if (
        not before
        and 1 not in seen.running
        and any(base_of(word) == "entrypoint.sh" for word in seen.first.argv)
    ):
        before = Before(
            f"process 1 is still `{shown(seen.first)}`",
            "The script stays, and nothing took its place.",
        )
    if before:
        fail(
            before.observed,
            expected="the program",
            why=before.why,
            hint=before.hint,
            file="entrypoint.sh",
        )


@check(
    points=10,
    hints=(
        "What does a shell do with `$*`, and with `$@` without quotes?",
        '`"$@"` is all the words, each as it was.',
    ),
)
def test_wrapper_words(looks, words):
    """wrapper: the words reach the program as they were given, spaces, stars and empty ones too."""
    seen = looks["wrapper and words"].result().who
    # Where the script waits for the program, that is another process.
    programs = (
        [seen.first] if not what_stands_before(seen) else below_first(seen.processes)
    )
    if not any(
        process.argv[-len(words.fragile) :] == words.fragile for process in programs
    ):
        listed = " ".join(f"`{word}`" for word in words.fragile)
        found = " ".join(f"`{word}`" for word in (programs or [seen.first])[-1].argv)
        fail(
            f"given the words {listed}, the program is {found[:600]}",
            expected="the same words at its end",
            why="Without quotes a shell splits words at spaces, and takes a star for file names.",
            file="entrypoint.sh",
        )


@check(
    points=4,
    hints=("If the program is process 1, what does it hear?",),
)
def test_wrapper_stop(stops):
    """wrapper: `docker stop` ends it within 2 seconds, too."""
    quick(stops[WRAPPER].result(), WRAPPER)


@check(points=4, hints=("Build both, run both, and look with `docker top`.",))
def test_shells_differ(submission, shells):
    """Quiz: process 1 of a single command in shell form, on debian and on busybox."""
    why = "Try it: dash starts a child for the last command, too; other shells step aside."
    found = {
        key: (shell.result(), dict.fromkeys(("sh", "sleep"), why))
        for key, shell in zip(BASES, shells.values(), strict=True)
    }
    expect_answers(submission, found, others=QUIZ)


@check(points=2, hints=("Which of the three containers ends quickly?",))
def test_stop_goes_to(submission):
    """Quiz: who gets the signal of `docker stop`."""
    expect_answers(submission, QUIZ, "stop_goes_to", others=BASES)


@check(
    points=2,
    hints=(
        "`sh -c 'echo $$; exec sh -c \"echo \\$\\$\"'` prints two numbers. Are they different?",
    ),
)
def test_exec_does(submission):
    """Quiz: what `exec` does in a script."""
    expect_answers(submission, QUIZ, "exec_does", others=BASES)
