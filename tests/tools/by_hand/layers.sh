. "$(dirname "$0")/common.sh"
image=$(build "$folder")
given=$(build "$course/labs/layers/starter")
same "$(run "$image")" "$(run "$given")" output
secret=$(cat "$course/labs/layers/starter/station.token")
docker history --no-trunc "$image" | grep -q "$secret" && wrong "secret in the history"
docker inspect "$image" | grep -q "$secret" && wrong "secret in the config"
export_layers "$image"
for layer in "$scratch"/image/*/layer.tar; do tar -xOf "$layer" 2>/dev/null | grep -q "$secret" && wrong "secret in a layer"; done
# Waste: files that a later layer has, too, or whites out. (Hidden folders would need more than this.)
awk '{ path = $6; size = $3 } /^-/ { if (path in seen) waste += seen[path]; seen[path] = size; all += size }
     path ~ /\.wh\./ { sub(/\.wh\./, "", path); waste += seen[path] } END { exit !(waste > 9000000) }' \
  $(ls "$scratch"/layers/*.list | sort -V) && wrong waste
base=$(docker inspect --format '{{.Size}}' python:3.11-slim)
mine=$(($(docker inspect --format '{{.Size}}' "$image") - base))
theirs=$(($(docker inspect --format '{{.Size}}' "$given") - base))
[ $((100 * mine)) -le $((45 * theirs)) ] || wrong size
count() { docker inspect --format '{{len .RootFS.Layers}}' "$1"; }
[ $(($(count "$image") - $(count python:3.11-slim))) -le 8 ] || wrong "too many layers"
cp -r "$folder" "$scratch/two"; echo "# changed $$" >> "$scratch/two/report.py"
second=$(build "$scratch/two")
layers_of() { docker inspect --format '{{join .RootFS.Layers "\n"}}' "$1" | sort; }
[ "$(comm -12 <(layers_of "$image") <(layers_of "$second") | wc -l)" -gt "$(count python:3.11-slim)" ] || wrong "the install is done again"
grep -c '= *"' "$folder/answers.toml" >/dev/null || wrong answers
