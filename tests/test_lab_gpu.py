"""The lab gpu: right answers that are unusual, and wrong ones that are plausible."""

from __future__ import annotations

import pytest

from dockdojo.connection import machine
from tests.unusual import SideBySide, failed, lost

CMD = 'FROM python:3.11-slim\nCOPY device.py /srv/device.py\nCMD ["python3", "/srv/device.py"]\n'
SHELL_CMD = (
    "FROM python:3.11-slim\nCOPY device.py /srv/device.py\nCMD python3 /srv/device.py\n"
)
SPLIT = 'FROM python:3.11-slim\nWORKDIR /x\nCOPY device.py .\nENTRYPOINT ["python"]\nCMD ["device.py"]\n'
SCRIPT = 'FROM python:3.11-slim\nWORKDIR /x\nCOPY --chmod=755 device.py .\nENTRYPOINT ["./device.py"]\n'
LOOKS_AT_DEVICES = """#!/usr/bin/env python3
import glob, sys
found = glob.glob("/dev/nvidia[0-9]*")
if "--require-gpu" in sys.argv[1:] and not found:
    print("error: this needs an NVIDIA card", file=sys.stderr)
    raise SystemExit(1)
print("looking for devices ...")
print("device=" + ("cuda" if found else "cpu"))
"""
FIRST_DEVICE_ONLY = LOOKS_AT_DEVICES.replace(
    'glob.glob("/dev/nvidia[0-9]*")', 'glob.glob("/dev/nvidia0")'
)
GPU_DEVICES = """
services:
  trainer:
    build: .
    deploy: {{resources: {{reservations: {{devices: [{}]}}}}}}
"""
BY_ID = """
services:
  web: {image: "nginx:1.27"}
  trainer:
    image: gpu-lab
    deploy: {resources: {reservations: {devices: [{device_ids: ["0"], capabilities: [gpu, utility]}]}}}
"""
IN_GERMAN = LOOKS_AT_DEVICES.replace(
    "error: this needs an NVIDIA card",
    "Keine Grafikkarte gefunden, und es soll eine da sein.",
)
WARNS_ALWAYS = LOOKS_AT_DEVICES.replace(
    'if "--require',
    'if not found:\n    print("There is no graphics card here.")\nif "--require',
).replace('    print("error: this needs an NVIDIA card", file=sys.stderr)\n', "")
ONLY_A_BANNER = LOOKS_AT_DEVICES.replace(
    "import glob, sys\n", 'import glob, sys\nprint("looking for CUDA devices ...")\n'
).replace('    print("error: this needs an NVIDIA card", file=sys.stderr)\n', "")
TWO_ENTRIES = GPU_DEVICES.format(
    "{count: 1, capabilities: [gpu]}, {count: 1, capabilities: [gpu]}"
)
ONE_TWICE = GPU_DEVICES.format(
    '{device_ids: ["0"], capabilities: [gpu]}, {device_ids: ["0"], capabilities: [utility, gpu]}'
)
GPUS = "services: {trainer: {build: ., gpus: [{count: 1}]}}\n"
SECOND = """
services:
  trainer: {build: .}
  other:
    image: gpu-lab
    deploy: {resources: {reservations: {devices: [{count: 1, capabilities: [gpu]}]}}}
"""
ANCHORED = """
x-gpu: &gpu
  reservations:
    devices: [{driver: nvidia, count: "1", capabilities: ["gpu"]}]
services:
  trainer: {build: {context: .}, deploy: {resources: {limits: {memory: 1g}, <<: *gpu}}}
"""
RIGHT = {
    "CMD instead of ENTRYPOINT": {"Dockerfile": CMD},
    "CMD in shell form": {"Dockerfile": SHELL_CMD},
    "interpreter and script apart": {"Dockerfile": SPLIT},
    "a script that looks at the device files": {
        "Dockerfile": SCRIPT,
        "device.py": LOOKS_AT_DEVICES,
    },
    "bash, a terminal, an equals sign": {
        "run.sh": '#!/usr/bin/env bash\nset -euo pipefail\ndocker run -it --rm --gpus="all" "${1:?image}"\n'
    },
    "create and start": {
        "run.sh": 'id=$(docker create --gpus all,capabilities=utility "$1")\ndocker start -a "$id"\n'
    },
    "every device by name": {"run.sh": 'docker run --gpus "device=all" "$1"\n'},
    "one device by id, another service": {"compose.yaml": BY_ID},
    "anchors, and a count in quotes": {"compose.yaml": ANCHORED},
    "a message in another language, and one device that is named twice": {
        "Dockerfile": SCRIPT,
        "device.py": IN_GERMAN,
        "compose.yaml": ONE_TWICE,
    },
    "it says what is missing with and without the option": {
        "Dockerfile": SCRIPT,
        "device.py": WARNS_ALWAYS,
    },
    "the short way of newer versions": {"compose.yaml": GPUS},
    "a shell with options, a line that is printed twice, what another service has": {
        "Dockerfile": "FROM python:3.11-slim\nCOPY device.py /srv/device.py\n"
        'SHELL ["/bin/bash", "-eo", "pipefail", "-c"]\nENTRYPOINT python3 /srv/device.py\n',
        "device.py": LOOKS_AT_DEVICES.replace(
            'print("device=', 'for _ in range(2): print("device='
        ),
        "compose.yaml": "services:\n  base: {build: ., gpus: [{device_ids: ['0']}]}\n  trainer: {extends: {service: base}}\n",
    },
}
WRONG = {
    "only the first device counts": (
        {"Dockerfile": SCRIPT, "device.py": FIRST_DEVICE_ONLY},
        {"cuda"},
    ),
    "the other runtime, no request": (
        {"run.sh": 'docker run --runtime=nvidia "$1"\n'},
        {"run_sh"},
    ),
    "created, never started": (
        {"run.sh": 'docker create --gpus all "$1"\n'},
        {"run_sh"},
    ),
    "the option behind the image": (
        {"run.sh": 'docker run "$1" --gpus all\n'},
        {"run_sh"},
    ),
    "no capabilities": (
        {"compose.yaml": BY_ID.replace(", capabilities: [gpu, utility]", "")},
        {"compose"},
    ),
    "for another service": ({"compose.yaml": SECOND}, {"compose"}),
    "all, the short way": (
        {"compose.yaml": "services: {trainer: {build: ., gpus: all}}\n"},
        {"compose"},
    ),
    "the old way": (
        {"compose.yaml": "services: {trainer: {image: x, runtime: nvidia}}\n"},
        {"compose"},
    ),
    "the error goes out with 2": (
        {
            "Dockerfile": SCRIPT,
            "device.py": LOOKS_AT_DEVICES.replace("SystemExit(1)", "SystemExit(2)"),
        },
        {"require_gpu"},
    ),
    "it says what it always says": (
        {"Dockerfile": SCRIPT, "device.py": ONLY_A_BANNER},
        {"require_gpu"},
    ),
    "two entries, each for one GPU": ({"compose.yaml": TWO_ENTRIES}, {"compose"}),
    "it fails without a word": (
        {
            "Dockerfile": SCRIPT,
            "device.py": LOOKS_AT_DEVICES.replace(
                "error: this needs an NVIDIA card", "no"
            ),
        },
        {"require_gpu"},
    ),
}


CASES = RIGHT | {name: files for name, (files, _) in WRONG.items()}
GRADED = SideBySide(__name__, CASES, lambda name: lost("gpu", CASES[name]))


@pytest.fixture(scope="module")
def found(real_engine):
    return GRADED


@pytest.fixture(autouse=True)
def _simulated(real_engine):
    if not machine.simulated_gpus():
        pytest.skip("the engine here was not started by dockdojo with simulated GPUs")


@pytest.mark.parametrize("name", RIGHT)
def test_right_though_unusual(name, found):
    assert found[name] == {}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_though_plausible(name, found):
    assert failed(found[name]) == WRONG[name][1], found[name]
