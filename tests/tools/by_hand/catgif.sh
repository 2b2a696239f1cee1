. "$(dirname "$0")/common.sh"
# Clutter beside the app, and a change of app.py.
cp -r "$folder" "$scratch/one"; mkdir -p "$scratch/one/.git" "$scratch/one/__pycache__"
for name in .git/HEAD .env __pycache__/app.cpython-311.pyc leftover.pyc; do echo MARK-4711 > "$scratch/one/$name"; done
image=$(build "$folder")
first=$(build "$scratch/one")
cp -r "$scratch/one" "$scratch/two"; echo "# changed $$" >> "$scratch/two/app.py"
second=$(build "$scratch/two")
docker inspect --format '{{join .RootFS.Layers "\n"}}' "$first" > "$scratch/a"
docker inspect --format '{{join .RootFS.Layers "\n"}}' "$second" > "$scratch/b"
[ "$(comm -12 <(sort "$scratch/a") <(sort "$scratch/b") | wc -l)" -ge 9 ] || wrong "the install is done again"
export_layers "$first"
for layer in "$scratch"/image/*/layer.tar; do tar -xOf "$layer" 2>/dev/null | grep -q MARK-4711 && wrong clutter; done
docker network create --internal "$id" >/dev/null
web=$(docker run -d --label "$id" --network "$id" "$image")
odd=$(docker run -d --label "$id" --network "$id" -e PORT=8081 "$image")
address=$(docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$web")
other=$(docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$odd")
get() { docker run --rm --label "$id" --network "$id" busybox timeout 5 wget -q -O - "$1"; }
for _ in $(seq 20); do get "http://$address:5000/" > "$scratch/page" 2>/dev/null && break; sleep 0.2; done
[ -s "$scratch/page" ] || wrong "no answer"
for name in $(ls "$course/labs/catgif/starter/static"); do
  for _ in $(seq 30); do get "http://$address:5000/" | grep -q "$name" && break; done || wrong "$name never appears"
  docker run --rm --label "$id" --network "$id" busybox wget -q -O - "http://$address:5000/static/$name" \
    | cmp -s - "$course/labs/catgif/starter/static/$name" || wrong "$name is another file"
done
get "http://$other:8081/healthz" >/dev/null || wrong "PORT is not honoured"
docker inspect --format '{{json .Config.ExposedPorts}}' "$image" | grep -q 5000/tcp || wrong expose
[ "$(docker inspect --format '{{.Config.WorkingDir}}' "$image")" != / ] || wrong workdir
base=$(docker inspect --format '{{.Size}}' python:3.11-slim)
[ $(($(docker inspect --format '{{.Size}}' "$image") - base)) -le 60000000 ] || wrong size
[ "$(docker exec "$web" sh -c 'grep Uid /proc/1/status' | awk '{print $2}')" != 0 ] || wrong "runs as root"
docker logs "$web" 2>&1 | grep -qi "development server" && wrong "development server"
grep -vq == "$folder/requirements.txt" && wrong requirements
true
