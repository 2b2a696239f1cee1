print("device=cuda")
