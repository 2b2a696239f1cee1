"""An image, a run that ends, and a container that stays."""

from dockdojo import check
from dockdojo.probes import testinfra_host


@check(points=10)
def test_builds(image):
    """It can be built."""
    assert image.layers


@check(points=40, needs=test_builds)
def test_says(run, rng):
    """It prints the word that it is given, and ends with exit code 0."""
    word = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=12))
    done = run(env={"WORD": word})
    assert done.exit_code == 0
    assert done.stdout == f"{word}\n"


@check(points=50, needs=test_builds)
def test_stays(start):
    """It stays, has its script at /main.sh, and ends with exit code 0 when it is asked to."""
    container = start(env={"STAY": "yes"})
    assert testinfra_host.testinfra_host(container).file("/main.sh").is_file
    assert (
        testinfra_host.testinfra_host(container).run("echo there").stdout.strip()
        == "there"
    )
    assert container.pid1.argv[0]
    assert container.stop(grace=1).exit_code == 0
