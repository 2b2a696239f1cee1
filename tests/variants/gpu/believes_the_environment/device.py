"""Says on which device a training would run, by a variable that the image itself sets."""

import os
import sys

found = os.environ.get("NVIDIA_VISIBLE_DEVICES", "void") != "void"
if "--require-gpu" in sys.argv and not found:
    sys.exit("No GPU was found.")
print("device=cuda" if found else "device=cpu")
