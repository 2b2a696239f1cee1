"""Everything that is read of a submission: each check is one reader."""

from dockdojo import check, fail
from dockdojo.checks.answers import expect_answer, read_answers
from dockdojo.checks.compose import gpu_reservations
from dockdojo.checks.formatting import expect_black
from dockdojo.checks.pinning import loose_bases
from dockdojo.checks.readme import script_of
from dockdojo.checks.requirement_files import loose_requirements
from dockdojo.training.log_parser import accuracies, epochs, losses


@check(points=20)
def test_answer(submission):
    """The sky is blue."""
    expect_answer(
        submission,
        read_answers(submission, ["sky"]),
        "sky",
        "blue",
        {"green": "That is the grass."},
    )


@check(points=20)
def test_compose(submission):
    """The compose file reserves a GPU."""
    assert gpu_reservations(submission, "compose.yaml")


@check(points=20)
def test_pinned(dockerfile, submission):
    """Images and requirements are pinned."""
    for name, line in loose_bases(dockerfile):
        fail(f"`{name}`", expected="a tag", file="Dockerfile", line=line)
    for name, line in loose_requirements(submission.read("requirements.txt")):
        fail(f"`{name}`", expected="a version", file="requirements.txt", line=line)


@check(points=20)
def test_log(submission):
    """The log tells an accuracy of at least 0.9, a loss and an epoch."""
    text = submission.read("log.txt")
    if not accuracies(text) or max(accuracies(text)) < 0.9 or not losses(text):
        fail(
            "the log tells no accuracy of 0.9",
            expected="`accuracy=0.95`",
            file="log.txt",
        )
    if not epochs(
        (float(number), line) for number, line in enumerate(text.splitlines())
    ):
        fail("the log tells no epoch", expected="`epoch 1`", file="log.txt")


@check(points=10)
def test_readme(submission):
    """The README has a `docker build`."""
    assert "docker build" in script_of(submission.read("README.md"))


@check(points=10)
def test_formatted(submission):
    """The code is formatted with black."""
    expect_black(submission.path)
