"""The class as a page: each statistic by hand, whoever is in the run, and links that lead somewhere."""

from __future__ import annotations

import math
import os
import re
from dataclasses import replace
from urllib.parse import unquote

import pytest

from dockdojo.class_.overview import as_html, percent_in_words
from dockdojo.class_.statistics import (
    check_statistics,
    commonest_failures,
    discrimination_of,
    marks_of,
    normalised,
)
from dockdojo.cli import main
from dockdojo.model import Feedback, Outcome, Report
from dockdojo.reports import policy
from tests.class_pages import overview_page, record_of
from tests.class_runs import LAB, report_of, run_of
from tests.test_breaking_out import OUR_ELEMENTS, Page
from tests.test_class_rules import person

STATUSES = {"+": "passed", "-": "failed", "s": "skipped", "e": "error"}


def report(marks, points=10, **more):
    """A report of checks a, b, …: a sign for each."""
    outcomes = tuple(
        Outcome(check=name, title=name, status=STATUSES[sign], points=points)
        for name, sign in zip("abcdef", marks, strict=False)
    )
    words = {"outcomes": outcomes, "started": "", "seconds": 1.0} | more
    return Report(lab=LAB, title="Signals", **words)


def failed(observed, check="a", **more):
    told = Feedback(expected="e", observed=observed)
    one = Outcome(
        check=check, title="t", status="failed", points=10, feedback=told, **more
    )
    return replace(report(""), outcomes=(one,))


def scored(score, maximum=30):
    return report("", outcomes=report_of(score).outcomes[:1] + missed(maximum - score))


def missed(points):
    return (Outcome(check="rest", title="rest", status="failed", points=points),)


def words_of(page):
    """The page's text, without what its style says."""
    body = page[page.index("<body>") :]
    return " ".join(re.sub("<.*?>", " ", body).split())


# The marks


def test_marks_by_hand():
    found = marks_of(scored(score, 40) for score in (10, 20, 30, 40))
    assert found.count == 4
    assert found.maximum == 40
    assert found.mean == 25
    assert found.quartiles == (17.5, 25, 32.5)
    assert (found.lowest, found.highest) == (10, 40)


def test_a_mark_is_in_the_tenth_that_it_has_reached():
    """2 of 30 are 6.7 %, 3 are 10 %, 29 are 96.7 %; full marks are in the last tenth."""
    found = marks_of(map(scored, (0, 2, 3, 29, 30)))
    assert found.bins == (2, 1, 0, 0, 0, 0, 0, 0, 0, 2)


def test_marks_of_different_maxima_are_in_per_cent():
    found = marks_of([scored(15, 30), scored(10, 10)])
    assert found.maximum is None
    assert found.mean == 75
    assert found.bins == (0, 0, 0, 0, 0, 1, 0, 0, 0, 1)


def test_one_mark_is_all_quartiles_and_none_is_none():
    assert marks_of([scored(7)]).quartiles == (7, 7, 7)
    assert marks_of([]) is None


# The checks


def test_difficulty_and_skip_rate_by_hand():
    a, b = check_statistics(map(report, ("++", "+-", "+s", "-s")))
    assert (a.check, a.difficulty, a.skip_rate, a.judged) == ("a", 0.75, 0, 4)
    assert (b.check, b.difficulty, b.skip_rate, b.skipped) == ("b", 0.25, 0.5, 2)


def test_discrimination_by_hand():
    """a: x = 0, 0, 10, 10 and the rest y = 0, 10, 10, 20, so r = 100 / sqrt(100 * 200). b: x = 0, 10, 10, 10 and y = 0, 0, 10, 20,
    so r = 75 / sqrt(75 * 275); c likewise."""
    a, b, c = check_statistics(map(report, ("---", "-+-", "++-", "+++")))
    assert a.discrimination == pytest.approx(1 / math.sqrt(2))
    assert b.discrimination == pytest.approx(math.sqrt(75 / 275))
    assert c.discrimination == pytest.approx(math.sqrt(75 / 275))


def test_who_passes_it_and_fails_the_rest_is_told():
    a, _, _ = check_statistics(map(report, ("+--", "-++")))
    assert a.discrimination == pytest.approx(-1)


@pytest.mark.parametrize(
    ("scores", "rests"), [([], []), ([1], [2]), ([5, 5], [1, 2]), ([1, 2], [5, 5])]
)
def test_without_variance_there_is_no_discrimination(scores, rests):
    assert discrimination_of(scores, rests) is None


def test_what_was_not_carried_out_is_nobodys_failure():
    ungraded = Outcome(check="b", title="b", status="skipped", points=10, ungraded=True)
    a, *rest = check_statistics(
        [report("e"), report("+"), report("", outcomes=(ungraded,))]
    )
    assert (a.judged, a.difficulty, rest) == (1, 1, [])


def test_a_submission_of_which_nothing_could_be_graded_says_nothing_about_checks():
    (a,) = check_statistics([report("-", problem="a pipe"), report("+")])
    assert (a.judged, a.difficulty) == (1, 1)


def test_checks_that_are_worth_nothing_have_no_difficulty():
    (a,) = check_statistics([report("+", points=0)])
    assert a.difficulty is None
    assert percent_in_words(None) == "–"


def test_rules_are_no_checks():
    rules = policy.parse("[points]\nmost = 50\nscale_to = 20\n", "rules.toml")
    by_rules = [policy.apply(report(marks), rules) for marks in ("++", "+-")]
    a, b = check_statistics(by_rules)
    assert (a.difficulty, b.difficulty) == (1, 0.5)
    assert marks_of(by_rules).maximum == 20


@pytest.mark.parametrize(
    ("share", "words"),
    [(0, "0 %"), (0.001, "1 %"), (0.5, "50 %"), (0.999, "99 %"), (1, "100 %")],
)
def test_nearly_all_are_not_all(share, words):
    assert percent_in_words(share) == words


# What went wrong


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("exit code 1 after 2.5 s", "exit code 137 after 10 s"),
        ("container 3f2a9b1c0d4e is gone", "container 9988aabbccdd is gone"),
        ("address 0xdeadbeef", "address 0x00"),
        ("it wrote 'a b'", "it wrote 'c'"),
        ('it wrote "a"', 'it wrote ""'),
        ("`curl` is not there", "`wget` is not there"),
        ("two  words\n", "two words"),
    ],
)
def test_numbers_ids_and_quoted_words_make_no_difference(one, other):
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("a zombie", "two zombies"), ("it isn't x", "it isn't y"), ("defaced", "facade")],
)
def test_other_words_do(one, other):
    assert normalised(one) != normalised(other)


def test_the_commonest_failure_is_first_with_most_of_its_wording_and_who_it_was():
    records = [
        record_of("ada", failed("a zombie")),
        record_of("bo", failed("exit code 1")),
        record_of("cy", failed("exit code 2")),
        record_of("di", failed("exit code 2")),
        record_of("ed", failed("exit code 2", check="b")),
        record_of("flo", report("+")),
        record_of("gil", None),
    ]
    first, *rest = commonest_failures(records)
    assert (first.check, first.observed, first.expected) == ("a", "exit code 2", "e")
    assert (first.count, first.wordings) == (3, 2)
    assert first.names == ("bo", "cy", "di")
    assert [(one.check, one.observed) for one in rest] == [
        ("a", "a zombie"),
        ("b", "exit code 2"),
    ]


def test_a_failure_that_an_earlier_check_told_is_left_out():
    assert not commonest_failures([record_of("a", failed("x", decided_by="b"))])


def test_what_kept_everything_from_being_graded_is_one_failure():
    (found,) = commonest_failures([record_of("a", report("---", problem="a pipe"))])
    assert (found.check, found.observed, found.count) == ("", "a pipe", 1)


def test_a_groups_work_counts_once(tmp_path):
    """Rules made two rows of it, with two marks; checks and failures are those of one submission."""
    found = report_of(80)
    members = [
        replace(record_of(f"team.{number}", found), group="team") for number in (1, 2)
    ]
    (failure,) = commonest_failures(members)
    assert (failure.count, failure.names) == (1, ("team",))
    page = words_of(as_html(members, LAB, tmp_path, tmp_path))
    assert "2 of 2 graded" in page
    assert "1 of 1" in page


# The page


def test_an_empty_run(tmp_path):
    page = words_of(as_html([], LAB, tmp_path, tmp_path))
    assert "0 of 0 graded" in page
    assert "Nobody is in this run." in page
    assert "<svg" not in page


def test_nobody_graded(tmp_path):
    records = [
        record_of("ada", None),
        record_of("bo", None, state="not final", reason="No space left."),
        record_of("cy", None, state="refused", reason="A pipe."),
    ]
    page = as_html(records, LAB, tmp_path, tmp_path)
    headings = re.findall("<h2>(.*?)</h2>", page)
    assert headings == ["Not final", "Nothing handed in", "Refused", "Everybody"]
    assert "Nothing was graded yet." in page
    assert "No space left." in page
    assert "A pipe." in page


def test_what_needs_somebody_is_first():
    assert re.findall("<h2>(.*?)</h2>", overview_page()) == [
        "Not final",
        "Nothing handed in",
        "Refused",
        "The marks",
        "The checks",
        "What went wrong most often",
        "Everybody",
    ]


def test_one_submission(tmp_path):
    page = words_of(as_html([record_of("ada", report("+-"))], LAB, tmp_path, tmp_path))
    assert "10 mean, of 20 points" in page
    assert "50 % to below 60 % 1" in page
    assert "100 % 0 % –" in page  # no discrimination, of one


def test_the_picture_is_a_table_too():
    page = overview_page()
    (label,) = re.findall(r'<svg[^>]*aria-label="([^"]*)"', page)
    for words, count in re.findall(r"(\d+ % to [^:;]*\d+ %): (\d+)", label):
        assert f'<td>{words}</td><td class="number">{count}</td>' in page
    assert len(re.findall("<rect ", page)) == label.count(";") + 1


def test_texts_of_a_submission_stay_texts():
    page, text = Page(), overview_page(hostile=True)
    page.feed(text)
    ours = OUR_ELEMENTS | {"a", "rect"}
    assert page.elements <= ours, page.elements - ours
    assert not {
        name for name in page.attributes if name.startswith("on") or name == "src"
    }
    assert not page.comments
    assert len(text) < 200_000
    assert not [line for line in text.splitlines() if line.lstrip().startswith("::")]
    assert "##[" not in text
    assert not set(text) & set("\x00\x07\x1b\u202e\ud800")
    assert all(link.endswith("/report.html") for link in links_of(text))


# The command


@pytest.fixture
def run(tmp_path):
    return run_of(
        tmp_path / "a run",
        [
            (person("ada", "Ada Lovelace"), report_of(80)),
            (person("bo", "Bo Lee"), report_of(60)),
            (person("cy", "Cy Young"), "a named pipe"),
            (person("di", label=""), None),
        ],
    )


def links_of(page):
    return {unquote(href) for href in re.findall(r'href="([^"]*)"', page)}


def test_names_lead_to_pages_that_are_there(capsys, run, tmp_path):
    words = ["class", "report", str(run), "--format", "html"]
    assert main(words) == 0
    assert links_of(capsys.readouterr().out) == set()
    assert main(["class", "feedback", str(run)]) == 0
    capsys.readouterr()
    assert main(words) == 0
    expected = {f"feedback/{name}/report.html" for name in ("ada", "bo", "cy")}
    assert links_of(capsys.readouterr().out) == expected
    place = tmp_path / "elsewhere" / "deeper"
    place.mkdir(parents=True)
    assert main([*words, "-o", str(place / "class.html")]) == 0
    found = links_of((place / "class.html").read_text())
    assert len(found) == 3
    for link in found:
        assert link.startswith("../../a run/feedback/")
        assert os.path.isfile(place / link)


def test_who_failed_is_named_and_leads_to_their_page(capsys, run):
    assert main(["class", "feedback", str(run)]) == 0
    capsys.readouterr()
    assert main(["class", "report", str(run), "--format", "html"]) == 0
    (failure,) = re.findall("<dt>who</dt><dd>(.*?)</dd>", capsys.readouterr().out)
    assert failure == (
        '<a href="feedback/ada/report.html">Ada Lovelace</a>, '
        '<a href="feedback/bo/report.html">Bo Lee</a>'
    )


def test_rules_change_marks_and_no_check(capsys, run, tmp_path):
    (tmp_path / "rules.toml").write_text("[points]\nmost = 50\n")
    words = ["class", "report", str(run), "--format", "html"]
    assert main(words) == 0
    before = words_of(capsys.readouterr().out)
    assert main([*words, "--rules", str(tmp_path / "rules.toml")]) == 0
    after = words_of(capsys.readouterr().out)
    assert "70 mean" in before
    assert "50 mean" in after
    assert "80/100" in before
    assert "50/100" in after
    assert "The rules are not in these numbers." in after


def test_members_told_apart_lead_to_the_groups_page(tmp_path):
    page = tmp_path / "feedback" / "team" / "report.html"
    page.parent.mkdir(parents=True)
    page.touch()
    member = replace(record_of("team.1", report("+")), group="team")
    found = links_of(as_html([member], LAB, tmp_path, tmp_path))
    assert found == {"feedback/team/report.html"}


def test_the_page_is_no_gradebook(capsys, run):
    words = ["class", "report", str(run), "--format", "html", "--gradebook", "x.csv"]
    assert main(words) == 2
    assert "goes without --gradebook" in capsys.readouterr().err
