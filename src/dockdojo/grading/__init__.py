"""`grade(lab, folder) -> Report`: the one way through the house, for students, instructors and workflows alike."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import os
import re
import secrets
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dockdojo import processes
from dockdojo.beneath import open_file
from dockdojo.build.stages import outside_images
from dockdojo.checks.lint import advise
from dockdojo.connection.labels import new_run_id, owner
from dockdojo.course import Course, open_course, usual_images
from dockdojo.datasets import small
from dockdojo.engine import observer
from dockdojo.errors import DockdojoError, OurFault, SubmissionError, UsageError
from dockdojo.events import Doing, Listen
from dockdojo.export.notices import notices
from dockdojo.grading.child import Child
from dockdojo.grading.folder import dockerfiles_of
from dockdojo.grading.intake import copy_submission
from dockdojo.grading.look import look
from dockdojo.grading.supervisor import Supervisor
from dockdojo.host.base_images import ready
from dockdojo.model import (
    Advice,
    Check,
    EngineInfo,
    Feedback,
    Lab,
    Outcome,
    Report,
    Where,
)
from dockdojo.paths import state_folder
from dockdojo.runner.request import GradeRequest
from dockdojo.submission.folder import Submission

ENGINE = "dockdojo.engine.client:connect"
"""What opens the engine; tests name the fake one instead."""
UNKNOWN = "unknown"
MAX_IMAGES = 50
"""Names in a Dockerfile of which it is kept what images they were."""
IMAGE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,300}")
"""Of an image that an engine may be asked about."""
SHOWN_SOURCE = 20_000
"""Bytes of a file with a line at fault that go into the report."""
SCRATCH = "dockdojo-run-"
"""Temporary folders begin with this and the run's id, which begins with the process' number."""
CLASS_SCRATCH = "dockdojo-class-"
"""Those of a whole class begin with this and the number of the process."""
_one_at_a_time = threading.Lock()


def grade(
    lab: str,
    folder: str | os.PathLike[str],
    *,
    course: Course | None = None,
    only: list[str] | None = None,
    listen: Listen | None = None,
    connect: str = ENGINE,
    picture: bool = False,
    seed: str = "",
) -> Report:
    """Grades the submission in `folder` and removes whatever that made on the engine and the host.

    Inputs are drawn from `seed`, a text; from a new one where it is empty. With `picture`, the report has the image's layers.
    `listen` is told events as they happen (see dockdojo.events).

    Raises UsageError for a lab or folder that is not there, CourseError for a broken lab or grader, EngineNotFound where no
    engine answers; everything else is in the report.
    """
    course = course or open_course()
    chosen = course.lab(lab)
    place = Path(folder)
    require_folder(place)
    if not course.grader(lab).is_file():
        raise OurFault(
            f"{course.grader(lab)} is missing: the lab `{lab}` has no grader."
        )
    began, started = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    run_id, seed = new_run_id(), seed or secrets.token_hex(8)
    with scratch_folder(run_id) as scratch:
        home = scratch / "home"
        home.mkdir()
        with Child(home, owner()) as child:
            try:
                checksum = copy_submission(
                    place, scratch / "submission", chosen.limits, chosen.files
                )
            except SubmissionError as refusal:
                checks = list_checks(course, lab)
                return _refused(
                    chosen, checks, refusal, started, time.monotonic() - began
                )
            given = notices(lab, scratch / "submission")
            # Beside the child's start: both take some tenths of a second, and nothing is built before.
            looking = ThreadPoolExecutor(1).submit(
                look, scratch / "submission", chosen, course.starter(lab)
            )
            supervisor, info, advice, images = _supervise(
                course,
                chosen,
                scratch,
                run_id,
                only,
                listen or (lambda event: None),
                connect,
                picture,
                seed,
                child,
            )
        outcomes = tuple(
            supervisor.outcomes[check.name]
            for check in supervisor.checks
            if check.name in supervisor.outcomes
        )
        sources = _sources(scratch / "submission", outcomes)
        found = tuple(map(str, looking.result()))
    wall = time.monotonic() - began
    return Report(
        lab=lab,
        title=chosen.title,
        outcomes=outcomes,
        started=started,
        seconds=round(wall, 3),
        checksum=checksum,
        seed=seed,
        engine=info,
        advice=advice,
        notes=given + found,
        sources=sources,
        layers=supervisor.layers,
        curve=supervisor.curve,
        costs=supervisor.costs,
        modules=tuple(sorted(supervisor.modules)),
        images=images,
    )


def require_folder(path: Path) -> None:
    """Raise UsageError where there is no such folder."""
    if not path.is_dir():
        hint = (
            "Give the folder that the file is in."
            if path.exists()
            else "Is the path right?"
        )
        raise UsageError(f"There is no folder {path}.", hint=hint)


def _supervise(
    course: Course,
    lab: Lab,
    scratch: Path,
    run_id: str,
    only: list[str] | None,
    listen: Listen,
    connect: str,
    picture: bool,
    seed: str,
    child: Child,
) -> tuple[Supervisor, EngineInfo | None, tuple[Advice, ...], dict[str, str]]:
    module, _, function = connect.partition(":")
    engine = getattr(importlib.import_module(module), function)(run_id=run_id)
    try:
        if connect == ENGINE:
            ready(
                engine,
                course,
                lab,
                lambda ref, what: listen(Doing(what=f"{ref}: {what}")),
            )
        # Beside the child's start: it takes as long.
        telling = ThreadPoolExecutor(1).submit(engine.info, UNKNOWN)
        request = GradeRequest(
            grader=str(course.grader(lab.slug)),
            submission=str(scratch / "submission"),
            home=str(scratch / "home"),
            run_id=run_id,
            limits=lab.limits,
            connect=connect,
            only=only,
            data=data_of(lab),
            picture=picture,
            seed=seed,
            cache_namespace=secrets.token_hex(16),
            images=images_of(course, lab),
        )
        supervisor = Supervisor(request, owner(), listen, child)
        supervisor.work()
        images = _images(engine, lab, scratch / "submission")
        # Beside the cleaning up.
        linting = ThreadPoolExecutor(1).submit(advise, scratch / "submission", scratch)
        info = (
            None
            if telling.exception()
            else replace(telling.result(), builder=supervisor.builder or UNKNOWN)
        )
    finally:
        # An engine that died has its own outcomes already.
        with _uninterrupted(), contextlib.suppress(OurFault):
            engine.__exit__(*sys.exc_info())
    supervisor.costs["engine_seconds"] = (
        supervisor.costs.get("engine_seconds", 0) + engine.meter.seconds
    )
    return supervisor, info, linting.result(), images


def _images(engine: Any, lab: Lab, folder: Path) -> dict[str, str]:
    """The ids of the images that the Dockerfiles begin from and the grader works with, as far as the engine has them, by name."""
    submission, refs = Submission(folder), [*lab.images, observer.IMAGE]
    for name in dockerfiles_of(lab.files):
        with contextlib.suppress(DockdojoError):
            refs += outside_images(submission.dockerfile(name))[:MAX_IMAGES]
    found = {}
    for ref in refs[: len(lab.images) + 1 + MAX_IMAGES]:
        # Names that a submission chose: whatever the engine or its client makes of one, the mark stays.
        with contextlib.suppress(Exception):
            if IMAGE_NAME.fullmatch(ref) and ".." not in ref:
                found[ref] = engine.image(ref).id
    return found


def _sources(folder: Path, outcomes: tuple[Outcome, ...]) -> dict[str, str]:
    """The beginnings of the text files in which a line is at fault, for showing it in its place."""
    found: dict[str, str] = {}
    for outcome in outcomes:
        where = outcome.feedback.where if outcome.feedback else None
        if where is None or not where.line or where.file in found:
            continue
        with (
            contextlib.suppress(OSError, SubmissionError),
            open_file(folder, where.file) as file,
        ):
            found[where.file] = file.read(SHOWN_SOURCE).decode("utf-8", "replace")
    return found


def data_of(lab: Lab) -> str:
    """Where the lab's data are, prepared at the first time. Raises DataUnavailable."""
    if not lab.data:
        return ""
    with _one_at_a_time:
        return str(small(state_folder() / "data", lambda what: None).root)


def images_of(course: Course, lab: Lab) -> list[str]:
    """The names of images that a submission may take for given: those of the course and the lab, and the usual ones."""
    return [*(recipe.ref for recipe in course.images()), *lab.images, *usual_images()]


def list_checks(course: Course, lab: str) -> list[Check]:
    """The lab's checks, in order, without an engine. Raises CourseError where the grader cannot be loaded."""
    chosen = course.lab(lab)
    with tempfile.TemporaryDirectory(prefix="dockdojo-list-") as spare:
        request = GradeRequest(
            grader=str(course.grader(lab)),
            submission=spare,
            home=spare,
            run_id="",
            limits=chosen.limits,
            connect=ENGINE,
            collect_only=True,
        )
        supervisor = Supervisor(request, owner(), lambda event: None)
        supervisor.work()
        return supervisor.checks


def find_check(checks: Sequence[Check], lab: str, name: str) -> Check:
    """The check of that name, which may begin with `test_`. Raises UsageError where there is none, naming what may be meant."""
    found = next(
        (check for check in checks if check.name == name.removeprefix("test_")), None
    )
    if found is None:
        near = difflib.get_close_matches(
            name, [check.name for check in checks], n=1, cutoff=0.4
        )
        hint = (
            f"Did you mean `{near[0]}`?"
            if near
            else f"`dockdojo hint {lab}` lists them."
        )
        raise UsageError(f"The lab `{lab}` has no check `{name}`.", hint=hint)
    return found


def _refused(
    lab: Lab, checks: list[Check], error: DockdojoError, started: str, seconds: float
) -> Report:
    where = Where(file=error.file, line=error.line) if error.file else None
    feedback = Feedback(observed=error.message, why=error.hint, where=where)
    outcomes = tuple(
        Outcome(
            check=check.name,
            title=check.title,
            status="failed",
            points=check.points,
            feedback=feedback,
            hidden=check.hidden,
        )
        for check in checks
    )
    return Report(
        lab=lab.slug,
        title=lab.title,
        outcomes=outcomes,
        started=started,
        seconds=round(seconds, 3),
        problem=str(error),
    )


@contextlib.contextmanager
def scratch_folder(run_id: str) -> Iterator[Path]:
    """A folder for one grading, which is gone at its end."""
    folder = Path(tempfile.mkdtemp(prefix=f"{SCRATCH}{run_id}-"))
    try:
        yield folder
    finally:
        with _uninterrupted():
            shutil.rmtree(folder, onerror=_try_harder)


def _try_harder(function: Any, path: str, info: Any) -> None:
    """A folder without write permission keeps what is in it: give the permission, and try once more."""
    with contextlib.suppress(OSError):
        os.chmod(os.path.dirname(path), 0o700)
        os.chmod(path, 0o700)
        function(path)


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Cleaning up is not stopped by a second Ctrl-C."""
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # not the main thread: no signal comes here
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def clean_folders(*, everyone: bool = False) -> int:
    """Removes the temporary folders of runs whose process is gone (or, on request, of all). Returns how many."""
    count = 0
    for folder in Path(tempfile.gettempdir()).glob("dockdojo-*"):
        prefix = next(
            (
                known
                for known in (SCRATCH, CLASS_SCRATCH)
                if folder.name.startswith(known)
            ),
            None,
        )
        if prefix is None:
            continue
        pid = folder.name.removeprefix(prefix).partition("-")[0]
        if pid.isdigit() and (everyone or not processes.lives(int(pid))):
            shutil.rmtree(folder, onerror=_try_harder)
            count += not folder.exists()
    return count
