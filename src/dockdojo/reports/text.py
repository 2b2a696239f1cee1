"""The report as plain text, for terminals, logs and mail. Control characters of a submission never get through."""

from __future__ import annotations

import json
import re
import textwrap

from dockdojo.model import Feedback, Outcome, Report
from dockdojo.reports.bounds import bounded

WIDTH = 96
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
"""ECMA-48, "select graphic rendition"."""
UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
MARKS = {"passed": "✓", "failed": "✗", "skipped": "–", "error": "!"}
MAX_TEXT_CHARACTERS = 4_000
"""Characters of one text that are shown; a line of a megabyte helps nobody."""
MAX_LOG_LINES = 200
"""Lines of a log that are shown, the last ones."""
LABELS = ("expected", "observed", "why", "where", "hint")


def render(report: Report) -> str:
    """All checks, each with its feedback, and the score."""
    report = bounded(report)
    lines = [f"{clean(report.title)} ({report.lab})", ""]
    if report.problem:
        lines += [
            f"  {line}" for line in textwrap.wrap(cut(clean(report.problem)), WIDTH - 2)
        ] + [""]
    seen: dict[Feedback, str] = {}
    for outcome in report.outcomes:
        lines.append(headline(outcome))
        if outcome.feedback is None or report.problem:
            continue
        plain = Feedback(
            observed=outcome.feedback.observed, detail=outcome.feedback.detail
        )
        if plain.observed and plain in seen:
            lines.append(f"      the same as at `{seen[plain]}`")
            continue
        seen.setdefault(plain, outcome.check)
        lines += feedback_lines(outcome)
    return (
        "\n".join(map(tame, [*lines, *advice_lines(report), "", *summary(report)]))
        + "\n"
    )


def headline(outcome: Outcome, width: int = 0) -> str:
    """One line a check: mark, points, name and sentence; with `width`, wrapped to so many columns."""
    points = f"{outcome.score}/{outcome.points}"
    head = f"  {MARKS[outcome.status]} {points:>7}  "
    said = f"{outcome.check}: {cut(clean(outcome.title))}"
    if not width:
        return head + said
    return "\n".join(
        textwrap.wrap(
            said, width, initial_indent=head, subsequent_indent=" " * len(head)
        )
    )


def feedback_lines(outcome: Outcome, width: int = WIDTH) -> list[str]:
    """Expected (unless the check's sentence says it), observed, why, where, hint; wrapped. Then the detail, cut with a sign."""
    feedback = outcome.feedback
    if feedback is None:
        return []
    lines = []
    for name in LABELS:
        value = getattr(feedback, name)
        if value and value != outcome.title:
            lines += labelled(name, str(value), width)
    if feedback.detail:
        detail = feedback.detail[-MAX_TEXT_CHARACTERS:].splitlines()[-MAX_LOG_LINES:]
        lines += [shortened("      | " + clean(line), width) for line in detail]
    return lines


def labelled(name: str, value: str, width: int = WIDTH) -> list[str]:
    """A label and its text, wrapped below itself."""
    head = f"      {name + ':':<10}"
    return textwrap.wrap(
        cut(clean(value)), width, initial_indent=head, subsequent_indent=" " * 16
    )


def shortened(line: str, width: int = WIDTH) -> str:
    """The line, or its beginning and the sign that there is more."""
    return line if len(line) <= width else f"{line[: width - 1]}…"


def advice_lines(report: Report, width: int = WIDTH) -> list[str]:
    """What the linter says, a line each; nothing where it has nothing to say."""
    if not report.advice:
        return []
    lines = ["", "Advice on style, worth no points:"]
    for advice in report.advice:
        text = f"{advice.file}, line {advice.line}: {advice.text} ({advice.code})"
        lines += textwrap.wrap(
            cut(clean(text)), width, initial_indent="  · ", subsequent_indent="    "
        )
    return lines


def summary(report: Report, width: int = WIDTH) -> list[str]:
    """The score, and whether it counts."""
    lines = [f"{report.score} of {report.max_score} points, in {report.seconds:.1f} s"]
    errors = [outcome for outcome in report.outcomes if outcome.status == "error"]
    if errors:
        lost = sum(outcome.points for outcome in errors)
        checks = "1 check" if len(errors) == 1 else f"{len(errors)} checks"
        lines.append(
            f"Not final: {checks}, worth {lost} points, could not be carried out."
        )
        lines.append("That is not the submission's fault. Grade again.")
    if report.ungraded_points:
        names = ", ".join(
            f"`{outcome.check}`" for outcome in report.outcomes if outcome.ungraded
        )
        lines.append(
            f"Not final: {report.ungraded_points} points could not be earned on this machine: {names}."
        )
    if width < WIDTH:
        lines = [wrapped for line in lines for wrapped in textwrap.wrap(line, width)]
    for note in report.notes:
        lines += textwrap.wrap(cut(clean(note)), width, subsequent_indent="  ")
    return lines


def clean(text: str) -> str:
    """Without what a terminal would obey: colours are taken out, other controls and right-to-left marks shown as ␛ or �."""
    text = COLOUR.sub("", text)
    return "".join(
        (
            "␛"
            if c == "\x1b"
            else c if c.isprintable() else " " if c in "\n\t\r" else "\ufffd"
        )
        for c in text
    )


def cut(text: str, length: int = MAX_TEXT_CHARACTERS) -> str:
    """The text, or its beginning with a word on how long it is."""
    return text if len(text) <= length else f"{text[:length]}… ({len(text)} characters)"


def tame(line: str) -> str:
    """The line, so that the log of a GitHub workflow takes nothing in it for a command.

    The runner obeys `::name` at the beginning of a line, after white space, and the older `##[name]` anywhere in it
    (https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs).
    """
    bare = line.lstrip()
    safe = (
        line
        if not bare.startswith("::")
        else f"{line[: len(line) - len(bare)]}\\{bare}"
    )
    return safe.replace("##[", "# #[")


def quiet_json(document: str) -> str:
    """A JSON document of the same content that may be printed: no control character, no mark of direction, no command.

    What a terminal or the log of a workflow would obey can stand in strings only, where an escape means the same.
    """
    return UNPRINTABLE.sub(_escaped, document).replace("##[", "\\u0023#[")


def _escaped(found: re.Match[str]) -> str:
    c = found[0]
    if c == "\n" or c.isprintable():
        return c
    return f"\\u{ord(c):04x}" if ord(c) < 0x10000 else json.dumps(c)[1:-1]
