"""Says on which device a training would run: cuda where a GPU was granted, else cpu."""

import argparse
import shutil
import subprocess
import sys


def gpus() -> list[str]:
    """The GPUs that this container may use, a line each; empty without a driver, a device or the permission."""
    if shutil.which("nvidia-smi") is None:
        return []
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return listed.stdout.splitlines() if listed.returncode == 0 else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--require-gpu", action="store_true", help="fail where there is no GPU")
    options = parser.parse_args()
    found = gpus()
    if options.require_gpu and not found:
        sys.exit("No GPU was found, and --require-gpu asks for one. Was the container started with --gpus?")
    print("device=cuda" if found else "device=cpu")


if __name__ == "__main__":
    main()
