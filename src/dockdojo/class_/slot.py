"""A process that grades one submission after the other: `python -m dockdojo.class_.slot`, a line of JSON in, one out.

It is a process of its own, so that whatever a submission does to whoever grades it costs one attempt, and that it can be ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from dockdojo.course import open_course
from dockdojo.errors import DockdojoError
from dockdojo.grading import grade
from dockdojo.grading.forks import forking
from dockdojo.processes import loaded_modules
from dockdojo.reports import json as json_report


class Ended(BaseException):
    """SIGTERM came: what is being graded is cleaned up on the way out."""


def main() -> int:
    """Grade what comes on stdin, until it ends."""

    def end(number: int, frame: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Ended

    signal.signal(signal.SIGTERM, end)
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # the coordinator hears it, and ends us
    # What is printed by mistake must not be taken for an answer.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    course = open_course()
    # Whoever asked may be gone: then nobody waits for the answer.
    with contextlib.suppress(Ended, BrokenPipeError), forking():
        for line in sys.stdin:
            task = json.loads(line)
            try:
                report = grade(
                    task["lab"],
                    Path(task["folder"]),
                    course=course,
                    only=task.get("only") or None,
                )
                answer: dict[str, object] = {
                    "report": json_report.render(report),
                    "modules": sorted({*report.modules, *loaded_modules()}),
                    "images": report.images,
                }
            except DockdojoError as error:
                answer = {"fault": str(error)}
            answers.write(f"{json.dumps(answer)}\n")
            answers.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
