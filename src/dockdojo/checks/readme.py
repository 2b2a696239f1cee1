"""The docker commands that a README tells people to type, and what they really ask an engine for."""

from __future__ import annotations

from dockdojo.build.policy import full_name
from dockdojo.checks import fail
from dockdojo.parsing import parse
from dockdojo.probes.api_recording import WORK, Asked, BuildRequest, ContainerRequest
from dockdojo.submission.folder import Submission

README = "README.md"


def expect_commands(submission: Submission) -> str:
    """Return the commands of the README as one shell script. Fails the check where it has none."""
    script = script_of(submission.read(README))
    if not script.strip():
        fail(
            "no `docker` command is in it",
            expected="`docker build -t NAME .`, and `docker run -v $(pwd):/workspace NAME …`",
            why="Commands are looked for between lines of three backticks, in indented lines, and between single backticks.",
            hint="Write the two commands as you typed them, between lines of three backticks.",
            file=README,
        )
    return script


def script_of(text: str, name: str = README) -> str:
    """The commands of a README as one shell script (see dockdojo.readme). Raises SubmissionError where it cannot be read."""
    return str(parse("readme", text, name=name))


def pairs(recorded: Asked) -> list[tuple[BuildRequest, ContainerRequest]]:
    """Return each container that was started from an image built by the README, with a folder or a volume mounted."""
    return [
        (build, container)
        for container in recorded.containers
        for build in recorded.builds
        if container.started
        and container.mounts
        and full_name(container.image) in {full_name(tag) for tag in build.tags}
    ]


def of_the_folder(request: ContainerRequest) -> list[str]:
    """Return the paths in the container at which the submission's own folder is mounted."""
    return [
        target
        for source, target in request.mounts
        if source.rstrip("/") in (WORK, ".", f"{WORK}/.")
    ]


def in_words(request: ContainerRequest) -> str:
    """Return what a container has mounted and where, in the README's words."""
    return ", ".join(
        f"{_source(source)} at `{target}`" for source, target in request.mounts[:4]
    )


def _source(source: str) -> str:
    if source.startswith(f"{WORK}/"):
        return f"the folder `{source.removeprefix(WORK + '/')}` in yours"
    return (
        f"`{source}`, a folder of the host,"
        if source.startswith("/")
        else f"the volume `{source}`"
    )
