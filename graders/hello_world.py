"""The life of a container: what it prints, what its environment changes, and how it ends."""

from types import SimpleNamespace

import pytest

from dockdojo import check, fail
from dockdojo.checks.answers import expect_answers
from dockdojo.checks.pinning import expect_pinned_bases

AUTHORS = "org.opencontainers.image.authors"
EX_USAGE = 64  # sysexits.h: the command was used incorrectly
NAMES = (
    "Ada",
    "Barbara",
    "Edith",
    "Frances",
    "Grace",
    "Hedy",
    "Jean",
    "Katherine",
    "Mary",
    "Radia",
    "Sophie",
    "Wen",
)
ODD = ("{0}  {1},   Countess of {2}", """{0} "{1}" O'{2}""", "* ${0} `{1}`")
QUIZ = {
    "state_after_exit": (
        "exited",
        {
            "running": "A container runs only as long as its program does, and the program has ended.",
            "paused": "A pause is something that you ask for with `docker pause`; nobody did.",
            "removed": "Without `--rm` nothing is removed by itself: look at `docker ps -a` after a run.",
        },
    ),
    "ps_shows": (
        "running",
        {
            "all": "Run `docker ps` and `docker ps -a` one after the other: the first list is shorter.",
            "exited": "Start something that lasts, `docker run -d busybox sleep 60`, and look again.",
            "images": "Images are not containers; another command lists them.",
        },
    ),
    "removes_container": (
        "docker rm",
        {
            "docker stop": "It ends the program. The container is still in `docker ps -a` afterwards.",
            "docker kill": "It ends the program, only harder. Look at `docker ps -a` afterwards.",
            "docker rmi": "That removes an image, and it refuses while a container still uses it.",
        },
    ),
    "logs_after_exit": (
        "yes",
        {
            "no": "Try it: run hello-world without `--rm`, find the container with `docker ps -a`, and ask for its logs."
        },
    ),
    "option_i": (
        "keeps stdin open",
        {
            "gives it a terminal": "`echo hi | docker run -i busybox cat` works and no terminal is in sight. What did `cat` read?",
            "runs it in the background": "Then you could not type anything into it. Try `docker run -i busybox cat`.",
            "names the container": "Names are given by a longer option. Try `docker run -i busybox cat`.",
        },
    ),
    "option_t": (
        "gives it a terminal",
        {
            "keeps stdin open": "Try `docker run -t busybox sh`: there is a prompt, and yet it does not hear you.",
            "runs it in the background": "Try `docker run -t busybox sh`: what appears that was not there without it?",
            "names the container": "Names are given by a longer option. Try `docker run -t busybox sh`.",
        },
    ),
}


def prints(done, line, hint=""):
    """The output is that line, with or without its line end."""
    if done.stdout.removesuffix("\n") != line:
        why = ""
        if line in done.stdout + done.stderr:
            why = "The line is there, but so is something else, or it went to stderr."
        elif done.exit_code:
            why = "The container ended with an error, so look at what it said on stderr first."
        fail(
            f'stdout is "{done.stdout[:200]}", the exit code is {done.exit_code}',
            expected=f'stdout is exactly "{line}"',
            why=why,
            hint=hint,
            detail=done.stderr[-1000:],
        )


@pytest.fixture(scope="session")
def names(session):
    """A plain name, and odd ones; none is known before."""
    rng = session.rng("names")

    def name():
        return rng.choice(NAMES) + "".join(rng.choices("abdeiklnorst", k=4))

    return SimpleNamespace(
        plain=name(), odd=[form.format(name(), name(), name()) for form in ODD]
    )


@pytest.fixture(scope="session")
def said(session, names):
    """What it prints, by the NAME that it is given (None: no NAME); all runs go on side by side."""
    image = session.build()

    def say(name):
        return session.background(
            lambda: session.run(image=image, env={} if name is None else {"NAME": name})
        )

    begun = {name: say(name) for name in (None, names.plain, *names.odd, "")}
    return lambda name: begun[name].result()


@check(
    points=20,
    hints=(
        "Build it and run it yourself: `docker build -t hello . && docker run --rm hello`.",
        "The image needs the script inside (COPY) and must know what to run (CMD or ENTRYPOINT).",
        'COPY greet.sh /greet.sh, then CMD ["sh", "/greet.sh"].',
    ),
)
def test_greets(said):
    """`docker run --rm IMAGE` prints exactly `Hello, world!` and ends with exit code 0."""
    done = said(None)
    prints(done, "Hello, world!")
    if done.exit_code != 0:
        fail(
            f"the line is right, and the exit code is {done.exit_code}",
            expected="exit code 0",
            why="A program that did its work ends with 0; anything else means trouble to whoever called it.",
            hint="A script ends with the exit code of its last command. Which one is that?",
        )


@check(
    points=15,
    hints=(
        "Where does a program find what `-e NAME=Ada` gave it?",
        "A shell has the environment in its variables: `$NAME`. What should happen where it is not set?",
        "`${NAME-world}` is the value of NAME, or `world` where NAME is not set.",
    ),
)
def test_greets_by_name(said, names):
    """`docker run --rm -e NAME=Ada IMAGE` prints exactly `Hello, Ada!`, and so for any other name."""
    prints(said(names.plain), f"Hello, {names.plain}!")


@check(
    points=10,
    hints=(
        "What does a shell do with two spaces in `echo $NAME`?",
        "Between double quotes a value stays whole: one word, as it is.",
        "printf 'Hello, %s!\\n' \"$NAME\"",
    ),
)
def test_odd_names(said, names):
    """A name with spaces, quotes, a star, a dollar sign and backquotes comes out as it went in."""
    usual = said(names.plain)
    for name in names.odd:
        done = said(name)
        prints(done, f"Hello, {name}!", odd_hint(done, name, usual, names.plain))


def odd_hint(done, name, usual, plain):
    """What to try next: for a name that never comes, one that is taken for commands, one that is taken apart."""
    if plain not in usual.stdout:
        return "A plain name does not come out, either: mend `greets_by_name` first."
    if done.exit_code or "not found" in done.stderr:
        return "Is the name taken for a text of commands? Read what is on stderr. `eval` does that, and so does `sh -c` with it."
    if " ".join(name.split()) in done.stdout:
        return "What does a shell do with two spaces in `echo $NAME`?"
    return "Which signs of the name are missing, or new? Without quotes, a shell takes some of them for itself."


@check(
    points=10,
    hints=(
        "Not set and set to nothing are two things. Which of them is this?",
        '`[ "${NAME+set}" ]` is true where NAME is set, even to nothing. `>&2` sends a line to stderr.',
        'if [ "${NAME+set}" ] && [ -z "$NAME" ]; then echo "..." >&2; exit 64; fi',
    ),
)
def test_empty_name(said, names):
    """With NAME set but empty: a message on stderr, nothing on stdout, exit code 64."""
    done, usual = said(""), said(names.plain)
    if usual.exit_code == EX_USAGE or not usual.stdout + usual.stderr:
        fail(
            f'with the name "{names.plain}", stdout is "{usual.stdout[:200]}", the exit code is {usual.exit_code}',
            expected="an empty name is refused, and no other",
            why="A program that refuses every name does not look whether the name is empty.",
            detail=usual.stderr[-600:],
        )
    assert (
        done.exit_code == EX_USAGE
    ), "64 is what Unix programs say when they were used wrongly (EX_USAGE)."
    if done.stdout or not done.stderr.strip():
        fail(
            (
                f'stdout is "{done.stdout[:200]}"'
                if done.stdout
                else "nothing is on stderr"
            ),
            expected="a message on stderr, and nothing on stdout",
            why="What went wrong belongs on stderr: stdout may be the input of another program.",
            hint="`>&2` behind an echo sends its line to stderr.",
        )


@check(
    points=8,
    hints=(
        "Which version of the base image will this build in a year?",
        "A tag after the colon names a version; no tag means `latest`, which moves.",
        "FROM debian:bookworm-slim",
    ),
)
def test_pinned(dockerfile):
    """The base image is pinned to a tag that is not `latest`."""
    expect_pinned_bases(dockerfile)


@check(
    points=7,
    hints=(
        "Who would somebody ask about this image?",
        "LABEL puts a key and a value into the image; `docker inspect` shows them.",
        f'LABEL {AUTHORS}="You <you@example.com>"',
    ),
)
def test_authors(image, dockerfile):
    """The image says who made it, in the label `org.opencontainers.image.authors`."""
    if not image.labels.get(AUTHORS, "").strip():
        labels = [
            label for label in dockerfile.all("LABEL") if "authors" in label.original
        ]
        fail(
            f"the label is {'empty' if AUTHORS in image.labels else 'not there'}",
            expected=f"a label `{AUTHORS}` that is not empty",
            file=dockerfile.name,
            line=labels[0].line if labels else 0,
        )


@check(
    points=5,
    hints=("Run hello-world, then look at the STATUS column of `docker ps -a`.",),
)
def test_state_after_exit(submission):
    """Quiz: the state of a container whose program has ended."""
    expect_answers(submission, QUIZ, "state_after_exit")


@check(points=5, hints=("Compare `docker ps` with `docker ps -a`.",))
def test_ps_shows(submission):
    """Quiz: which containers `docker ps` shows."""
    expect_answers(submission, QUIZ, "ps_shows")


@check(
    points=5, hints=("After which command is the container gone from `docker ps -a`?",)
)
def test_removes_container(submission):
    """Quiz: what removes a container."""
    expect_answers(submission, QUIZ, "removes_container")


@check(
    points=5,
    hints=("`docker logs` takes the id of any container that `docker ps -a` shows.",),
)
def test_logs_after_exit(submission):
    """Quiz: whether a container's output can still be read after its end."""
    expect_answers(submission, QUIZ, "logs_after_exit")


@check(points=5, hints=("`echo hi | docker run busybox cat`, with and without `-i`.",))
def test_option_i(submission):
    """Quiz: what `-i` does."""
    expect_answers(submission, QUIZ, "option_i")


@check(points=5, hints=("`docker run busybox tty`, with and without `-t`.",))
def test_option_t(submission):
    """Quiz: what `-t` does."""
    expect_answers(submission, QUIZ, "option_t")
