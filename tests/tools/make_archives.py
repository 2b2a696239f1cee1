"""Makes the archives that the labs add_vs_copy and layers give out: the same bytes every time.

python tests/tools/make_archives.py
"""

from __future__ import annotations

import gzip
import io
import random
import tarfile
from pathlib import Path

LABS = Path(__file__).parents[2] / "labs"
SITE = {
    "index.html": (
        0o644,
        "<!doctype html>\n<title>A site</title>\n<link rel=stylesheet href=css/style.css>\n<h1>Unpacked</h1>\n",
    ),
    "css/style.css": (0o644, "h1 { font-family: sans-serif; }\n"),
    "bin/serve.sh": (
        0o755,
        "#!/bin/sh\nexec python3 -m http.server --directory /srv/site\n",
    ),
    "private/notes.txt": (0o600, "Nobody but the owner reads this.\n"),
}
BACKUP = {
    "2024/monday.sql": (0o644, "insert into cats values ('Minka');\n"),
    "2024/tuesday.sql": (0o644, "-- nothing new\n"),
}
ROWS = 120_000


def packed(files: dict[str, tuple[int, str]]) -> bytes:
    """A tar.gz of the files, folders included, without times and owners."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.GNU_FORMAT) as archive:
        folders = sorted({path.rpartition("/")[0] for path in files} - {""})
        for folder in folders:
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(info)
        for path, (mode, text) in files.items():
            info = tarfile.TarInfo(path)
            info.size, info.mode = len(text.encode()), mode
            archive.addfile(info, io.BytesIO(text.encode()))
    return gzip.compress(plain.getvalue(), mtime=0)


def measurements() -> dict[str, tuple[int, str]]:
    """Made-up temperatures of three rooms, a few megabytes of them."""
    chance = random.Random(20240229)  # made-up numbers, not secrets
    files = {}
    for room, mean in (("attic", 28), ("cellar", 12), ("kitchen", 21)):
        rows = "".join(
            f"{minute},{chance.gauss(mean, 2):.2f}\n" for minute in range(ROWS // 3)
        )
        files[f"{room}.csv"] = (0o644, "minute,celsius\n" + rows)
    return files


def main() -> None:
    """Writes them into the starters; solutions/ holds the same files."""
    for home in (
        LABS / "add_vs_copy" / "starter",
        LABS.parent / "solutions" / "add_vs_copy",
    ):
        (home / "site.tar.gz").write_bytes(packed(SITE))
        (home / "backup.tar.gz").write_bytes(packed(BACKUP))
    for home in (LABS / "layers" / "starter", LABS.parent / "solutions" / "layers"):
        (home / "data").mkdir(exist_ok=True)
        (home / "data" / "measurements.tar.gz").write_bytes(packed(measurements()))


if __name__ == "__main__":
    main()
