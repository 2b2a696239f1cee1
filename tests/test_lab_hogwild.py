"""The lab hogwild: right answers that are unusual (the wrong ones are its variants)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unusual import COURSE, SideBySide, lost

SOLUTION = COURSE.solution("hogwild") or Path()
MAIN, TRAIN, DOCKERFILE = (
    (SOLUTION / name).read_text() for name in ("main.py", "train.py", "Dockerfile")
)
JOIN = MAIN[MAIN.index("def join(") : MAIN.index("def main(")]
AFTERWARDS = "def join(workers):\n    for one in workers:\n        one.join()\n    return max(abs(one.exitcode) for one in workers)\n\n\n"

WORKER = """class Worker(mp.get_context("forkserver").Process):
    def __init__(self, *given):
        super().__init__()
        self.given = given

    def run(self):
        train(*self.given)


"""
TOLD = """                print(
                    f"{os.getpid()}\\tTrain Epoch: {epoch} [{done}/{len(labels)} ({share:.0f}%)]\\tLoss: {loss.item():.6f}",
                    flush=True,
                )
"""
LOGGED = """                logging.info("epoch %d, loss %.6f", epoch, loss.item())
"""

RIGHT = {
    "exit codes are looked at when all have ended; the code is a project that is installed last, and given away": {
        "main.py": MAIN.replace(JOIN, AFTERWARDS),
        "setup.py": "from setuptools import setup\n\nsetup(name='hog', py_modules=['train'])\n",
        "Dockerfile": DOCKERFILE.replace(
            "COPY main.py train.py ./\nUSER 1000\n",
            "COPY main.py train.py setup.py ./\n",
        ).replace(
            "ENTRYPOINT",
            "RUN pip install --no-build-isolation --no-deps . && useradd hog && chown -R hog /app\nUSER hog\nENTRYPOINT",
        ),
    },
    "mp.spawn, another log, percent, the main process tells its number, too; two stages, a folder of packages, a script that starts it": {
        "main.py": MAIN.replace(JOIN, "")
        .replace(
            "    workers = [mp.Process",
            "    mp.spawn(train, (args, model), args.num_processes)\n    _ = [mp.Process",
        )
        .replace(
            "    for one in workers:\n        one.start()\n    code = join(workers)\n",
            "    code = 0\n",
        ),
        "train.py": TRAIN.replace(
            'f"{os.getpid()}\\tTrain Epoch: {epoch} [{done}/{len(labels)} ({share:.0f}%)]\\tLoss: {loss.item():.6f}"',
            'f"[pid {os.getpid()}] epoch={epoch} loss={loss.item():.4f}"',
        ).replace(
            'f"\\nTest set: Average loss: {loss:.4f}, Accuracy: {correct}/{len(labels)} ({share:.0f}%)"',
            'f"[pid {os.getpid()}] tested: loss={loss:.4f} acc: {share:.1f}%"',
        ),
        "Dockerfile": "FROM python:3.11-slim AS build\nCOPY requirements.txt /\n"
        "RUN pip install --no-cache-dir --no-compile --target /packages -r /requirements.txt "
        "&& PYTHONPATH=/packages python -c 'import torch; torch.optim.SGD([torch.zeros(1)], lr=1)'\n"
        "FROM python:3.11-slim\nENV PYTHONPATH=/packages PYTHONUNBUFFERED=1\nCOPY --from=build /packages /packages\n"
        'COPY *.py /srv/\nENTRYPOINT ["sh", "-c", "exec python /srv/main.py \\"$@\\"", "main"]\n',
    },
    "a class of workers, forkserver, Adam, and what logging writes to stderr": {
        "main.py": MAIN.replace(
            "mp.Process(target=train, args=(rank, args, model))",
            "Worker(rank, args, model)",
        )
        .replace('    mp.set_start_method("spawn")\n', "")
        .replace("def join(", WORKER + "def join("),
        "train.py": TRAIN.replace(TOLD, LOGGED)
        .replace("import os\n", "import logging\n")
        .replace(
            "    torch.set_num_threads(1)\n",
            "    torch.set_num_threads(1)\n    logging.basicConfig(level=logging.INFO, format='%(process)d %(asctime)s %(message)s')\n",
        )
        .replace(
            "SGD(model.parameters(), lr=args.lr, momentum=args.momentum)",
            "Adam(model.parameters())",
        ),
    },
}


GRADED = SideBySide(
    __name__, RIGHT, lambda name: lost("hogwild", RIGHT[name]), trains=lambda name: True
)


@pytest.fixture(scope="module")
def found(real_engine):
    return GRADED


@pytest.mark.parametrize("name", RIGHT)
def test_right_though_unusual(name, found):
    assert found[name] == {}
