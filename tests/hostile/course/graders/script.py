"""What a README tells people to type, recorded where no engine is."""

from dockdojo import check
from dockdojo.checks.readme import script_of


@check(points=100)
def test_typed(session, submission):
    """The README builds an image, of a Dockerfile that can be built."""
    asked = session.record_api_calls(
        "README.md", "box", script_of(submission.read("README.md"))
    )
    assert len(asked.builds) == 1
    assert session.build(
        asked.builds[0].dockerfile, target=asked.builds[0].target
    ).layers
