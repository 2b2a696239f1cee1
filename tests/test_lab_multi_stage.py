"""multi_stage: unusual right answers pass, plausible wrong ones lose what they should."""

from __future__ import annotations

import pytest

from tests.unusual import SideBySide, failed, lost

LAB = "multi_stage"
P = "FROM python:3.11-slim"
GCC = "RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev\n"
BUILD = f"{P} AS Build\n{GCC}WORKDIR /src\nCOPY . .\n"

ENDS = (
    BUILD + f"RUN pip wheel --no-build-isolation --no-deps -w /w .\n{P} AS run\n"
    "RUN --mount=type=bind,from=build,source=/w,target=/w pip install --no-cache-dir /w/*.whl\nWORKDIR /app\nCOPY app.py .\n"
    "FROM run AS test\nCOPY tests tests\nRUN python -m unittest discover tests\nFROM run\n"
)

RIGHT = {
    "setup.py in place, one file copied, tests in the build stage": {
        "Dockerfile": BUILD
        + "RUN python setup.py build_ext --inplace --build-lib /out\n"
        "FROM build AS Test\nRUN cp fastsum*.so tests/ && python tests/test_fastsum.py\n"
        f"{P}\nWORKDIR /srv\nCOPY --from=Build /src/fastsum*.so app.py ./\nUSER nobody\nENTRYPOINT python app.py\n".replace(
            " app.py ./", " ./\nCOPY app.py ./"
        ),
    },
    "gcc by hand, stripped, another base image for the end": {
        "Dockerfile": BUILD
        + "RUN mkdir /out && gcc -O2 -s -shared -fPIC $(python3-config --includes 2>/dev/null || echo -I/usr/local/include/python3.11) "
        "fastsum/fastsum.c -o /out/fastsum.so\nCOPY app.py /out/\n"
        f"FROM build AS test\nENV PYTHONPATH=/out\nRUN python -m unittest tests/test_fastsum.py\n"
        f'{P} AS last\nCOPY --from=build /out /opt/sum\nUSER 65534:65534\nCMD ["python", "/opt/sum/app.py"]\n',
    },
    "a virtual environment is brought over, and the tests must pass first": {
        "Dockerfile": BUILD
        + "RUN python -m venv --without-pip /venv && pip install --no-build-isolation --target /venv/lib/python3.11/site-packages .\n"
        "FROM build AS test\nENV PATH=/venv/bin:$PATH\nRUN python -m unittest discover tests && touch /passed\n"
        f'{P}\nCOPY --from=test /passed /passed\nCOPY --from=test /venv /venv\nCOPY app.py /app.py\nUSER 1\nCMD ["/venv/bin/python", "/app.py"]\n',
    },
    "a prefix is copied over, and the tests run twice": {
        "Dockerfile": BUILD + "RUN pip install --no-build-isolation --prefix=/out .\n"
        f"{P} AS run\nCOPY --from=build /out /usr/local\nCOPY app.py /srv/app.py\nWORKDIR /srv\n"
        "FROM run AS test\nCOPY tests /tests\nRUN cd /tests && for one in test_*.py; do python $one || exit 1; done\n"
        'FROM run\nUSER daemon\nENTRYPOINT ["python3", "-u"]\nCMD ["/srv/app.py"]\n',
    },
    "pyproject.toml instead of setup.py": {
        "setup.py": None,
        "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "fastsum"\nversion = "1.0"\n[tool.setuptools]\npy-modules = []\npackages = []\n'
        'ext-modules = [{name = "fastsum", sources = ["fastsum/fastsum.c"]}]\n',
        "Dockerfile": BUILD + "RUN pip wheel --no-build-isolation --no-deps -w /w .\n"
        f"{P} AS base\nCOPY --from=build /w /w\nRUN pip install --no-cache-dir /w/*.whl && rm -r /w\nCOPY app.py /\n"
        "FROM base AS TEST\nCOPY tests /tests\nWORKDIR /tests\nRUN python -m unittest -v\n"
        "FROM base AS release\nUSER 1001:1001\nCMD python /app.py\n",
    },
    "it begins as root, and becomes another before the program": {
        "Dockerfile": ENDS
        + 'ENTRYPOINT ["setpriv", "--reuid=1000", "--clear-groups"]\nCMD ["python", "app.py"]\n'
    },
}

WRONG = {
    "the tools are removed at the end": (
        {
            "Dockerfile": f"{P} AS test\n{GCC}WORKDIR /app\nCOPY . .\nRUN pip install --no-build-isolation --no-cache-dir .\nRUN python -m unittest discover tests\n"
            'RUN apt-get purge -y gcc libc6-dev && apt-get autoremove -y && rm -rf fastsum /var/lib/apt/lists/*\nUSER 1000\nCMD ["python", "app.py"]\n'
        },
        {"clean", "size"},
    ),
    "the source under another name": (
        {
            "Dockerfile": ENDS
            + 'COPY fastsum/fastsum.c /usr/share/doc/sum.txt\nUSER 1000\nCMD ["python", "app.py"]\n'
        },
        {"clean"},
    ),
    "the test stage runs no test": (
        {
            "Dockerfile": BUILD
            + "RUN pip wheel --no-build-isolation --wheel-dir /w .\n"
            + f"{P} AS run\nCOPY --from=build /w /w\nRUN pip install --no-cache-dir /w/*.whl\n"
            'WORKDIR /app\nCOPY app.py .\nUSER 1000\nFROM run AS test\nCOPY tests tests\nCMD python -m unittest discover tests\nFROM run\nCMD ["python", "app.py"]\n'
        },
        {"stage"},
    ),
}


CASES = {**RIGHT, **{name: files for name, (files, _) in WRONG.items()}}
GRADED = SideBySide(__name__, CASES, lambda name: lost(LAB, CASES[name]))


@pytest.fixture(scope="module")
def graded(real_engine):
    return GRADED


@pytest.mark.parametrize("name", RIGHT)
def test_an_unusual_right_answer_passes(name, graded):
    assert graded[name] == {}


@pytest.mark.parametrize("name", WRONG)
def test_a_plausible_wrong_answer_loses_what_it_should(name, graded):
    assert failed(graded[name]) == WRONG[name][1], graded[name]
