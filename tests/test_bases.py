"""Which image a built one stands on; never guessed, since its size is the student's or not."""

from __future__ import annotations

import pytest

from dockdojo.build.dockerfile import Dockerfile
from dockdojo.connection.types import Image
from dockdojo.errors import ImageUnavailable
from dockdojo.runner.bases import Bases


def image(*layers):
    return Image(
        id="x",
        measure=lambda: 0,
        cmd=None,
        entrypoint=None,
        env={},
        labels={},
        user="",
        workdir="/",
        ports=(),
        volumes=(),
        stop_signal="",
        layers=layers,
    )


class Engine:
    """One whose registry has some images, and that tells what it was asked for."""

    def __init__(self, here=None, there=None):
        self.here, self.there = dict(here or {}), dict(there or {})
        self.pulled, self.forgotten = [], []

    def has_image(self, ref):
        return ref in self.here

    def image(self, ref):
        return self.here[ref]

    def pull(self, ref, *, as_guest):
        assert as_guest
        self.pulled.append(ref)
        if ref not in self.there:
            raise ImageUnavailable(
                f"{ref} could not be pulled: toomanyrequests.", hint="Wait."
            )
        self.here[ref] = self.there[ref]

    def forget(self, ref):
        self.forgotten.append(ref)


ON_PYTHON = Dockerfile.parse("FROM python:3 AS base\nFROM base\nCOPY a /\n")


def test_a_base_that_only_the_builder_has_is_pulled_by_name_once_and_forgotten_in_the_end():
    engine = Engine(there={"python:3": image("a", "b")})
    bases = Bases(lambda: engine)
    for _ in range(2):
        assert bases.base_of(image("a", "b", "c"), ON_PYTHON).layers == ("a", "b")
    assert engine.pulled == ["python:3"]
    bases.forget()
    assert engine.forgotten == ["python:3"]


def test_where_the_registry_refuses_nobody_counts_the_base_against_the_student():
    engine = Engine()
    bases = Bases(lambda: engine)
    for _ in range(2):
        with pytest.raises(
            ImageUnavailable, match=r"adds to python:3 cannot be told.*toomanyrequests"
        ) as caught:
            bases.base_of(image("a", "b", "c"), ON_PYTHON)
    assert caught.value.hint == "Wait."
    assert engine.pulled == ["python:3"]
    bases.forget()
    assert engine.forgotten == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "FROM gone AS build\nFROM scratch\nCOPY --from=build /a /\n",
            None,
        ),  # the base of a stage that is left behind
        ("FROM gone AS build\nFROM here\nCOPY --from=build /a /\n", ("a",)),
        ("ARG V=here\nFROM gone AS build\nFROM $V AS last\n", ("a",)),
    ],
)
def test_what_the_last_stage_does_not_stand_on_may_be_out_of_reach(text, found):
    engine = Engine(here={"here": image("a")})
    base = Bases(lambda: engine).base_of(image("a", "z"), Dockerfile.parse(text))
    assert (base and base.layers) == found


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("FROM a\n", "a"),
        ("FROM a AS b\nFROM B\n", "a"),
        ("FROM a AS b\nFROM b AS c\nFROM x\nFROM c\n", "a"),
        ("FROM a AS a\nFROM a\n", "a"),
        ("FROM scratch\n", "scratch"),
        ("FROM a AS b\nFROM scratch\nCOPY --from=b / /\n", "scratch"),
        ("ARG V=1\nFROM a:$V\n", "a:1"),
    ],
)
def test_the_final_base(text, base):
    assert Dockerfile.parse(text).final_base == base
