"""GPUs: what `--gpus` asks, what the simulated runtime grants, and what a script is recorded to ask."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys

import pytest

from dockdojo.checks import CheckFailed
from dockdojo.checks.compose import gpu_reservations
from dockdojo.connection import machine
from dockdojo.connection.device_request import DeviceRequest, asking
from dockdojo.connection.types import RunSpec
from dockdojo.errors import CannotInstall, SubmissionError, UsageError
from dockdojo.grading import grade
from dockdojo.host import daemon
from dockdojo.host.gpu_simulator import HOOK, install_hook
from dockdojo.model import Limits
from dockdojo.payloads import gpu_hook
from dockdojo.probes.api_recording import record, recorder_image
from dockdojo.reports import FORMATS
from dockdojo.reports.json import as_dict
from dockdojo.submission.folder import Submission
from tests.conftest import FAKE

DEBIAN = "debian:bookworm-slim"


@pytest.mark.parametrize(
    ("words", "count", "ids", "capabilities"),
    [
        ("all", -1, (), {"gpu"}),
        ("2", 2, (), {"gpu"}),
        ("device=1", 0, ("1",), {"gpu"}),
        ('"device=0,1"', 0, ("0", "1"), {"gpu"}),
        ("all,capabilities=utility", -1, (), {"gpu", "utility"}),
        (
            'count=1,"capabilities=compute,utility"',
            1,
            (),
            {"gpu", "compute", "utility"},
        ),
    ],
)
def test_the_words_of_docker_run(words, count, ids, capabilities):
    asked = asking(words)
    assert (asked.count, asked.ids, set(asked.capabilities[0])) == (
        count,
        ids,
        capabilities,
    )
    assert DeviceRequest.from_api(asked.as_api()) == asked


def test_words_that_make_no_sense():
    for words in ("some", "color=red"):
        with pytest.raises(ValueError, match=r"invalid literal|does not know"):
            asking(words)


def test_what_the_hook_grants():
    def names(*env):
        devices, capabilities = gpu_hook.granted(list(env), 3)
        return [one.index for one in devices], capabilities

    assert names("NVIDIA_VISIBLE_DEVICES=all") == ([0, 1, 2], {"compute", "utility"})
    assert names("NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_VISIBLE_DEVICES=2,0") == (
        [2, 0],
        {"compute", "utility"},
    )
    assert names(
        "NVIDIA_VISIBLE_DEVICES=GPU-SIMULATED-0001",
        "NVIDIA_DRIVER_CAPABILITIES=compute",
    ) == (
        [1],
        {"compute"},
    )
    assert names("NVIDIA_VISIBLE_DEVICES=none")[0] == names()[0] == []
    with pytest.raises(gpu_hook.Denied, match=r"SIMULATED.*unknown device"):
        names("NVIDIA_VISIBLE_DEVICES=3")


def bundle(tmp_path, env=("NVIDIA_VISIBLE_DEVICES=all",)):
    """A container's bundle whose process is this one: its root is the host's, so nothing is mounted."""
    root = tmp_path / "rootfs"
    root.mkdir()
    config = {"root": {"path": str(root)}, "process": {"env": list(env)}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    return root, json.dumps({"bundle": str(tmp_path), "pid": os.getpid()})


@pytest.mark.skipif(sys.platform != "linux", reason="it needs /proc")
def test_the_hook_writes_what_says_simulated(tmp_path):
    root, state = bundle(tmp_path)
    assert gpu_hook.main(2, state) == 0
    made = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert made == {
        "dev/nvidia0",
        "dev/nvidia1",
        "dev/nvidiactl",
        "dev/nvidia-uvm",
        "usr/bin/nvidia-smi",
    }
    assert all("SIMULATED" in (root / name).read_text() for name in made)
    smi = root / "usr/bin/nvidia-smi"
    assert stat.S_IMODE(smi.stat().st_mode) == 0o755

    def say(*args):
        return subprocess.run(
            ["sh", str(smi), *args], capture_output=True, text=True, check=False
        )

    assert say("-L").stdout.splitlines() == [
        "GPU 0: SIMULATED GPU (no hardware) (UUID: GPU-SIMULATED-0000)",
        "GPU 1: SIMULATED GPU (no hardware) (UUID: GPU-SIMULATED-0001)",
    ]
    asked = say("--query-gpu=index,memory.total, uuid", "--format=csv,noheader,nounits")
    assert asked.stdout.splitlines() == [
        "0, 4096, GPU-SIMULATED-0000",
        "1, 4096, GPU-SIMULATED-0001",
    ]
    assert say(
        "-i", "1", "--query-gpu=count,name", "--format=csv"
    ).stdout.splitlines() == [
        "count, name",
        "2, SIMULATED GPU (no hardware)",
    ]
    assert "SIMULATED" in say().stdout
    assert say("--nonsense").returncode == 2


@pytest.mark.skipif(sys.platform != "linux", reason="it needs /proc")
@pytest.mark.parametrize("link", ["usr", "usr/bin", "dev"])
def test_no_link_of_an_image_leads_the_hook_out(tmp_path, link, capsys):
    """The hook runs as root on the host: a link to a folder of the host must not be followed, in whatever way."""
    root, state = bundle(tmp_path)
    outside = tmp_path / "outside"
    (outside / "bin").mkdir(parents=True)
    (root / link).parent.mkdir(exist_ok=True)
    (root / link).symlink_to(outside)
    assert gpu_hook.main(1, state) == 1
    assert "SIMULATED" in capsys.readouterr().err
    assert [path.name for path in outside.rglob("*")] == ["bin"]


@pytest.mark.skipif(sys.platform != "linux", reason="it needs /proc")
def test_a_link_in_the_place_of_the_file_is_replaced(tmp_path):
    root, state = bundle(tmp_path)
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/nvidia-smi").symlink_to(precious)
    assert gpu_hook.main(1, state) == 0
    assert precious.read_text() == "mine"
    assert not (root / "usr/bin/nvidia-smi").is_symlink()


def test_the_hook_does_not_need_our_virtual_environment(tmp_path):
    home = install_hook(tmp_path, 2)
    text = (home / HOOK).read_text()
    assert sys.prefix == sys.base_prefix or sys.prefix not in text
    done = subprocess.run(
        [home / HOOK, "prestart"],
        input="{}",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "SIMULATED" in done.stderr) == (1, True)
    with pytest.raises(UsageError):
        install_hook(tmp_path, 0)


@pytest.fixture
def gpu_engine(engine):
    """An engine that grants simulated GPUs."""
    if not machine.simulated_gpus():
        pytest.skip("the engine here was not started by dockdojo with simulated GPUs")
    return engine


def smi(engine, gpus, **options):
    spec = RunSpec(
        image=DEBIAN,
        args=("sh", "-c", "nvidia-smi -L; ls /dev"),
        gpus=asking(gpus),
        **options,
    )
    return engine.run(spec, Limits()).stdout


def test_the_engine_grants_what_was_asked_for(gpu_engine):
    everything = smi(gpu_engine, "all")
    assert everything.count("SIMULATED GPU") == 2
    assert "nvidia0\n" in everything
    assert "nvidia1\n" in everything
    first = smi(gpu_engine, "1")
    assert ("SIMULATED-0000" in first, "SIMULATED-0001" in first) == (True, False)
    second = smi(gpu_engine, "device=1")
    assert (
        "SIMULATED-0000" in second,
        "GPU 0: " in second,
        "SIMULATED-0001" in second,
    ) == (False, True, True)
    assert ("nvidia0\n" in second, "nvidia1\n" in second) == (False, True)
    assert smi(gpu_engine, '"device=0,1"').count("SIMULATED GPU") == 2
    bare = gpu_engine.run(
        RunSpec(image=DEBIAN, args=("sh", "-c", "ls /dev; which nvidia-smi")), Limits()
    )
    assert "nvidia" not in bare.stdout


def test_capabilities_decide_what_comes_in(gpu_engine):
    compute = smi(gpu_engine, "all,capabilities=compute")
    assert ("SIMULATED GPU" in compute, "nvidia-uvm" in compute) == (False, True)
    utility = smi(gpu_engine, "all,capabilities=utility")
    assert ("SIMULATED GPU" in utility, "nvidia-uvm" in utility) == (True, False)
    assert "SIMULATED GPU" not in smi(
        gpu_engine, "all", env={"NVIDIA_DRIVER_CAPABILITIES": "compute"}
    )


def test_a_device_that_there_is_not(gpu_engine):
    with pytest.raises(Exception, match=r"SIMULATED.*unknown device"):
        smi(gpu_engine, "device=7")


def test_status_and_reports_say_that_it_is_simulated(gpu_engine):
    assert gpu_engine.info().gpu == "2 SIMULATED"


def test_an_engine_of_somebody_else_is_left_alone(real_engine, monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKDOJO_STATE", str(tmp_path))
    with pytest.raises(CannotInstall, match="not started by dockdojo"):
        daemon.up(install=False, tell=print, simulate_gpus=2)
    assert daemon.answering() is not None


NO_GPU = """
    from dockdojo.errors import NoGpu


    @check(points=60)
    def test_works():
        \"\"\"It works.\"\"\"


    @check(points=30)
    def test_sees(submission):
        \"\"\"It sees a GPU.\"\"\"
        raise NoGpu("The engine here has no GPU to grant.", hint="Get one.")


    @check(points=5, needs=test_sees)
    def test_trains():
        \"\"\"It trains.\"\"\"


    @check(points=5, needs=(test_works,))
    def test_second(submission):
        \"\"\"Another one.\"\"\"
        assert submission.has("missing")
    """


def test_points_that_cannot_be_earned_here(make_course, submission):
    folder = submission({"Dockerfile": "FROM busybox"})
    report = grade(
        "sample",
        folder,
        course=make_course(NO_GPU),
        connect=FAKE,
    )
    found = {one.check: (one.status, one.ungraded) for one in report.outcomes}
    assert found["works"] == ("passed", False)
    assert found["sees"] == ("skipped", True)
    assert found["trains"] == ("skipped", True)
    assert found["second"] == ("failed", False)
    assert (report.score, report.ungraded_points, report.final, report.exit_code) == (
        60,
        35,
        False,
        3,
    )
    text = FORMATS["text"](report)
    assert "35 points could not be earned on this machine: `sees`, `trains`." in text
    assert "no GPU to grant" in text
    assert as_dict(report)["unearnable"] == 35


def compose(tmp_path, text):
    (tmp_path / "compose.yaml").write_text(text)
    return gpu_reservations(Submission(tmp_path), "compose.yaml")


DEVICES = """
services:
  one:
    image: x
    deploy: {resources: {reservations: {devices: [%s]}}}
"""


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("{capabilities: [gpu], count: 1}", "1 GPU(s)"),
        ("{capabilities: [gpu, utility], device_ids: ['0']}", "device 0 with utility"),
        ("{capabilities: [gpu]}", "all GPUs"),
        ("{capabilities: [gpu], count: all}", "all GPUs"),
        ("{capabilities: [gpu], count: '${GPUS:-1}'}", "1 GPU(s)"),
        ("{capabilities: [gpu], count: '2'}", "2 GPU(s)"),
    ],
)
def test_what_compose_reserves(tmp_path, device, said):
    (found,) = compose(tmp_path, DEVICES % device)
    assert found.is_gpu
    assert str(found) == said


RESERVED = (
    "deploy: {resources: {reservations: {devices: [{count: 1, capabilities: [gpu]}]}}}"
)


@pytest.mark.parametrize(
    ("services", "reserved"),
    [
        # the service that is built here has it from another one of the file
        (
            f"{{base: {{build: ., {RESERVED}}}, trainer: {{extends: base}}}}",
            ["1 GPU(s)"],
        ),
        (
            f"{{base: {{build: .}}, trainer: {{extends: {{service: base}}, {RESERVED}}}}}",
            ["1 GPU(s)"],
        ),
        (
            "{base: {build: ., gpus: all}, trainer: {extends: {service: base}}}",
            ["all GPUs"],
        ),
        # two are built, and another one reserves it
        (f"{{trainer: {{build: .}}, other: {{build: ., {RESERVED}}}}}", []),
        (f"{{app: {{build: .}}, other: {{build: ., {RESERVED}}}}}", ["1 GPU(s)"]),
        # none is built: the trainer is asked about
        (f"{{trainer: {{image: x}}, other: {{image: y, {RESERVED}}}}}", []),
        (f"{{trainer: {{image: x}}, other: {{build: ., {RESERVED}}}}}", ["1 GPU(s)"]),
        # each goes back to the other, and to a file that is not read
        (
            "{trainer: {build: ., extends: other}, other: {image: x, extends: trainer}}",
            [],
        ),
        (
            f"{{trainer: {{build: ., {RESERVED}, extends: {{file: common.yaml, service: x}}}}}}",
            ["1 GPU(s)"],
        ),
    ],
)
def test_whose_reservation_counts(tmp_path, services, reserved):
    (tmp_path / "compose.yaml").write_text(f"services: {services}\n")
    found = gpu_reservations(Submission(tmp_path), "compose.yaml", preferred="trainer")
    assert [str(one) for one in found] == reserved


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (DEVICES % "{count: 1}", "capabilities"),
        (DEVICES % "{capabilities: gpu, count: 1}", "capabilities"),
        (
            DEVICES % "{capabilities: [gpu], count: 1, device_ids: ['0']}",
            "`count` and `device_ids`",
        ),
        (DEVICES % "{capabilities: [gpu], count: many}", "`count` is `many`"),
        (DEVICES % "gpu", "a device is `gpu`"),
        ("services:\n\tone: 1\n", "not valid YAML"),
        ("- a\n", "no `services`"),
        ("services: {one: {deploy: {}}}\n", "neither `image` nor `build`"),
        ("services: {one: {image: x, deploy: [1]}}\n", "in no mapping"),
        ("services: {one: {image: x, gpus: 1}}\n", "`gpus` is `1`"),
        ("services: {one: {image: x, gpus: [1]}}\n", "a device is `1`"),
        ("a: &a [x]\nb: [" + "*a," * 60 + "]\n", "aliases"),
        ("[" * 20_000, "brackets"),
        ("[" * 299, "not valid YAML"),
    ],
)
def test_what_compose_would_refuse(tmp_path, text, said):
    with pytest.raises(CheckFailed) as caught:
        compose(tmp_path, text)
    assert said in str(caught.value)


def test_anchors_are_followed_and_no_reservation_is_none(tmp_path):
    text = "x-gpu: &gpu {deploy: {resources: {reservations: {devices: [{capabilities: [gpu], count: 1}]}}}}\n"
    text += "services: {one: {build: ., <<: *gpu}, two: {image: x}}\n"
    assert [str(one) for one in compose(tmp_path, text)] == ["1 GPU(s)"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("services: {one: {build: ., gpus: all}}\n", ["all GPUs"]),
        ("services: {one: {build: ., gpus: [{count: 1}]}}\n", ["1 GPU(s)"]),
        ("services: {one: {build: ., gpus: [{device_ids: ['1']}]}}\n", ["device 1"]),
        ("services: {one: {build: .}, two: {image: x, gpus: all}}\n", []),
        (
            "services: {one: {image: x}, two: {image: x, gpus: [{count: 1}]}}\n",
            ["1 GPU(s)"],
        ),
    ],
)
def test_the_short_way_and_the_service_that_is_built(tmp_path, text, said):
    assert [str(one) for one in compose(tmp_path, text)] == said


SCRIPTS = {
    "plain": ('#!/bin/sh\ndocker run --rm --gpus all "$1"\n', [("all GPUs", True)]),
    "on a terminal": (
        '#!/usr/bin/env bash\nset -euo pipefail\ndocker run -it --gpus=all "${1:?}" -L\n',
        [("all GPUs", True)],
    ),
    "sudo": ("sudo -E docker container run -d --gpus all $1\n", [("all GPUs", True)]),
    "another shell": ('#!/bin/zsh\ndocker run --gpus all "$1"\n', [("all GPUs", True)]),
    "in two steps": (
        "id=$(docker create --gpus all $1)\ndocker start -a $id\n",
        [("all GPUs", True)],
    ),
    "never started": ("docker create --gpus all $1\n", [("all GPUs", False)]),
    "named": ("docker run --gpus '\"device=0,1\"' $1\n", [("device 0, 1", True)]),
    "runtime": ("docker run --runtime nvidia $1\n", [("", True)]),
    "nothing": ("echo docker run --gpus all $1\n", []),
}


@pytest.fixture(scope="module")
def recordings(real_engine, tmp_path_factory):
    from dockdojo.engine.client import connect

    with connect() as engine:
        image = recorder_image(lambda folder: engine.build(folder, limits=Limits()))
        done = {}
        for name, (text, _) in SCRIPTS.items():
            folder = tmp_path_factory.mktemp("script")
            (folder / "run.sh").write_text(text)
            done[name] = record(
                Submission(folder),
                "run.sh",
                "lab:x",
                image,
                lambda spec: engine.run(spec, Limits()),
            )
        return done


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_a_script_asks(name, recordings):
    found = [
        (", ".join(map(str, one.gpus)), one.started)
        for one in recordings[name].containers
    ]
    assert found == SCRIPTS[name][1], recordings[name]
    assert all(one.image == "lab:x" for one in recordings[name].containers)


def test_a_script_that_is_not_there(tmp_path):
    with pytest.raises(SubmissionError, match=r"run\.sh"):
        record(Submission(tmp_path), "run.sh", "lab:x", None, None)
