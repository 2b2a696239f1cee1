"""A real web application: it answers, it is lean, it builds again quickly, and it runs as nobody special."""

import hashlib
import secrets
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

from dockerlab import check, fail
from dockerlab.checks.cache import made_anew
from dockerlab.checks.pinning import loose_bases, loose_installs, loose_requirements, requirements

GIVEN = Path(__file__).parents[1] / "labs" / "catgif" / "starter" / "static"
PORT, OTHER_PORT = 5000, 8081
START_SECONDS = 10
DRAWS, ROUNDS = 20, 5  # three cats are all seen in 100 draws but for one time in 10**17
ADDED_MB = 60
DEVELOPMENT = "development server"


class Images(HTMLParser):
    def __init__(self):
        super().__init__()
        self.sources = []

    def handle_starttag(self, tag, attributes):
        if tag == "img" and dict(attributes).get("src"):
            self.sources.append(dict(attributes)["src"])


def sources_of(page):
    parser = Images()
    parser.feed(page)
    return parser.sources


@pytest.fixture(scope="session")
def served(bench):
    """Whether the server is reached over the loopback only."""
    return {"loopback": False}


@pytest.fixture(scope="session")
def twice(bench):
    """With clutter beside the app: the image, a way to build it after another change of app.py, and the clutter's mark."""
    mark = secrets.token_hex(16).encode()
    clutter = {
        ".git/HEAD": mark,
        ".git/objects/ab/cdef": mark,
        ".env": b"SECRET=" + mark,
        "__pycache__/app.cpython-311.pyc": mark,
        "leftover.pyc": mark,
    }
    app = bench.submission.read("app.py")

    def changed():
        return bench.build(changes={**clutter, "app.py": f"{app}\n# changed: {secrets.token_hex(4)}\n".encode()})

    return bench.build(changes=clutter), changed, mark


@pytest.fixture(scope="session")
def layers(bench, twice):
    return bench.engine.layers(twice[0].id, (twice[2],))


@check(
    points=15,
    hints=(
        "Run it yourself: `docker run --rm -p 5000:5000 IMAGE`, and read what it prints.",
        "`docker ps -a` shows whether it still runs, `docker logs` what it said.",
        'CMD ["gunicorn", "--bind", "0.0.0.0:5000", "app:app"]',
    ),
)
def test_answers(container, http, served):
    """The page `/` answers with status 200 within 10 seconds of the start."""
    page = http.wait(container, port=PORT, within=START_SECONDS, loopback=True)
    if not page.status:
        if not container.running:
            fail(
                "the container has ended",
                why="A container lives as long as its program.",
                detail=container.logs()[-1500:],
            )
        ports = sorted({port for _, port in http.listeners(container) if port < 30_000})
        said = f"it listens on port {', '.join(map(str, ports))}" if ports else "nothing listens in the container"
        fail(f"no answer on port {PORT}: {said}", why=page.error, detail=container.logs()[-1500:])
    served["loopback"] = not http.get(container, port=PORT).status
    assert page.status == 200


@check(
    points=8,
    needs=test_answers,
    hints=(
        "Whose `localhost` is it, inside a container?",
        "127.0.0.1 is the container's own loopback; `docker run -p` connects to its network address.",
        "Bind to 0.0.0.0, which means every address.",
    ),
)
def test_reachable(container, http, served):
    """It answers on the container's own address, not only on the container's loopback."""
    page = http.get(container, port=PORT)
    if not page.status and served["loopback"]:
        fail(
            "it answers on 127.0.0.1 inside the container, and nowhere else",
            expected=f"an answer on {container.address or 'the address of the container'}, port {PORT}",
            why="The loopback of a container is not that of your machine: `-p` cannot reach it.",
        )
    assert page.status == 200


@check(
    points=10,
    needs=test_answers,
    hints=(
        "Look at the page's source in your browser: what does `<img>` point to?",
        "The pictures must be in the image, where the app looks for them.",
        "COPY . . takes static/ and templates/ along, unless .dockerignore leaves them out.",
    ),
)
def test_gifs(container, http, served):
    """The page's `<img>` loads and is a GIF, and every cat that was given can appear."""
    wanted = {hashlib.sha256(path.read_bytes()).hexdigest(): path.name for path in GIVEN.glob("*.gif")}
    seen, cache = {}, {}
    for _ in range(ROUNDS):
        for page in http.pages(container, port=PORT, times=DRAWS, loopback=served["loopback"]):
            sources = sources_of(page)
            if not sources:
                fail(
                    "the page has no <img>",
                    expected='<img src="..."> in the page',
                    detail=page[:800],
                )
            url = urlsplit(urljoin("/", sources[0]))
            path = url.path + (f"?{url.query}" if url.query else "")
            if path not in cache:
                cache[path] = load(http, container, path, served["loopback"])
            seen[hashlib.sha256(cache[path]).hexdigest()] = path
            if len(cache) == 1:  # one address for all cats: what it gives may differ each time
                data = load(http, container, path, served["loopback"]) if len(seen) < len(wanted) else b""
                seen.update({hashlib.sha256(data).hexdigest(): path} if data else {})
        if set(wanted) <= set(seen):
            return
    missing = ", ".join(sorted(wanted[digest] for digest in set(wanted) - set(seen)))
    fail(
        f"{missing} did not appear in {DRAWS * ROUNDS} tries",
        expected=f"each of {', '.join(sorted(wanted.values()))} now and then",
        why="Are all the pictures in the image, unchanged, and is the choice still random?",
    )


def load(http, container, path, loopback):
    answer = http.get(container, path, port=PORT, loopback=loopback)
    if answer.status != 200:
        fail(
            f"`{path}` answers {answer.status or answer.error}",
            expected="the picture, with status 200",
        )
    if answer.body[:4] != b"GIF8":
        fail(
            f"`{path}` is no GIF: it begins with {answer.body[:12]!r}",
            expected="bytes that begin with GIF8",
        )
    return answer.body


@check(
    points=8,
    needs=test_answers,
    hints=(
        "Who tells the server which port to use, and when?",
        "`-e PORT=8081` is known when the container starts, not when the image is built. Exec form expands nothing.",
        'CMD ["sh", "-c", "exec gunicorn --bind 0.0.0.0:${PORT:-5000} app:app"]',
    ),
)
def test_port(start, http):
    """With `-e PORT=8081` it answers on port 8081."""
    other = start(env={"PORT": str(OTHER_PORT)})
    page = http.wait(other, port=OTHER_PORT, within=START_SECONDS, loopback=True)
    if not page.status:
        ports = sorted({port for _, port in http.listeners(other) if port < 30_000})
        fail(
            f"no answer on port {OTHER_PORT}" + (f"; it listens on {', '.join(map(str, ports))}" if ports else ""),
            why="Is the number 5000 written somewhere where PORT should be looked at?",
            detail=other.logs()[-1000:],
        )
    assert page.status == 200


@check(
    points=4,
    hints=("EXPOSE tells people and tools which port to publish; it opens nothing.", "EXPOSE 5000"),
)
def test_exposes(image):
    """The image says that it listens on port 5000 (EXPOSE)."""
    assert "5000/tcp" in image.ports


@check(
    points=3,
    hints=("Where in the image does `COPY . .` copy to?", "WORKDIR /app, before the first COPY."),
)
def test_workdir(image):
    """It has a working folder of its own, not `/`."""
    assert (
        image.workdir != "/"
    ), "Files of the app between /bin, /etc and /usr are hard to find, and easy to clash with."


@check(
    points=7,
    hints=(
        "Which version of Flask will this image have in a year?",
        "`==` pins a package; a tag pins an image.",
        "`pip freeze` in a container shows the versions that were installed.",
    ),
)
def test_pinned(dockerfile, submission):
    """The base image and every requirement are pinned to one version."""
    for ref, line in loose_bases(dockerfile):
        fail(
            f"`FROM {ref}`",
            expected="a tag other than `latest`, or a digest",
            file=dockerfile.name,
            line=line,
        )
    text = submission.read("requirements.txt")
    for one, line in loose_requirements(text):
        fail(
            f"`{one}`",
            expected="a version, such as `name==1.2.3`",
            why="Without one, the next build may install another version than the one that you tested.",
            file="requirements.txt",
            line=line,
        )
    for one, line in loose_installs(dockerfile):
        fail(
            f"`pip install {one}`",
            expected="a version, such as `name==1.2.3`",
            file=dockerfile.name,
            line=line,
        )
    if not any(True for _ in requirements(text)):
        fail(
            "requirements.txt names nothing",
            expected="at least Flask, with its version",
            file="requirements.txt",
        )


@check(
    points=13,
    hints=(
        "Change one letter in app.py and build again. Which step takes long?",
        "A step is taken from the cache as long as nothing before it changed. What does the install really need?",
        "COPY requirements.txt . first, then RUN pip install, then COPY . .",
    ),
)
def test_cache(twice, layers, engine):
    """After a change of app.py alone, building again does not install the requirements again."""
    first, changed, _ = twice
    if made_anew(engine, first, changed, lambda path: path.endswith("flask/__init__.py"), layers):
        fail(
            "the layer with the installed requirements was made anew",
            why="A COPY of everything comes before the install, so each change of any file installs all again.",
            file="Dockerfile",
        )


@check(
    points=10,
    hints=(
        "What is in the folder that `COPY . .` copies, besides the app?",
        ".dockerignore keeps files out of the build. Its patterns look from the top of the folder.",
        ".git, .env, **/__pycache__ and **/*.pyc",
    ),
)
def test_clean_context(layers):
    """`.git`, `.env`, `__pycache__` and `*.pyc` beside the app never reach the image, not even a lower layer."""
    found = sorted({entry.path for layer in layers for entry in layer.entries if entry.held})
    if found:
        fail(
            "the image holds " + ", ".join(f"`/{path}`" for path in found[:5]),
            why="What is in a layer stays in the image, also when a later step deletes it. .env files hold secrets.",
            file=".dockerignore",
        )


@check(
    points=8,
    hints=(
        "`docker history IMAGE` shows what each step added.",
        "pip keeps a cache, apt keeps lists, and compilers are rarely needed afterwards.",
        "pip install --no-cache-dir",
    ),
)
def test_size(image, bench):
    """It adds at most 60 MB to its base image."""
    base = bench.base(image)
    added = (image.size - (base.size if base else 0)) / 1e6
    if added > ADDED_MB:
        fail(
            f"{added:.1f} MB on top of {'the base image' if base else 'nothing'}",
            expected=f"at most {ADDED_MB} MB",
            why="Every byte is stored, sent and scanned for each copy of the image.",
        )


@check(
    points=7,
    needs=test_answers,
    hints=(
        "Who are you in the container? `docker exec CONTAINER id` tells.",
        "Without USER, everything runs as root; a hole in the app is then root's.",
        "RUN useradd --system cat, then USER cat",
    ),
)
def test_not_root(container):
    """No process of it runs as root."""
    roots = [one for one in container.processes() if one.uid == 0]
    if roots:
        fail(
            f"process {roots[0].pid}, `{' '.join(roots[0].argv)[:100]}`, runs as uid 0 (root)",
            why="Whoever breaks into the app is then root in the container.",
        )


@check(
    points=7,
    needs=test_answers,
    hints=(
        "What does the log say when it starts?",
        "Flask's own server is for development. WSGI servers such as gunicorn or waitress are for production.",
        "Put gunicorn into requirements.txt, and start it in CMD.",
    ),
)
def test_production_server(container, http, served):
    """A production server answers, not Flask's development server."""
    server = http.get(container, port=PORT, loopback=served["loopback"]).headers.get("Server", "")
    warned = DEVELOPMENT in container.logs()
    if warned or server.startswith("Werkzeug"):
        fail(
            (f'the log warns of a "{DEVELOPMENT}"' if warned else f"the server calls itself `{server[:60]}`"),
            why="The development server is slow, and its debugger lets strangers run code.",
        )
