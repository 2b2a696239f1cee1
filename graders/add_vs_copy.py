"""ADD and COPY: told by what is in the image and in its layers."""

import fnmatch
import gzip
import io
import posixpath
import re
import tarfile
from types import SimpleNamespace

import pytest

from dockdojo import check, fail
from dockdojo.checks.answers import expect_answers
from dockdojo.checks.shell_commands import script_of, simple_commands

SITE, BACKUP, CONF = "site.tar.gz", "backup.tar.gz", "app.conf"
OWNER, MODE = 1000, 0o640
FILES = 6  # of an archive
FOLDERS, ENDINGS = ("bin", "css", "img", "private", "notes"), (
    "html",
    "css",
    "sh",
    "txt",
    "sql",
)
MODES = (0o644, 0o755, 0o600, 0o640, 0o444)
FOLDER_MODES = (0o755, 0o750, 0o700, 0o775)
UNPACKERS = ("tar", "bsdtar")
NEEDLE = 48  # bytes from the middle of a compressed archive: nothing else has them
MAGIC = (
    (0, b"\x1f\x8b"),
    (0, b"BZh"),
    (0, b"\xfd7zXZ"),
    (0, b"\x28\xb5\x2f\xfd"),
    (257, b"ustar"),
)
LOOK = "Try it: build such an image, and look with `docker run --rm IMAGE ls`."
WHAT_ADD_DOES = (
    "copies it as it is",
    "unpacks it",
    "downloads it",
    "downloads and unpacks it",
)
QUIZ = {
    "local_tar_gz": (
        "unpacks it",
        dict.fromkeys(WHAT_ADD_DOES, LOOK),
    ),
    "local_zip": (
        "copies it as it is",
        dict.fromkeys(
            WHAT_ADD_DOES[1:],
            "ADD knows tar, also compressed by gzip, bzip2 or xz. Is zip one of them?",
        ),
    ),
    "url_of_a_page": (
        "downloads it",
        dict.fromkeys(
            WHAT_ADD_DOES,
            "The builder has the address only. What must it do to have the bytes?",
        ),
    ),
    "url_of_a_tar_gz": (
        "downloads it",
        dict.fromkeys(
            WHAT_ADD_DOES,
            "For a URL, what comes is not looked into. The reference of ADD says it in so many words.",
        ),
    ),
    "copy_cannot": (
        "unpack an archive",
        {
            "copy a folder": "`COPY . .` does just that.",
            "set the owner": "There is an option, --chown.",
            "copy from another stage": "There is an option, --from.",
        },
    ),
}


@pytest.fixture(scope="session")
def fresh(session):
    """Archives and a configuration that nobody has seen, under the given names: what they hold, and the image made with them."""
    rng = session.rng("archives")
    site, backup = files_drawn(rng), files_drawn(rng)
    folders = {path.partition("/")[0]: rng.choice(FOLDER_MODES) for path in site}
    conf = b"[app]\npassword = %032x\n" % rng.getrandbits(128)
    changes = {SITE: packed(site, folders), BACKUP: packed(backup), CONF: conf}
    return SimpleNamespace(
        site=site, folders=folders, image=session.build(changes=changes), bytes=changes
    )


def files_drawn(rng):
    """Files by path: (mode, bytes)."""
    return {
        f"{rng.choice(FOLDERS)}{rng.randrange(100)}/{rng.getrandbits(32):08x}.{rng.choice(ENDINGS)}": (
            rng.choice(MODES),
            rng.randbytes(rng.randrange(20, 200)),
        )
        for _ in range(FILES)
    }


def packed(files, modes=None):
    """A tar archive of the files and their folders, all root's, compressed by gzip; `modes` are those of folders."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for folder in sorted({path.partition("/")[0] for path in files}):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, (modes or {}).get(folder, 0o755)
            archive.addfile(info)
        for path, (mode, data) in files.items():
            info = tarfile.TarInfo(path)
            info.mode, info.size = mode, len(data)
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(raw.getvalue(), mtime=0)


@pytest.fixture(scope="session")
def begun(session, fresh):
    """The image's layers, with the archive looked for in them: read while other checks go on."""
    raw = fresh.bytes[SITE]
    # As it is, or no longer compressed: in a tar archive, a file's name is filled up with zeros.
    needles = (
        raw[len(raw) // 2 :][:NEEDLE],
        next(iter(fresh.site)).encode() + bytes(8),
        fresh.bytes[CONF],
    )
    return session.background(
        lambda: session.engine.layers(fresh.image.id, needles, thorough=True)
    )  # packed again, too


@pytest.fixture
def layers(begun):
    return begun.result()


@pytest.fixture(scope="session")
def files(session, begun, fresh):
    """The files below some paths, read from a container that never runs."""
    created = session.create(fresh.image)
    return {
        path: created.members(path)
        for path in ("/srv/site", "/srv/backup", "/etc/app/app.conf")
    }


MODES_HINT = "ADD keeps the modes of an archive. What changes them afterwards: an option of ADD, or a chmod in a RUN?"


def tree(members, top):
    """Files below the folder by relative path: (mode, bytes)."""
    found = {}
    for info, data in members:
        path = info.name.removeprefix(top).strip("/")
        if info.isreg():
            found[path] = (info.mode & 0o7777, data)
    return found


@check(
    points=20,
    hints=(
        "Which of the two instructions unpacks?",
        "ADD unpacks a local tar archive into the folder that it is given. End the folder with a slash.",
        "ADD site.tar.gz /srv/site/",
    ),
)
def test_site(files, fresh):
    """`/srv/site` holds the tree of site.tar.gz, unpacked, with its modes: whatever is in it when the image is built."""
    found = tree(files["/srv/site"], "site")
    for path, (mode, data) in fresh.site.items():
        if path not in found:
            near = [
                name for name in found if name.endswith("/" + path.rpartition("/")[2])
            ]
            fail(
                f"`/srv/site/{path}` is not there"
                + (f", but `/srv/site/{near[0]}` is" if near else ""),
                expected="the whole tree of the archive",
                why=(
                    "The archive itself is there, packed."
                    if "site.tar.gz" in found
                    else ""
                ),
                hint=(
                    "Which folder does ADD unpack into? `tar tzf site.tar.gz` shows the paths in the archive."
                    if near
                    else ""
                ),
            )
        if found[path][1] != data:
            fail(
                f"`/srv/site/{path}` has other bytes than in the archive",
                hint="Does a later step write into /srv/site?",
            )
        if found[path][0] != mode:
            fail(
                f"`/srv/site/{path}` has the mode {found[path][0]:o}",
                expected=f"{mode:o}, as in the archive",
                hint=MODES_HINT,
            )
    folders = {
        info.name.removeprefix("site").strip("/"): info.mode & 0o7777
        for info, _ in files["/srv/site"]
        if info.isdir()
    }
    for path, mode in fresh.folders.items():
        if folders.get(path) != mode:
            fail(
                f"the folder `/srv/site/{path}` has the mode {folders.get(path, 0):o}",
                expected=f"{mode:o}, as in the archive",
                why="Folders have modes, too: they say who may look inside.",
                hint=MODES_HINT,
            )


@check(
    points=15,
    hints=(
        "Where is a file that a later instruction deletes?",
        "In the layer that brought it. `dockdojo layers IMAGE` shows it.",
        "Let the archive never get into a layer: ADD reads it from the build context.",
    ),
)
def test_archive_nowhere(layers, fresh):
    """The archive site.tar.gz is in no layer of the image."""
    for number, layer in enumerate(layers):
        for entry in layer.entries:
            if set(entry.held) - {fresh.bytes[CONF]} or (
                entry.kind == "file" and entry.path.endswith("site.tar.gz")
            ):
                fail(
                    f"`/{entry.path}` is in layer {number}, made by `{layer.shown}`",
                    why="A later RUN rm hides it. It does not take it out of the image.",
                )


@check(
    points=15,
    hints=(
        "ADD cannot be told not to unpack.",
        "COPY takes a file as it is.",
        "COPY backup.tar.gz /srv/backup/",
    ),
)
def test_backup(files, fresh):
    """`/srv/backup/backup.tar.gz` is the archive, bit for bit, and not unpacked."""
    found = tree(files["/srv/backup"], "backup")
    if "backup.tar.gz" not in found:
        names = ", ".join(f"`{name}`" for name in sorted(found)[:4])
        fail(
            "`/srv/backup/backup.tar.gz` is not there"
            + (f"; {names} is" if names else ""),
            expected="the archive, packed",
        )
    if found["backup.tar.gz"][1] != fresh.bytes[BACKUP]:
        fail(
            "`/srv/backup/backup.tar.gz` has other bytes than the one beside the Dockerfile",
            hint="Packed anew, an archive is another one, whatever is in it. COPY the file itself.",
        )


@check(
    points=15,
    hints=(
        "COPY has options for the owner and for the mode.",
        "COPY --chown=1000:1000 --chmod=640 app.conf /etc/app/app.conf",
    ),
)
def test_conf(files, fresh, layers, session):
    """`/etc/app/app.conf` belongs to user 1000 and group 1000, with mode 0640."""
    found = files["/etc/app/app.conf"]
    if not found or not found[0][0].isreg():
        fail(
            "there is no file `/etc/app/app.conf`",
            hint="Where does your COPY put it? The last word is the place.",
        )
    info, data = found[0]
    if data != fresh.bytes[CONF]:
        fail(
            "`/etc/app/app.conf` has other bytes than the one beside the Dockerfile",
            hint="Does a later step write into it? COPY alone changes no byte.",
        )
    # Podman gives out files as root's, whoever owns them: there, the layers tell.
    told = layers if session.engine.is_podman else ()
    tops = [
        entry
        for layer in told
        for entry in layer.entries
        if entry.path == "etc/app/app.conf"
    ]
    user, group = (tops[-1].uid, tops[-1].gid) if tops else (info.uid, info.gid)
    if (user, group) != (OWNER, OWNER):
        fail(
            f"it belongs to user {user}, group {group}",
            expected=f"user {OWNER}, group {OWNER}",
        )
    if info.mode & 0o7777 != MODE:
        fail(f"its mode is {info.mode & 0o7777:04o}", expected=f"{MODE:04o}")


@check(
    points=10,
    hints=(
        "`RUN chown` changes one number. What does it add to the image?",
        "A changed file is copied whole into the new layer.",
    ),
)
def test_conf_once(layers, fresh):
    """`/etc/app/app.conf` is stored once, in one layer: nothing was copied to change its owner."""
    conf = fresh.bytes[CONF]
    holding = [
        f"`/{entry.path}` in layer {number}"
        for number, layer in enumerate(layers)
        for entry in layer.entries
        if conf in entry.held
        or (entry.path == "etc/app/app.conf" and entry.kind == "file")
    ]
    if len(holding) != 1:
        fail(
            (
                f"its bytes are stored {len(holding)} times: {', '.join(holding[:4])}"
                if holding
                else "it is in no layer"
            ),
            expected="once",
            why=(
                "Each change of a file, also of its owner, stores it again; and so does each copy, wherever it lies."
                if holding
                else ""
            ),
            hint=(
                ""
                if holding
                else "Where does your COPY put app.conf? `dockdojo layers IMAGE` lists what each step added."
            ),
        )


@check(
    points=10,
    hints=(
        "ADD does several things. For which of them do you need it here?",
        "ADD for the archive that is to be unpacked; COPY for all else.",
    ),
)
def test_add_for_unpacking_only(dockerfile, submission):
    """ADD is used for unpacking only: no remote ADD, none for plain files, and no `RUN tar`."""
    for run in dockerfile.all("RUN"):
        # What is run, not what is said: `echo tar`, a comment, or a package of that name unpack nothing.
        if any(
            posixpath.basename(words[0]) in UNPACKERS
            for words in simple_commands(script_of(run))
        ):
            fail(
                f"`{run.original[:120]}`",
                why="ADD unpacks an archive of the context by itself, in one step.",
                file=dockerfile.name,
                line=run.line,
            )
    for add in dockerfile.all("ADD"):
        for source in (dockerfile.filled(word, add) for word in add.args[:-1]):
            if re.match(r"(https?|git|ssh)://|git@", source):
                fail(
                    f"`{add.original[:120]}`",
                    why="What a URL gives may be another thing tomorrow.",
                    file=dockerfile.name,
                    line=add.line,
                )
            if not all(is_archive(path) for path in matching(submission, source)):
                fail(
                    f"`{add.original[:120]}`",
                    expected="COPY",
                    why=f"`{source}` is no archive: COPY says plainly that nothing else happens.",
                    file=dockerfile.name,
                    line=add.line,
                )


def matching(submission, pattern):
    pattern = pattern.removeprefix("./").strip("/")
    return [
        p
        for p in submission.path.rglob("*")
        if p.is_file() and fnmatch.fnmatch(str(p.relative_to(submission.path)), pattern)
    ] or [None]


def is_archive(path):
    if path is None:
        return False
    with path.open("rb") as file:
        head = file.read(512)
    return any(head[offset : offset + len(magic)] == magic for offset, magic in MAGIC)


@check(
    points=9,
    hints=("Build each case and look. For a URL, the reference of ADD tells.",),
)
def test_what_add_does(submission):
    """Quiz: what ADD does with a local archive, a zip file, a page and a remote archive."""
    expect_answers(submission, QUIZ, *(key for key in QUIZ if key != "copy_cannot"))


@check(points=6, hints=("Three of the four are done by an option, or by COPY alone.",))
def test_what_copy_cannot(submission):
    """Quiz: what COPY cannot do."""
    expect_answers(submission, QUIZ, "copy_cannot")
