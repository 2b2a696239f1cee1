"""Says on which device a training would run."""

# Whoever wrote this had a GPU.
print("device=cuda")
