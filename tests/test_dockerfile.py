from __future__ import annotations

import pytest

from dockdojo.build.dockerfile import Dockerfile
from dockdojo.build.stages import outside_images
from dockdojo.errors import DockerfileInvalid, NoDockerfile


def parse(submission, text):
    return Dockerfile.read(submission({"Dockerfile": text}))


def test_instructions_have_names_arguments_lines_and_stages(submission):
    parsed = parse(
        submission, 'FROM a AS one\nRUN x \\\n  y\nfrom one\ncmd ["p", "q"]\n'
    )
    assert [(i.name, i.line, i.stage) for i in parsed.instructions] == [
        ("FROM", 1, 0),
        ("RUN", 2, 0),
        ("FROM", 4, 1),
        ("CMD", 5, 1),
    ]
    assert parsed.instructions[-1].json
    assert parsed.instructions[-1].args == ("p", "q")
    assert parsed.line_of("RUN x   y") == 2


def test_bases_are_outside_images_with_arguments_filled_in(submission):
    text = "ARG V=3.11-slim\nFROM --platform=linux/amd64 python:${V} AS b\nFROM b AS c\nFROM scratch\nCOPY --from=c / /\nFROM $UNSET\n"
    assert [ref for ref, _ in parse(submission, text).bases()] == [
        "python:3.11-slim",
        "",
    ]
    assert parse(submission, text).line_of_base("python:3.11-slim") == 2


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no instructions"),
        (b"FROM x\n\0", "binary"),
        (b"#" * 1_000_001, "more than 1 MB"),
    ],
)
def test_what_is_no_dockerfile_is_told(submission, data, said):
    with pytest.raises(DockerfileInvalid, match=said):
        Dockerfile.read(submission({"Dockerfile": data}))


def test_a_missing_one_names_what_is_alike(submission):
    folder = submission({"dockerfile.txt": "FROM x"})
    with pytest.raises(NoDockerfile, match=r"`dockerfile.txt`: is it misspelled"):
        Dockerfile.read(folder)
    (folder / "Dockerfile").mkdir()
    with pytest.raises(NoDockerfile, match="folder"):
        Dockerfile.read(folder)


@pytest.mark.parametrize(
    "line",
    [
        "# syntax=docker/dockerfile:1",
        "#syntax = docker.io/docker/dockerfile:1.7-labs",
        "# escape=\\\n# syntax=docker/dockerfile:1",
    ],
)
def test_the_official_syntax_line_can_be_made_a_comment(submission, line):
    path = submission({"Dockerfile": f"{line}\nFROM busybox\n"}) / "Dockerfile"
    before = Dockerfile.read(path.parent)
    assert before.without_official_syntax(path)
    after = Dockerfile.read(path.parent)
    assert "syntax was" in after.text
    assert after.instructions == before.instructions
    assert not after.without_official_syntax(path)


def test_another_frontend_is_left_as_it_is(submission):
    path = (
        submission({"Dockerfile": "# syntax=evil/frontend\nFROM busybox\n"})
        / "Dockerfile"
    )
    assert not Dockerfile.read(path.parent).without_official_syntax(path)


def test_what_variables_add_to_a_script_is_bounded(submission):
    folder = submission({"Dockerfile": f"FROM a\nENV A={'x' * 60_000}\nRUN echo $A\n"})
    parsed = Dockerfile.read(folder)
    assert (
        len(parsed.filled_where_known("$A " * 50_000, parsed.instructions[-1]))
        < 500_000
    )


def test_images_that_a_dockerfile_names_anywhere():
    text = """ARG V=3
FROM python:$V AS build
FROM build AS again
COPY --from=alpine:3 /x /x
COPY --from=build /y /y
COPY --from=0 /y /y
RUN --mount=type=bind,from=busybox:1,target=/b true
FROM scratch
COPY --from=alpine:3 /x /x
"""
    found = outside_images(Dockerfile.parse(text))
    assert found == ["python:3", "alpine:3", "busybox:1"]


def test_thousands_of_stages_take_no_time_that_grows_with_their_square():
    few, many = (
        Dockerfile.parse("ARG A=1\n" + "FROM a\n" * count) for count in (10, 5_000)
    )
    assert len(few.bases()) == 10
    assert len(many.bases()) == 5_000
