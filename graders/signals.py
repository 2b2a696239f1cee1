"""Signals: what a container says and how it ends when it is told to, asked to, and made to."""

import contextlib
import time
from typing import NamedTuple

import pytest

from dockdojo import check, fail
from dockdojo.checks.answers import expect_answers
from dockdojo.checks.goodbyes import (
    GRACE,
    LAST_WORD,
    NUMBERS,
    SOON,
    graceful,
    quicker_of_two,
)
from dockdojo.checks.last_lines import came_at_once, said_after
from dockdojo.checks.zombies import CHILDREN, zombies_left
from dockdojo.connection.types import LogLine, Stopped
from dockdojo.errors import LimitReached, SubmissionError

READY = 20  # seconds in which it has printed something; a buffer of 8 KiB keeps its lines for minutes
REREADS = 10  # seconds until a setting that was changed shows in a line
SETTLE = 0.3  # seconds for handlers that are installed after the first line
HELD_BACK = 0.5  # seconds for a round of a program whose lines are held back
UNASKED = 4  # rounds in which a setting that nobody asked to read again does not show
HELD = 4  # lines that come at the end, of a program that said one before
NEXT_WITHIN = 5  # seconds to the next line
SIGINT, SIGKILL, SIGTERM = 2, 9, 15
REREAD_TIMES = (2, 3)
ENDS = (
    "success",
    "ended by sigint",
    "ended by sigterm",
    "killed by sigkill",
    "crashed by sigsegv",
)
FORMULA = (
    "Take away 128 from the code, and look up the signal of that number with `kill -l`."
)
QUIZ = {
    "code_0": (
        "success",
        dict.fromkeys(
            ENDS[1:], "A signal's number is never 0, and 0 has a meaning of its own."
        ),
    ),
    **{
        key: (right, dict.fromkeys(ENDS, FORMULA))
        for key, right in (
            ("code_130", ENDS[1]),
            ("code_137", ENDS[3]),
            ("code_139", ENDS[4]),
            ("code_143", ENDS[2]),
        )
    },
    "uncatchable": (
        "sigkill",
        {
            name: f"Your own program has a handler for it, or could have: signal.signal(signal.{name.upper()}, ...)."
            for name in ("sigint", "sigterm", "sighup")
        },
    ),
    "formula": (
        "128+n",
        dict.fromkeys(
            ("n", "100+n", "255-n"),
            "`docker kill` sends signal 9. Which exit code does `docker ps -a` show?",
        ),
    ),
    "out_of_memory": (
        "137",
        dict.fromkeys(
            ("1", "139", "143"),
            "The kernel ends it with the signal that cannot be caught.",
        ),
    ),
}


def started(session, **options):
    """A container that has begun to work, or has shown that it does not tell."""
    container = session.start(**options)
    container.wait_for_log(r"\S", within=READY)
    session.sleep(SETTLE)
    if not container.running:
        raise SubmissionError(
            "The container ended before it was told to.",
            hint="`docker logs CONTAINER` tells why: read what it said last.",
            detail=container.logs()[-1500:],
        )
    return container


class End(NamedTuple):
    """How a container ended, and its log."""

    stop: Stopped
    lines: list[LogLine]


@pytest.fixture(scope="session")
def ends(session):
    """How it ends, in each of four ways; begun side by side, and awaited by the checks that ask."""
    session.build()
    ways = {
        "stop": lambda container: container.stop(grace=GRACE),
        "kill": lambda container: container.kill("KILL"),
        "sigterm": lambda container: container.kill("TERM", within=GRACE),
        "sigint": lambda container: container.kill("INT", within=GRACE),
    }

    def once(way):
        container = started(session)
        stop = way(container)
        return End(stop, container.log_lines())

    def end(way):
        return quicker_of_two(lambda: once(way), lambda ended: ended.stop.seconds)

    return {
        name: session.background(lambda way=way: end(way)) for name, way in ways.items()
    }


def rounds(session, container, more):
    """Waits until so many more lines are there than now; a busy machine has longer for that. A while, where none comes."""
    count = container.logs().count("\n")
    if count and not came_at_once(container.log_lines()):
        container.wait_for_log(rf"(?:[^\n]*\n){{{count + more}}}", within=READY)
    else:
        session.sleep(more * HELD_BACK)
    session.sleep(SETTLE)


@pytest.fixture(scope="session")
def zombies(session):
    """The zombies that stay, and how many children it started meanwhile; begun at once, for it takes a while."""

    def look():
        container = started(session)
        return zombies_left(
            container, lambda more: rounds(session, container, more), session.sleep
        )

    return session.background(look)


@check(
    points=10,
    hints=(
        "Run it without `-t`, and look at `docker logs` at once. What do you see?",
        "Python keeps its output back when it goes to no terminal.",
        "ENV PYTHONUNBUFFERED=1, or python -u, or print(..., flush=True).",
    ),
)
def test_output_at_once(session, start, zombies, ends):
    """What it prints is in `docker logs` at once."""
    container = start()
    assert container.wait_for_log(
        r"\S", within=READY
    ), f"Nothing is in the log after {READY} seconds, though it runs. A buffer holds the output back."
    if count := came_at_once(lines := container.log_lines()):
        fail(
            f"{count} lines came at one time, {lines[0].seconds:.1f} seconds after the start",
            expected="each line when it is printed",
            why="A buffer was full then, and gave back what it had held.",
        )
    end = time.monotonic() + NEXT_WITHIN
    while time.monotonic() < end:
        if (
            not container.running
            or sum(bool(line.strip()) for line in container.logs().splitlines()) > 1
        ):
            return
        session.sleep(SETTLE)
    with contextlib.suppress(LimitReached):  # deaf: what it holds back is lost
        container.kill("TERM", within=GRACE)
        late = [
            line.text
            for line in container.log_lines()[1:]
            if line.text.strip() and LAST_WORD not in line.text
        ]
        if len(late) >= HELD:
            fail(
                f'for {NEXT_WITHIN} seconds the log has one line, and at the end {len(late)} more, such as "{late[0][:100]}"',
                expected="each line when it is printed",
                why="A buffer held them back. The first line was flushed, the others were not.",
            )


@check(
    points=14,
    hints=(
        "Which process gets the signal? Look at `docker top`.",
        "Only process 1 gets it. In shell form that is a shell. Python: signal.signal(signal.SIGTERM, handler).",
        'CMD ["python", "main.py"]',
    ),
)
def test_sigterm(ends):
    """SIGTERM: it says `Gracefully shutting down after receiving signal 15` and ends with 0 within 2 seconds."""
    graceful(ends["sigterm"], SIGTERM, "`docker kill --signal=SIGTERM`")


@check(
    points=12,
    hints=(
        "What does Ctrl-C send?",
        "One handler can serve several signals: it gets the number.",
    ),
)
def test_sigint(ends):
    """SIGINT: it says `Gracefully shutting down after receiving signal 2` and ends with 0 within 2 seconds."""
    graceful(ends["sigint"], SIGINT, "`docker kill --signal=SIGINT`")


@check(
    points=12,
    hints=(
        "Which signal does `docker stop` send?",
        "An image can name another one.",
        "STOPSIGNAL SIGINT",
    ),
)
def test_stop(image, ends):
    """`docker stop` sends SIGINT, and the program ends by itself within 2 seconds."""
    signal = image.stop_signal or "SIGTERM"
    if signal.upper().removeprefix("SIG") not in ("INT", str(SIGINT)):
        fail(
            (
                f"the image's STOPSIGNAL is {signal}"
                if image.stop_signal
                else "the image has no STOPSIGNAL"
            ),
            expected="SIGINT",
            why=f"So `docker stop` sends {signal}.",
            file="Dockerfile",
        )
    stop = ends["stop"].result().stop
    if stop.exit_code == 128 + SIGKILL or stop.seconds >= SOON:
        fail(
            f"after `docker stop`, it ends with exit code {stop.exit_code} after {stop.seconds:.1f} s",
            expected=f"an end by its own doing within {SOON} s",
            why="The signal came, and the program went on. Does it reach your program? A shell as process 1 keeps it to itself.",
            hint="Look at `docker top`: which process is the first?",
            detail=(stop.stdout + stop.stderr)[-600:],
        )


@check(points=6, hints=("Can a program do anything about `docker kill`?",))
def test_kill(ends):
    """`docker kill` ends it with 137, and without a goodbye."""
    stop = ends["kill"].result().stop
    assert stop.exit_code == 128 + SIGKILL
    assert (
        "Gracefully" not in stop.stdout + stop.stderr
    ), "SIGKILL leaves no time for a word, so this line is not a handler's."


@check(
    points=10,
    hints=(
        "What does the loop do after the handler has returned?",
        "A handler that raises SystemExit ends the loop where it is; one that sets a flag does not.",
    ),
)
def test_last_word(ends):
    """The goodbye is the last line: the loop never prints after it."""
    said = False
    for way in ("sigterm", "sigint"):
        try:
            lines = ends[way].result().lines
        except (
            LimitReached
        ):  # deaf to this one: there is no last line, and another check says so
            continue
        said = said or any(LAST_WORD in line.text for line in lines)
        goodbye = next(
            (found for line in lines if (found := NUMBERS.search(line.text))), None
        )
        # The goodbye of another signal, after that, is one word more.
        after = said_after(lines, goodbye.group() if goodbye else LAST_WORD)
        if after:
            fail(
                f'after the goodbye, {after.stream} says "{after.text[:200]}"',
                expected="nothing more",
            )
    if not said:
        fail(
            "it says no goodbye, neither for SIGTERM nor for SIGINT",
            expected="a goodbye, and nothing after it",
            hint="A handler is a function: signal.signal(signal.SIGTERM, handler). Let it print the goodbye.",
        )


@check(
    points=14,
    hints=(
        "By default, SIGHUP ends a program. What do servers use it for?",
        "Its handler reads the file again, and returns: the loop goes on.",
        "signal.signal(signal.SIGHUP, reread)",
    ),
)
def test_sighup(session, rng):
    """SIGHUP: it reads /app/setting.txt again, only then, and goes on."""
    container, settings = started(session), []

    def change(signal):
        """Writes another setting; whether a line shows it. Where a buffer holds lines back, they are read at the end."""
        value = (
            f"{rng.choice(('loud', 'soft', 'deep', 'high'))}-{rng.getrandbits(32):08x}"
        )
        container.write("/app/setting.txt", value.encode() + b"\n")
        settings.append((value, signal))
        if signal:
            container.signal("HUP")
        if (
            signal
            and container.logs().strip()
            and not came_at_once(container.log_lines())
        ):
            return container.wait_for_log(value, within=REREADS)
        rounds(session, container, UNASKED)
        return True

    change("")
    if all(
        change("SIGHUP") for _ in range(rng.choice(REREAD_TIMES))
    ):  # up to the first that does not show
        rounds(session, container, 1)
        change("")  # who has heard one signal must not take it for all that follow
    running = container.running
    log = container.logs()
    if running and any(signal and value not in log for value, signal in settings):
        with contextlib.suppress(LimitReached):
            stop = container.kill(
                "TERM", within=GRACE
            )  # what was held back comes out at the end
            log = stop.stdout + stop.stderr
    for value, signal in settings:
        if signal and value not in log:
            state = "has ended" if not running else "shows the old setting"
            fail(
                f'/app/setting.txt was set to "{value}", SIGHUP was sent, and the program {state}',
                expected=f'"{value}" in one of the next lines',
                detail=log[-400:],
            )
        if not signal and value in log:
            fail(
                f'/app/setting.txt was set to "{value}", no signal was sent, and a line shows "{value}"',
                expected="the old setting, until SIGHUP comes",
                why="Whoever reads the file in each round needs no signal, and may read a file that is half written.",
                hint="Read the file once at the start, and then in the handler of SIGHUP alone.",
                detail=log[-400:],
            )
    if not running:
        fail("it has ended", expected="it goes on after SIGHUP", detail=log[-400:])


@check(
    points=10,
    hints=(
        "`docker exec CONTAINER cat /proc/*/stat` or `docker top`: what does a Z mean?",
        "A process that has ended stays as a zombie until its parent asks how it ended: wait().",
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN), or os.waitpid(-1, os.WNOHANG) in a loop.",
    ),
)
def test_reaps(zombies):
    """Children that it starts are reaped: no zombie is left after five children have died."""
    left, children = zombies.result()
    if left:
        fail(
            f"{len(left)} zombie{'s stay' if len(left) > 1 else ' stays'} for more than {2 * CHILDREN} rounds: process {', '.join(map(str, sorted(left)[:8]))}",
            expected="none: each child is reaped soon after its end",
            why="A zombie keeps its place in the table of processes. When that is full, nothing can be started any more.",
        )
    if children < CHILDREN:
        fail(
            f"it starts {children or 'no'} process{'' if children == 1 else 'es'} while it prints many lines",
            expected=f"at least {CHILDREN}: a child in each round",
            why="Who starts no children has none to reap.",
            hint="The given main.py starts a child in each round. Keep that, and reap it.",
        )


@check(points=6, hints=("`kill -l` lists the signals with their numbers.",))
def test_codes(submission):
    """Quiz: what the exit codes 0, 130, 137, 139 and 143 say."""
    expect_answers(
        submission, QUIZ, "code_0", "code_130", "code_137", "code_139", "code_143"
    )


@check(points=2, hints=("Try to catch each of them in Python: one raises an error.",))
def test_uncatchable(submission):
    """Quiz: the signal that no program can catch."""
    expect_answers(submission, QUIZ, "uncatchable")


@check(points=2, hints=("`docker kill` sends 9; `docker ps -a` shows 137.",))
def test_formula(submission):
    """Quiz: from the signal to the exit code."""
    expect_answers(submission, QUIZ, "formula")


@check(
    points=2,
    hints=(
        "`docker run --memory 20m python:3.11-slim python -c \"'x' * 10**9\"; echo $?`",
    ),
)
def test_out_of_memory(submission):
    """Quiz: the exit code of a container that used too much memory."""
    expect_answers(submission, QUIZ, "out_of_memory")
