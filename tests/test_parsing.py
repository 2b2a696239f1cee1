from __future__ import annotations

import json
import os
import threading
from random import Random

import pytest

from dockdojo import parsing
from dockdojo.checks.readme import script_of
from dockdojo.errors import SubmissionError
from dockdojo.parsing import Unreadable, parse, server

FUZZ = int(os.environ.get("DOCKDOJO_FUZZ", "2000"))
"""Mutated inputs for each parser; DOCKDOJO_FUZZ=20000 tries as many."""
SEEDS = {
    "toml": 'state = "exited"\n# c\n[table]\na.b.c = 1979-05-27T07:32:00Z\nx = ["a", {y = 1e3}]\nz = """long"""\n',
    "yaml": 'services:\n  a: &x {image: "b", count: 1_000}\n  c: *x\n  d: !!set {e, f}\n? [g, h]\n: 2001-12-14t21:59:43.10-05:00\n',
    "dockerfile": '# escape=`\nARG A=b\nFROM $A AS c\nRUN --mount=type=cache,target=/x <<EOF\nhi\nEOF\nENV A=b C="d"\nONBUILD ADD a b\nCMD ["a", "b"]\n',
    "readme": "# T\n```sh\n$ docker build -t a .\n```\n    docker run a\nUse `docker ps`, ``docker x``.\n~~~~\nuser@host:~$ docker y\n~~~\n",
}
OPTIONS = {"yaml": {"most_aliases": 50}}


PIECES = [
    "[",
    "{",
    '"',
    "'",
    "\\",
    "\n",
    "\0",
    "&a ",
    "*a ",
    "<<",
    "`" * 5,
    "9" * 5_000,
    "\ufeff",
    "\ud800",
    "é",
    "#",
    "=",
    ": ",
    "- ",
    "\t",
    "$",
    "<<E",
]


def mutated(seed: str, random: Random) -> str:
    text = seed
    for _ in range(random.randint(1, 6)):
        place, width = random.randint(0, len(text)), random.randint(0, 8)
        piece = random.choice(
            [
                random.choice(PIECES),
                random.choice(seed),
                chr(random.randrange(0x110000)),
            ]
        )
        text = (
            text[:place] + piece * random.choice([1, 1, 2, 50]) + text[place + width :]
        )
    return text


@pytest.mark.parametrize("kind", SEEDS)
def test_whatever_a_text_holds_its_parser_has_an_answer(kind):
    """Here in this process, which is a thousand times as quick; the same function answers in the forked one."""
    random = Random(kind)
    for _ in range(FUZZ // 8 if kind == "yaml" else FUZZ):
        text = mutated(SEEDS[kind], random)
        told = json.loads(
            server.answer(json.dumps([kind, text, OPTIONS.get(kind, {})]).encode())
        )
        assert set(told) in ({"value"}, {"unreadable", "line"}), text


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("toml", "a" + ".a" * 200_000 + " = 1"),
        ("toml", "a = " + "[" * 100_000),
        ("toml", "a = " + "9" * 100_000),
        ("toml", "a = 0." + "9" * 100_000),
        ("yaml", "a: " + "[" * 60_000),
        ("yaml", "a: " + "9" * 60_000),
        ("yaml", "- " * 30_000),
        (
            "yaml",
            "\n".join(
                [
                    f"a{i}: &a{i} [*a{i - 1},*a{i - 1}]" if i else "a0: &a0 [x]"
                    for i in range(26)
                ]
            ),
        ),
        ("yaml", "a: 0" + ":1" * 20_000 + "\nb: " + "?" * 20_000),
        ("dockerfile", "FROM a\nRUN " + "\\\n" * 200_000),
        ("dockerfile", "FROM a\n" + "ENV " + "a=b " * 100_000),
        ("readme", "\n".join("`" * length for length in range(600, 2, -1))),
        ("readme", "```sh\n" * 30_000),
        ("readme", ("a" * 100 + "@") * 1_500),
        ("readme", "`" * 200_000),
    ],
)
def test_what_is_costly_ends_and_is_told(kind, text):
    try:
        parse(kind, text, name="file", **OPTIONS.get(kind, {}))
        said = ""
    except (Unreadable, SubmissionError) as error:
        said = error.message
    assert len(said) < 1_000


def test_many_threads_ask_and_each_has_its_own_answer():
    answers = {}

    def ask(number):
        answers[number] = parse("toml", f'a = "{number}"', name="x")["a"][0]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: str(number) for number in range(20)}


@pytest.mark.skipif(os.name != "posix", reason="there is no server")
def test_a_server_that_was_ended_is_started_again():
    assert parse("toml", "", name="x") == {}
    parsing._server[-1].close()
    assert parse("toml", 'a = "1"', name="x") == {"a": ["1", ""]}


def test_a_readmes_commands():
    assert "docker build -t a ." in script_of("```\ndocker build -t a .\n```\n")


def test_an_instruction_that_goes_on_for_ever_is_refused_whatever_the_machines_speed():
    assert (
        len(
            parse(
                "dockerfile", "FROM a\nRUN x" + " \\\n  y" * 1_999 + "\n", name="file"
            )
        )
        == 2
    )
    with pytest.raises(Unreadable, match="goes on for more than 2000 lines") as caught:
        parse(
            "dockerfile",
            "FROM a\nRUN x" + " \\\n# why\n\n  y" * 2_000 + " \\\n",
            name="file",
        )
    assert caught.value.line > 2_000
