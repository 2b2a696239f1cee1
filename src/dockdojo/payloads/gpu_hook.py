"""The simulated NVIDIA runtime: the prestart hook that an engine calls for a container that asked for GPUs.

The engine looks on its PATH for `nvidia-container-runtime-hook`, resolves `--gpus` itself, tells the hook in
NVIDIA_VISIBLE_DEVICES and NVIDIA_DRIVER_CAPABILITIES what was granted, and gives it the OCI state on stdin
(https://github.com/opencontainers/runtime-spec/blob/main/runtime.md#state). The real hook mounts driver and devices; this
one writes an `nvidia-smi` and device files, and everything that it writes says SIMULATED.

It is run by the engine as a script of its own, so it needs the standard library alone. It runs as root, in a root file
system that belongs to a stranger: it follows no link there.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from dataclasses import dataclass

DEFAULT_CAPABILITIES = "compute,utility"
"""What the real runtime grants where a container names no driver capabilities."""
MEMORY_MIB = 4096
DRIVER = "000.00-SIMULATED"
SAYS = "SIMULATED"
SMI_PATH = "/usr/bin/nvidia-smi"
FILE_MODE, PROGRAM_MODE = 0o644, 0o755


class Denied(Exception):
    """The request cannot be met; the engine shows the message, and does not start the container."""


@dataclass(frozen=True)
class Gpu:
    """One simulated device."""

    index: int

    @property
    def uuid(self) -> str:
        """The name that stays the same in every container."""
        return f"GPU-{SAYS}-{self.index:04d}"

    @property
    def name(self) -> str:
        """The model."""
        return f"{SAYS} GPU (no hardware)"


def granted(environment: list[str], present: int) -> tuple[list[Gpu], set[str]]:
    """The devices and driver capabilities that a container's environment says; the last setting of a name counts.

    Raises Denied for a device that there is not.
    """
    settings = dict(line.partition("=")[::2] for line in environment)
    wanted = settings.get("NVIDIA_VISIBLE_DEVICES", "")
    capabilities = settings.get("NVIDIA_DRIVER_CAPABILITIES") or DEFAULT_CAPABILITIES
    every = [Gpu(number) for number in range(present)]
    names = {str(gpu.index): gpu for gpu in every} | {gpu.uuid: gpu for gpu in every}
    if wanted in ("", "void", "none"):
        devices: list[Gpu] = []
    elif wanted == "all":
        devices = every
    else:
        devices = []
        for word in wanted.split(","):
            if word not in names:
                raise Denied(
                    f"{SAYS} nvidia-container-cli: device error: {word}: unknown device"
                )
            if names[word] not in devices:
                devices.append(names[word])
    return devices, set(capabilities.split(","))


def smi(devices: list[Gpu]) -> str:
    """An `nvidia-smi` in plain sh. As in a real container, the devices that can be seen are numbered from 0."""
    rows = "\n".join(
        f"{number}|{gpu.name}|{gpu.uuid}" for number, gpu in enumerate(devices)
    )
    return (
        SMI.replace("@ROWS@", rows)
        .replace("@DRIVER@", DRIVER)
        .replace("@MEMORY@", str(MEMORY_MIB))
    )


SMI = r"""#!/bin/sh
# SIMULATED: made by `dockdojo engine up --simulate-gpu`; there is no such hardware.
rows='@ROWS@'
only= query= form= list=
while [ $# -gt 0 ]; do
  case $1 in
    -L|--list-gpus) list=1 ;;
    -i) shift; only=$1 ;;
    --id=*) only=${1#*=} ;;
    --query-gpu=*) query=${1#*=} ;;
    --query-gpu) shift; query=$1 ;;
    --format=*) form=${1#*=} ;;
    --format) shift; form=$1 ;;
    --version) echo 'NVIDIA-SMI version : @DRIVER@'; exit 0 ;;
    -q|--query) ;;
    *) echo "SIMULATED nvidia-smi does not know the option $1" >&2; exit 2 ;;
  esac
  shift
done
each() {
  printf '%s\n' "$rows" | while IFS='|' read -r index name uuid; do
    [ -n "$index" ] || continue
    if [ -n "$only" ] && [ "$only" != "$index" ] && [ "$only" != "$uuid" ]; then continue; fi
    "$1"
  done
}
line() { echo "GPU $index: $name (UUID: $uuid)"; }
row() { printf '| %3s  %-26s %18s |\n' "$index" "$name" "0MiB / @MEMORY@MiB"; }
value() {
  unit=
  case $1 in
    index) v=$index ;;
    name|gpu_name) v=$name ;;
    uuid|gpu_uuid) v=$uuid ;;
    count) v=$(printf '%s\n' "$rows" | grep -c .) ;;
    driver_version) v=@DRIVER@ ;;
    memory.total|memory.free) v=@MEMORY@ unit=MiB ;;
    memory.used) v=0 unit=MiB ;;
    utilization.gpu|utilization.memory) v=0 unit=% ;;
    *) v='[N/A]' ;;
  esac
  case ,$form, in *,nounits,*) unit= ;; esac
  printf '%s' "$v${unit:+ $unit}"
}
record() {
  first=1 fields=$query,
  while [ -n "$fields" ]; do
    [ -n "$first" ] || printf ', '
    first=
    value "$(printf '%s' "${fields%%,*}" | tr -d ' ')"
    fields=${fields#*,}
  done
  echo
}
if [ -z "$rows" ]; then echo 'SIMULATED: No devices were found'; exit 6; fi
if [ -n "$list" ]; then each line; exit 0; fi
if [ -n "$query" ]; then
  case ,$form, in *,noheader,*) ;; *) printf '%s\n' "$query" | sed 's/,/, /g' ;; esac
  each record
  exit 0
fi
echo '+-----------------------------------------------------+'
printf '| %-51s |\n' 'NVIDIA-SMI @DRIVER@, by dockdojo'
printf '| %-51s |\n' 'GPU  Name                              Memory-Usage'
echo '+-----------------------------------------------------+'
each row
echo '+-----------------------------------------------------+'
"""


def put(root: str, path: str, text: str, mode: int) -> None:
    """Writes a file below `root`; whatever has that name goes first, folders are made, and no link is ever followed.

    Not even a chroot would do: the container's /proc is mounted already, and its `1/root` leads out. Raises Denied.
    """
    *folders, name = path.strip("/").split("/")
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for folder in folders:
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder, 0o755, dir_fd=here)
            try:
                below = os.open(
                    folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here
                )
            except OSError:
                raise Denied(
                    f"{SAYS} nvidia-container-cli: mount error: {path}: {folder} is no plain folder"
                ) from None
            os.close(here)
            here = below
        try:
            os.unlink(name, dir_fd=here)
        except FileNotFoundError:
            pass
        except OSError:
            raise Denied(
                f"{SAYS} nvidia-container-cli: mount error: {path} is a folder in the image"
            ) from None
        handle = os.open(
            name,
            os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW,
            mode,
            dir_fd=here,
        )
        with os.fdopen(handle, "w") as file:
            file.write(text)
            os.fchmod(file.fileno(), mode)
    finally:
        os.close(here)


def main(present: int, said: str) -> int:
    """Does what the state on stdin asks for; 0, or 1 with a line on stderr."""
    try:
        state = json.loads(said)
        with open(
            os.path.join(state["bundle"], "config.json"), encoding="utf-8"
        ) as file:
            config = json.load(file)
        devices, capabilities = granted(config["process"].get("env", []), present)
        if not devices:
            return 0
        root = os.path.join(state["bundle"], config["root"]["path"])
        # /dev is mounted in the container's own mount namespace, which its process leads to.
        inside = f"/proc/{int(state['pid'])}/root{root}"
        for gpu in devices:
            put(
                inside,
                f"/dev/nvidia{gpu.index}",
                f"{SAYS} NVIDIA device {gpu.index}\n",
                FILE_MODE,
            )
        put(inside, "/dev/nvidiactl", f"{SAYS} NVIDIA control device\n", FILE_MODE)
        if "compute" in capabilities or "all" in capabilities:
            put(inside, "/dev/nvidia-uvm", f"{SAYS} NVIDIA memory device\n", FILE_MODE)
        if "utility" in capabilities or "all" in capabilities:
            put(inside, SMI_PATH, smi(devices), PROGRAM_MODE)
    except Denied as reason:
        print(reason, file=sys.stderr)
        return 1
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        print(
            f"{SAYS} nvidia-container-cli: {type(error).__name__}: {error}",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.stdin.read()))
