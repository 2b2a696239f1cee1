"""Pages about classes that are made up, for whoever looks at pages."""

from __future__ import annotations

import tempfile
from pathlib import Path

from dockdojo.class_.people import read_rosters
from dockdojo.class_.plan import make_plan, read_source
from dockdojo.class_.run import names_of
from dockdojo.class_.similarity import words
from dockdojo.class_.similarity.comparison import Comparison, given_to_all
from dockdojo.class_.trees import open_tree
from dockdojo.course import open_course
from tests.class_exports import written
from tests.test_class_similar import DOCKERFILE, ONE, OTHER, RENAMED
from tests.test_formats import ESCAPES

LONG = "".join(
    f"x{number} = config.option{number}.value{number * 7}(self.a.part{number})\n"
    for number in range(40)
)


def similar_page(*, hostile: bool = False, alike: bool = True) -> str:
    """The page of a class of five, of whom three share something."""
    extra = f"s = {ESCAPES!r}\n# {ESCAPES}\n" if hostile else ""
    programs = {
        "ada": LONG + OTHER + extra if alike else OTHER,
        "bo": ONE,
        "cy": RENAMED + LONG if alike else LONG,
        "di": LONG.replace("x", "other") + extra + "y" * 5_000 if alike else "",
    }
    course = open_course()
    with tempfile.TemporaryDirectory() as scratch:
        for name, text in programs.items():
            files = {"main.py": text.encode("utf-8", "replace")}
            if alike and name != "bo":
                files["Dockerfile"] = DOCKERFILE.encode()
            written(Path(scratch, "class", name), files)
        source = Path(scratch, "class")
        with open_tree(source) as tree:
            plan = make_plan([read_source(source, tree)], read_rosters([]))
            comparison = Comparison(
                course=course,
                lab=course.lab("signals"),
                handed_in={
                    name: row.chosen
                    for name, row in names_of(plan).items()
                    if row.chosen
                },
                given=given_to_all(course, "signals"),
            )
            comparison.carry_out(lambda number: None)
            if hostile:
                comparison.unread["ada"] = ESCAPES
            labels = words.labels_of(programs, anonymous=False)
            if hostile:
                labels = {name: f"{ESCAPES[:60]} {name}" for name in programs}
            return words.as_html(comparison, labels)
