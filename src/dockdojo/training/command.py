"""The command of a training, behind the image's name: does it reach anything, and does it end well?"""

from __future__ import annotations

import random

from dockdojo.checks import fail
from dockdojo.errors import LimitReached, SubmissionError
from dockdojo.training.script import Training

ANSWERS_WITHIN = 60
"""Seconds until a program of one line must have answered; an ENTRYPOINT may train meanwhile."""
SHELL = ("/bin/sh", "-c")
"""How the engine keeps the shell form."""


def expect_exit_0(training: Training) -> None:
    """Fails the check where the whole training ends with another exit code than 0.

    Whoever misses what it should have left says just this, so that one cause is told once.
    """
    seen = training.first.result().seen
    if seen.exit_code != 0:
        expect_words_arrive(training)
        fail(
            f"it ends with exit code {seen.exit_code}",
            expected="exit code 0",
            detail=seen.end,
            file="train.py",
        )


def expect_words_arrive(training: Training) -> None:
    """Fails the check where the image's ENTRYPOINT does not run the words behind the image's name."""
    entrypoint = training.build().entrypoint or ()
    if not entrypoint or training.once("words", lambda: _arrive(training)):
        return
    if entrypoint[:2] == SHELL:
        observed = f"the words after the image's name reach nothing: the ENTRYPOINT `{_shown(entrypoint[2:])}` is in shell form"
        hint = 'Leave ENTRYPOINT out, and write CMD ["python", "/workspace/train.py"]: the words replace CMD.'
    else:
        observed = f"the words after the image's name reach no command: the ENTRYPOINT `{_shown(entrypoint)}` does not run them"
        hint = 'Leave ENTRYPOINT out and write CMD; a script that prepares something ends with `exec "$@"`.'
    fail(
        observed,
        expected=f"`docker run IMAGE {' '.join(training.command)}` runs `{' '.join(training.command)}`",
        why="The words are appended to ENTRYPOINT. In shell form, `/bin/sh -c` drops them; a program of your own may, too.",
        file="Dockerfile",
        hint=hint,
    )


def _shown(words: tuple[str, ...]) -> str:
    return " ".join(words)[:200]


def _arrive(training: Training) -> bool:
    """Whether a program behind the image's name is run; True also where nobody can say, as where there is no such program."""
    return _answers(training, ()) or not _answers(training, training.command[:1])


def _answers(training: Training, entrypoint: tuple[str, ...]) -> bool:
    factor, other = random.sample(range(10_000, 100_000), 2)
    answer = str(factor * other)
    words: tuple[str, ...] = ("-c", f"print({factor} * {other})")
    training.workspaces().populate("words")
    options = training.options("words", training.session.digits)
    if entrypoint:
        options["entrypoint"] = entrypoint
    else:
        words = (*training.command[:1], *words)
    container = training.session.start(*words, **options)
    try:
        seen = training.watch(
            container,
            lambda seen: answer in seen.text or bool(seen.metric_lines),
            ANSWERS_WITHIN,
        )
    except LimitReached:
        # It may prepare something for long, or the machine is busy: nobody can say.
        return True
    except SubmissionError:
        return False
    return answer in seen.text
