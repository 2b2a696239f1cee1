. "$(dirname "$0")/common.sh"
image=$(build "$folder")
# What run.sh asks for: read here; by hand, nobody would let it run somewhere safe.
grep -q -- '--gpus[= ]*"\?all' "$folder/run.sh" || wrong run.sh
grep -q 'capabilities: \[gpu\]' "$folder/compose.yaml" && grep -q 'count: 1' "$folder/compose.yaml" || wrong compose.yaml
same "$(run "$image")" device=cpu "without a GPU"
run "$image" --require-gpu >"$scratch/out" 2>&1; same $? 1 --require-gpu
grep -qi gpu "$scratch/out" || wrong "no message"
same "$(run --gpus all "$image")" device=cuda "--gpus all"
same "$(run --gpus all "$image" --require-gpu)" device=cuda "--gpus all, --require-gpu"
same "$(run --gpus device=1 "$image")" device=cuda "--gpus device=1"
same "$(run --gpus all --entrypoint nvidia-smi "$image" -L)" "$(run --gpus all python:3.11-slim nvidia-smi -L)" "nvidia-smi"
same "$(run --gpus device=1 --entrypoint nvidia-smi "$image" -L)" "$(run --gpus device=1 python:3.11-slim nvidia-smi -L)" "one device"
answers driver="the host" without_flag=none no_runtime="an error at the start" second_only="--gpus device=1"
