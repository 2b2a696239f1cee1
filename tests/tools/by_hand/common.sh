# What the scripts beside this one share: the checks of a lab as somebody would do them by hand, with the docker client.
# Each is called with the folder of a submission, prints a line for each thing that is wrong, and cleans up.
set -u
folder=$(cd "$1" && pwd)
course=$(cd "$(dirname "$0")/../../.." && pwd)
id=byhand$$
scratch=$(mktemp -d)
export DOCKER_BUILDKIT=1

clean() {
  docker ps -aq --filter "label=$id" | xargs -r docker rm -f >/dev/null 2>&1
  docker images -q --filter "label=$id" | sort -u | xargs -r docker rmi -f >/dev/null 2>&1
  docker network rm "$id" >/dev/null 2>&1
  rm -rf "$scratch"
}
trap clean EXIT

wrong() { echo "wrong: $*"; }
build() { docker build -q --label "$id" "$@"; }
run() { docker run --rm --label "$id" --network none "$@"; }
start() { docker run -d --label "$id" --network none "$@"; }
same() { [ "$1" = "$2" ] || wrong "$3: '$1' instead of '$2'"; }
answers() { # KEY=ANSWER ...
  for one in "$@"; do
    grep -qi "^${one%%=*} *= *\"${one#*=}\"" "$folder/answers.toml" || wrong "answer ${one%%=*}"
  done
}
export_layers() { # IMAGE: its layers as $scratch/layers/N.list, and $scratch/image
  mkdir -p "$scratch/image" "$scratch/layers"
  docker save "$1" | tar -x -C "$scratch/image"
  number=0
  for layer in $(tr -d '[]"' < "$scratch/image/manifest.json" | grep -o 'Layers:.*' | sed 's/Layers://; s/[}].*//' | tr , ' '); do
    tar -tvf "$scratch/image/$layer" > "$scratch/layers/$number.list"
    number=$((number + 1))
  done
}
says() { # CONTAINER TEXT: waits until its log has it
  for _ in $(seq 50); do docker logs "$1" 2>&1 | grep -q "$2" && return; sleep 0.1; done
  wrong "it does not say $2"
}
