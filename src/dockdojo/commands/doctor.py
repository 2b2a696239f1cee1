"""`dockdojo doctor`: is the machine ready, is the course whole; and with `--run`, does the course grade itself right."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dockdojo.course import Course, Variant, tasks
from dockdojo.errors import DockdojoError
from dockdojo.grading import grade, list_checks
from dockdojo.grading.forks import forking
from dockdojo.model import Check, Report

SIDE_BY_SIDE = 3
"""Gradings that go on at once in the self-test: they wait more than they work."""

MAX_SKIPPED_POINTS = 15
"""Points that are skipped because of one check that failed, above which the author is warned."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    ok: bool
    detail: str = ""
    report: Report | None = None
    """What was graded for it, if anything."""


def variant_folder(course: Course, variant: Variant, target: Path) -> Path:
    """A submission made at `target`: the solution, with the variant's files over it and some removed."""
    solution = course.solution(variant.lab)
    if solution is not None:
        shutil.copytree(solution, target, symlinks=True)
    else:
        target.mkdir(parents=True)
    for name in variant.remove:
        gone = target / name
        if gone.is_dir() and not gone.is_symlink():
            shutil.rmtree(gone)
        else:
            gone.unlink()
    shutil.copytree(
        variant.path,
        target,
        dirs_exist_ok=True,
        symlinks=True,
        ignore=shutil.ignore_patterns("variant.toml", "__pycache__"),
    )
    return target


def inspect_course(course: Course) -> Iterator[Finding]:
    """Looks at every lab without grading anything: what is missing, orphaned or empty."""
    for slug in course.slugs:
        yield from _inspect_lab(course, slug)
    for folder in ("labs", "solutions", "tests/variants"):
        home = course.root / folder
        for path in sorted(home.iterdir()) if home.is_dir() else []:
            if (
                path.is_dir()
                and path.name not in course.slugs
                and not path.name.startswith((".", "_"))
            ):
                yield Finding(
                    f"{folder}/{path.name}",
                    False,
                    "belongs to no lab of labs/course.toml",
                )
    for path in sorted((course.root / "graders").glob("*.py")):
        if path.stem not in course.slugs:
            yield Finding(
                f"graders/{path.name}", False, "belongs to no lab of labs/course.toml"
            )


def _inspect_lab(course: Course, slug: str) -> Iterator[Finding]:
    try:
        lab = course.lab(slug)
        checks = list_checks(course, slug)
    except DockdojoError as error:
        yield Finding(slug, False, str(error))
        return
    problems = list(_problems(course, slug, checks))
    total = sum(check.points for check in checks)
    if total != course.points(slug):
        problems.append(
            "its points are not all written out as numbers: @check(points=10)"
        )
    solution = course.solution(slug)
    for name in lab.files:
        if solution is not None and not (solution / name).exists():
            problems.append(f"the solution has no {name}, which lab.toml names")
    detail = (
        "; ".join(problems)
        or f"{len(checks)} check{'' if len(checks) == 1 else 's'}, {total} points"
    )
    yield Finding(
        slug,
        not problems,
        "; ".join([detail, *long_chains(course.variants(slug), checks)]),
    )


def long_chains(variants: list[Variant], checks: list[Check]) -> Iterator[str]:
    """Warnings: variants that fail one check, and because of it skip others that are worth much.

    A check `needs` another only where it cannot be carried out without: who does one thing wrong loses one check.
    """
    points = {check.name: check.points for check in checks}
    for variant in variants:
        skipped = sum(points.get(name, 0) for name in variant.skips)
        if len(variant.fails) == 1 and skipped > MAX_SKIPPED_POINTS:
            yield (
                f"warning: variant {variant.name} fails `{variant.fails[0]}` alone and skips {skipped} points more; "
                "can those checks really not be carried out?"
            )


def _problems(course: Course, slug: str, checks: list[Check]) -> Iterator[str]:
    lesson = course.lesson(slug)
    if not lesson.is_file() or len(lesson.read_text(encoding="utf-8").strip()) < 200:
        yield "its lesson is missing or empty"
    else:
        yield from tasks.problems(lesson.read_text(encoding="utf-8"), checks)
    if not course.starter(slug).is_dir():
        yield "it has no starter"
    names = {check.name for check in checks}
    variants = course.variants(slug)
    for variant in variants:
        for name in (*variant.fails, *variant.skips):
            if name not in names:
                yield f"variant {variant.name} names `{name}`, which is no check"
    if variants:
        never = names - {name for variant in variants for name in variant.fails}
        if never:
            yield f"no variant fails {', '.join(sorted(never))}"


def self_test(
    course: Course, slugs: tuple[str, ...], tell: Callable[[str], None]
) -> Iterator[Finding]:
    """Grades starters, solutions and variants: a starter does not pass, a solution does, a variant fails just its checks."""
    work: list[tuple[str, Callable[[], Finding]]] = []
    for slug in slugs:
        work.append((f"{slug}: starter", partial(_run_starter, course, slug)))
        if course.solution(slug) is not None:
            work.append((f"{slug}: solution", partial(_run_solution, course, slug)))
        work += [
            (f"{slug}: {variant.name}", partial(run_variant, course, variant))
            for variant in course.variants(slug)
        ]
    with forking(), ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for name, future in [(name, pool.submit(call)) for name, call in work]:
            tell(name)
            yield future.result()


def _run_starter(course: Course, slug: str) -> Finding:
    report = grade(slug, course.starter(slug), course=course)
    return Finding(
        f"{slug}: starter",
        is_graded(report) and report.score < report.max_score,
        _summary(report),
    )


def _run_solution(course: Course, slug: str) -> Finding:
    solution = course.solution(slug)
    assert solution is not None
    report = grade(slug, solution, course=course)
    return Finding(f"{slug}: solution", passes(report), _summary(report))


def run_variant(course: Course, variant: Variant) -> Finding:
    """Grades one variant and holds the outcome against what it names."""
    with tempfile.TemporaryDirectory(prefix="dockdojo-variant-") as scratch:
        report = grade(
            variant.lab,
            variant_folder(course, variant, Path(scratch, "submission")),
            course=course,
        )
    failed = {
        outcome.check for outcome in report.outcomes if outcome.status == "failed"
    }
    skipped = {
        outcome.check for outcome in report.outcomes if outcome.status == "skipped"
    }
    ungraded = {outcome.check for outcome in report.outcomes if outcome.ungraded}
    ok = (
        is_graded(report)
        and failed == set(variant.fails) - ungraded
        and skipped == set(variant.skips) | ungraded
    )
    detail = f"failed {sorted(failed)}, skipped {sorted(skipped)}"
    detail += (
        f"; {report.ungraded_points} points cannot be earned here" if ungraded else ""
    )
    if not ok:
        detail += f"; should fail {sorted(variant.fails)}, skip {sorted(variant.skips)}"
        detail += "".join(
            f"; {outcome.check}: {outcome.feedback.observed}"
            for outcome in report.outcomes
            if outcome.feedback
        )
    return Finding(f"{variant.lab}: {variant.name}", ok, detail, report)


def is_graded(report: Report) -> bool:
    """Whether everything was graded that this machine can grade."""
    return not any(outcome.status == "error" for outcome in report.outcomes)


def passes(report: Report) -> bool:
    """Whether everything passed that this machine can grade."""
    return all(
        outcome.status == "passed" or outcome.ungraded for outcome in report.outcomes
    )


def _summary(report: Report) -> str:
    lost = ", ".join(
        f"{outcome.check} {outcome.status}"
        for outcome in report.outcomes
        if outcome.status != "passed"
    )
    return f"{report.score}/{report.max_score}" + (f" ({lost})" if lost else "")
