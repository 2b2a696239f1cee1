"""The course: a slug becomes paths here and nowhere else, and its TOML files are read and checked."""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal, TypeVar, get_type_hints

import msgspec

from dockdojo.course.points import points_of
from dockdojo.errors import CourseError, UsageError
from dockdojo.model import Lab, Limits

SLUG = re.compile(r"[a-z][a-z0-9_]*\Z")
T = TypeVar("T")


class _CourseFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    title: str
    labs: list[str]


_LimitsFile = msgspec.defstruct(
    "_LimitsFile",
    [
        (limit.name, get_type_hints(Limits)[limit.name], limit.default)
        for limit in fields(Limits)
    ],
    forbid_unknown_fields=True,
    frozen=True,
)
"""Limits once more, for reading: a dataclass would let a misspelled limit pass."""


class _LabFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    title: str
    summary: str
    files: list[str]
    images: list[str] = []
    minutes: int = 30
    data: Literal["", "digits"] = ""
    remote_add: bool | None = None
    """As in `limits`; here, since it is what the lab teaches."""
    registries: list[str] | None = None
    limits: _LimitsFile = _LimitsFile()  # type: ignore[valid-type]  # made above


class ImageRecipe(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One entry of the catalog of base images."""

    ref: str
    recipe: str
    summary: str


class Wheels(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """images/wheels.toml: what builds install that is fetched beforehand where no index can be reached from a container."""

    requirements: list[str] = []
    cpu_index: str = ""
    """An index of builds without CUDA; asked where it answers."""


class _Catalog(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    image: list[ImageRecipe]


class VariantFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """variant.toml: what is wrong with it, and exactly the checks that must fail."""

    summary: str
    fails: list[str]
    skips: list[str] = []
    remove: list[str] = []
    """Files of the solution that the variant does not have."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A submission wrong in one known way: the solution, with some files replaced or removed."""

    lab: str
    name: str
    path: Path
    summary: str
    fails: tuple[str, ...]
    skips: tuple[str, ...]
    remove: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Course:
    """A folder with `labs/`, `graders/`, `images/` and perhaps `solutions/` and `tests/variants/`."""

    root: Path
    title: str
    slugs: tuple[str, ...]
    """The labs, in the order in which they are taught."""

    def lab(self, slug: str) -> Lab:
        """Return the lab of that slug. Raises UsageError with the nearest name, CourseError for a broken lab.toml."""
        if slug not in self.slugs:
            near = difflib.get_close_matches(
                slug.lower().replace("-", "_"), self.slugs, n=1, cutoff=0.5
            )
            hint = (
                f"Did you mean `{near[0]}`?"
                if near
                else "`dockdojo list` shows the labs."
            )
            raise UsageError(f"There is no lab `{slug}`.", hint=hint)
        path = self.lab_toml(slug)
        raw = read_toml(path, _LabFile)
        if not raw.files:
            raise CourseError(
                f"{path}: `files` is empty.", hint="Name the files of a submission."
            )
        for name in raw.files:
            if Path(name).is_absolute() or ".." in Path(name).parts:
                raise CourseError(
                    f"{path}: `files` names {name!r}, which is outside the folder."
                )
        limits = Limits(**msgspec.structs.asdict(raw.limits))
        if raw.remote_add is not None:
            limits = replace(limits, remote_add=raw.remote_add)
        if raw.registries is not None:
            limits = replace(limits, registries=tuple(raw.registries))
        for limit in fields(Limits):
            value = getattr(limits, limit.name)
            if (
                isinstance(value, int | float)
                and not isinstance(value, bool)
                and value <= 0
            ):
                raise CourseError(
                    f"{path}: field `limits.{limit.name}`: expected more than 0, got {value}."
                )
        return Lab(
            slug=slug,
            title=raw.title,
            summary=raw.summary,
            files=tuple(raw.files),
            images=tuple(raw.images),
            minutes=raw.minutes,
            data=raw.data,
            limits=limits,
        )

    def lab_toml(self, slug: str) -> Path:
        """Return the file of the lab's settings."""
        return self.root / "labs" / slug / "lab.toml"

    def points(self, slug: str) -> int:
        """Return the points that a lab's checks are worth together, as far as its grader writes them out as numbers."""
        return points_of(self.grader(slug))

    def lesson(self, slug: str) -> Path:
        """Return the file of the lab's lesson."""
        return self.root / "labs" / slug / "README.md"

    def starter(self, slug: str) -> Path:
        """Return the folder that a student begins with."""
        return self.root / "labs" / slug / "starter"

    def grader(self, slug: str) -> Path:
        """Return the pytest file whose tests are the lab's checks."""
        return self.root / "graders" / f"{slug}.py"

    def solution(self, slug: str) -> Path | None:
        """Return the folder of the reference answer, or None if the course came without solutions."""
        path = self.root / "solutions" / slug
        return path if path.is_dir() else None

    def variants(self, slug: str) -> list[Variant]:
        """Return the lab's wrong submissions, in the order of their names."""
        home = self.root / "tests" / "variants" / slug
        found = []
        for toml in sorted(home.glob("*/variant.toml")):
            raw = read_toml(toml, VariantFile)
            found.append(
                Variant(
                    slug,
                    toml.parent.name,
                    toml.parent,
                    raw.summary,
                    tuple(raw.fails),
                    tuple(raw.skips),
                    tuple(raw.remove),
                )
            )
        return found

    def images(self) -> list[ImageRecipe]:
        """Return the catalog of base images, in the order in which they can be built."""
        path = self.root / "images" / "catalog.toml"
        return read_toml(path, _Catalog).image if path.is_file() else []

    def wheels(self) -> Wheels:
        """Return the wheels that labs of the course install and that are not everywhere to be had."""
        path = self.root / "images" / "wheels.toml"
        return read_toml(path, Wheels) if path.is_file() else Wheels()

    def recipe(self, image: ImageRecipe) -> Path:
        """Return the folder of an image's recipe."""
        return self.root / "images" / image.recipe


def open_course(root: Path | None = None) -> Course:
    """Return the course at `root`, at $DOCKDOJO_COURSE, or the one that dockdojo came with.

    Raises CourseError where there is none, or where its course.toml is broken.
    """
    named = root or (
        Path(os.environ["DOCKDOJO_COURSE"])
        if os.environ.get("DOCKDOJO_COURSE")
        else None
    )
    home = (named or _own_course()).resolve()
    path = home / "labs" / "course.toml"
    if not path.is_file():
        raise CourseError(f"{home} is not a course: it has no labs/course.toml.")
    raw = read_toml(path, _CourseFile)
    for slug in raw.labs:
        if not SLUG.match(slug):
            raise CourseError(
                f"{path}: `labs` has {slug!r}.",
                hint="Use lowercase, digits and underscores.",
            )
        if not (home / "labs" / slug / "lab.toml").is_file():
            raise CourseError(
                f"{path}: `labs` names `{slug}`, and labs/{slug}/lab.toml is missing."
            )
    return Course(home, raw.title, tuple(raw.labs))


def usual_images() -> list[str]:
    """Return the base images that dockdojo itself knows and can build stand-ins of, whatever course is taught."""
    path = _own_course() / "images" / "catalog.toml"
    return (
        [recipe.ref for recipe in read_toml(path, _Catalog).image]
        if path.is_file()
        else []
    )


def _own_course() -> Path:
    package = Path(__file__).parents[1]
    packed = package / "_course"  # in a wheel
    return (
        packed if packed.is_dir() else package.parents[1]
    )  # in a checkout: beside src/


def read_toml(path: Path, kind: type[T]) -> T:
    """Return the file's content as `kind`. Raises CourseError naming the file and the field."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise CourseError(f"{path}: {error.strerror}.") from error
    except msgspec.ValidationError as error:
        raise CourseError(f"{path}: {_plain(str(error))}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise CourseError(f"{path}: not valid TOML: {error}") from error


def _plain(message: str) -> str:
    """`Expected `int`, got `str` - at `$.points`` becomes `field `points`: expected …`."""
    found = re.fullmatch(r"(.*?) - at `\$\.?(.*)`", message, re.DOTALL)
    if not found:
        return message
    field = found[2] or "the top level"
    return f"field `{field}`: {found[1][0].lower()}{found[1][1:]}."
