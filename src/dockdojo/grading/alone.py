"""What a grader's checks work with, for those that are run outside of a grading: in an editor, or by pytest with a debugger."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dockdojo import parsing
from dockdojo.connection.labels import new_run_id
from dockdojo.course import Course
from dockdojo.engine.client import connect
from dockdojo.grading import data_of, images_of, scratch_folder
from dockdojo.grading.intake import copy_submission
from dockdojo.host.base_images import ready
from dockdojo.model import Limits
from dockdojo.runner.session import GradingSession
from dockdojo.submission.folder import Submission


@contextmanager
def session_for(
    course: Course, slug: str, folder: Path, limits: Limits, seed: str = ""
) -> Iterator[GradingSession]:
    """A session for one submission of a lab. At its end, whatever was made on the engine and the host is gone.

    Raises UsageError for a lab that is not there, SubmissionError for a folder that may not be graded, EngineNotFound where no
    engine answers.
    """
    lab, run_id = course.lab(slug), new_run_id()
    parsing.start()
    with scratch_folder(run_id) as home:
        copy_submission(folder, home / "submission", limits, lab.files)
        with connect(run_id=run_id) as engine:
            ready(engine, course, lab, lambda ref, what: None)
            session = GradingSession(
                open_engine=lambda: connect(run_id=run_id),
                submission=Submission(home / "submission"),
                limits=limits,
                emit=lambda event: None,
                data_folder=data_of(lab),
                seed=seed or secrets.token_hex(8),
                images=tuple(images_of(course, lab)),
                cache_namespace=secrets.token_hex(16),
            )
            try:
                yield session
            finally:
                session.close()
