"""How services lay out what they export: each layout is told by its own marks, and finds who handed in which files.

Names and columns are those of the services' sources: Canvas (`submission_zips_controller`), Moodle (`mod/assign/locallib.php`),
Blackboard's gradebook download, Gradescope's export, `gh classroom clone`, Classroom 50.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from dockdojo.class_.trees import ZIP, Tree, ZipTree
from dockdojo.errors import UsageError

METADATA = "submission_metadata.yml"
MAX_METADATA_BYTES = 50_000_000
CANVAS = re.compile(
    r"\A(?:(?P<late>LATE_)?anon_(?P<anonymous>\d{1,20})_(?P<at>\d{1,20})_(?P<of_anonymous>.+)"
    r"|(?P<name>[^_/]{1,200})(?P<was_late>_LATE)?_(?P<id>\d{1,20})_(?P<attachment>\d{1,20})_(?P<file>.+))",
    re.DOTALL,
)
CANVAS_ENTRIES = ("_text.html", "_link.html")
"""Texts and addresses that were typed into a form: no files of a submission."""
MOODLE = re.compile(
    r"\A(?P<name>[^/]{1,300})_(?P<id>\d{1,20})_assignsubmission_(?P<plugin>file|onlinetext)_?(?P<rest>.*)",
    re.DOTALL,
)
MOODLE_FILE = "file"
BLACKBOARD = re.compile(
    r"\A(?P<assignment>.{1,300})_(?P<user>[^_/]{1,100})_attempt_"
    r"(?P<at>\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d)(?:\.txt|_(?P<file>.+))",
    re.DOTALL,
)
BLACKBOARD_TIME = "%Y-%m-%d-%H-%M-%S"
CLASSROOM50 = re.compile(
    r"\A(?P<both>.{1,300})_submissions_\d{4}_\d\d_\d\d_T_\d\d_\d\d_\d\d"
)
CLASSROOM50_RESULTS = frozenset({"result.json", "results.json"})
"""What Classroom 50 writes into each clone."""
CLONES = "-submissions"
GRADESCOPE_FOLDER = re.compile(
    r"(?P<folder>submission_\d{1,20})/(?P<file>.+)", re.DOTALL
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandIn:
    """What somebody handed in at one time."""

    label: str
    """How the export calls it."""
    owners: tuple[Mapping[str, str], ...]
    """Of each who handed it in, the ids that the export tells, by kind (`people.KINDS`)."""
    folder: Path | None = None
    """Where it lies as a folder; then `files` is empty."""
    left_out: frozenset[str] = frozenset()
    """Names at the folder's top that are the service's."""
    files: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The places in the export, by the names that the files had when they were handed in."""
    at: datetime | None = None
    """When it was handed in, in the service's own time zone where that is not told."""
    is_late: bool = False
    """Whether the service says that it came late."""
    entries: tuple[str, ...] = ()
    """Places of texts and addresses that were handed in instead of files."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One service's way."""

    name: str
    service: str
    fits: Callable[[Path, Tree], bool]
    """Whether a source bears the marks of this layout."""
    read: Callable[[Path, Tree], Iterable[HandIn]]


def _owner(**ids: str) -> tuple[Mapping[str, str], ...]:
    return (MappingProxyType(ids),)


# Canvas


def _is_canvas(source: Path, tree: Tree) -> bool:
    return bool(tree.top) and all(
        not name.endswith("/") and CANVAS.fullmatch(name) for name in tree.top
    )


def _read_canvas(source: Path, tree: Tree) -> Iterator[HandIn]:
    found: dict[tuple[str, str], list[tuple[re.Match[str], str]]] = {}
    for path in tree.paths:
        match = CANVAS.fullmatch(path)
        assert match is not None
        key = (
            ("", match["anonymous"])
            if match["anonymous"]
            else (match["name"], match["id"])
        )
        found.setdefault(key, []).append((match, path))
    for (name, number), matches in found.items():
        files, entries = {}, []
        for match, path in matches:
            handed_in = match["file"] or match["of_anonymous"]
            if path.endswith(CANVAS_ENTRIES):
                entries.append(path)
            else:
                files[handed_in] = path
        yield HandIn(
            label=f"{name or 'anon'}_{number}",
            owners=_owner(canvas=number) if name else _owner(anonymous=number),
            files=MappingProxyType(files),
            entries=tuple(entries),
            is_late=any(match["late"] or match["was_late"] for match, _ in matches),
        )


# Moodle


def _is_moodle(source: Path, tree: Tree) -> bool:
    return bool(tree.top) and all(MOODLE.fullmatch(name) for name in tree.top)


def _read_moodle(source: Path, tree: Tree) -> Iterator[HandIn]:
    found: dict[tuple[str, str], list[tuple[re.Match[str], str]]] = {}
    for path in tree.paths:
        match = MOODLE.fullmatch(path)
        assert match is not None
        found.setdefault((match["name"], match["id"]), []).append((match, path))
    for (name, number), matches in found.items():
        files, entries = {}, []
        for match, path in matches:
            if match["plugin"] == MOODLE_FILE:
                files[match["rest"].lstrip("/")] = path
            else:
                entries.append(path)
        yield HandIn(
            label=f"{name}_{number}",
            owners=_owner(participant=number),
            files=MappingProxyType(files),
            entries=tuple(entries),
        )


# Blackboard


def _is_blackboard(source: Path, tree: Tree) -> bool:
    return bool(tree.top) and all(
        not name.endswith("/") and BLACKBOARD.fullmatch(name) for name in tree.top
    )


def _read_blackboard(source: Path, tree: Tree) -> Iterator[HandIn]:
    found: dict[tuple[str, str], dict[str, str]] = {}
    for path in tree.paths:
        match = BLACKBOARD.fullmatch(path)
        assert match is not None
        files = found.setdefault((match["user"], match["at"]), {})
        if match["file"]:
            files[match["file"]] = path
    for (user, at), files in found.items():
        yield HandIn(
            label=f"{user}_attempt_{at}",
            owners=_owner(login=user),
            files=MappingProxyType(files),
            at=datetime.strptime(at, BLACKBOARD_TIME),
        )


# Gradescope


def _metadata(source: Path, tree: Tree) -> str:
    """Where the list of submissions is: at the top, or in the one folder that is there."""
    if METADATA in tree.top:
        return METADATA
    place = f"{tree.top[0]}{METADATA}" if len(tree.top) == 1 else ""
    is_there = (source / place).is_file() if source.is_dir() else place in tree.paths
    return place if place and is_there else ""


def _is_gradescope(source: Path, tree: Tree) -> bool:
    return bool(_metadata(source, tree))


def _read_gradescope(source: Path, tree: Tree) -> Iterator[HandIn]:
    place = _metadata(source, tree)
    top = place.removesuffix(METADATA)
    try:
        document = yaml.safe_load(tree.read(place, MAX_METADATA_BYTES))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{METADATA} in {tree.name} cannot be read.") from error
    if not isinstance(document, dict):
        raise UsageError(f"{METADATA} in {tree.name} names no submissions.")
    files: dict[str, dict[str, str]] = {}
    for path in tree.paths:
        if match := GRADESCOPE_FOLDER.fullmatch(path.removeprefix(top)):
            files.setdefault(match["folder"], {})[match["file"]] = path
    for name, entry in document.items():
        entry = entry if isinstance(entry, dict) else {}
        submitters = _of(entry, "submitters")
        owners = [
            MappingProxyType(_ids_of_submitter(submitter))
            for submitter in (submitters if isinstance(submitters, list) else ())
            if isinstance(submitter, dict)
        ]
        at = _of(entry, "created_at")
        yield HandIn(
            label=str(name),
            owners=tuple(owner for owner in owners if owner),
            files=MappingProxyType(files.get(str(name), {})),
            at=at if isinstance(at, datetime) else None,
        )


def _of(entry: dict[Any, Any], key: str) -> Any:
    """The value of a Ruby symbol, which YAML has with a colon before it."""
    return entry.get(f":{key}", entry.get(key))


def _ids_of_submitter(submitter: dict[Any, Any]) -> dict[str, str]:
    kinds = {"email": "email", "sid": "sis", "name": "name"}
    return {
        kind: str(value).strip()
        for key, kind in kinds.items()
        if (value := _of(submitter, key)) not in (None, "")
    }


# Clones of GitHub Classroom and Classroom 50


def _folders(source: Path) -> list[Path]:
    return sorted(
        path
        for path in source.iterdir()
        if path.is_dir() and not path.is_symlink() and not path.name.startswith(".")
    )


def _is_clone(source: Path, tree: Tree) -> bool:
    if not source.is_dir() or not source.name.endswith(CLONES):
        return False
    folders = _folders(source)
    return bool(folders) and all((folder / ".git").exists() for folder in folders)


def _read_clone(source: Path, tree: Tree) -> Iterator[HandIn]:
    for folder in _folders(source):
        yield HandIn(
            label=folder.name, owners=_owner(repository=folder.name), folder=folder
        )


def _is_classroom50(source: Path, tree: Tree) -> bool:
    return source.is_dir() and bool(CLASSROOM50.fullmatch(source.name))


def _read_classroom50(source: Path, tree: Tree) -> Iterator[HandIn]:
    match = CLASSROOM50.fullmatch(source.name)
    before = f"{match['both']}-" if match else ""
    for folder in _folders(source):
        yield HandIn(
            label=folder.name,
            owners=_owner(github=folder.name.removeprefix(before)),
            folder=folder,
            left_out=CLASSROOM50_RESULTS,
        )


def _is_zip_of_zips(source: Path, tree: Tree) -> bool:
    return (
        isinstance(tree, ZipTree)
        and bool(tree.top)
        and all(name.lower().endswith(ZIP) for name in tree.top)
        and not _is_canvas(source, tree)
        and not _is_blackboard(source, tree)
    )


def _read_zip_of_zips(source: Path, tree: Tree) -> Iterator[HandIn]:
    for path in tree.paths:
        owner = path[: -len(ZIP)]
        yield HandIn(
            label=owner,
            owners=_owner(github=owner),
            files=MappingProxyType({path: path}),
        )


# A folder of folders


def _is_folders(source: Path, tree: Tree) -> bool:
    return source.is_dir() and bool(_folders(source))


def _read_folders(source: Path, tree: Tree) -> Iterator[HandIn]:
    for folder in _folders(source):
        yield HandIn(label=folder.name, owners=_owner(any=folder.name), folder=folder)


LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout("canvas", "Canvas, Download Submissions", _is_canvas, _read_canvas),
        Layout("moodle", "Moodle, Download all submissions", _is_moodle, _read_moodle),
        Layout(
            "blackboard",
            "Blackboard, Assignment File Download",
            _is_blackboard,
            _read_blackboard,
        ),
        Layout(
            "gradescope",
            "Gradescope, Export Submissions",
            _is_gradescope,
            _read_gradescope,
        ),
        Layout("github", "a clone by gh classroom", _is_clone, _read_clone),
        Layout(
            "classroom50", "a clone by Classroom 50", _is_classroom50, _read_classroom50
        ),
        Layout(
            "classroom50-web",
            "Classroom 50's zip of zips",
            _is_zip_of_zips,
            _read_zip_of_zips,
        ),
        Layout("folders", "a folder for each student", _is_folders, _read_folders),
    )
}
"""By the names that `--layout` takes; the last is for what bears no service's marks."""


def tell_layout(source: Path, tree: Tree, name: str = "") -> Layout:
    """Return the layout of a source, or the one of that name. Raises UsageError where none fits, or more than one does."""
    if name:
        if name not in LAYOUTS:
            raise UsageError(
                f"There is no layout `{name}`.", hint=f"There are {', '.join(LAYOUTS)}."
            )
        return LAYOUTS[name]
    *services, plain = LAYOUTS.values()
    # Whatever lies in folders is a folder for each student, where no service left its marks.
    fitting = [layout for layout in services if layout.fits(source, tree)]
    fitting = fitting or [layout for layout in (plain,) if layout.fits(source, tree)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        words = " and ".join(layout.service for layout in fitting)
        raise UsageError(
            f"{source} looks like {words}.", hint="Say which it is: --layout NAME."
        )
    raise UsageError(
        f"{source} is laid out as no service does that is known here.",
        hint=f"Name what comes nearest with --layout: {', '.join(LAYOUTS)}. A folder for each student is always understood.",
    )
