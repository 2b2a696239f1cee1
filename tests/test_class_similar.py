"""Pairs of submissions: renamed and reordered they are found, what everybody was given and what anybody writes is none."""

from __future__ import annotations

import json
import random
from array import array
from pathlib import Path

import pytest

from dockdojo.class_.journal import Enrolled, Journal
from dockdojo.class_.similarity.comparison import given_to_all
from dockdojo.class_.similarity.pairs import (
    MIN_OWN,
    MIN_SCORE,
    find_pairs,
    needed_score,
    own_of,
)
from dockdojo.class_.similarity.reading import MAX_BYTES, Source, read_sources
from dockdojo.class_.similarity.sides import compare
from dockdojo.class_.similarity.tokens import Tokens, tokens_of
from dockdojo.class_.similarity.winnowing import (
    SCHEMES,
    fingerprints,
    hashes_of,
    winnowed,
)
from dockdojo.cli import main
from dockdojo.course import open_course
from tests.class_exports import written

COURSE = open_course()
ROOT = Path(__file__).parents[1]
ONE = '''
import collections
import json
from pathlib import Path

import click


@click.command()
@click.argument("folder", type=Path)
@click.option("--top", default=10)
def report(folder, top):
    """Count the words of the files in a folder."""
    counts = collections.Counter()
    for path in sorted(folder.glob("*.txt")):
        text = path.read_text(encoding="utf-8").lower()
        counts.update(word.strip(".,;") for word in text.split())
    for word, count in counts.most_common(top):
        print(f"{word}: {count}")
    if counts:
        (folder / "counts.json").write_text(json.dumps(dict(counts)))


report()
'''
RENAMED = '''
"""My tool."""
# It is all my own work.
import click
import collections
from pathlib import Path
import json

@click.command()
@click.argument("directory", type=Path)
# how many are shown
@click.option("--most",
              default=25)
def main(directory, most):
    tally = collections.Counter()
    for file in sorted(directory.glob('*.md')):
        # small letters only
        content = file.read_text(encoding="latin-1").lower()
        tally.update(w.strip("!?") for w in content.split())

    for w, n in tally.most_common(most):
        print(f"{w} {n}")
    if tally:
        (directory / "words.json").write_text(json.dumps(dict(tally)))

main()
'''
OTHER = """
import argparse
import json
import os
import re


def read_all(top):
    for base, _, names in os.walk(top):
        for name in names:
            if name.endswith(".txt"):
                with open(os.path.join(base, name)) as stream:
                    yield stream.read()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("top")
    parser.add_argument("-n", type=int, default=10)
    given = parser.parse_args()
    seen = {}
    for text in read_all(given.top):
        for word in re.findall("[a-z]+", text.lower()):
            seen[word] = seen.get(word, 0) + 1
    ranked = sorted(seen, key=seen.get, reverse=True)
    print("\\n".join("%s: %d" % (word, seen[word]) for word in ranked[: given.n]))
    with open(os.path.join(given.top, "counts.json"), "w") as out:
        json.dump(seen, out)


if __name__ == "__main__":
    main()
"""
DOCKERFILE = """
FROM python:3.11-slim AS base
ENV PYTHONUNBUFFERED=1
RUN apt-get update && apt-get install -y --no-install-recommends curl git tini && rm -rf /var/lib/apt/lists/*
WORKDIR /srv/words
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY words.py ./
USER nobody
ENTRYPOINT ["tini", "--", "python", "words.py"]
CMD ["--top", "20", "/data"]
"""


def own(*sources, given=frozenset()):
    texts = [tokens_of(source.path, source.text) for source in sources]
    return own_of(fingerprints(texts), given)


def program(text):
    return Source("main.py", text)


def pairs_of(**texts):
    found = find_pairs({name: own(program(text)) for name, text in texts.items()})
    return {pair.names: pair.score for pair in found.pairs}


def test_renamed_with_other_comments_and_layout_is_a_pair():
    found = pairs_of(ada=ONE, bo=OTHER, cy=RENAMED)
    assert list(found) == [("ada", "cy")]
    assert found["ada", "cy"] > 0.6


def test_independent_ones_are_none():
    assert pairs_of(ada=ONE, bo=OTHER) == {}
    usual = [Source(path.name, path.read_text()) for path in usual_files()]
    ours = read_sources(ROOT / "solutions" / "mnist")
    assert usual
    assert find_pairs({"a": own(*usual), "b": own(*ours)}).pairs == []


def usual_files():
    return [
        path
        for path in sorted((ROOT / "tests" / "tools" / "usual_mnist").iterdir())
        if path.is_file()
    ]


def test_a_dockerfile_in_other_words_is_a_pair_by_its_instructions():
    ada = Source("Dockerfile", DOCKERFILE)
    bo = Source(
        "docker/Dockerfile",
        "# mine\n" + DOCKERFILE.replace(" && ", " && \\\n  # more\n    ").lower(),
    )
    bo = Source(
        bo.path, bo.text.replace("from ", "FROM ").replace("pythonunbuffered", "X")
    )
    (pair,) = find_pairs({"ada": own(ada), "bo": own(bo)}).pairs
    assert pair.score > 0.5


def random_program(seed, lines=60):
    """A program that nobody else has."""
    chance = random.Random(seed)
    words = [
        "x = y.{}.{}(z.{})".format(*(f"m{chance.randrange(10**6)}" for _ in range(3)))
        for _ in range(lines)
    ]
    return "\n".join(words) + "\n"


def test_the_same_is_a_pair_and_what_everybody_was_given_is_none():
    given = frozenset(hashes_of(tokens_of("main.py", ONE)))
    nothing = {str(i): own(program(ONE), given=given) for i in range(300)}
    found = find_pairs(nothing)
    assert (found.pairs, found.compared, len(found.too_little)) == ([], 0, 300)
    mine = program(ONE + random_program(1))
    found = find_pairs(nothing | {"a": own(mine), "b": own(mine)})
    assert [(pair.names, pair.score) for pair in found.pairs] == [(("a", "b"), 1.0)]


def test_what_many_have_is_nobodys_own():
    lecture = random_program(0)
    owns = {
        str(seed): own(program(lecture + random_program(seed)))
        for seed in range(1, 151)
    }
    found = find_pairs(owns)
    assert found.pairs == []
    assert found.common
    owns["last"] = own(program(lecture + random_program(7)))
    assert [pair.names for pair in find_pairs(owns).pairs] == [("7", "last")]


def test_a_class_that_is_alike_needs_more():
    assert needed_score([1] + [0] * 1_000) == MIN_SCORE
    apart = [0] * 1_001
    apart[0], apart[990] = 2_000, 3
    assert needed_score(apart) == MIN_SCORE
    alike = [0] * 1_001
    for score in range(200, 400):
        alike[score] = 10
    # The median is 0.3, half lies within 0.05 of it: 0.3 + 6 × 1.4826 × 0.05
    assert needed_score(alike) == pytest.approx(0.744, abs=0.01)


def test_too_little_of_ones_own_says_nothing():
    few = array("Q", range(MIN_OWN - 1))
    assert find_pairs({"a": few, "b": few}).pairs == []
    enough = array("Q", range(MIN_OWN))
    assert len(find_pairs({"a": enough, "b": enough}).pairs) == 1


# Winnowing


@pytest.mark.parametrize("seed", range(20))
def test_what_is_as_long_as_promised_is_always_found(seed):
    chance = random.Random(seed)
    for scheme in SCHEMES.values():
        alphabet = range(10**9)
        shared = chance.choices(alphabet, k=scheme.always_found - scheme.size + 1)
        one, other = (
            chance.choices(alphabet, k=chance.randrange(50))
            + shared
            + chance.choices(alphabet, k=chance.randrange(50))
            for _ in range(2)
        )
        assert winnowed(one, scheme.window) & winnowed(other, scheme.window)


def test_hashes_roll():
    words = tuple(random.Random(3).choices("abcdefghij", k=200))
    size = SCHEMES["program"].size
    all_at_once = hashes_of(Tokens("program", words, (1,) * 200))
    for place in range(200 - size + 1):
        piece = Tokens("program", words[place : place + size], (1,) * size)
        assert hashes_of(piece) == [all_at_once[place]]
    assert (
        winnowed([3, 1, 2], 8)
        == {1}
        == winnowed([3, 1, 2], 3)
        == winnowed([1, 1, 1, 1], 2)
    )
    assert winnowed([], 4) == set()


# Side by side


def test_one_shared_block_is_marked_with_the_right_lines():
    block = random_program(99, lines=12)
    left = program(random_program(1, 20) + block + random_program(2, 20))
    right = program(random_program(3, 7) + block + random_program(4, 30))
    sides = compare([left], [right], ())
    for (file,), first in zip(sides, (21, 8), strict=True):
        marked = [line for run in file.runs for line in run if line.part]
        numbers = [line.number for line in marked]
        assert set(numbers) >= set(range(first, first + 12))
        assert set(numbers) <= set(range(first - 1, first + 13))
        assert {line.part for line in marked} == {1}
        assert [line.text for line in marked if first <= line.number < first + 12] == (
            block.splitlines()
        )
        assert file.shared_lines == len(numbers)


def test_what_is_nobodys_own_is_not_marked():
    given = frozenset(hashes_of(tokens_of("main.py", ONE)))
    assert compare([program(ONE)], [program(ONE)], given) == ((), ())


# Hostile texts


HOSTILE = {
    "a megabyte on one line": "x = " + "a + " * 250_000,
    "quotation marks": "\"'" * 500_000,
    "open brackets": "(" * 1_000_000,
    "deep": "\n".join(" " * depth + "if x:" for depth in range(600)),
    "an open text": 'x = """\n' + "y\n" * 400_000,
    "a text with ends": "x = '''\n" + "\\\n" * 400_000,
    "a bad dedent": "if x:\n    y\n  z\n" + ONE,
    "no UTF-8": b"\xff\xfe\xfd = \xc3\x28\n".decode("utf-8", "replace") * 10_000,
    "surrogates": "\ud800 = 1\n" * 10_000,
    "continued": "RUN a \\\n" * 300_000,
    "braces in texts": "f'" + "{" * 500_000,
}


@pytest.mark.parametrize("name", ["main.py", "Dockerfile", "run.sh", "fast.c"])
@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_raises_and_each_is_bounded(name, text):
    text = HOSTILE[text][:MAX_BYTES]
    tokens = tokens_of(name, text)
    assert len(tokens.words) == len(tokens.lines) <= 2 * len(text)
    assert max(tokens.lines, default=1) <= text.count("\n") + 1
    assert len(own(Source(name, text))) <= 2_000


def test_what_python_refuses_is_read_on():
    assert tokens_of("a.py", HOSTILE["a bad dedent"]).words[-2:] == (")", "end")


def test_what_is_read_of_a_folder(tmp_path):
    files = {
        "Dockerfile": b"FROM x\r\nRUN y\r\n",
        "main.py": b"\xef\xbb\xbfx\n",
        "a.sh": b"\xff\n",
        "answers.toml": b"a = 1\n",
        "core": b"x\0y",
        "data.csv": b"1,2\n",
        "build/x.py": b"x = 1\n",
        "given/y.py": b"y = 1\n",
        ".dockerignore": b"build\ngiven\nDockerfile\n",
    }
    written(tmp_path, files)
    (tmp_path / "link.py").symlink_to(tmp_path / "main.py")
    found = {source.path: source.text for source in read_sources(tmp_path, ["given"])}
    assert found.pop(".dockerignore")
    assert found == {
        "Dockerfile": "FROM x\nRUN y\n",
        "a.sh": "\ufffd\n",
        "main.py": "x\n",
        "given/y.py": "y = 1\n",
    }
    written(tmp_path, {f"{i}.py": b"x" * 100_000 for i in range(5)})
    assert sum(len(source.text) for source in read_sources(tmp_path)) <= MAX_BYTES


# A run


@pytest.fixture
def class_of(tmp_path):
    """Makes a run and its export; the names by what they handed in."""

    def make(submissions, slug="signals"):
        for name, files in submissions.items():
            written(tmp_path / "class" / name, files)
        with Journal(tmp_path / "run", slug) as journal:
            journal.enroll(
                Enrolled(name=name, people=({"name": name},), label=name)
                for name in submissions
            )
        return tmp_path / "run", tmp_path / "class"

    return make


def files_of(folder, **more):
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    return files | {
        name.replace("_", "."): text.encode() for name, text in more.items()
    }


def similar(capsys, *words):
    code = main(["class", "similar", *map(str, words)])
    shown = capsys.readouterr()
    assert "Traceback" not in shown.out + shown.err
    return code, shown.out, shown.err


def test_the_lesson_beside_their_work_is_nobodys_own(class_of, capsys):
    lesson = {"LESSON.md": COURSE.lesson("hello_world").read_bytes()}
    starter = files_of(COURSE.starter("hello_world"))
    people = dict.fromkeys(("ada", "bo"), starter | lesson)
    _, out, _ = similar(capsys, *class_of(people, "hello_world"))
    assert "No two share more than chance." in out


@pytest.mark.parametrize("slug", ["signals", "catgif"])
def test_starters_and_solutions_flag_nothing(slug, class_of, capsys):
    starter, solution = COURSE.starter(slug), COURSE.solution(slug)
    people = {f"s{i}": files_of(starter) for i in range(60)}
    people |= {f"t{i}": files_of(solution) for i in range(60)}
    code, out, err = similar(capsys, *class_of(people, slug))
    assert (code, err) == (0, "")
    assert "0 submissions compared" in out
    assert "No two share more than chance." in out


def test_three_hundred_unchanged_starters_flag_nothing(class_of, capsys):
    starter = files_of(COURSE.starter("hogwild"))
    run, source = class_of({f"s{i}": starter for i in range(300)}, "hogwild")
    code, out, _ = similar(capsys, run, source, "--format", "json")
    found = json.loads(out)
    assert (code, found["pairs"], len(found["too_little"])) == (0, [], 300)


def test_pairs_of_a_run_in_each_format(class_of, capsys, tmp_path):
    starter = COURSE.starter("signals")
    run, source = class_of(
        {
            "ada": files_of(starter, main_py=ONE),
            "bo": files_of(starter, main_py=OTHER),
            "cy": files_of(starter, main_py=RENAMED),
            "<i>di</i>": {"Dockerfile": b"x"},
        }
    )
    code, out, err = similar(capsys, run, source)
    assert (code, err) == (0, "Not in what was named (1): <i>di</i>\n")
    (line,) = [line for line in out.splitlines() if "main.py" in line]
    assert line.split()[2:] == ["ada", "cy", "(main.py)"]
    found = json.loads(similar(capsys, run, source, "--format", "json")[1])
    (pair,) = found["pairs"]
    assert pair["names"] == ["ada", "cy"]
    left, right = (files["main.py"] for files in pair["files"])
    assert set(left) >= set(range(14, 22))
    assert min(right) > 3
    page = tmp_path / "page.html"
    code, _, err = similar(
        capsys, run, source, "--anonymous", "--format", "html", "-o", page
    )
    assert (code, "Written to" in err) == (0, True)
    text = page.read_text()
    assert "row 1 and row 3" in text
    assert "ada" not in text.replace("<style>", "")
    assert not any(word in text.lower() for word in ("cheat", "copied", "plagiar"))


def test_a_submission_that_may_not_be_read_costs_its_own_row(class_of, capsys):
    starter = COURSE.starter("signals")
    people = {name: files_of(starter, main_py=ONE) for name in ("ada", "bo", "cy")}
    run, source = class_of(people)
    (source / "bo" / "out").symlink_to("/etc/passwd")
    code, out, _ = similar(capsys, run, source)
    assert code == 0
    assert "1 may not be read." in out
    assert "ada  cy" in out


def test_more_that_everybody_was_given(class_of, capsys, tmp_path):
    starter = COURSE.starter("signals")
    people = {name: files_of(starter, main_py=ONE) for name in ("ada", "bo")}
    run, source = class_of(people)
    lecture = written(tmp_path / "lecture", {"example.py": RENAMED.encode()})
    lecture = written(lecture, {"same.py": ONE.encode()})
    assert "ada  bo" in similar(capsys, run, source)[1]
    assert "No two" in similar(capsys, run, source, "--given", lecture)[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nothing", "class"), "is no run"),
        (("run",), "does not say what was graded"),
        (("run", "elsewhere"), "There is no"),
        (("run", "others"), "Nothing of"),
        (("run", "class", "--given", "elsewhere"), "no folder"),
    ],
)
def test_bad_input_is_a_line(words, said, class_of, capsys, tmp_path, monkeypatch):
    class_of({"ada": {"Dockerfile": b"FROM x"}})
    written(tmp_path / "others" / "eve", {"Dockerfile": b"FROM x"})
    monkeypatch.chdir(tmp_path)
    code, out, err = similar(capsys, *words)
    assert (code, out, said in err) == (2, "", True), err


def test_what_was_graded_is_compared_where_several_were_handed_in(tmp_path):
    from datetime import datetime

    from dockdojo.class_.layouts import HandIn
    from dockdojo.class_.people import Person
    from dockdojo.class_.plan import Candidate, Plan, Row
    from dockdojo.class_.rows import read_rows
    from dockdojo.class_.similarity.comparison import handed_in

    hand_ins = [
        HandIn(label=label, owners=(), at=datetime(2026, 11, day))
        for day, label in enumerate(("first", "second"), 1)
    ]
    first, second = (Candidate(source=None, hand_in=hand_in) for hand_in in hand_ins)
    with Journal(tmp_path, "signals") as journal:
        journal.enroll(
            [Enrolled(name="ada", label="first"), Enrolled(name="bo", label="x")]
        )
    people = (Person(name="Ada", ids={"login": "ada"}),)
    plan = Plan(rows=[Row(people=people, chosen=second, others=(first,))])
    found, lost = handed_in(plan, read_rows(tmp_path))
    assert {name: one.hand_in.label for name, one in found.items()} == {"ada": "first"}
    assert lost == ["bo"]


def test_what_everybody_was_given_are_starter_and_solution():
    given = given_to_all(COURSE, "signals")
    for folder in (COURSE.starter("signals"), COURSE.solution("signals")):
        for source in read_sources(folder):
            assert source.text in given.texts
            assert given.hashes >= set(hashes_of(tokens_of(source.path, source.text)))
