"""Every error that dockdojo raises on purpose.

DockdojoError
├── UsageError        exit 2   what was asked for does not exist or makes no sense
├── SubmissionError   exit 1   the submission is at fault: the check is `failed`
│   ├── Refused                the folder may not be graded as it is
│   ├── NoDockerfile
│   ├── DockerfileInvalid
│   ├── BuildRefused           it asks for what no build may do; it was not built
│   ├── BuildFailed
│   ├── BaseImageMissing
│   └── LimitReached
└── OurFault          exit 3   the engine, the machine or the course: the check is `error`
    ├── EngineNotFound
    ├── EngineGone
    │   └── NoBuildKit
    ├── NoGpu                  (the check is `skipped`: its points cannot be earned here)
    ├── ImageUnavailable
    ├── DataUnavailable
    ├── CannotInstall
    └── CourseError

Each carries its message, the next step to try, and its exit code.
"""

from __future__ import annotations

from typing import Any


class DockdojoError(Exception):
    """An error with a message for people, a next step and an exit code."""

    exit_code = 3

    def __init__(
        self, message: str, *, hint: str = "", file: str = "", line: int = 0
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.file = file
        self.line = line

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class UsageError(DockdojoError):
    """What was asked for does not exist or makes no sense."""

    exit_code = 2


class SubmissionError(DockdojoError):
    """The submission is at fault; `detail` is more to read, such as a build's last lines."""

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        file: str = "",
        line: int = 0,
        expected: str = "",
        detail: str = "",
    ) -> None:
        super().__init__(message, hint=hint, file=file, line=line)
        self.expected = expected
        self.detail = detail

    def as_record(self) -> dict[str, str | int]:
        """Return what it says, for another process; see `from_record`."""
        return {
            "kind": type(self).__name__,
            "message": self.message,
            "hint": self.hint,
            "file": self.file,
            "line": self.line,
            "expected": self.expected,
            "detail": self.detail,
        }

    @staticmethod
    def from_record(record: dict[str, Any]) -> SubmissionError:
        """Return the error that `as_record` told of."""
        kinds = {kind.__name__: kind for kind in SubmissionError.__subclasses__()}
        words = {
            key: str(record.get(key, ""))
            for key in ("message", "hint", "file", "expected", "detail")
        }
        kind = kinds.get(str(record.get("kind")), SubmissionError)
        return kind(words.pop("message"), line=int(record.get("line") or 0), **words)


class Refused(SubmissionError):
    """The submission's folder may not be graded as it is: empty, too large, or unsafe."""


class NoDockerfile(SubmissionError):
    """The Dockerfile that the lab asks for is not in the folder."""


class DockerfileInvalid(SubmissionError):
    """The Dockerfile cannot be read or parsed."""


class BuildRefused(SubmissionError):
    """The Dockerfile asks for what no build of a submission may do: it was refused before it was built."""


class BuildFailed(SubmissionError):
    """An instruction of the Dockerfile failed."""


class BaseImageMissing(SubmissionError):
    """The registry answers, and has no such base image."""


class LimitReached(SubmissionError):
    """The submission ran into one of the lab's limits; the message names it."""


class OurFault(DockdojoError):
    """The engine, the machine or the course is at fault, never the submission."""

    nothing_ran = False
    """Whether it was a container that was not made or not started, so that the same can be tried again."""


class EngineNotFound(OurFault):
    """No Docker Engine answers."""


class EngineGone(OurFault):
    """The engine stopped answering, or refused what it should have done."""


class NoBuildKit(EngineGone):
    """The docker CLI or the engine cannot build with BuildKit."""

    def with_versions(self, cli: str, engine: str) -> NoBuildKit:
        """Return the same error, which also names the versions of the two, of which one is too old or lacks something."""
        return NoBuildKit(
            f"{self.message} Here, the docker CLI is {cli}, and the engine {engine}.",
            hint=self.hint,
        )


class NoGpu(OurFault):
    """The engine has no GPU to grant: what needs one cannot be checked here."""


class ImageUnavailable(OurFault):
    """An image is not here and its registry does not answer."""


class DataUnavailable(OurFault):
    """Data to grade with is not here and cannot be had."""


class CannotInstall(OurFault):
    """Something that is needed could not be installed or started here."""


class CourseError(OurFault):
    """A lab, a grader or the course is broken; names the file and the field."""


def reason_of(error: OSError) -> str:
    """Return the operating system's reason, for the end of a sentence: `permission denied`."""
    return (error.strerror or "unknown reason").lower()
