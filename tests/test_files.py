"""Files of a container that never runs: told by the engine, whatever the image's own programs would say."""

from __future__ import annotations

import pytest

from dockdojo.connection.types import RunSpec
from dockdojo.engine.client import connect
from dockdojo.engine.container import Container
from dockdojo.engine.files import head, listing, through_links, user_id
from dockdojo.errors import SubmissionError
from dockdojo.model import Limits

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def bare(real_engine):
    """A container of an image with links, a second root, and a name that a link leads to."""
    with connect() as engine:
        spec = RunSpec(image="busybox:latest", args=("none",))
        made = Container(engine, engine.create(spec, Limits()), spec, Limits())
        made.write("/etc/words", b"one two three")
        made.write(
            "/etc/users",
            b"root:x:0:0::/:/bin/sh\nadmin:x:0:0::/:/bin/sh\nada:x:1815:1815::/:/bin/sh\nbroken\n",
        )
        yield made


def test_files_are_listed_with_their_bytes_and_read_from_their_beginning(bare):
    files = listing(bare)
    assert files["/etc/words"] == 13
    assert listing(bare, "/etc")["/etc/words"] == 13
    assert head(bare, "/etc/words", 3) == b"one"
    assert head(bare, "/etc/nothing", 3) == b""
    assert head(bare, "/etc", 3) == b""
    assert listing(bare, "/nothing") == {}


def test_a_user_is_who_the_engine_says(bare):
    assert [user_id(bare, user) for user in ("", "0", "0:5", "1000", "root")] == [
        0,
        0,
        0,
        1000,
        0,
    ]
    with pytest.raises(SubmissionError, match="no such user"):
        user_id(bare, "ada")


def test_links_are_followed_inside_the_container(bare):
    assert through_links(bare, "/etc/words") == b"one two three"
    with pytest.raises(SubmissionError, match="no file"):
        through_links(bare, "/etc/nothing")
