"""The gate for texts, and that no pattern behind it takes much longer than reading the text does."""

from __future__ import annotations

import importlib.util
import pkgutil
import re
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dockdojo
from dockdojo import texts
from dockdojo.model import Feedback, Where

ROOT = Path(__file__).parents[1]
SIZE = 100_000
"""Characters of the text that each pattern is fed."""
MOST_TIMES_A_SCAN = 400
"""Of the processor time of a plain scan of the same text. A pattern that is quadratic in 100 kB takes 10,000 times as long."""
OWN_TEXTS = {
    "dockdojo.course",
    "dockdojo.scaffold",
    "dockdojo.host.local_base_images",
    "dockdojo.host.wheels",
    "dockdojo.datasets",
}
"""Modules whose patterns read the course's files, or the machine's, and nothing of a submission."""


def modules():
    for found in pkgutil.walk_packages(dockdojo.__path__, "dockdojo."):
        # Payloads read nothing on the host, and may not be importable here.
        if (
            found.name not in OWN_TEXTS
            and ".payloads." not in found.name
            and not found.name.endswith(("__main__", "_course"))
        ):
            yield found.name, importlib.import_module(found.name)
    for path in sorted((ROOT / "graders").glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"graders_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield path.name, module


PATTERNS = {
    f"{name}:{key}": value
    for name, module in modules()
    for key, value in vars(module).items()
    if isinstance(value, re.Pattern)
}


def words_of(pattern):
    """Characters and words that the pattern knows, and what nearly fits."""
    source = (
        pattern.pattern
        if isinstance(pattern.pattern, str)
        else pattern.pattern.decode("latin-1")
    )
    words = re.findall(r"[A-Za-z]{2,}", source)[:12]
    return sorted(
        {*words, *" \t0a9A.:=/-+_`~$%@#(){}[]\"'\\,;<>\r", "1.5e", "--", "${a", "nan"}
    )


def seconds(work):
    """Processor time of this thread: what else the machine does counts little."""
    began = time.thread_time()
    work()
    return time.thread_time() - began


@pytest.mark.parametrize("name", sorted(PATTERNS))
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
@given(data=st.data())
def test_every_pattern_is_linear_behind_the_gate(name, data):
    pattern = PATTERNS[name]
    unit = data.draw(
        st.lists(st.sampled_from(words_of(pattern)), min_size=1, max_size=4).map(
            "".join
        )
    )
    head = data.draw(st.sampled_from(["", *words_of(pattern)[:20]]))
    text = (
        head
        + unit * (SIZE // len(unit))
        + data.draw(st.sampled_from(["", "!", "\x00", "x"]))
    )
    lines = (
        texts.lines_of(text)
        if data.draw(st.booleans())
        else [text[at : at + texts.MAX_LINE] for at in range(0, SIZE, texts.MAX_LINE)]
    )
    if isinstance(pattern.pattern, bytes):
        lines = [line.encode() for line in lines]
        plain = re.compile(rb"[^\W_]")
    else:
        plain = re.compile(r"[^\W_]")

    def scan():
        for line in lines:
            plain.findall(line)

    def search():
        for line in lines:
            for _ in pattern.finditer(line):
                pass

    assert any(
        seconds(search) <= MOST_TIMES_A_SCAN * max(seconds(scan), 0.002)
        for _ in range(3)
    )


def test_texts_are_cut_and_can_be_written():
    assert texts.cut("a\ud800b") == "a\N{REPLACEMENT CHARACTER}b"
    assert len(texts.cut("x" * 10_000_000)) == texts.MAX_SENTENCE
    assert texts.lines_of("a\rb\r\n\nc") == ["a", "b", "c"]
    assert [len(line) for line in texts.lines_of("x" * 10_000)] == [texts.MAX_LINE]
    assert len(texts.lines_of("x\n" * 200_000)) <= texts.MAX_LINES


def test_feedback_is_bounded_whatever_is_in_it():
    long = "x\ud800" * 1_000_000
    found = texts.cut_feedback(
        Feedback(
            expected=long,
            observed=long,
            why=long,
            hint=long,
            detail=long,
            where=Where(file=long, line=10**30),
        )
    )
    assert all(
        len(text) <= texts.MAX_SENTENCE
        for text in (found.expected, found.observed, found.why, found.hint)
    )
    assert len(found.detail) <= texts.MAX_DETAIL
    assert len(found.where.file) <= 300
    "".join([found.expected, found.detail, found.where.file]).encode()
