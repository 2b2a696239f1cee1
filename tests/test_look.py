"""Folders as people hand them in: each is judged as docker and pip judge it, or what happened to it is named."""

from __future__ import annotations

import codecs
import shutil
import subprocess
from dataclasses import replace

import pytest

from dockdojo.build.dockerfile import Dockerfile
from dockdojo.checks.requirement_files import loose_requirements
from dockdojo.cli import main
from dockdojo.commands.student import start
from dockdojo.course import open_course
from dockdojo.errors import DockerfileInvalid, SubmissionError
from dockdojo.grading.intake import copy_submission
from dockdojo.grading.look import heredocs, look, look_at
from dockdojo.model import Lab, Limits
from dockdojo.submission.encodings import decode_as_pip
from dockdojo.submission.folder import Submission

LAB = Lab(
    slug="x",
    title="X",
    summary="x",
    files=("Dockerfile", "greet.sh", "app.py", "compose.yaml"),
    images=("python:3.11-slim",),
)
GOOD = {
    "Dockerfile": 'FROM python:3.11-slim\nCOPY . /app\nCMD ["python", "/app/app.py"]\n',
    "greet.sh": "#!/bin/sh\necho hello\n",
    "app.py": "print(1)\n",
    "compose.yaml": "services: {}\n",
}
POINTER = (
    "version https://git-lfs.github.com/spec/v1\noid sha256:"
    + "4d" * 32
    + "\nsize 12345\n"
)


def found(folder, lab=LAB, starter=None):
    return [(one.kind, one.file, one.line) for one in look(folder, lab, starter)]


def test_a_folder_as_it_was_made_has_no_findings(submission):
    assert found(submission(GOOD)) == []


@pytest.mark.parametrize("slug", open_course().slugs)
def test_starters_and_solutions_have_none(slug):
    course = open_course()
    lab = course.lab(slug)
    for folder in (course.starter(slug), course.solution(slug)):
        assert look_at(folder, lab, course.starter(slug)) == ()


@pytest.mark.parametrize(
    ("changes", "expected", "words"),
    [
        (
            {"greet.sh": b"#!/bin/sh\r\necho hello\r\n"},
            ("crlf", "greet.sh", 1),
            "end in CR and LF",
        ),
        ({"run.sh": b"echo hello\r\n"}, ("crlf", "run.sh", 1), "eol=lf"),
        (
            {
                "start": b"echo hello\r\n",
                "Dockerfile": 'FROM busybox\nCMD ["sh", "/start"]\n',
            },
            ("crlf", "start", 1),
            "CR and LF",
        ),
        (
            {
                "app.py": b"#!/usr/bin/env python3\r\nprint(1)\r\n",
                "Dockerfile": 'FROM busybox\nCMD ["/app.py"]\n',
            },
            ("crlf", "app.py", 1),
            "no such file",
        ),
        (
            {"Dockerfile": "FROM busybox\n".encode("utf-16")},
            ("utf-16", "Dockerfile", 0),
            "UTF-8",
        ),
        ({"app.py": POINTER}, ("lfs", "app.py", 0), "git lfs pull"),
        (
            {".gitmodules": '[submodule "lib"]\n\tpath = libs/cat\n\turl = x\n'},
            ("submodule", "libs/cat", 0),
            "--init",
        ),
        ({"a/b": "x", "linked": b"a/b"}, ("link", "linked", 0), "core.symlinks"),
        ({"a/linked": b"../app.py"}, ("link", "a/linked", 0), "copy of `app.py`"),
        (
            {
                "Dockerfile": "FROM busybox\n\nCMD [\u201cpython\u201d, \u201capp.py\u201d]\n"
            },
            ("quotes", "Dockerfile", 3),
            "curly quotes",
        ),
        (
            {"Dockerfile": "FROM busybox\nENTRYPOINT ['python', 'app.py']\n"},
            ("quotes", "Dockerfile", 2),
            "single quotes",
        ),
        (
            {"Dockerfile": "FROM busybox\nRUN [\"echo\", 'a']\n"},
            ("quotes", "Dockerfile", 2),
            "JSON",
        ),
        (
            {
                "Dockerfile": "FROM busybox AS build\nFROM busybox\nCOPY --from=builder /a /a\n"
            },
            ("stage", "Dockerfile", 3),
            "Did you mean `build`?",
        ),
        (
            {
                "Dockerfile": "FROM busybox\nCOPY --from=build /a /a\nFROM busybox AS build\n"
            },
            ("stage", "Dockerfile", 2),
            "not built yet",
        ),
        (
            {"Dockerfile": "FROM busybox\nCOPY --from=1 /a /a\n"},
            ("stage", "Dockerfile", 2),
            "counted from 0",
        ),
        (
            {
                "Dockerfile": "FROM busybox\nRUN --mount=type=bind,from=wheels,target=/w ls /w\n"
            },
            ("stage", "Dockerfile", 2),
            "names no stage",
        ),
    ],
)
def test_what_happened_on_the_way_is_named(submission, changes, expected, words):
    folder = submission(GOOD | changes)
    assert found(folder) == [expected]
    finding = look(folder, LAB)[0]
    assert words in str(finding)


@pytest.mark.parametrize(
    "changes",
    [
        {"app.py": b"print(1)\r\n", "notes.txt": b"a\r\nb\r\n"},  # no shell reads them
        {
            "app.py": b"#!/usr/bin/env python3\r\nprint(1)\r\n"
        },  # python is named, so the first line is a comment
        {
            "greet.sh": b"#!/bin/sh\r\n",
            "Dockerfile": "FROM busybox\nRUN sed -i 's/\\r$//' greet.sh\n",
        },
        {
            "greet.sh": b"#!/bin/sh\r\n",
            "Dockerfile": "FROM busybox\nRUN dos2unix greet.sh\n",
        },
        {"tools/win.sh": b"echo\r\n", ".dockerignore": "tools\n"},
        {"Dockerfile": b'FROM busybox\r\n# caf\xe9\r\nCMD ["true"]\r\n'},
        {"Dockerfile": "FROM busybox\nRUN [ 'a' = \"$b\" ] || true\n"},
        {"Dockerfile": "FROM busybox\nRUN [ 'a' ]\n"},
        {"Dockerfile": "FROM busybox\nCMD echo 'a', [\"b\"]\n"},
        {
            "Dockerfile": "FROM busybox AS Build\nFROM busybox\nCOPY --from=build /a /a\nCOPY --from=0 /a /b\n"
        },
        {
            "Dockerfile": "FROM busybox\nCOPY --from=python /a /a\nCOPY --from=busybox:latest /a /b\n"
        },
        {
            "Dockerfile": "ARG B=x\nFROM busybox\nCOPY --from=ghcr.io/a/b /a /a\nCOPY --from=${B} /a /b\n"
        },
        {
            ".gitignore": b"a/b",
            "a/b": "x",
            "requirements.txt": b"./a/b",
            ".dockerignore": b"a/b",
        },  # lines that are paths
        {"setting.txt": b"app"},
        {
            "VERSION": b"1.2",
            "name.txt": b"app.py\n",
        },  # git writes no line's end behind a path
        {".gitmodules": '[submodule "lib"]\n\tpath = lib\n', "lib/a": "x"},
        {".gitmodules": '[submodule "lib"]\n\tpath = ../lib\n'},
        {
            "notes/lfs.md": "About `version https://git-lfs.github.com/spec/v1`: it is a pointer.\n"
        },
        {
            "old/Dockerfile": "FROM busybox\n",
            "old/app.py": "",
            "old/greet.sh": "",
            "old/compose.yaml": "",
        },
        {"compose.yml": "services: {}\n"},
        {"Dockerfile.txt": "notes\n", "Dockerfile.dev": "FROM busybox\n"},
    ],
)
def test_what_is_unusual_and_right_is_not_named(submission, changes):
    assert found(submission(GOOD | changes)) == []


@pytest.mark.parametrize("place", ["catgif-main", "a/b"])
def test_a_nested_folder_is_told_alone(submission, place):
    files = GOOD | {"greet.sh": b"#!/bin/sh\r\n"}
    folder = submission(
        {f"{place}/{name}": data for name, data in files.items()}
        | {"README.md": "mine\n"}
    )
    assert found(folder) == [("nested", place, 0)]


@pytest.mark.parametrize("name", ["dockerfile", "Dockerfile.txt"])
def test_a_nested_folder_is_told_though_its_dockerfile_has_another_name(
    submission, name
):
    folder = submission(
        {
            "catgif/" + (name if key == "Dockerfile" else key): data
            for key, data in GOOD.items()
        }
    )
    assert found(folder) == [("nested", "catgif", 0)]


@pytest.mark.parametrize(
    "name", ["Dockerfile.txt", "DockerFile", "dockerfile.docx", "DOCKERFILE"]
)
def test_a_dockerfile_of_another_name(submission, name):
    folder = submission(
        {key: data for key, data in GOOD.items() if key != "Dockerfile"}
        | {name: GOOD["Dockerfile"]}
    )
    assert found(folder) == [("name", name, 0)]
    assert "mv " in look(folder, LAB)[0].way_out


@pytest.mark.parametrize(
    "name", ["compose.yml", "docker-compose.yml", "docker-compose.yaml"]
)
def test_a_compose_file_of_another_name(submission, name):
    folder = submission(
        {key: data for key, data in GOOD.items() if key != "compose.yaml"}
        | {name: "services: {}\n"}
    )
    assert found(folder) == [("compose", name, 0)]


def test_a_lost_execute_bit_on_what_was_given(submission, tmp_path):
    starter = submission(GOOD | {"run": "#!/bin/sh\n"}, "starter")
    (starter / "greet.sh").chmod(0o755)
    (starter / "run").chmod(0o755)
    folder = submission(GOOD | {"run": "#!/bin/sh\n"})
    assert found(folder, starter=starter) == [
        ("mode", "greet.sh", 0)
    ]  # one cause is told once
    assert "`run`" in str(look(folder, LAB, starter)[0])
    (folder / "run").chmod(0o755)
    for line in (
        "COPY --chmod=755 . /app",
        "RUN chmod +x greet.sh",
        "RUN chmod +x /app/*",
    ):
        (folder / "Dockerfile").write_text(f"FROM busybox\n{line}\n")
        assert found(folder, starter=starter) == []
    (folder / "Dockerfile").write_text("FROM busybox\nRUN chmod +x other.sh\n")
    assert found(folder, starter=starter) == [("mode", "greet.sh", 0)]


def test_a_link_that_became_a_text_of_any_kind_where_the_starter_has_a_link(submission):
    starter = submission(GOOD, "starter")
    (starter / "current").symlink_to("app")
    assert found(submission(GOOD | {"current": b"app"}), starter=starter) == [
        ("link", "current", 0)
    ]


def test_several_files_of_one_cause_are_one_finding(submission):
    folder = submission(GOOD | {f"{letter}.bin": POINTER for letter in "abcdef"})
    (finding,) = look(folder, LAB)
    assert finding.file == "a.bin"
    assert "`b.bin`, `c.bin`, `d.bin` and 2 more" in finding.what


def test_heredocs_are_named_for_a_builder_that_does_not_know_them(submission):
    text = "FROM busybox\nRUN <<EOF\necho a\nEOF\n"
    assert [
        (one.kind, one.line) for one in heredocs(submission({"Dockerfile": text}))
    ] == [("heredoc", 2)]
    assert (
        heredocs(submission({"Dockerfile": f"# syntax=docker/dockerfile:1\n{text}"}))
        == ()
    )


def test_hostile_folders_cost_little_and_say_nothing_that_is_obeyed(submission):
    many = "".join(f"RUN [ ',',',',{',/' * 900}\n" for _ in range(300))
    folder = submission(
        {
            "Dockerfile": f"FROM busybox\n{many}",
            ".gitmodules": "\tpath = "
            + " " * 3000
            + "\n\tpath = ../../etc\n\tpath = /etc\n",
            "\x1b[31mred.sh": b"#!/bin/sh\r\n",
        }
    )
    (finding,) = [one for one in look(folder) if one.kind == "crlf"]
    assert "\x1b" not in str(finding)


# Judged as docker and pip judge it


def copied(folder, tmp_path, files=(), limits=None):
    copy_submission(folder, tmp_path / "copy", limits or Limits(), files)
    return sorted(
        path.relative_to(tmp_path / "copy").as_posix()
        for path in (tmp_path / "copy").rglob("*")
    )


def test_what_desktops_leave_is_no_part_of_a_submission(submission, tmp_path):
    litter = {
        ".DS_Store": "x",
        "a/.DS_Store": "x",
        "._app.py": "x",
        "a/._b": "x",
        "__MACOSX/._Dockerfile": "x",
    }
    folder = submission(
        GOOD | {"a/b": "x", "Thumbs.db": "x", "a/Thumbs.db": "x"} | litter
    )
    limits = replace(Limits(), context_files=6)
    assert copied(folder, tmp_path, limits=limits) == sorted([*GOOD, "a", "a/b"])


def test_what_an_archive_of_macos_adds_hides_no_nested_folder(submission):
    files = {f"mine/{name}": data for name, data in GOOD.items()}
    folder = submission(
        files | {"__MACOSX/mine/._Dockerfile": "x", "__MACOSX/Dockerfile": "x"}
    )
    assert [one.kind for one in look_at(folder, LAB)] == ["nested"]


def test_a_folder_of_nothing_else_is_empty(submission, tmp_path):
    with pytest.raises(SubmissionError, match="empty"):
        copied(submission({".DS_Store": "x", "__MACOSX/._x": "x"}), tmp_path)


def test_the_lower_case_name_is_docker_s_second_choice(submission, tmp_path):
    assert "Dockerfile" in copied(
        submission({"dockerfile": "FROM busybox\n"}), tmp_path
    )
    shutil.rmtree(tmp_path / "copy")
    copied(submission({"dockerfile": "FROM a\n", "Dockerfile": "FROM b\n"}), tmp_path)
    assert (tmp_path / "copy" / "Dockerfile").read_text() == "FROM b\n"
    assert (tmp_path / "copy" / "dockerfile").read_text() == "FROM a\n"


@pytest.mark.parametrize("pattern", [".venv", "node_modules", "data", "**/*.bin"])
def test_what_dockerignore_leaves_out_is_neither_refused_nor_counted(
    submission, tmp_path, pattern
):
    name = {"**/*.bin": "deep/er/x.bin"}.get(pattern, f"{pattern}/x.bin")
    folder = submission(
        {
            "Dockerfile": "FROM busybox\n",
            ".dockerignore": f"{pattern}\n",
            name: b"\0" * 3_000_000,
        }
    )
    (folder / name).parent.joinpath("out.bin").symlink_to("/etc/passwd")
    names = copied(folder, tmp_path, limits=replace(Limits(), context_mb=1))
    assert name not in names


@pytest.mark.parametrize(
    "raw",
    [
        b"FROM busybox\n# caf\xe9\n",
        b"\xef\xbb\xbfFROM busybox\r\n",
        b"FROM busybox\r\n",
    ],
)
def test_a_dockerfile_that_docker_builds_is_read(submission, raw):
    assert Dockerfile.read(submission({"Dockerfile": raw})).bases()[0][0] == "busybox"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_a_dockerfile_in_utf_16_is_told_as_such(submission, encoding):
    bom = codecs.BOM_UTF16_BE if encoding == "utf-16-be" else b""
    folder = submission({"Dockerfile": bom + "FROM busybox\n".encode(encoding)})
    with pytest.raises(DockerfileInvalid, match="UTF-16"):
        Dockerfile.read(folder)


@pytest.mark.parametrize(
    "raw",
    [
        "flask==3.0\r\n".encode("utf-16"),
        codecs.BOM_UTF16_BE + "flask==3.0\n".encode("utf-16-be"),
        codecs.BOM_UTF8 + b"flask==3.0\r\n",
        "flask==3.0\n".encode("utf-32"),
        b"# -*- coding: latin-1 -*-\n# caf\xe9\nflask==3.0\n",
    ],
)
def test_requirements_are_decoded_as_pip_does(submission, raw):
    text = Submission(submission({"requirements.txt": raw})).read("requirements.txt")
    assert list(loose_requirements(text)) == []
    assert "flask==3.0" in text
    pip = pytest.importorskip("pip._internal.req.req_file")
    decode = getattr(pip, "_decode_req_file", None)
    if decode is not None:
        assert decode(raw, "requirements.txt").replace("\r\n", "\n") == text.replace(
            "\r\n", "\n"
        )


@pytest.mark.parametrize("raw", [b"caf\xe9\n", b"\xff\xfea", b"# coding: zlib\n\xe9"])
def test_requirements_that_pip_cannot_decode_are_the_submission_s_fault(
    submission, raw
):
    with pytest.raises(SubmissionError, match="not UTF-8"):
        Submission(submission({"requirements.txt": raw})).read("requirements.txt")
    with pytest.raises(UnicodeDecodeError):
        decode_as_pip(raw)


# The command


def test_look_tells_and_its_exit_code_too(submission, capsys, monkeypatch):
    course = open_course()
    folder = submission({}).parent / "work"
    start(course, "hello_world", folder)
    assert main(["look", str(folder)]) == 0
    script = folder / "greet.sh"
    script.write_bytes(script.read_bytes().replace(b"\n", b"\r\n"))
    capsys.readouterr()
    assert main(["look", str(folder), "hello_world"]) == 1
    told = capsys.readouterr().out
    assert "greet.sh, line 1" in told
    for words in ("why:", "hint:", "sed -i"):
        assert words in told
    assert main(["look", str(folder / "nowhere")]) == 2
    assert main(["look", str(folder), "nolab"]) == 2


def test_look_works_on_any_folder_with_a_dockerfile(submission, capsys):
    assert main(["look", str(submission({"inner/Dockerfile": "FROM busybox\n"}))]) == 1
    assert "inner" in capsys.readouterr().out


def git(*words, where):
    return subprocess.run(
        ["git", *words], cwd=where, capture_output=True, text=True, timeout=30
    )


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize("slug", open_course().slugs)
def test_an_exported_repository_loses_no_file_of_the_starter(slug, tmp_path):
    from dockdojo.export.write import export

    folder = tmp_path / slug
    export(open_course(), slug, folder, "plain", "x==1 --hash=sha256:0")
    assert git("init", "-q", where=folder).returncode == 0
    names = [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and ".git/" not in str(path)
    ]
    ignored = git("check-ignore", "--no-index", *names, where=folder)
    assert ignored.stdout == ""
    assert len(names) > 5
    assert (
        git(
            "check-ignore", "-q", "--no-index", "__pycache__/x.pyc", where=folder
        ).returncode
        == 0
    )


def test_the_data_of_a_training_stay_ignored_where_no_starter_has_them(tmp_path):
    from dockdojo.export import files

    course = open_course()
    assert "data/\n" in files(course, "hogwild", "plain", "x==1")[".gitignore"].decode()
    assert b"data/" not in files(course, "layers", "plain", "x==1")[".gitignore"]
