"""A training as a README tells people to start it."""

from __future__ import annotations

from dockdojo.checks.readme import in_words
from dockdojo.errors import SubmissionError
from dockdojo.probes.api_recording import BuildRequest, ContainerRequest
from dockdojo.training.script import Training


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
