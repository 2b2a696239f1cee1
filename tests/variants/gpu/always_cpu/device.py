import sys

if "--require-gpu" in sys.argv:
    sys.exit("A GPU is needed, and there is none.")
print("device=cpu")
