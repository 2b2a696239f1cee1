"""A training as a README tells people to start it."""

from __future__ import annotations

from dockdojo.checks import fail
from dockdojo.checks.readme import README, in_words, of_the_folder, pairs
from dockdojo.errors import SubmissionError
from dockdojo.probes.api_recording import Asked, BuildRequest, ContainerRequest
from dockdojo.training.command import expect_exit_0, expect_words_arrive
from dockdojo.training.script import Training

MAX_TRIED = 3
"""Of a README's containers that are run."""
SHOWN_CHARACTERS = 600
"""Of what its commands printed."""


def expect_to_train_as_typed(training: Training, recorded: Asked) -> None:
    """Fails the check unless a README's commands build an image and run a container of it that trains.

    `recorded` is what they asked an engine for. A container that is what was run anyway is not run again.
    """
    if not recorded.builds:
        fail(
            "no `docker build` of it works",
            expected="`docker build -t NAME .`",
            detail=recorded.output[-SHOWN_CHARACTERS:],
            file=README,
        )
    fitting = pairs(recorded)
    if not fitting:
        images = {
            container.image for container in recorded.containers if container.started
        }
        fail(
            "no `docker run` of it starts the image that it builds, with a folder mounted",
            expected=f"`docker run -v $(pwd):{training.workspace} NAME …`, with the NAME of the build",
            why=f"It runs {', '.join(sorted(images))}." if images else "",
            detail=recorded.output[-SHOWN_CHARACTERS:],
            file=README,
        )
    problems = []
    for build, container in fitting[:MAX_TRIED]:
        targets = of_the_folder(container)
        as_graded = (
            container.args == training.command
            and training.workspace in targets
            and not (container.entrypoint or container.workdir)
        )
        if as_graded and training.first.result().seen.exit_code == 0:
            return
        problem = as_typed(training, build, container, targets)
        if not problem:
            return
        problems.append(problem)
        if as_graded:
            expect_exit_0(training)
        if targets and container.args and not container.entrypoint:
            expect_words_arrive(training)
    what, detail = problems[0]
    fail(
        f"a `docker run` of it does not train: {what}",
        expected=f"a training that writes `{training.checkpoint}` to the folder",
        hint=(
            ""
            if of_the_folder(fitting[0][1])
            else f"`-v $(pwd):{training.workspace}` mounts the folder in which it is typed."
        ),
        detail=detail,
        file=README,
    )


def as_typed(
    training: Training,
    build: BuildRequest,
    request: ContainerRequest,
    targets: list[str],
) -> tuple[str, str] | None:
    """Runs a container as a README says, with the submission's folder at the first of `targets`; it may use another stage.

    Returns what is wrong, and the end of what it printed; None where a checkpoint comes, which is enough.
    """
    if not targets:
        return (
            f"it mounts {in_words(request)}, and not the folder that the README is in",
            "",
        )
    try:
        image = training.session.build(build.dockerfile, target=build.target)
    except SubmissionError as error:
        return f"its build fails: {error.message}", error.detail
    training.workspaces().populate("typed")
    options = training.options(
        "typed", training.session.digits, targets[0], request.workdir
    )
    options["env"] |= dict(word.partition("=")[::2] for word in request.env)
    options |= {
        "image": image,
        "entrypoint": request.entrypoint,
        "workdir": request.workdir,
        "user": request.user,
    }
    container = training.session.start(*(request.args or ()), **options)
    seen = training.watch(
        container,
        lambda seen: bool(training.workspaces().saves("typed")),
        label="the README's training",
    )
    if seen.exit_code not in (None, 0):
        return f"it ends with exit code {seen.exit_code}", seen.end
    if not training.workspaces().saves("typed"):
        return f"no `{training.checkpoint}` is in the folder afterwards", seen.end
    return None
