"""The docker commands that a README tells people to type, and what they really ask an engine for."""

from __future__ import annotations

from dockdojo.checks.asked import WORK, Asked, BuildRequest, ContainerRequest
from dockdojo.checks.training import Training
from dockdojo.engine.build_policy import full_name
from dockdojo.errors import SubmissionError
from dockdojo.parsing import parse


def script_of(text: str, name: str = "README.md") -> str:
    """The commands of a README as one shell script (see dockdojo.readme). Raises SubmissionError where it cannot be read."""
    return str(parse("readme", text, name=name))


def pairs(asked: Asked) -> list[tuple[BuildRequest, ContainerRequest]]:
    """Each container that was started from an image that was built, with a folder or a volume in it."""
    return [
        (build, one)
        for one in asked.containers
        for build in asked.builds
        if one.started and one.mounts and full_name(one.image) in {full_name(tag) for tag in build.tags}
    ]


def of_the_folder(request: ContainerRequest) -> list[str]:
    """Where in the container the submission's own folder is mounted."""
    return [target for source, target in request.mounts if source.rstrip("/") in (WORK, ".", f"{WORK}/.")]


def in_words(request: ContainerRequest) -> str:
    """What a container has mounted: what it is, and where, as the README says it."""
    return ", ".join(f"{_source(source)} at `{target}`" for source, target in request.mounts[:4])


def _source(source: str) -> str:
    if source.startswith(f"{WORK}/"):
        return f"the folder `{source.removeprefix(WORK + '/')}` in yours"
    return f"`{source}`, a folder of the host," if source.startswith("/") else f"the volume `{source}`"


def as_typed(
    training: Training, build: BuildRequest, one: ContainerRequest, targets: list[str]
) -> tuple[str, str] | None:
    """Runs a container as a README says, with the submission's folder at the first of `targets`; it may use another stage.

    Returns what is wrong, and the end of what it printed; None where a checkpoint comes, which is enough.
    """
    if not targets:
        return f"it mounts {in_words(one)}, and not the folder that the README is in", ""
    try:
        image = training.bench.build(build.dockerfile, target=build.target)
    except SubmissionError as error:
        return f"its build fails: {error.message}", error.detail
    training.spaces.lay("typed")
    options = training.options("typed", training.bench.digits, targets[0], one.workdir)
    options["env"] |= dict(word.partition("=")[::2] for word in one.env)
    options |= {"image": image, "entrypoint": one.entrypoint, "workdir": one.workdir, "user": one.user}
    container = training.bench.start(*(one.args or ()), **options)
    seen = training.watch(container, lambda seen: bool(training.spaces.saves("typed")), told="the README's training")
    if seen.exit_code not in (None, 0):
        return f"it ends with exit code {seen.exit_code}", seen.end
    if not training.spaces.saves("typed"):
        return f"no `{training.checkpoint}` is in the folder afterwards", seen.end
    return None
