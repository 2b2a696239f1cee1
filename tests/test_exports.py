"""Exported assignments: nothing that gives answers away gets in, and what a student does to them changes no mark."""

from __future__ import annotations

import base64
import functools
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from dockdojo.cli import main
from dockdojo.course import open_course
from dockdojo.errors import UsageError
from dockdojo.export import STYLES, WORKFLOW, files, release
from dockdojo.export.notices import notices
from dockdojo.export.release import requirement_lines
from dockdojo.export.write import export
from dockdojo.grading import list_checks
from dockdojo.model import Feedback, Outcome, Report
from dockdojo.reports import FORMATS

ROOT = Path(__file__).parents[1]
COURSE = open_course()
LAB = "hello_world"
RELEASE = f"dockdojo==0.2.0 --hash=sha256:{'0123456789abcdef' * 4}"
CONFTEST = "import os, pathlib\npathlib.Path('/tmp/conftest-ran').write_text('yes')\nos._exit(0)\n"


checks_of = functools.cache(lambda slug: list_checks(COURSE, slug))


@pytest.mark.parametrize("slug", COURSE.slugs)
@pytest.mark.parametrize("style", STYLES)
def test_no_solution_grader_variant_or_hidden_check_gets_in(slug, style):
    made = files(COURSE, slug, style, RELEASE)
    everything = b"\0".join(made.values())
    starter = {
        path.read_bytes() for path in COURSE.starter(slug).rglob("*") if path.is_file()
    }
    solution = COURSE.solution(slug)
    for path in (
        one
        for one in solution.rglob("*")
        if one.is_file() and "__pycache__" not in one.parts
    ):
        data = path.read_bytes()
        if data not in starter and len(data) > 30:
            assert data not in everything, path
    grader = COURSE.grader(slug).read_text()
    functions = [
        line.encode() for line in grader.splitlines() if line.startswith("def test_")
    ]
    assert not [line for line in functions if line in everything]
    assert not [
        one.name
        for one in checks_of(slug)
        if one.hidden and one.title.encode() in everything
    ]
    assert not [
        name
        for name in made
        if "solution" in name
        or "variant" in name
        or "grader" in name.lower().replace("autograder", "")
    ]


def test_export_never_overwrites(tmp_path):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(UsageError):
        export(COURSE, LAB, tmp_path, "plain", RELEASE)


def test_what_is_handed_out_is_pinned_and_whole(tmp_path):
    export(COURSE, LAB, tmp_path / "a", "classroom", RELEASE)
    text = (tmp_path / "a" / WORKFLOW).read_text()
    assert json.dumps(RELEASE) in text
    assert "--require-hashes --no-deps" in text
    assert (tmp_path / "a" / "tests" / "grading.sh").stat().st_mode & stat.S_IXUSR
    steps = yaml.safe_load(text)["jobs"]["grade"]["steps"]
    assert all("@" in one.get("uses", "@") for one in steps)
    for name in (
        ".gitignore",
        ".devcontainer/devcontainer.json",
        "LESSON.md",
        "README.md",
    ):
        assert (tmp_path / "a" / name).is_file()


def test_changes_of_the_assignments_own_files_are_noticed(tmp_path):
    folder = tmp_path / "a"
    export(COURSE, LAB, folder, "classroom", RELEASE)
    assert all("as it was handed out" in one for one in notices(LAB, folder))
    (folder / WORKFLOW).write_text("jobs: {}\n")
    (folder / "tests" / "grading.sh").write_text("echo 100 of 100 points\n")
    (folder / ".github" / "workflows" / "mine.yml").write_text("x")
    told = notices(LAB, folder)
    assert sum("CHANGED" in one for one in told) == 2
    assert any("mine.yml was ADDED" in one for one in told)
    assert notices(LAB, tmp_path / "nothing") == ()
    (folder / "tests" / "grading.sh").unlink()
    (folder / "tests" / "grading.sh").symlink_to("/etc/hostname")
    assert "CHANGED" in notices(LAB, folder)[0]


# Graded by their own commands, in fresh folders


def tampered(folder: Path) -> None:
    """A submission of few points that would like to have more."""
    (folder / "Dockerfile").write_text(
        'FROM busybox\nLABEL org.opencontainers.image.authors="Ada"\nCMD ["true"]\n'
    )
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --exitfirst\n")
    (folder / "dockdojo.py").write_text(CONFTEST)
    forged = json.dumps({"score": 100, "max_score": 100, "tests": []})
    for name in ("result.json", "results.json", "report.json", "results/results.json"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(forged)


def run(*command, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {
        key: value
        for key, value in os.environ.items()
        if key.startswith(("PIP_", "DOCKER_")) or key in ("PATH", "HOME")
    }
    words = [str(one) for one in command]
    return subprocess.run(
        words, cwd=cwd, env=kept | env, capture_output=True, text=True, check=False
    )


def plain(folder: Path, scratch: Path) -> tuple[int, int, str]:
    done = run(
        "bash",
        "./tests/grading.sh",
        "--format",
        "json",
        cwd=folder,
        XDG_CACHE_HOME=str(scratch),
    )
    found = json.loads(done.stdout)
    return found["score"], found["max_score"], done.stdout


def classroom(folder: Path, scratch: Path) -> tuple[int, int, str]:
    """The workflow's own step, as a runner would run it; the student's copy of the workflow plays no part."""
    fresh = yaml.safe_load(files(COURSE, LAB, "classroom", PACKAGE[0])[WORKFLOW])
    step = next(
        one for one in fresh["jobs"]["grade"]["steps"] if one.get("id") == "grade"
    )
    out, summary = scratch / "output", scratch / "summary"
    done = run(
        "bash",
        "-eo",
        "pipefail",
        "-c",
        step["run"],
        cwd=scratch,
        GITHUB_WORKSPACE=str(folder),
        GITHUB_OUTPUT=str(out),
        GITHUB_STEP_SUMMARY=str(summary),
        **step["env"],
    )
    assert done.returncode == 0, done.stderr
    sent = json.loads(base64.b64decode(out.read_text().split("result=")[1]))
    return (
        sum(one["score"] for one in sent["tests"]),
        sent["max_score"],
        summary.read_text(),
    )


def classroom50(folder: Path, scratch: Path) -> tuple[int, int, str]:
    done = run(
        sys.executable,
        folder / "autograder.py",
        cwd=scratch,
        GITHUB_REPOSITORY_OWNER="ada",
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((scratch / "result.json").read_text())
    assert found["owner"] == "ada"
    return found["score"], found["max-score"], ""


def gradescope(folder: Path, scratch: Path) -> tuple[int, int, str]:
    """Its setup, but for the distribution's packages, and then its run."""
    root = scratch / "autograder"
    root.mkdir()
    shutil.copytree(folder, root / "submission")
    setup = scratch / "setup.sh"
    text = (folder / "gradescope" / "setup.sh").read_text()
    setup.write_text(
        "".join(
            line for line in text.splitlines(True) if not line.startswith("apt-get")
        )
    )
    done = run("bash", setup, cwd=scratch, AUTOGRADER_ROOT=str(root))
    assert done.returncode == 0, done.stderr
    done = run(
        "bash",
        folder / "gradescope" / "run_autograder",
        cwd=scratch,
        AUTOGRADER_ROOT=str(root),
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((root / "results" / "results.json").read_text())
    return (
        found["score"],
        sum(one["max_score"] for one in found["tests"]),
        found["output"],
    )


RUNS = {
    "plain": plain,
    "classroom": classroom,
    "classroom50": classroom50,
    "gradescope": gradescope,
}
PACKAGE: list[str] = []


@pytest.fixture(scope="module")
def graded(real_engine, tmp_path_factory):
    """Each style, handed in as a good and as a tampered submission, and graded by its own commands; all at once."""
    home = tmp_path_factory.mktemp("release")
    done = run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "-q",
        "-w",
        home,
        ROOT,
        cwd=home,
    )
    assert done.returncode == 0, done.stderr
    PACKAGE[:] = [requirement_lines([str(next(home.glob("*.whl")))])]

    def work(style: str) -> tuple[int, int, str]:
        scratch = tmp_path_factory.mktemp(style)
        folder = scratch / "assignment"
        export(COURSE, LAB, folder, style, PACKAGE[0])
        tampered(folder)
        if style == "classroom":
            (folder / WORKFLOW).write_text("jobs: {}\n")
            (folder / "tests" / "grading.sh").write_text("echo 100 of 100 points\n")
        return RUNS[style](folder, scratch)

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(STYLES, pool.map(work, STYLES), strict=True))


@pytest.mark.parametrize("style", STYLES)
def test_a_student_cannot_change_the_mark(style, graded):
    score, most, said = graded[style]
    assert 0 < score < 50, said
    assert most == 100
    assert score == graded["plain"][0]
    assert not Path("/tmp/conftest-ran").exists()


def test_a_changed_script_and_workflow_are_named(graded):
    assert graded["classroom"][2].count("CHANGED") == 2
    assert "handed out" in graded["gradescope"][2]


# The composite action


@pytest.mark.engine
def test_the_action_grades(real_engine, tmp_path):
    """Its steps, run as a runner runs them."""
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    steps = {one["name"]: one for one in action["runs"]["steps"]}
    assert all(one.get("shell") == "bash" or "uses" in one for one in steps.values())
    workspace = tmp_path / "repository"
    shutil.copytree(COURSE.solution(LAB), workspace / "lab")
    (workspace / "lab" / "Dockerfile").write_text("FROM busybox\nCMD true\n")
    out, summary = tmp_path / "output", tmp_path / "summary"
    env = {
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_WORKSPACE": str(workspace),
        "GITHUB_OUTPUT": str(out),
        "GITHUB_STEP_SUMMARY": str(summary),
        "LAB": LAB,
        "SUBMISSION": "lab",
        "COURSE": "",
        "FAIL": "true",
    }
    words = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")
    assert run(*words, steps["Install"]["run"], cwd=tmp_path, **env).returncode == 0
    done = run(*words, steps["Grade"]["run"], cwd=tmp_path, **env)
    assert done.returncode == 1, done.stderr
    assert "::error file=Dockerfile" in done.stdout
    told = dict(line.split("=", 1) for line in out.read_text().splitlines())
    assert told["max-score"] == "100"
    assert int(told["score"]) < 100
    assert json.loads(base64.b64decode(told["result"]))["max_score"] == 100
    assert Path(told["report"]).is_file()
    assert "points" in summary.read_text()
    assert (
        run(
            *words, steps["Grade"]["run"], cwd=tmp_path, **env | {"FAIL": "false"}
        ).returncode
        == 0
    )
    assert (
        run(
            *words,
            steps["Grade"]["run"],
            cwd=tmp_path,
            **env | {"LAB": "nothing", "FAIL": "false"},
        ).returncode
        == 2
    )


# What is sent where a check could not be carried out


OURS = Outcome(
    check="b",
    title="B",
    status="error",
    points=10,
    feedback=Feedback(observed="The engine's disk is full."),
)
NOT_FINAL = Report(
    lab=LAB,
    title="Hello",
    outcomes=(Outcome(check="a", title="A", status="passed", points=10), OURS),
    started="2026-01-01T00:00:00+00:00",
    seconds=1.0,
)


def grader_that_errs(folder: Path) -> None:
    """The real command, but that `grade` meets a machine that fails it."""
    folder.mkdir(parents=True)
    (folder / "saved.json").write_text(FORMATS["json"](NOT_FINAL))
    script = f"""#!/bin/bash
case " $* " in *" grade "*) ;; *) exec {sys.executable} -m dockdojo "$@" ;; esac
while [ $# -gt 0 ]; do [ "$1" = -o ] && cp {folder}/saved.json "$2"; shift; done
exit 3
"""
    (folder / "dockdojo").write_text(script)
    for name in ("python", "python3", "pip"):
        (folder / name).write_text("#!/bin/sh\n")
    for path in folder.iterdir():
        path.chmod(0o755)


@pytest.mark.skipif(os.name != "posix", reason="the steps are shell scripts")
def test_the_action_sends_no_points_for_a_report_that_is_not_final(tmp_path):
    grader_that_errs(tmp_path / "dockdojo" / "bin")
    (tmp_path / "repository").mkdir()
    steps = {
        one["name"]: one
        for one in yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]
    }
    out, summary = tmp_path / "output", tmp_path / "summary"
    env = {
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_WORKSPACE": str(tmp_path / "repository"),
        "GITHUB_OUTPUT": str(out),
        "GITHUB_STEP_SUMMARY": str(summary),
        "LAB": LAB,
        "SUBMISSION": ".",
        "COURSE": "",
        "FAIL": "false",
    }
    done = run(
        "bash",
        "--noprofile",
        "--norc",
        "-eo",
        "pipefail",
        "-c",
        steps["Grade"]["run"],
        cwd=tmp_path,
        **env,
    )
    assert done.returncode == 3, done.stderr
    assert [line.partition("=")[0] for line in out.read_text().splitlines()] == [
        "report"
    ]
    assert "Not final" in summary.read_text()


@pytest.mark.skipif(os.name != "posix", reason="the steps are shell scripts")
def test_the_exported_workflow_sends_no_points_for_a_report_that_is_not_final(tmp_path):
    grader_that_errs(tmp_path / "grader" / "bin")
    steps = yaml.safe_load(files(COURSE, LAB, "classroom", RELEASE)[WORKFLOW])["jobs"][
        "grade"
    ]["steps"]
    step = next(one for one in steps if one.get("id") == "grade")
    out, summary = tmp_path / "output", tmp_path / "summary"
    path = f"{tmp_path / 'grader' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = run(
        "bash",
        "-eo",
        "pipefail",
        "-c",
        step["run"],
        cwd=tmp_path,
        GITHUB_WORKSPACE=str(tmp_path),
        GITHUB_OUTPUT=str(out),
        GITHUB_STEP_SUMMARY=str(summary),
        PATH=path,
    )
    assert done.returncode == 3, done.stderr
    assert not out.exists()
    assert "Not final" in summary.read_text()
    reporter = next(one for one in steps if "grading-reporter" in one.get("uses", ""))
    assert "if" not in reporter  # it runs where all steps before it succeeded


@pytest.mark.skipif(os.name != "posix", reason="it is a shell script")
def test_gradescope_gets_no_results_for_a_report_that_is_not_final(tmp_path):
    root = tmp_path / "autograder"
    grader_that_errs(root / "grader" / "bin")
    (tmp_path / "run").write_bytes(
        files(COURSE, LAB, "gradescope", RELEASE)["gradescope/run_autograder"]
    )
    assert (
        run(
            "bash", tmp_path / "run", cwd=tmp_path, AUTOGRADER_ROOT=str(root)
        ).returncode
        == 3
    )
    assert not (root / "results" / "results.json").exists()


ERRS = """
import pathlib, sys

def main():
    pathlib.Path(sys.argv[sys.argv.index("-o") + 1]).write_text({saved!r})
    return 3
"""


def wheel_that_errs(folder: Path) -> Path:
    """A release whose `dockdojo grade` meets a machine that fails it (https://packaging.python.org/en/latest/specifications/binary-distribution-format/)."""
    about, path = "errs-1.dist-info", folder / "errs-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("errs.py", ERRS.format(saved=FORMATS["json"](NOT_FINAL)))
        wheel.writestr(
            f"{about}/METADATA", "Metadata-Version: 2.1\nName: errs\nVersion: 1\n"
        )
        wheel.writestr(
            f"{about}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr(
            f"{about}/entry_points.txt", "[console_scripts]\ndockdojo = errs:main\n"
        )
        wheel.writestr(f"{about}/RECORD", "")
    return path


def test_classroom50_gets_no_result_for_a_report_that_is_not_final(tmp_path):
    script = tmp_path / "submission" / "autograder.py"
    script.parent.mkdir()
    script.write_bytes(
        files(
            COURSE,
            LAB,
            "classroom50",
            requirement_lines([str(wheel_that_errs(tmp_path))]),
        )["autograder.py"]
    )
    done = run(sys.executable, script, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert not (tmp_path / "result.json").exists()


def test_on_the_command_line(tmp_path, capsys):
    assert (
        main(
            [
                "export",
                LAB,
                str(tmp_path / "a"),
                "--style",
                "gradescope",
                "--package",
                RELEASE,
            ]
        )
        == 0
    )
    out = capsys.readouterr().out
    assert "grading.sh" in out
    assert RELEASE in out
    assert main(["export", "nothing", str(tmp_path / "b"), "--package", RELEASE]) == 2


def test_the_workflow_and_the_example_fetch_lfs_and_submodules():
    handed_out = files(open_course(), "catgif", "classroom", RELEASE)[
        ".github/workflows/grading.yml"
    ]
    readme = (open_course().root / "README.md").read_text()
    example = next(
        text
        for text in re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
        if "actions/checkout" in text
    )
    for steps in (
        yaml.safe_load(handed_out)["jobs"]["grade"]["steps"],
        yaml.safe_load(example),
    ):
        (checkout,) = [
            step
            for step in steps
            if step.get("uses", "").startswith("actions/checkout@")
        ]
        assert checkout["with"] == {"lfs": True, "submodules": "recursive"}


# The release that they install


DIGEST = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("package", "line"),
    [
        (RELEASE, RELEASE),
        (
            f"my-course[x] == 1.0  --hash sha256:{DIGEST}",
            f"my-course[x] == 1.0 --hash sha256:{DIGEST}",
        ),
        (
            f"https://h/a-1-py3-none-any.whl#sha256={DIGEST}",
            f"https://h/a-1-py3-none-any.whl --hash=sha256:{DIGEST}",
        ),
        (
            f"http://h/a-1.whl --hash=sha256:{DIGEST}",
            f"http://h/a-1.whl --hash=sha256:{DIGEST}",
        ),
    ],
)
def test_a_release_is_named_with_its_hash(package, line):
    assert requirement_lines([package]) == line
    assert requirement_lines([package, RELEASE]) == f"{line}\n{RELEASE}"


@pytest.mark.parametrize(
    ("package", "said"),
    [
        ("dockdojo==0.2.0", "has no hash"),
        ("dockdojo", "neither"),
        ("dockdojo>=0.2 --hash=sha256:" + DIGEST, "neither"),
        ("dockdojo==0.2.0 --hash=md5:abc", "64 hexadecimal"),
        ("dockdojo==0.2.0 --hash=sha256:abc", "64 hexadecimal"),
        ("x; rm -rf $HOME", "quotes"),
        ("http://h/a-1.whl", "only https"),
        (f"https://h/a-1.tar.gz#sha256={DIGEST}", "not the address of a wheel"),
        ("https://localhost:1/a-1.whl", "could not be fetched"),
        ("nowhere/a-1.whl", "neither"),
        ("", "quotes"),
    ],
)
def test_what_is_no_release_is_refused(package, said):
    with pytest.raises(UsageError) as caught:
        requirement_lines([package])
    assert said in f"{caught.value} {caught.value.hint}"


@pytest.mark.skipif(os.name != "posix", reason="it is a shell script")
def test_a_name_that_is_somebody_elses_installs_nothing(tmp_path):
    """The wheel that was pinned is replaced by another one of the same name."""
    wheel = wheel_that_errs(tmp_path)
    line = requirement_lines([str(wheel)])
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("stranger.py", "import pathlib; pathlib.Path('ran').touch()")
    for path, data in files(COURSE, LAB, "plain", line).items():
        (tmp_path / "assignment" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "assignment" / path).write_bytes(data)
    done = run(
        "bash",
        "tests/grading.sh",
        cwd=tmp_path / "assignment",
        XDG_CACHE_HOME=str(tmp_path / "cache"),
    )
    assert done.returncode == 3, done.stderr
    assert "nothing was graded" in done.stderr
    assert "HASHES" in done.stderr
    assert not list((tmp_path / "cache").rglob("stranger.py"))


def test_a_release_from_an_index_must_hold_what_is_installed(tmp_path):
    wheel = wheel_that_errs(tmp_path)
    target = tmp_path / "installed"
    assert (
        run(
            sys.executable,
            "-m",
            "pip",
            "install",
            "-q",
            "--target",
            target,
            wheel,
            cwd=tmp_path,
        ).returncode
        == 0
    )
    (found,) = metadata.distributions(path=[str(target)])
    assert release.holds(wheel, found)
    (target / "errs.py").write_text("changed")
    assert not release.holds(wheel, found)
    assert not release.holds(tmp_path / "none.whl", found)


def test_what_a_file_installs_is_told(tmp_path, monkeypatch):
    export(COURSE, LAB, tmp_path / "a", "classroom50", RELEASE)
    assert all(f"installs {RELEASE}" in line for line in notices(LAB, tmp_path / "a"))
    monkeypatch.setenv("DOCKDOJO_PACKAGE", "another==1 --hash=sha256:0")
    assert all("CHANGED" in line for line in notices(LAB, tmp_path / "a"))
