. "$(dirname "$0")/common.sh"
image=$(build "$folder")
same "$(run "$image")" 500000500000 sum
same "$(run -e NUMBERS="3 -5 40 1000000007" "$image")" 1000000045 "sum of NUMBERS"
build --target test "$folder" >/dev/null || wrong "stage test"
cp -r "$folder" "$scratch/failing"
printf 'import unittest\nclass TestThatFails(unittest.TestCase):\n    def test_it(self):\n        self.fail("%s")\n' "$$" > "$scratch/failing/tests/test_fastsum.py"
build --target test "$scratch/failing" >/dev/null 2>&1 && wrong "a failing test does not fail the build"
cp -r "$folder" "$scratch/marked"
sed -i "s/Sums numbers, quickly./mark-$id/" "$scratch/marked/fastsum/fastsum.c"
marked=$(build "$scratch/marked")
export_layers "$marked"
found=
for layer in "$scratch"/image/*/layer.tar; do tar -xOf "$layer" 2>/dev/null | grep -q "mark-$id" && found=1; done
[ -n "$found" ] || wrong "not built here"
base=$(docker inspect --format '{{len .RootFS.Layers}}' python:3.11-slim)
for list in "$scratch"/layers/*.list; do
  [ "$(basename "$list" .list)" -lt "$base" ] && continue
  grep -E '/(gcc|cc|clang|ld|make)$|\.h$|fastsum\.c$|\.cache/pip/' "$list" && wrong "tools in the image"
done
[ "$(run --entrypoint id "$image" -u)" != 0 ] || wrong "runs as root"
[ $(($(docker inspect --format '{{.Size}}' "$image") - $(docker inspect --format '{{.Size}}' python:3.11-slim))) -le 25000000 ] || wrong size
